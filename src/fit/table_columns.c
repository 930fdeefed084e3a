#include "table_columns.h"

#include <ctype.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Usual names are compared without case and without all that is no letter or digit. The first is the symbol: a column
 * of exactly this name is taken whatever else there is. */
typedef struct Kind {
    const char *key;   /* fit.columns.key */
    size_t member;     /* of TableColumns */
    bool number;       /* its fields are numbers */
    const char *usual; /* "|symbol|name|...|", or NULL */
    const char *other; /* "|name|...|" of columns that are taken where none has a usual name, or NULL */
} Kind;

static Kind kind_of(int holds) {
    static const Kind kinds[] = {
        [HOLDS_N] = {"n", offsetof(TableColumns, n), true,
                     "|N|param|params|parameter|parameters|nparams|nparameters|numparams|numparameters|paramcount|"
                     "parametercount|numberofparameters|numberofparams|ofparameters|ofparams|"
                     "modelparams|modelparameters|modelsize|totalparams|totalparameters|nopt|noptimal|nstar|"
                     "optimalparams|optimalparameters|optimalmodelsize|"},
        [HOLDS_D] =
            {"d", offsetof(TableColumns, d), true,
             "|D|token|tokens|sample|samples|ntokens|nsamples|numtokens|numsamples|trainingtokens|trainingsamples|"
             "numberoftokens|numberofsamples|oftokens|ofsamples|"
             "traintokens|trainsamples|tokensseen|samplesseen|totaltokens|datasize|dopt|doptimal|dstar|"
             "optimaltokens|optimalsamples|"},
        [HOLDS_LOSS] =
            {"loss", offsetof(TableColumns, loss), true,
             "|loss|valloss|validationloss|validloss|evalloss|evaluationloss|testloss|finalloss|"
             "finalvalloss|lossval|lossvalidation|losseval|losstest|L|",
             "|nll|valnll|testnll|evalnll|crossentropy|valcrossentropy|validationcrossentropy|testcrossentropy|"
             "evalcrossentropy|crossentropyloss|xent|valxent|ce|valce|celoss|logloss|vallogloss|testlogloss|"
             "bpb|valbpb|testbpb|evalbpb|bitsperbyte|bitspertoken|"},
        [HOLDS_ARM] = {"arm", offsetof(TableColumns, arm), false, "|arm|"},
        [HOLDS_SEED] = {"seed", offsetof(TableColumns, seed), false, "|seed|randomseed|runseed|"},
        [HOLDS_WEIGHT] = {"weight", offsetof(TableColumns, weight), true, NULL},
        [HOLDS_ERROR] = {"error", offsetof(TableColumns, error), true, NULL},
        [HOLDS_KEEP] = {"keep", offsetof(TableColumns, keep), false, NULL},
        [HOLDS_DROP] = {"drop", offsetof(TableColumns, drop), false, NULL},
        [HOLDS_GROUP] = {"group", offsetof(TableColumns, group), false, NULL},
        [HOLDS_HOLDOUT] = {"holdout", offsetof(TableColumns, holdout), false, NULL},
        [HOLDS_WIDTH] = {"width", offsetof(TableColumns, width), true, NULL},
        [HOLDS_DEPTH] = {"depth", offsetof(TableColumns, depth), true, NULL},
        [HOLDS_C] = {"c", offsetof(TableColumns, c), true,
                     "|C|flop|flops|compute|trainflop|trainflops|trainingflop|trainingflops|totalflop|totalflops|"
                     "traincompute|trainingcompute|totalcompute|"},
    };
    if (holds <= HOLDS_C) return kinds[holds];
    int currency = holds - HOLDS_C;
    return (Kind){currencies[currency].name, offsetof(TableColumns, c) + (size_t)currency * sizeof(char *), true, NULL,
                  NULL};
}

static const char *asked_name(const TableColumns *columns, const Kind *kind) {
    const char *name = *(const char *const *)((const char *)columns + kind->member);
    return name && strcmp(name, "none") ? name : NULL;
}

enum { PLAIN = 64 };

/* Lower-case letters and digits of a name; what is longer than any usual name becomes empty. */
static void plain_name(char plain[PLAIN], const char *name) {
    size_t n = 0;
    for (; *name; name++) {
        if (!isalnum((unsigned char)*name)) continue;
        if (n == PLAIN - 1) {
            n = 0;
            break;
        }
        plain[n++] = (char)tolower((unsigned char)*name);
    }
    plain[n] = 0;
}

