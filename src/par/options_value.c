/* How the text of a key becomes its value, and back. */
#include "options_entry.h"

#include "base/text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Digits that give back every double, and what most of them need. */
enum { DIGITS_FEW = 15, DIGITS_ALL = 17, PIECE = OPTION_TEXT + 64, LIST_TEXT = OPTION_LIST * OPTION_TEXT };

/* Which of the choices the word is; -1: none. */
static int choice(const char *choices, const char *word) {
    size_t len = strlen(word);
    int i = 0;
    for (const char *c = choices; c; i++) {
        const char *next = strchr(c, '|');
        if (len && !strncmp(c, word, len) && (c[len] == '|' || c[len] == 0)) return i;
        c = next ? next + 1 : NULL;
    }
    return -1;
}

static bool listed(const char *choices, const char *word) {
    return choice(choices, word) >= 0;
}

void options_choice(char *word, size_t size, const char *choices, int i) {
    for (; i > 0; i--) choices = strchr(choices, '|') + 1;
    snprintf(word, size, "%.*s", (int)strcspn(choices, "|"), choices);
}

/* An end of a range, as short as it can be without being another number. */
static void bound_text(char text[32], double x) {
    snprintf(text, 32, "%g", x);
    if (strtod(text, NULL) != x) snprintf(text, 32, "%.*g", DIGITS_FEW, x);
}

void options_range(char *text, size_t size, const KeySpec *s) {
    char lo[32], hi[32];
    *text = 0;
    if (s->lo >= s->hi) return;
    bound_text(lo, s->lo);
    bound_text(hi, s->hi);
    snprintf(text, size, "in [%s, %s]", lo, hi);
}

Err value_wanted(const char *origin, const KeySpec *s, const char *value) {
    static const char *kind[] = {"a whole number", "a number",      "true or false", "a word",
                                 "a word",         "whole numbers", "numbers",       "words"};
    bool number = s->type == KEY_INT || s->type == KEY_REAL || s->type == KEY_INTS || s->type == KEY_REALS;
    bool list = s->type >= KEY_INTS;
    char range[64], most[40] = "", within[96] = "";
    options_range(range, sizeof range, s);
    if (number && *range) {
        bool unit = strcmp(s->unit, "1") != 0;
        snprintf(within, sizeof within, " %s%s%s", range, unit ? " " : "", unit ? s->unit : "");
    }
    if (list) snprintf(most, sizeof most, ", at most %d entries", OPTION_LIST);
    if (s->choices && s->type == KEY_INT)
        return err_user("%s: %s = %.200s: want %s, or %s%s", origin, s->key, value, s->choices, kind[s->type], within);
    if (s->choices) return err_user("%s: %s = %.200s: want one of %s", origin, s->key, value, s->choices);
    if (s->type == KEY_WORD) /* all are good but for their length */
        return err_user("%s: %s = %.40s...: want at most %d letters", origin, s->key, value, OPTION_TEXT - 1);
    return err_user("%s: %s = %.200s: want %s%s%s", origin, s->key, value, kind[s->type], within, most);
}

/* A number that fills the whole of text and lies in the range; whole numbers may be written 4e5. */
static bool number(const KeySpec *s, const char *text, bool whole, double *x) {
    char *end;
    errno = 0;
    *x = strtod(text, &end);
    if (end == text || *end || errno == ERANGE || !isfinite(*x)) return false;
    if (whole && (*x != floor(*x) || fabs(*x) > 9e15)) return false;
    return s->lo >= s->hi || (*x >= s->lo && *x <= s->hi);
}

/* One value (an element of a list, or the only one) into slot i. */
static bool store(void *member, const KeySpec *s, int i, const char *text) {
    double x = 0;
    switch (s->type) {
    case KEY_INT:
        if (choice(s->choices, text) >= 0)
            x = choice(s->choices, text);
        else if (!number(s, text, true, &x))
            return false;
        *(int64_t *)member = (int64_t)x;
        return true;
    case KEY_REAL: return number(s, text, false, (double *)member);
    case KEY_BOOL: *(bool *)member = !strcmp(text, "true"); return *(bool *)member || !strcmp(text, "false");
    case KEY_WORD:
        if (strlen(text) >= OPTION_TEXT) return false;
        strcpy(member, text);
        return !s->choices || listed(s->choices, text);
    case KEY_CHOICE: *(int *)member = choice(s->choices, text); return *(int *)member >= 0;
    case KEY_INTS:
        if (!number(s, text, true, &x)) return false;
        ((IntList *)member)->at[i] = (int64_t)x;
        ((IntList *)member)->n = i + 1;
        return true;
    case KEY_REALS:
        if (!number(s, text, false, &x)) return false;
        ((RealList *)member)->at[i] = x;
        ((RealList *)member)->n = i + 1;
        return true;
    case KEY_WORDS:
        snprintf(((WordList *)member)->at[i], sizeof((WordList *)member)->at[i], "%s", text);
        ((WordList *)member)->n = i + 1;
        return strlen(text) < sizeof((WordList *)member)->at[i] && (!s->choices || listed(s->choices, text));
    }
    return false;
}

/* Without spaces around it; changed in place. */
static char *trimmed(char *text) {
    while (*text == ' ') text++;
    for (size_t n = strlen(text); n && text[n - 1] == ' '; n--) text[n - 1] = 0;
    return text;
}

