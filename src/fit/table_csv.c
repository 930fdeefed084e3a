/* Rows of a delimited text as points: what each field says. */
#include "fit/table.h"
#include "table_columns.h"
#include "table_rows.h"

#include "base/log.h"
#include "base/rng.h"
#include "io/csv.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A comment behind the number of a field, as in "3.125  # again", is no part of it. */
static void cut_comment(char *text) {
    char *hash = strchr(text, '#');
    if (!hash || hash == text) return;
    char *end = hash;
    while (end > text && isblank((unsigned char)end[-1])) end--;
    if (end == hash) return;
    char kept = *end;
    double x;
    *end = 0;
    if (!number_read(&x, text, MARK_POINT) && !number_read(&x, text, MARK_COMMA)) *end = kept;
}

/* The next row, whose fields of numbers are without comments. */
static Err next_row(Mapping *m, bool *more) {
    TRY(csv_next(&m->csv, more));
    for (int holds = 0; *more && holds < HOLDS; holds++)
        if (m->at[holds] >= 0 && table_columns_number(holds)) cut_comment(m->csv.field[m->at[holds]]);
    return ERR_NONE;
}

/* The decimal mark of all numbers of the table. */
static Err find_mark(Mapping *m, const TableColumns *columns) {
    m->mark = columns->mark;
    if (m->mark != MARK_UNCLEAR) return ERR_NONE;
    NumberStyle style = {0};
    char example[40] = "";
    bool more = true;
    for (;;) {
        TRY(next_row(m, &more));
        if (!more) break;
        for (int holds = 0; holds < HOLDS; holds++) {
            if (m->at[holds] < 0 || !table_columns_number(holds)) continue;
            const char *text = m->csv.field[m->at[holds]];
            /* Numbers of digits alone speak for neither. */
            if (!strpbrk(text, ".,")) continue;
            number_observe(&style, text);
            if (!*example && strchr(text, ',')) snprintf(example, sizeof example, "%s", text);
        }
    }
    csv_rewind(&m->csv);
    m->mark = number_mark(&style);
    if (m->mark == MARK_UNCLEAR)
        return err_user("%s: numbers like %s may have a decimal comma or grouped digits: want -fit_columns_decimal "
                        "comma or point",
                        m->csv.path, example);
    return ERR_NONE;
}

static const char *field(const Mapping *m, int holds) {
    return m->csv.field[m->at[holds]];
}

static Err is_blank(const Mapping *m, int holds, const char *want) {
    return err_user("%s:%lld: %s is blank: want %s", m->csv.path, (long long)m->csv.line, m->csv.name[m->at[holds]],
                    want);
}

/* 125M: a number that says itself what it counts in. */
static bool has_suffix(const char *text) {
    return isalpha((unsigned char)text[strlen(text) - 1]);
}

static Err number(double *x, const Mapping *m, int holds, bool positive) {
    const char *text = *field(m, holds) ? field(m, holds) : "blank";
    bool counts = holds == HOLDS_LOSS && has_suffix(text); /* of a loss a letter is a typing error */
    if (counts || !number_read(x, text, m->mark) || (positive && *x <= 0))
        return err_user("%s:%lld: %s = %.60s: want a %snumber", m->csv.path, (long long)m->csv.line,
                        m->csv.name[m->at[holds]], text, positive ? "positive " : "");
    return ERR_NONE;
}

/* A positive number in single units, of a column that counts in `unit`. A field with a suffix of its own, as 125M, is. */
static Err counted(double *x, const Mapping *m, int holds, double unit) {
    TRY(number(x, m, holds, true));
    if (!has_suffix(field(m, holds))) *x *= unit;
    return ERR_NONE;
}