/* Whether a name is one of "|these|plain|names|". */
static bool is_among(const char *names, const char *name) {
    char plain[PLAIN], listed[PLAIN + 2];
    plain_name(plain, name);
    snprintf(listed, sizeof listed, "|%s|", plain);
    return *plain && strcasestr(names, listed);
}

/* FLOP/s are a speed, and no compute. */
static bool is_speed(const char *name) {
    size_t n = strlen(name);
    return n > 2 && !strcasecmp(name + n - 2, "/s");
}

typedef double UnitOf(const char *word);

/* 1e6, 10^6 or x 10^6 that words of letters stand behind, if anything does, and these; 0, and the whole: no such number. */
static double written_unit(const char *word, const char **rest) {
    static const char times[] = "\303\227"; /* the sign, in UTF-8 */
    const char *at = word + strspn(word, "([x* ");
    if (!strncmp(at, times, strlen(times))) at += strlen(times);
    at += strspn(at, " ");
    bool power = !strncmp(at, "10^", 3);
    if (power) at += 3;
    char *end;
    double x = strtod(at, &end);
    if (power) x = pow(10, x);
    bool good = end != at && x > 1 && isfinite(x);
    for (const char *c = end; *c; c++)
        good &= isalpha((unsigned char)*c) || *c == ' '; /* 10 with a small 9 has no letter */
    *rest = good ? end : word;
    return good ? x : 0;
}

static void drop_end(char plain[PLAIN], const char *end) {
    size_t n = strlen(plain), m = strlen(end);
    if (n >= m && !strcmp(plain + n - m, end)) plain[n - m] = 0;
}

/* Thousands, millions and so on, also "of" what is counted, or that alone; 0: another word. `counted` ends with NULL. */
static double count_unit(const char *word, const char *const *counted) {
    static const struct {
        const char *words;
        double count;
    } units[] = {{"|k|thousand|thousands|", 1e3},
                 {"|m|mio|million|millions|", 1e6},
                 {"|b|bn|g|billion|billions|", 1e9},
                 {"|t|tn|trillion|trillions|", 1e12}};
    char plain[PLAIN];
    const char *rest = word;
    double written = written_unit(word, &rest);
    plain_name(plain, rest);
    bool any = written > 0 || *plain;
    for (; *counted; counted++) drop_end(plain, *counted);
    if (any && !*plain) return written > 0 ? written : 1;
    if (written > 0) return 0;
    drop_end(plain, "of");
    const char *count = plain + (strncmp(plain, "in", 2) ? 0 : 2); /* in millions */
    for (int i = 0; i < (int)(sizeof units / sizeof *units); i++)
        if (is_among(units[i].words, count)) return units[i].count;
    return 0;
}

static double parameters_unit(const char *word) {
    static const char *const counted[] = {"parameters", "parameter", "params", "param", NULL};
    return count_unit(word, counted);
}

static double samples_unit(const char *word) {
    static const char *const counted[] = {"tokens", "token", "samples", "sample", "toks", NULL};
    return count_unit(word, counted);
}

/* A loss in nats or bits has the same exponents. */
static double loss_unit(const char *word) {
    return is_among("|nat|nats|natstoken|natspertoken|bit|bits|bitstoken|bitsbyte|bitspertoken|bitsperbyte|", word);
}

/* GFLOP, petaFLOPs, PF-days: how many FLOP; 0: another word. */
static double flop_word(const char *word) {
    static const struct {
        const char *form[2];
        double count;
    } prefixes[] = {{{"", ""}, 1},        {{"k", "kilo"}, 1e3},   {{"m", "mega"}, 1e6},
                    {{"g", "giga"}, 1e9}, {{"t", "tera"}, 1e12},  {{"p", "peta"}, 1e15},
                    {{"e", "exa"}, 1e18}, {{"z", "zetta"}, 1e21}, {{"y", "yotta"}, 1e24}};
    const double day = 86400; /* of FLOP a second */
    char plain[PLAIN];
    plain_name(plain, word);
    for (int i = 0; i < 2 * (int)(sizeof prefixes / sizeof *prefixes); i++) {
        const char *prefix = prefixes[i / 2].form[i % 2];
        const char *unit = plain + strlen(prefix);
        if (strncmp(plain, prefix, strlen(prefix))) continue;
        if (is_among("|flop|flops|", unit)) return prefixes[i / 2].count;
        if (is_among("|flopday|flopdays|flopsday|flopsdays|fday|fdays|", unit)) return prefixes[i / 2].count * day;
    }
    return 0;
}