/* A list stands as in a study file, or without brackets. */
bool value_parse(void *member, const KeySpec *s, const char *text) {
    if (s->type < KEY_INTS) return store(member, s, 0, text);
    char copy[LIST_TEXT];
    if ((size_t)snprintf(copy, sizeof copy, "%s", text) >= sizeof copy) return false;
    char *rest = trimmed(copy);
    size_t n = strlen(rest);
    if (n >= 2 && rest[0] == '[' && rest[n - 1] == ']') {
        rest[n - 1] = 0;
        rest = trimmed(rest + 1);
    }
    *(int *)member = 0;
    if (!*rest) return true;
    for (int i = 0; rest; i++)
        if (i == OPTION_LIST || !store(member, s, i, trimmed(strsep(&rest, ",")))) return false;
    return true;
}

/* ---- Back to text. ---- */

static int count_of(const void *member, const KeySpec *s) {
    return s->type < KEY_INTS ? 1 : *(const int *)member;
}

static int count_of_choices(const char *choices) {
    int n = choices != NULL;
    for (const char *c = choices; c && (c = strchr(c, '|')); c++) n++;
    return n;
}

/* A number, or the word that stands for it. */
static void int_text(char piece[PIECE], int64_t x, const char *choices) {
    if (x >= 0 && x < count_of_choices(choices))
        options_choice(piece, PIECE, choices, (int)x);
    else
        snprintf(piece, PIECE, "%lld", (long long)x);
}

/* The fewest digits that give the number back. */
static void real_text(char piece[PIECE], double x) {
    for (int digits = DIGITS_FEW; digits <= DIGITS_ALL; digits++) {
        snprintf(piece, PIECE, "%.*g", digits, x);
        if (strtod(piece, NULL) == x) return;
    }
}

/* Entry i. */
static void entry_text(char piece[PIECE], const void *m, const KeySpec *s, int i) {
    switch (s->type) {
    case KEY_INT: int_text(piece, *(const int64_t *)m, s->choices); break;
    case KEY_REAL: real_text(piece, *(const double *)m); break;
    case KEY_BOOL: snprintf(piece, PIECE, "%s", *(const bool *)m ? "true" : "false"); break;
    case KEY_WORD: snprintf(piece, PIECE, "%s", (const char *)m); break;
    case KEY_CHOICE: options_choice(piece, PIECE, s->choices, *(const int *)m); break;
    case KEY_INTS: snprintf(piece, PIECE, "%lld", (long long)((const IntList *)m)->at[i]); break;
    case KEY_REALS: real_text(piece, ((const RealList *)m)->at[i]); break;
    case KEY_WORDS: snprintf(piece, PIECE, "%s", ((const WordList *)m)->at[i]); break;
    }
}

char *options_text(const void *filled, const KeySpec *specs, int n) {
    Text text = {0};
    char piece[PIECE];
    for (int k = 0; k < n; k++) {
        const KeySpec *s = &specs[k];
        const void *member = (const char *)filled + s->offset;
        text_add(&text, "%s = ", s->key);
        for (int i = 0; i < count_of(member, s); i++) {
            entry_text(piece, member, s, i);
            text_add(&text, "%s%s", i ? "," : "", piece);
        }
        text_add(&text, "\n");
    }
    return text.at;
}

/* Between quotes unless it is a plain word that YAML cannot take for something else. */
static void append_word(Text *text, const char *word) {
    size_t plain = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_/.-+");
    bool quote = !*word || word[plain] || *word == '-' || *word == '+';
    if (quote) text_add(text, "\"");
    for (const char *c = word; *c; c++)
        if ((unsigned char)*c < ' ')
            text_add(text, "\\x%02x", (unsigned)*c);
        else
            text_add(text, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
    if (quote) text_add(text, "\"");
}

static void append_value(Text *text, const void *filled, const KeySpec *s) {
    const void *member = (const char *)filled + s->offset;
    bool list = s->type >= KEY_INTS, word = s->type == KEY_WORD || s->type == KEY_CHOICE || s->type == KEY_WORDS;
    char piece[PIECE];
    if (list) text_add(text, "[");
    for (int i = 0; i < count_of(member, s); i++) {
        if (i) text_add(text, ", ");
        entry_text(piece, member, s, i);
        if (word)
            append_word(text, piece);
        else
            text_add(text, "%s", piece);
    }
    if (list) text_add(text, "]");
}

char *options_value(const void *filled, const KeySpec *spec) {
    Text text = {0};
    append_value(&text, filled, spec);
    return text.at;
}

/* Letters of a key before its first dot: the section of the file that it stands in. */
static int section_of(const char *key) {
    return (int)strcspn(key, ".");
}

static bool same_section(const char *a, const char *b) {
    return section_of(a) == section_of(b) && !strncmp(a, b, (size_t)section_of(a));
}

/* All keys of one section, whichever table they stand in. */
static void append_section(Text *text, const KeyTable *tables, int n, const char *first) {
    text_add(text, "%.*s:\n", section_of(first), first);
    for (int t = 0; t < n; t++)
        for (int k = 0; k < tables[t].n; k++) {
            const KeySpec *s = &tables[t].specs[k];
            if (!same_section(s->key, first)) continue;
            text_add(text, "  %s: ", s->key + section_of(s->key) + 1);
            append_value(text, tables[t].filled, s);
            text_add(text, "\n");
        }
}

/* Whether an earlier key opened the section of key k of table t. */
static bool seen(const KeyTable *tables, int t, int k) {
    const char *key = tables[t].specs[k].key;
    for (int u = 0; u <= t; u++)
        for (int i = 0; i < (u < t ? tables[u].n : k); i++)
            if (same_section(tables[u].specs[i].key, key)) return true;
    return false;
}

char *options_yaml(const KeyTable *tables, int n) {
    Text text = {0};
    for (int t = 0; t < n; t++)
        for (int k = 0; k < tables[t].n; k++)
            if (!seen(tables, t, k)) append_section(&text, tables, n, tables[t].specs[k].key);
    return text.at;
}
