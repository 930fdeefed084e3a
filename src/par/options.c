#include "par/options.h"

#include "base/arena.h"
#include "par/comm.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <petscsys.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

static char source[OPTION_TEXT] = "command line"; /* what an error about a key names */

/* ---- The file: libyaml checks form and duplicates, PETSc takes the values. ---- */

static const char *scalar(yaml_document_t *doc, int node) {
    yaml_node_t *n = yaml_document_get_node(doc, node);
    return n && n->type == YAML_SCALAR_NODE ? (const char *)n->data.scalar.value : NULL;
}

static int line_of(yaml_document_t *doc, int node) {
    return (int)yaml_document_get_node(doc, node)->start_mark.line + 1;
}

static Err check_map(const char *path, yaml_document_t *doc, int node, int depth) {
    yaml_node_t *map = yaml_document_get_node(doc, node);
    if (map->type == YAML_SCALAR_NODE && depth) return ERR_NONE;
    if (map->type == YAML_SEQUENCE_NODE && depth) {
        for (yaml_node_item_t *i = map->data.sequence.items.start; i < map->data.sequence.items.top; i++)
            if (!scalar(doc, *i))
                return err_user("%s:%d: a list inside a list: want plain values", path, line_of(doc, *i));
        return ERR_NONE;
    }
    if (map->type != YAML_MAPPING_NODE || depth > 3)
        return err_user("%s:%d: want lines of the form `key: value`", path, line_of(doc, node));
    for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
        const char *key = scalar(doc, p->key);
        if (!key) return err_user("%s:%d: want a plain word as key", path, line_of(doc, p->key));
        for (yaml_node_pair_t *q = map->data.mapping.pairs.start; q < p; q++)
            if (!strcmp(key, scalar(doc, q->key)))
                return err_user("%s:%d: key %s appears twice: want it once", path, line_of(doc, p->key), key);
        TRY(check_map(path, doc, p->value, depth + 1));
    }
    return ERR_NONE;
}

static Err check_yaml(const char *path, const char *text, size_t bytes) {
    yaml_parser_t parser;
    yaml_document_t doc;
    Err err = ERR_NONE;
    yaml_parser_initialize(&parser);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, bytes);
    if (!yaml_parser_load(&parser, &doc)) {
        err = err_user("%s:%d: not YAML: %s", path, (int)parser.problem_mark.line + 1,
                       parser.problem ? parser.problem : "unreadable");
    } else {
        if (yaml_document_get_root_node(&doc))
            err = check_map(path, &doc, 1, 0);
        else
            err = err_user("%s: the file is empty: want a study", path);
        yaml_document_delete(&doc);
    }
    yaml_parser_delete(&parser);
    return err;
}

/* The whole file on every rank, read by the root alone. */
static Err read_whole(const char *path, char **text, size_t *bytes) {
    const Comm *w = comm_world();
    Err err = ERR_NONE;
    long size = 0;
    *text = NULL;
    if (comm_rank(w) == 0) {
        FILE *f = fopen(path, "rb");
        if (!f) {
            err = err_user("%s: %s: want a readable study file", path, strerror(errno));
        } else {
            if (fseek(f, 0, SEEK_END) || (size = ftell(f)) < 0 || size > 1 << 20 || fseek(f, 0, SEEK_SET))
                err = err_user("%s: want a study file of at most 1 MiB", path);
            if (!err.code) {
                *text = mem_alloc((size_t)size + 1);
                if (fread(*text, 1, (size_t)size, f) != (size_t)size)
                    err = err_user("%s: want a readable study file", path);
            }
            fclose(f);
        }
    }
    err = comm_agree(w, err);
    if (err.code) {
        mem_free(*text);
        return err;
    }
    *bytes = (size_t)size;
    comm_bcast(w, bytes, sizeof *bytes, 0);
    if (!*text) *text = mem_alloc(*bytes + 1);
    comm_bcast(w, *text, *bytes, 0);
    return ERR_NONE;
}

static void to_flag(char *flag, size_t size, const char *key) {
    snprintf(flag, size, "-%s", key);
    for (char *c = flag; *c; c++)
        if (*c == '.') *c = '_';
}

static Err insert_arguments(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-' || !isalpha((unsigned char)argv[i][1]))
            return err_user("command line: %s: want -key value", argv[i]);
        bool value = i + 1 < argc && !(argv[i + 1][0] == '-' && isalpha((unsigned char)argv[i + 1][1]));
        PetscOptionsSetValue(NULL, argv[i], value ? argv[i + 1] : "true");
        i += value;
    }
    return ERR_NONE;
}

Err options_load(const char *path, int argc, char **argv) {
    if (path) {
        char *text;
        size_t bytes;
        TRY(read_whole(path, &text, &bytes));
        snprintf(source, sizeof source, "%s", path);
        Err err = check_yaml(path, text, bytes);
        if (!err.code && PetscOptionsInsertStringYAML(NULL, text))
            err = err_user("%s: not a study file: want `key: value` lines", path);
        mem_free(text);
        TRY(err);
    }
    return insert_arguments(argc, argv);
}