double table_unit(const char *word) {
    const char *rest;
    double written = written_unit(word, &rest);
    if (written == 0) return flop_word(word);
    return !rest[strspn(rest, " ")] || flop_word(rest) == 1 ? written : 0;
}

/* Of what a column of this kind is counted in. */
static UnitOf *units_of(const Kind *kind) {
    if (kind->member == offsetof(TableColumns, c)) return table_unit;
    if (kind->member == offsetof(TableColumns, loss)) return loss_unit;
    return kind->member == offsetof(TableColumns, n) ? parameters_unit : samples_unit;
}

/* The unit that a name has in brackets, as compute (GFLOP) or tokens [B]; 0: none. `before`: the name without it. */
static double bracketed_unit(char before[PLAIN], const char *name, UnitOf *unit_of) {
    char unit[PLAIN];
    size_t at = strcspn(name, "([");
    size_t n = strcspn(name + at, ")]");
    if (!name[at] || at >= PLAIN || n >= PLAIN) return 0;
    snprintf(before, PLAIN, "%.*s", (int)at, name);
    snprintf(unit, sizeof unit, "%.*s", (int)n, name + at);
    return is_speed(unit) ? 0 : unit_of(unit);
}

/* The unit that a name ends with, as params_M, tokens_B or samples_in_millions; 0: none. `before`: the name without it. */
static double last_word_unit(char before[PLAIN], const char *name, UnitOf *unit_of) {
    size_t at = strlen(name);
    while (at && !strchr("_ -.", name[at - 1])) at--;
    if (at < 2 || at >= PLAIN || !isalpha((unsigned char)name[at])) return 0;
    size_t in = at >= 4 && strchr("_ -.", name[at - 4]) && !strncasecmp(name + at - 3, "in", 2) ? 3 : 0;
    snprintf(before, PLAIN, "%.*s", (int)(at - 1 - in), name);
    return unit_of(name + at);
}

/* How near a name comes to a usual one: the more, the nearer. */
typedef enum Likeness { UNLIKE, LIKE_OTHER, LIKE_BEFORE_UNIT, LIKE } Likeness;

static Likeness likeness(const char *name, const Kind *kind) {
    char before[PLAIN];
    if (is_speed(name)) return UNLIKE;
    if (kind->member == offsetof(TableColumns, c) && flop_word(name) > 0) return LIKE;
    if (is_among(kind->usual, bracketed_unit(before, name, units_of(kind)) > 0 ? before : name)) return LIKE;
    if (last_word_unit(before, name, units_of(kind)) > 0 && is_among(kind->usual, before)) return LIKE_BEFORE_UNIT;
    return kind->other && is_among(kind->other, name) ? LIKE_OTHER : UNLIKE;
}

/* Whether a name is that of a logarithm of what the kind holds, as log10_N or ln(params). Of a loss there is none: log_loss is
 * one itself. */
static bool is_logarithm(const char *name, const Kind *kind) {
    static const char *const begins[] = {"log10", "log2", "loge", "log", "ln"};
    bool counted = kind->member == offsetof(TableColumns, n) || kind->member == offsetof(TableColumns, d) ||
                   kind->member == offsetof(TableColumns, c);
    for (int i = 0; counted && i < (int)(sizeof begins / sizeof *begins); i++) {
        size_t n = strlen(begins[i]);
        if (strncasecmp(name, begins[i], n)) continue;
        return is_among(kind->usual, name + n);
    }
    return false;
}

/* The unit in a column's name; 0: none. A last word counts only after a usual name: model_b may be a second model. */
static double unit_in_name(const char *name, const Kind *kind) {
    char before[PLAIN];
    double unit = bracketed_unit(before, name, units_of(kind));
    if (unit > 0 || likeness(name, kind) != LIKE_BEFORE_UNIT) return unit;
    return last_word_unit(before, name, units_of(kind));
}

static bool is_symbol(const char *name, const char *usual) {
    size_t n = strcspn(usual + 1, "|");
    return strlen(name) == n && !strncmp(name, usual + 1, n);
}

enum { LISTED = 240 };

