/* Rows of a delimited text as points: which column holds what, and what each field says. */
#include "fit/table.h"
#include "table_rows.h"

#include "base/rng.h"
#include "io/csv.h"

#include <ctype.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- Which column holds what. ---- */

enum {
    HOLDS_N,
    HOLDS_D,
    HOLDS_LOSS,
    HOLDS_ARM,
    HOLDS_SEED,
    HOLDS_WEIGHT,
    HOLDS_ERROR,
    HOLDS_KEEP,
    HOLDS_DROP,
    HOLDS_GROUP,
    HOLDS_HOLDOUT,
    HOLDS_WIDTH,
    HOLDS_DEPTH,
    HOLDS_C, /* and one for each further currency */
    HOLDS = HOLDS_C + CURRENCIES
};

/* Usual names are compared without case and without all that is no letter or digit. The first is the symbol: a column
 * of exactly this name is taken whatever else there is. */
typedef struct Kind {
    const char *key;   /* fit.columns.key */
    size_t member;     /* of TableColumns */
    bool number;       /* its fields are numbers */
    const char *usual; /* "|symbol|name|...|", or NULL */
} Kind;

static Kind kind_of(int holds) {
    static const Kind kinds[] = {
        [HOLDS_N] = {"n", offsetof(TableColumns, n), true,
                     "|N|param|params|parameter|parameters|nparams|nparameters|numparams|numparameters|paramcount|"
                     "parametercount|"
                     "modelparams|modelparameters|modelsize|totalparams|totalparameters|nopt|noptimal|nstar|"
                     "optimalparams|optimalparameters|optimalmodelsize|"},
        [HOLDS_D] =
            {"d", offsetof(TableColumns, d), true,
             "|D|token|tokens|sample|samples|ntokens|nsamples|numtokens|numsamples|trainingtokens|trainingsamples|"
             "traintokens|trainsamples|tokensseen|samplesseen|totaltokens|datasize|dopt|doptimal|dstar|"
             "optimaltokens|optimalsamples|"},
        [HOLDS_LOSS] = {"loss", offsetof(TableColumns, loss), true,
                        "|loss|valloss|validationloss|validloss|evalloss|evaluationloss|testloss|finalloss|"
                        "finalvalloss|lossval|lossvalidation|losseval|losstest|L|"},
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
                     "traincompute|trainingcompute|totalcompute|gflop|gflops|tflop|tflops|pflop|pflops|eflop|eflops|"
                     "zflop|zflops|pflopdays|pfdays|petaflopdays|"},
    };
    if (holds <= HOLDS_C) return kinds[holds];
    int currency = holds - HOLDS_C;
    return (Kind){currencies[currency].name, offsetof(TableColumns, c) + (size_t)currency * sizeof(char *), true, NULL};
}

typedef struct Mapping {
    Csv csv;
    int at[HOLDS];   /* column number; -1: none */
    double unit;     /* FLOP in one unit of the column of nominal C */
    double count[2]; /* parameters, samples in one unit of the column of N, of D */
    NumberMark mark;
} Mapping;

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

/* FLOP/s are a speed, and no compute. */
static bool is_speed(const char *name) {
    size_t n = strlen(name);
    return n > 2 && !strcasecmp(name + n - 2, "/s");
}

typedef double UnitOf(const char *word);

/* Thousands, millions and so on of parameters or samples; 0: another word. */
static double count_unit(const char *word) {
    static const struct {
        const char *words;
        double count;
    } units[] = {{"|k|thousand|thousands|", 1e3},
                 {"|m|mio|million|millions|", 1e6},
                 {"|b|bn|g|billion|billions|", 1e9},
                 {"|t|tn|trillion|trillions|", 1e12}};
    char plain[PLAIN], listed[PLAIN + 2];
    plain_name(plain, word);
    snprintf(listed, sizeof listed, "|%s|", plain);
    for (int i = 0; *plain && i < (int)(sizeof units / sizeof *units); i++)
        if (strstr(units[i].words, listed)) return units[i].count;
    return 0;
}