Err options_unknown(void) {
    PetscInt n;
    char **names, **values;
    Err err = ERR_NONE;
    PetscOptionsLeftGet(NULL, &n, &names, &values);
    for (PetscInt i = 0; i < n && !err.code; i++)
        err = err_user("%s: unknown key %s (value %s): want a key that `equiscale keys` lists", source, names[i],
                       values[i] ? values[i] : "");
    PetscOptionsLeftRestore(NULL, &n, &names, &values);
    return err;
}

const char *options_source(void) {
    return source;
}

/* ---- Values. ---- */

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

static Err wanted(const KeySpec *s, const char *value) {
    static const char *kind[] = {"a whole number", "a number",      "true or false", "a word",
                                 "a word",         "whole numbers", "numbers",       "words"};
    bool number = s->type == KEY_INT || s->type == KEY_REAL || s->type == KEY_INTS || s->type == KEY_REALS;
    if (s->choices) return err_user("%s: %s = %s: want one of %s", source, s->key, value, s->choices);
    if (number && s->lo < s->hi)
        return err_user("%s: %s = %s: want %s in [%g, %g]", source, s->key, value, kind[s->type], s->lo, s->hi);
    return err_user("%s: %s = %s: want %s", source, s->key, value, kind[s->type]);
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
        if (!number(s, text, true, &x)) return false;
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

static Err read_one(void *member, const KeySpec *s) {
    char flag[128], value[4096];
    PetscBool given;
    to_flag(flag, sizeof flag, s->key);
    PetscOptionsGetString(NULL, NULL, flag, value, sizeof value, &given);
    if (!given) {
        if (!s->fallback) return err_user("%s: key %s is missing: want %s", source, s->key, s->help);
        snprintf(value, sizeof value, "%s", s->fallback);
    }
    if (s->type < KEY_INTS) {
        if (!store(member, s, 0, value)) return wanted(s, value);
        return ERR_NONE;
    }
    *(int *)member = 0;
    char copy[4096], *rest = copy, *word;
    snprintf(copy, sizeof copy, "%s", value);
    for (int i = 0; (word = strsep(&rest, ",")) && *value; i++) {
        while (*word == ' ') word++;
        if (i == OPTION_LIST) return err_user("%s: %s: want at most %d entries", source, s->key, OPTION_LIST);
        if (!store(member, s, i, word)) return wanted(s, value);
    }
    return ERR_NONE;
}

Err options_read(void *out, const KeySpec *specs, int n) {
    for (int i = 0; i < n; i++) TRY(read_one((char *)out + specs[i].offset, &specs[i]));
    return ERR_NONE;
}

static void append(char **text, size_t *used, size_t *size, const char *piece) {
    size_t len = strlen(piece);
    if (*used + len + 1 > *size) *text = mem_grow(*text, *size = 2 * (*used + len + 1));
    memcpy(*text + *used, piece, len + 1);
    *used += len;
}

char *options_text(const void *filled, const KeySpec *specs, int n) {
    size_t used = 0, size = 0;
    char *text = NULL, piece[OPTION_TEXT + 64];
    for (int k = 0; k < n; k++) {
        const KeySpec *s = &specs[k];
        const void *m = (const char *)filled + s->offset;
        int count = s->type < KEY_INTS ? 1 : *(const int *)m;
        snprintf(piece, sizeof piece, "%s = ", s->key);
        append(&text, &used, &size, piece);
        for (int i = 0; i < count; i++) {
            const char *sep = i + 1 < count ? "," : "";
            switch (s->type) {
            case KEY_INT: snprintf(piece, sizeof piece, "%lld", (long long)*(const int64_t *)m); break;
            case KEY_REAL: snprintf(piece, sizeof piece, "%.17g", *(const double *)m); break;
            case KEY_BOOL: snprintf(piece, sizeof piece, "%s", *(const bool *)m ? "true" : "false"); break;
            case KEY_WORD: snprintf(piece, sizeof piece, "%s", (const char *)m); break;
            case KEY_CHOICE: options_choice(piece, sizeof piece, s->choices, *(const int *)m); break;
            case KEY_INTS: snprintf(piece, sizeof piece, "%lld%s", (long long)((const IntList *)m)->at[i], sep); break;
            case KEY_REALS: snprintf(piece, sizeof piece, "%.17g%s", ((const RealList *)m)->at[i], sep); break;
            case KEY_WORDS: snprintf(piece, sizeof piece, "%s%s", ((const WordList *)m)->at[i], sep); break;
            }
            append(&text, &used, &size, piece);
        }
        append(&text, &used, &size, "\n");
    }
    return text;
}