/* The header for a message: as many names as fit. */
static const char *header_list(char list[LISTED], const Csv *csv) {
    size_t used = 0;
    list[0] = 0;
    for (int i = 0; i < csv->columns; i++) {
        int n = snprintf(list + used, LISTED - used, "%s%s", i ? ", " : "", *csv->name[i] ? csv->name[i] : "(no name)");
        if (used + (size_t)n >= LISTED - 4) {
            strcpy(list + used, "...");
            break;
        }
        used += (size_t)n;
    }
    return list;
}

/* The column of exactly this name, or else the one that differs in case alone. */
static Err find_named(int *column, const Csv *csv, const char *name, const char *key) {
    int exact = 0, alike = 0;
    for (int i = 0; i < csv->columns; i++) {
        bool equal = !strcmp(csv->name[i], name), near = !strcasecmp(csv->name[i], name);
        if (equal || (near && !exact)) *column = i;
        exact += equal;
        alike += near;
    }
    char list[LISTED];
    if (exact > 1 || (!exact && alike > 1))
        return err_user("%s: the header names column %s more than once: want it once", csv->path, name);
    if (!alike)
        return err_user("%s: no column %s: want one of its header for fit.columns.%s: %s", csv->path, name, key,
                        header_list(list, csv));
    return ERR_NONE;
}

/* The column with a usual name; -1 where there is none. Of tokens and tokens_B the first is taken. */
static Err find_usual(int *column, const Csv *csv, const Kind *kind) {
    int symbols = 0, first = -1, second = -1;
    Likeness nearest = UNLIKE;
    for (int i = 0; i < csv->columns; i++) {
        symbols += is_symbol(csv->name[i], kind->usual);
        if (is_symbol(csv->name[i], kind->usual)) *column = i;
        Likeness like = likeness(csv->name[i], kind);
        if (like == UNLIKE || like < nearest) continue;
        if (like > nearest) {
            nearest = like;
            first = i;
            second = -1;
        } else if (second < 0) {
            second = i;
        }
    }
    if (symbols > 1)
        return err_user("%s: the header names column %s more than once: want it once", csv->path, csv->name[*column]);
    if (symbols) return ERR_NONE;
    if (second >= 0)
        return err_user("%s: %s and %s may both be meant: want -fit_columns_%s NAME to choose", csv->path,
                        csv->name[first], csv->name[second], kind->key);
    *column = first;
    return ERR_NONE;
}

/* Usual names of what is often mistaken for a loss. */
static const char perplexities[] =
    "|perplexity|valperplexity|validationperplexity|testperplexity|evalperplexity|ppl|valppl|testppl|evalppl|";

static Err no_column(const Csv *csv, int holds) {
    static const char *const example[] = {[HOLDS_N] = "N, params or parameters",
                                          [HOLDS_D] = "D, tokens or samples",
                                          [HOLDS_LOSS] = "loss or val_loss",
                                          [HOLDS_C] = "C, flop or compute"};
    char list[LISTED];
    Kind kind = kind_of(holds);
    int symbol = (int)strcspn(kind.usual + 1, "|");
    for (int i = 0; i < csv->columns; i++) {
        if (is_logarithm(csv->name[i], &kind))
            return err_user("%s: no column %.*s: %.60s holds logarithms: want the numbers themselves", csv->path,
                            symbol, kind.usual + 1, csv->name[i]);
        if (holds == HOLDS_LOSS && is_among(perplexities, csv->name[i]))
            return err_user("%s: no column loss: %.60s is the exponential of one: want its logarithm", csv->path,
                            csv->name[i]);
    }
    return err_user("%s: no column %.*s: want one called %s, or -fit_columns_%s NAME; its header: %s", csv->path,
                    symbol, kind.usual + 1, example[holds], kind.key, header_list(list, csv));
}

static double compute_unit(const char *name) {
    Kind kind = kind_of(HOLDS_C);
    double whole = flop_word(name);
    return whole > 0 ? whole : unit_in_name(name, &kind);
}

/* Parameters or samples in one unit of a column, by its name. */
static double count_of_name(const Csv *csv, int column, int holds) {
    Kind kind = kind_of(holds);
    double unit = column >= 0 ? unit_in_name(csv->name[column], &kind) : 0;
    return unit > 0 ? unit : 1;
}

/* Says that another column has a usual name too. */
static void note_other(Table *table, const Mapping *m, int column, const Kind *kind) {
    const Csv *csv = &m->csv;
    for (int i = 0; i < csv->columns; i++) {
        if (i == column || likeness(csv->name[i], kind) == UNLIKE) continue;
        table_note(table, csv->path, "column %.60s is taken, not %.60s: -fit_columns_%s NAME chooses",
                   csv->name[column], csv->name[i], kind->key);
        return;
    }
}