static Err truth(bool *yes, const Mapping *m, int holds, bool fallback) {
    *yes = fallback;
    if (m->at[holds] < 0) return ERR_NONE;
    if (!number_truth(yes, field(m, holds)))
        return err_user("%s:%lld: %s = %.60s: want true or false, yes or no, 1 or 0", m->csv.path,
                        (long long)m->csv.line, m->csv.name[m->at[holds]], field(m, holds));
    return ERR_NONE;
}

/* Words for a number that does not exist have no digits or begin with letters (step 300); errors of spreadsheets begin
 * with #, those of compilers have it behind the point (1.#QNAN). */
static bool says_nothing(const char *text, NumberMark mark) {
    double x;
    char *end;
    if (number_read(&x, text, mark)) return false;
    bool infinite = isinf(strtod(text, &end)) && !*end;
    bool word = isalpha((unsigned char)text[0]) && isalpha((unsigned char)text[1]);
    bool fault = text[0] == '#' || strstr(text, ".#");
    return infinite || word || fault || !strpbrk(text, "0123456789");
}

static bool says_no_loss(const char *text, NumberMark mark) {
    double x;
    if (number_read(&x, text, mark)) return x == 0;
    return says_nothing(text, mark);
}

/* Numbers within a text become #, so that step 300 and step 400 are one word. */
static void word_of(char word[TABLE_WORD], const char *text) {
    size_t n = 0;
    bool numbers = strpbrk(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != NULL;
    for (const char *c = *text ? text : "blank"; *c && n < TABLE_WORD - 1; c++) {
        bool digit = numbers && isdigit((unsigned char)*c);
        if (digit && n && word[n - 1] == '#') continue;
        word[n++] = digit ? '#' : *c;
    }
    word[n] = 0;
}

static void count_word(LeftOut *out, const char *text) {
    char word[TABLE_WORD];
    word_of(word, text);
    out->loss++;
    for (int i = 0; i < TABLE_WORDS; i++) {
        LossWord *w = &out->word[i];
        bool last = i == TABLE_WORDS - 1;
        if (!w->rows) snprintf(w->word, sizeof w->word, "%s", last ? "other words" : word);
        if (!last && strcmp(w->word, word)) continue;
        w->rows++;
        return;
    }
}

/* C, N and D; NaN where the cost law is to give them: of a column that is missing, or of a field that says nothing beside
 * the two others. */
static Err read_sizes(Point *p, const Mapping *m) {
    double *const value[] = {&p->n, &p->d, &p->c[CURRENCY_NOMINAL]};
    int said = 0;
    for (int k = 0; k < UNITS; k++)
        said += m->at[unit_holds[k]] >= 0 && !says_nothing(field(m, unit_holds[k]), m->mark);
    for (int k = 0; k < UNITS; k++) {
        int holds = unit_holds[k];
        *value[k] = NAN;
        if (m->at[holds] < 0) continue;
        if (said == 2 && says_nothing(field(m, holds), m->mark)) continue;
        TRY(counted(value[k], m, holds, m->unit[k]));
    }
    for (int c = CURRENCY_NOMINAL + 1; c < CURRENCIES; c++) {
        p->c[c] = NAN;
        if (m->at[HOLDS_C + c] >= 0) TRY(number(&p->c[c], m, HOLDS_C + c, true));
    }
    return ERR_NONE;
}

static Err read_weight(Point *p, const Mapping *m, const TableOptions *options) {
    p->weight = 1;
    if (m->at[HOLDS_WEIGHT] >= 0) TRY(number(&p->weight, m, HOLDS_WEIGHT, false));
    if (p->weight < 0)
        return err_user("%s:%lld: %s = %g: want a weight of at least 0", m->csv.path, (long long)m->csv.line,
                        m->csv.name[m->at[HOLDS_WEIGHT]], p->weight);
    if (m->at[HOLDS_ERROR] >= 0) {
        double error;
        TRY(number(&error, m, HOLDS_ERROR, true));
        double relative = options->error_of_log ? p->loss / error : 1 / error;
        p->weight = relative * relative;
    }
    return ERR_NONE;
}

/* A whole number stands for itself, any other name of a seed for its digest, nothing for 0. */
static int64_t seed_of(const char *text, NumberMark mark) {
    const double exact = 9007199254740992; /* 2^53: a double holds whole numbers up to here */
    double x;
    if (!*text) return 0;
    if (number_read(&x, text, mark) && fabs(x) < exact && x == floor(x)) return (int64_t)x;
    return (int64_t)rng_stream(text, 0);
}

static Err read_marks(Point *p, const Mapping *m) {
    double width = 0, depth = 0;
    if (m->at[HOLDS_WIDTH] >= 0) TRY(number(&width, m, HOLDS_WIDTH, true));
    if (m->at[HOLDS_DEPTH] >= 0) TRY(number(&depth, m, HOLDS_DEPTH, true));
    if (m->at[HOLDS_SEED] >= 0) p->seed = seed_of(field(m, HOLDS_SEED), m->mark);
    p->width = (int)width;
    p->depth = (int)depth;
    if (m->at[HOLDS_GROUP] >= 0 && !*field(m, HOLDS_GROUP)) return is_blank(m, HOLDS_GROUP, "the group of every row");
    if (m->at[HOLDS_GROUP] >= 0) p->group = (int64_t)rng_stream(field(m, HOLDS_GROUP), 0);
    return ERR_NONE;
}

/* One row of optima: N* and D* against C, each as the "loss" of an arm of its own. Both have the relative error of N*. */
static Err read_optima(Table *table, ArmNames *met, const Mapping *m, const char *arm) {
    static const struct {
        int holds;
        const char *what;
    } optimum[] = {{HOLDS_N, "N*"}, {HOLDS_D, "D*"}};
    Point p = {.n = NAN, .d = NAN, .weight = 1, .final = true, .cell = table->cells};
    for (int c = 0; c < CURRENCIES; c++) p.c[c] = NAN;
    TRY(counted(&p.c[CURRENCY_NOMINAL], m, HOLDS_C, m->unit[UNIT_C]));
    TRY(read_marks(&p, m));
    for (int k = 0; k < 2; k++) {
        if (m->at[optimum[k].holds] < 0) continue;
        char name[TABLE_NAME];
        double error;
        if ((size_t)snprintf(name, sizeof name, "%s %s", arm, optimum[k].what) >= sizeof name)
            name[sizeof name - 1] = 0;
        arm_names_add(met, name);
        if (says_no_loss(field(m, optimum[k].holds), m->mark)) {
            count_word(&table->left_out, field(m, optimum[k].holds));
            if (k == 0 && m->at[HOLDS_ERROR] >= 0) break; /* with N* goes the error that D* would have */
            continue;
        }
        TRY(counted(&p.loss, m, optimum[k].holds, m->unit[k]));
        if (m->at[HOLDS_ERROR] >= 0 && k == 0) {
            TRY(counted(&error, m, HOLDS_ERROR, m->unit[UNIT_N]));
            p.weight = (p.loss / error) * (p.loss / error);
        }
        TRY(table_arm_of(&p.arm, table, name, m->csv.path, m->csv.line));
        table_add(table, p);
    }
    return ERR_NONE;
}

/* One row: whether it is wanted, then its loss, then the rest, so that a run without a loss may lack the rest too. */
static Err read_row(Table *table, ArmNames *met, const Mapping *m, const char *file_arm, const TableOptions *options) {
    LeftOut *out = &table->left_out;
    Point p = {.final = true, .cell = table->cells};
    bool keep, drop, held;
    if (m->at[HOLDS_KEEP] >= 0 && !*field(m, HOLDS_KEEP)) return is_blank(m, HOLDS_KEEP, "true or false, 1 or 0");
    TRY(truth(&keep, m, HOLDS_KEEP, true));
    TRY(truth(&drop, m, HOLDS_DROP, false));
    TRY(truth(&held, m, HOLDS_HOLDOUT, false));
    if (!keep || drop) {
        out->keep++;
        return ERR_NONE;
    }
    const char *arm = m->at[HOLDS_ARM] >= 0 ? field(m, HOLDS_ARM) : file_arm;
    if (!*arm) arm = "(blank)";
    arm_names_add(met, arm);
    if (!table_wants_arm(&options->filter, arm)) {
        out->arm++;
        return ERR_NONE;
    }
    if (options->optima) return read_optima(table, met, m, arm);
    const char *loss = field(m, HOLDS_LOSS);
    bool missing = says_no_loss(loss, m->mark);
    if (missing && !held) {
        count_word(out, loss);
        return ERR_NONE;
    }
    p.loss = NAN;
    if (!missing) TRY(number(&p.loss, m, HOLDS_LOSS, true));
    TRY(read_sizes(&p, m));
    TRY(read_marks(&p, m));
    if (!held) TRY(read_weight(&p, m, options));
    if (!held && p.weight == 0) {
        out->keep++;
        return ERR_NONE;
    }
    TRY(table_arm_of(&p.arm, table, arm, m->csv.path, m->csv.line));
    if (held)
        table_hold(table, p);
    else
        table_add(table, p);
    return ERR_NONE;
}

/* What stood where a loss was wanted, in the rows since `before`, as far as a line holds it: n/a (3), blank (1). */
static void list_words(char *list, size_t size, const LeftOut *out, const LeftOut *before) {
    enum { TOLD = 4 };
    size_t used = 0;
    int told = 0;
    list[0] = 0;
    for (int i = 0; i < TABLE_WORDS && told < TOLD && used < size; i++) {
        int64_t rows = out->word[i].rows - before->word[i].rows;
        if (!rows) continue;
        used += (size_t)snprintf(list + used, size - used, "%s%s (%lld)",
                                 told++ ? ", " : "; instead of a loss: ", out->word[i].word, (long long)rows);
    }
}

static Err read_rows(Table *table, ArmNames *met, Mapping *m, const char *arm, const TableOptions *options) {
    const LeftOut left_before = table->left_out; /* by the files before */
    int64_t before = table->n, rows = 0;
    bool more = true;
    for (;;) {
        TRY(next_row(m, &more));
        if (!more) break;
        if (m->csv.line == m->units_line) continue;
        TRY(read_row(table, met, m, arm, options));
        rows++;
    }
    if (m->csv.western) table_note(table, m->csv.path, "the file is not UTF-8: its letters are read as Windows-1252");
    if (m->csv.headers)
        table_note(table, m->csv.path, "%lld line%s the header left out", (long long)m->csv.headers,
                   m->csv.headers == 1 ? " that repeats" : "s that repeat");
    if (m->csv.commented)
        table_note(table, m->csv.path, "%lld line%s left out that look%s like a row behind a #",
                   (long long)m->csv.commented, plural(m->csv.commented), m->csv.commented == 1 ? "s" : "");
    if (!rows) return err_user("%s: no row below the header: want some", m->csv.path);
    if (table->n > before) return ERR_NONE;
    char words[200];
    list_words(words, sizeof words, &table->left_out, &left_before);
    return err_user("%s: no row is left to fit of %lld: want some that are kept, of an arm asked for, with a loss%s",
                    m->csv.path, (long long)rows, words);
}

Err table_read_csv(Table *table, ArmNames *met, const char *path, const char *arm, const TableOptions *options) {
    Mapping m = {.units_line = 0};
    Err err = csv_open(&m.csv, path);
    if (!err.code) err = table_columns_map(&m, options);
    if (!err.code) err = table_columns_units(&m, &options->columns);
    if (!err.code) err = find_mark(&m, &options->columns);
    if (!err.code) table_columns_note(table, &m, &options->columns);
    if (!err.code) err = read_rows(table, met, &m, arm, options);
    csv_close(&m.csv);
    return err;
}