/* The unit that a name has in brackets, as compute (GFLOP) or tokens (B); 0: none. `before`: the name without it. */
static double bracketed_unit(char before[PLAIN], const char *name, UnitOf *unit_of) {
    char unit[PLAIN];
    size_t at = strcspn(name, "([");
    size_t n = strcspn(name + at, ")]");
    if (!name[at] || at >= PLAIN || n >= PLAIN) return 0;
    snprintf(before, PLAIN, "%.*s", (int)at, name);
    snprintf(unit, sizeof unit, "%.*s", (int)n, name + at);
    return is_speed(unit) ? 0 : unit_of(unit);
}

static bool is_usual(const char *name, const Kind *kind) {
    char plain[PLAIN], listed[PLAIN + 2], before[PLAIN];
    if (is_speed(name)) return false;
    UnitOf *unit_of = kind->member == offsetof(TableColumns, c) ? table_unit : count_unit;
    plain_name(plain, bracketed_unit(before, name, unit_of) > 0 ? before : name);
    snprintf(listed, sizeof listed, "|%s|", plain);
    return *plain && strcasestr(kind->usual, listed);
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

/* The column with a usual name; -1 where there is none. */
static Err find_usual(int *column, const Csv *csv, const Kind *kind) {
    int symbols = 0, usual = 0, first = -1, second = -1;
    for (int i = 0; i < csv->columns; i++) {
        symbols += is_symbol(csv->name[i], kind->usual);
        if (is_symbol(csv->name[i], kind->usual)) *column = i;
        if (!is_usual(csv->name[i], kind)) continue;
        if (usual++)
            second = i;
        else
            first = i;
    }
    if (symbols > 1)
        return err_user("%s: the header names column %s more than once: want it once", csv->path, csv->name[*column]);
    if (symbols) return ERR_NONE;
    if (usual > 1)
        return err_user("%s: %s and %s may both be meant: want -fit_columns_%s NAME to choose", csv->path,
                        csv->name[first], csv->name[second], kind->key);
    *column = first;
    return ERR_NONE;
}

static Err no_column(const Csv *csv, int holds) {
    static const char *const example[] = {[HOLDS_N] = "N, params or parameters",
                                          [HOLDS_D] = "D, tokens or samples",
                                          [HOLDS_LOSS] = "loss or val_loss",
                                          [HOLDS_C] = "C, flop or compute"};
    char list[LISTED];
    Kind kind = kind_of(holds);
    return err_user("%s: no column %.*s: want one called %s, or -fit_columns_%s NAME; its header: %s", csv->path,
                    (int)strcspn(kind.usual + 1, "|"), kind.usual + 1, example[holds], kind.key,
                    header_list(list, csv));
}

double table_unit(const char *word) {
    static const struct {
        const char *word;
        double flop;
    } units[] = {{"flop", 1},
                 {"kflop", 1e3},
                 {"mflop", 1e6},
                 {"gflop", 1e9},
                 {"tflop", 1e12},
                 {"pflop", 1e15},
                 {"eflop", 1e18},
                 {"zflop", 1e21},
                 {"yflop", 1e24},
                 {"pflopday", 8.64e19},
                 {"pfday", 8.64e19},
                 {"petaflopday", 8.64e19},
                 {"pflopsday", 8.64e19},
                 {"petaflopsday", 8.64e19}};
    char plain[PLAIN];
    plain_name(plain, word);
    size_t n = strlen(plain);
    if (n && plain[n - 1] == 's') plain[n - 1] = 0;
    for (int i = 0; i < (int)(sizeof units / sizeof *units); i++)
        if (!strcmp(plain, units[i].word)) return units[i].flop;
    return 0;
}

static double unit_of_name(const char *name) {
    char before[PLAIN];
    double whole = table_unit(name);
    return whole > 0 ? whole : bracketed_unit(before, name, table_unit);
}

/* Parameters or samples in one unit of a column, by its name. */
static double count_of_name(const Csv *csv, int column) {
    char before[PLAIN];
    double unit = column >= 0 ? bracketed_unit(before, csv->name[column], count_unit) : 0;
    return unit > 0 ? unit : 1;
}

/* Says that another column than the symbol has a usual name too. */
static void note_other(Table *table, const Mapping *m, int column, const Kind *kind) {
    const Csv *csv = &m->csv;
    for (int i = 0; i < csv->columns; i++) {
        if (i == column || !is_usual(csv->name[i], kind)) continue;
        table_note(table, csv->path, "column %.60s is taken, not %.60s: -fit_columns_%s NAME chooses",
                   csv->name[column], csv->name[i], kind->key);
        return;
    }
}

/* Says which columns were taken by their usual names, unless they are the symbols themselves. */
static void note_columns(Table *table, const Mapping *m, const TableColumns *columns) {
    static const struct {
        int holds;
        const char *what;
    } told[] = {{HOLDS_N, "N"}, {HOLDS_D, "D"},     {HOLDS_LOSS, "loss"},
                {HOLDS_C, "C"}, {HOLDS_ARM, "arm"}, {HOLDS_SEED, "seed"}};
    char text[300] = "";
    for (int i = 0; i < (int)(sizeof told / sizeof *told); i++) {
        Kind kind = kind_of(told[i].holds);
        const char *asked = asked_name(columns, &kind);
        int column = m->at[told[i].holds];
        if (column < 0 || !asked || *asked) continue;
        if (is_symbol(m->csv.name[column], kind.usual)) {
            note_other(table, m, column, &kind);
            continue;
        }
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%s = %s", used ? ", " : "", told[i].what, m->csv.name[column]);
    }
    if (*text) table_note(table, m->csv.path, "columns by their usual names: %s", text);
    if (m->at[HOLDS_C] >= 0 && m->unit != 1)
        table_note(table, m->csv.path, "column %s in units of %g FLOP", m->csv.name[m->at[HOLDS_C]], m->unit);
    for (int k = 0; k < 2; k++)
        if (m->count[k] != 1)
            table_note(table, m->csv.path, "column %s in units of %g", m->csv.name[m->at[HOLDS_N + k]], m->count[k]);
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

static Err map_columns(Mapping *m, const TableOptions *options) {
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
    bool compute = m->at[HOLDS_C] >= 0;
    TRY(check_columns(m, options->axes, options->optima));
    if (m->at[HOLDS_LOSS] < 0 && !options->optima) return no_column(&m->csv, HOLDS_LOSS);
    if (m->at[HOLDS_WEIGHT] >= 0 && m->at[HOLDS_ERROR] >= 0)
        return err_user("%s: fit.columns.weight and fit.columns.error: want one of them", m->csv.path);
    m->unit = columns->unit;
    if (m->unit == 0 && compute) m->unit = unit_of_name(m->csv.name[m->at[HOLDS_C]]);
    if (m->unit == 0) m->unit = 1;
    for (int k = 0; k < 2; k++) m->count[k] = count_of_name(&m->csv, m->at[HOLDS_N + k]);
    return ERR_NONE;
}

/* ---- What the fields say. ---- */

/* The decimal mark of all numbers of the table. */
static Err find_mark(Mapping *m, const TableColumns *columns) {
    m->mark = columns->mark;
    if (m->mark != MARK_UNCLEAR) return ERR_NONE;
    NumberStyle style = {0};
    char example[40] = "";
    bool more = true;
    for (;;) {
        TRY(csv_next(&m->csv, &more));
        if (!more) break;
        for (int holds = 0; holds < HOLDS; holds++) {
            if (m->at[holds] < 0 || !kind_of(holds).number) continue;
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

static Err number(double *x, const Mapping *m, int holds, bool positive) {
    const char *text = *field(m, holds) ? field(m, holds) : "blank";
    if (!number_read(x, text, m->mark) || (positive && *x <= 0))
        return err_user("%s:%lld: %s = %.60s: want a %snumber", m->csv.path, (long long)m->csv.line,
                        m->csv.name[m->at[holds]], text, positive ? "positive " : "");
    return ERR_NONE;
}

/* A positive number in single units, of a column that counts in `unit`. A field with a suffix of its own, as 125M, is. */
static Err counted(double *x, const Mapping *m, int holds, double unit) {
    TRY(number(x, m, holds, true));
    const char *text = field(m, holds);
    if (!isalpha((unsigned char)text[strlen(text) - 1])) *x *= unit;
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

/* Words for a number that does not exist have no digits or begin with letters (step 300); spreadsheets and compilers write
 * errors with #. */
static bool says_nothing(const char *text, NumberMark mark) {
    double x;
    char *end;
    if (number_read(&x, text, mark)) return false;
    bool infinite = isinf(strtod(text, &end)) && !*end;
    bool word = isalpha((unsigned char)text[0]) && isalpha((unsigned char)text[1]);
    return infinite || word || strchr(text, '#') || !strpbrk(text, "0123456789");
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
    const int holds[] = {HOLDS_N, HOLDS_D, HOLDS_C};
    int said = 0;
    for (int k = 0; k < 3; k++) said += m->at[holds[k]] >= 0 && !says_nothing(field(m, holds[k]), m->mark);
    for (int k = 0; k < 3; k++) {
        *value[k] = NAN;
        if (m->at[holds[k]] < 0) continue;
        if (said == 2 && says_nothing(field(m, holds[k]), m->mark)) continue;
        if (holds[k] == HOLDS_C)
            TRY(number(value[k], m, holds[k], true));
        else
            TRY(counted(value[k], m, holds[k], m->count[k]));
    }
    p->c[CURRENCY_NOMINAL] *= m->unit;
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
    TRY(number(&p.c[CURRENCY_NOMINAL], m, HOLDS_C, true));
    p.c[CURRENCY_NOMINAL] *= m->unit;
    TRY(read_marks(&p, m));
    for (int k = 0; k < 2; k++) {
        if (m->at[optimum[k].holds] < 0) continue;
        char name[TABLE_NAME];
        double error;
        if ((size_t)snprintf(name, sizeof name, "%s %s", arm, optimum[k].what) >= sizeof name)
            name[sizeof name - 1] = 0;
        arm_names_add(met, name);
        TRY(counted(&p.loss, m, optimum[k].holds, m->count[k]));
        if (m->at[HOLDS_ERROR] >= 0 && k == 0) {
            TRY(counted(&error, m, HOLDS_ERROR, m->count[0]));
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
    if (m->at[HOLDS_KEEP] >= 0 && !*field(m, HOLDS_KEEP))
        return err_user("%s:%lld: %s is blank: want true or false, 1 or 0", m->csv.path, (long long)m->csv.line,
                        m->csv.name[m->at[HOLDS_KEEP]]);
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

static Err read_rows(Table *table, ArmNames *met, Mapping *m, const char *arm, const TableOptions *options) {
    int64_t before = table->n, rows = 0;
    bool more = true;
    for (;;) {
        TRY(csv_next(&m->csv, &more));
        if (!more) break;
        TRY(read_row(table, met, m, arm, options));
        rows++;
    }
    if (m->csv.headers)
        table_note(table, m->csv.path, "%lld line%s the header left out", (long long)m->csv.headers,
                   m->csv.headers == 1 ? " that repeats" : "s that repeat");
    if (!rows) return err_user("%s: no row below the header: want some", m->csv.path);
    if (table->n == before)
        return err_user("%s: no row is left to fit of %lld: want some that are kept, of an arm asked for, with a loss",
                        m->csv.path, (long long)rows);
    return ERR_NONE;
}

Err table_read_csv(Table *table, ArmNames *met, const char *path, const char *arm, const TableOptions *options) {
    Mapping m = {.unit = 1};
    Err err = csv_open(&m.csv, path);
    if (!err.code) err = map_columns(&m, options);
    if (!err.code) err = find_mark(&m, &options->columns);
    if (!err.code) note_columns(table, &m, &options->columns);
    if (!err.code) err = read_rows(table, met, &m, arm, options);
    csv_close(&m.csv);
    return err;
}