const int unit_holds[UNITS] = {HOLDS_N, HOLDS_D, HOLDS_C};

/* Says what a column counts in, where that is not 1, or where its name or the row of units has something that tells none. */
static void note_unit(Table *table, const Mapping *m, int k, const char *of) {
    int column = m->at[unit_holds[k]];
    if (column < 0) return;
    const char *name = m->csv.name[column];
    Kind kind = kind_of(unit_holds[k]);
    if (m->unit[k] != 1)
        table_note(table, m->csv.path, "column %s in units of %g%s", name, m->unit[k], of);
    else if (m->unsure[k] || (strpbrk(name, "([") && !(unit_in_name(name, &kind) > 0)))
        table_note(table, m->csv.path, "column %s is taken in units of 1%s", name, of);
}

/* Says of a column that was asked for that its name is not that of what a law is of. */
static void note_odd_name(Table *table, const Mapping *m, int holds) {
    int column = m->at[holds];
    if (column < 0) return;
    const char *name = m->csv.name[column];
    Kind kind = kind_of(holds);
    if (is_logarithm(name, &kind))
        table_note(table, m->csv.path,
                   "column %.60s is taken as it is: were it logarithms, want the numbers themselves", name);
    if (holds == HOLDS_LOSS && is_among(perplexities, name))
        table_note(table, m->csv.path, "column %.60s is taken as it is: a law is of the loss, which is its logarithm",
                   name);
}

/* Columns that are the symbols themselves are not told. */
static bool has_column(const Csv *csv, const char *name) {
    for (int i = 0; i < csv->columns; i++)
        if (!strcmp(csv->name[i], name)) return true;
    return false;
}

/* What `export` writes holds cells that are no rows of a law. */
static void note_export(Table *table, const Mapping *m) {
    const Csv *csv = &m->csv;
    if (has_column(csv, "role") && has_column(csv, "dataset") && has_column(csv, "flop_nominal"))
        table_note(
            table, csv->path,
            "cells of a results file: all are taken, where a fit of that file takes those of role grid on the largest "
            "dataset and C as it was counted (-fit_columns_c flop_nominal)");
}

void table_columns_note(Table *table, const Mapping *m, const TableColumns *columns) {
    static const struct {
        int holds;
        const char *what;
    } told[] = {{HOLDS_N, "N"}, {HOLDS_D, "D"},     {HOLDS_LOSS, "loss"},
                {HOLDS_C, "C"}, {HOLDS_ARM, "arm"}, {HOLDS_SEED, "seed"}};
    char text[300] = "";
    note_export(table, m);
    for (int i = 0; i < (int)(sizeof told / sizeof *told); i++) {
        Kind kind = kind_of(told[i].holds);
        const char *asked = asked_name(columns, &kind);
        int column = m->at[told[i].holds];
        if (column < 0 || !asked || *asked) continue;
        note_other(table, m, column, &kind);
        if (is_symbol(m->csv.name[column], kind.usual)) continue;
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%s = %s", used ? ", " : "", told[i].what, m->csv.name[column]);
    }
    if (*text) table_note(table, m->csv.path, "columns by their usual names: %s", text);
    for (int i = 0; i < (int)(sizeof told / sizeof *told); i++) note_odd_name(table, m, told[i].holds);
    note_unit(table, m, UNIT_N, "");
    note_unit(table, m, UNIT_D, "");
    note_unit(table, m, UNIT_C, " FLOP");
}

/* What a law wants of N, D and C, of which two give the third; of optima C with N* or D*. */
static Err check_columns(const Mapping *m, LawAxes axes, bool optima) {
    bool n = m->at[HOLDS_N] >= 0, d = m->at[HOLDS_D] >= 0, c = m->at[HOLDS_C] >= 0;
    bool second = axes == LAW_OF_N_AND_D || axes == LAW_OF_D;
    if (optima && !n && !d) return no_column(&m->csv, HOLDS_N);
    if (axes == LAW_OF_C) return c || (n && d && !optima) ? ERR_NONE : no_column(&m->csv, HOLDS_C);
    if (axes != LAW_OF_D && !n && !(c && d)) return no_column(&m->csv, HOLDS_N);
    if (second && !d && !(c && n)) return no_column(&m->csv, HOLDS_D);
    return ERR_NONE;
}

/* A law of a column and itself is of nothing. */
static Err check_once(const Mapping *m) {
    static const int once[] = {HOLDS_N, HOLDS_D, HOLDS_C, HOLDS_LOSS};
    enum { ONCE = sizeof once / sizeof *once };
    for (int i = 0; i < ONCE; i++)
        for (int j = 0; j < i; j++) {
            int at = m->at[once[i]];
            if (at < 0 || at != m->at[once[j]]) continue;
            return err_user("%s: fit.columns.%s and fit.columns.%s: both are the column %.60s: want two", m->csv.path,
                            kind_of(once[j]).key, kind_of(once[i]).key, m->csv.name[at]);
        }
    return ERR_NONE;
}

Err table_columns_map(Mapping *m, const TableOptions *options) {
    const TableColumns *columns = &options->columns;
    for (int holds = 0; holds < HOLDS; holds++) {
        Kind kind = kind_of(holds);
        const char *name = asked_name(columns, &kind);
        m->at[holds] = -1;
        if (!name) continue;
        if (*name)
            TRY(find_named(&m->at[holds], &m->csv, name, kind.key));
        else if (kind.usual)
            TRY(find_usual(&m->at[holds], &m->csv, &kind));
    }
    TRY(check_once(m));
    bool compute = m->at[HOLDS_C] >= 0;
    TRY(check_columns(m, options->axes, options->optima));
    if (m->at[HOLDS_LOSS] < 0 && !options->optima) return no_column(&m->csv, HOLDS_LOSS);
    if (m->at[HOLDS_WEIGHT] >= 0 && m->at[HOLDS_ERROR] >= 0)
        return err_user("%s: fit.columns.weight and fit.columns.error: want one of them", m->csv.path);
    m->unit[UNIT_N] = count_of_name(&m->csv, m->at[HOLDS_N], HOLDS_N);
    m->unit[UNIT_D] = count_of_name(&m->csv, m->at[HOLDS_D], HOLDS_D);
    m->unit[UNIT_C] = columns->unit;
    if (m->unit[UNIT_C] == 0 && compute) m->unit[UNIT_C] = compute_unit(m->csv.name[m->at[HOLDS_C]]);
    if (m->unit[UNIT_C] == 0) m->unit[UNIT_C] = 1;
    return ERR_NONE;
}

/* The unit that a field of a row of units tells, with or without brackets; 0: none, or no such column. */
static double unit_of_field(const Mapping *m, int holds, UnitOf *unit_of) {
    if (m->at[holds] < 0) return 0;
    char before[PLAIN];
    const char *field = m->csv.field[m->at[holds]];
    return *field == '(' || *field == '[' ? bracketed_unit(before, field, unit_of) : unit_of(field);
}

/* Whether a row has no number in any column of numbers. */
static bool has_words_alone(const Mapping *m) {
    for (int h = 0; h < HOLDS; h++) {
        double x;
        if (m->at[h] < 0 || !kind_of(h).number) continue;
        const char *field = m->csv.field[m->at[h]];
        if (number_read(&x, field, MARK_POINT) || number_read(&x, field, MARK_COMMA)) return false;
    }
    return true;
}

static bool has_letters(const char *field) {
    for (; *field; field++)
        if (isalnum((unsigned char)*field)) return true;
    return false;
}

Err table_columns_units(Mapping *m, const TableColumns *columns) {
    double found[UNITS];
    bool more;
    TRY(csv_next(&m->csv, &more));
    if (more && has_words_alone(m)) {
        bool told = unit_of_field(m, HOLDS_LOSS, loss_unit) > 0;
        for (int k = 0; k < UNITS; k++) {
            Kind kind = kind_of(unit_holds[k]);
            found[k] = unit_of_field(m, unit_holds[k], units_of(&kind));
            told |= found[k] > 0;
        }
        if (told) m->units_line = m->csv.line;
    }
    for (int k = 0; k < UNITS && m->units_line; k++) {
        int column = m->at[unit_holds[k]];
        bool asked = k == UNIT_C && columns->unit > 0;
        m->unsure[k] = column >= 0 && !(found[k] > 0) && has_letters(m->csv.field[column]);
        if (found[k] > 0 && m->unit[k] == 1 && !asked) m->unit[k] = found[k];
    }
    csv_rewind(&m->csv);
    return ERR_NONE;
}

bool table_columns_number(int holds) {
    return kind_of(holds).number;
}
