#include "infer/fit_options.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define KEY(name, type, member, fallback, lo, hi, choices, unit, help)                                                 \
    { name, type, offsetof(FitOptions, member), fallback, lo, hi, choices, unit, help }
#define COLUMN(name, member, help)                                                                                     \
    KEY("fit.columns." name, KEY_WORD, rows.member, "", 0, 0, NULL, "1", "column of " help)

/* Of each currency beside nominal compute. */
#define BUDGETS(word, name, column, title, amount, unit, description)                                                  \
    KEY("fit.budgets_" name, KEY_REALS, budgets[CURRENCY_##word], "", 1e-300, 1e300, NULL, unit, "the same in " amount),
#define COMPUTE(word, name, column, title, amount, unit, description)                                                  \
    COLUMN(name, c[CURRENCY_##word], amount "; empty: none"),

const KeySpec fit_keys[] = {
    KEY("fit.law", KEY_CHOICE, law, "chinchilla", 0, 0, LAW_NAMES, "1",
        "L = E + A/N^alpha + B/D^beta; E + (A/N^(alpha/beta) + B/D)^beta; E + A/N^alpha; E + A/D^alpha; E + A/C^alpha; "
        "N* "
        "and D* = A C^a through a table of optima"),
    KEY("fit.objective", KEY_CHOICE, objective, "huber", 0, 0, FIT_OBJECTIVES, "1",
        "sum of Huber on log residuals, least squares on log loss, or on loss"),
    KEY("fit.delta", KEY_REAL, delta, "1e-3", 1e-6, 10, NULL, "1",
        "where the Huber function turns linear, in log loss"),
    KEY("fit.e", KEY_CHOICE, e, "free", 0, 0, FIT_ERRORS, "1", "irreducible loss: free, 0, or shared by all arms"),
    KEY("fit.e_fixed", KEY_REAL, e_fixed, "0", 0, 1e300, NULL, "loss",
        "irreducible loss fixed at this; 0: as fit.e says"),
    KEY("fit.quantile", KEY_REAL, quantile, "0.5", 0.001, 0.999, NULL, "1",
        "share of rows that the law lies above, by asymmetric Huber or absolute loss; 0.5: symmetric"),
    KEY("fit.exponents", KEY_CHOICE, exponents, "free", 0, 0, FIT_EXPONENTS, "1",
        "alpha and beta: free, equal to each other, or shared by all arms"),
    KEY("fit.starts", KEY_CHOICE, starts, "grid", 0, 0, "grid|few", "1",
        "the law's grid, of chinchilla the published one of 4500, or 36 of the size of the data"),
    KEY("fit.bootstraps", KEY_INT, bootstraps, "1000", 0, 1000000, NULL, "1", "resamples of each kind"),
    KEY("fit.intervals", KEY_CHOICE, intervals, "auto", 0, 0, "auto|residuals|scaled|cells|groups", "1",
        "resamples that intervals come from; auto: residuals, by groups if there are any, or scaled where the noise is "
        "uneven"),
    KEY("fit.seed", KEY_INT, seed, "1", 0, 9e15, NULL, "1", "of the resamples"),
    KEY("fit.budgets", KEY_REALS, budgets[CURRENCY_NOMINAL], "", 1e-300, 1e300, NULL, "FLOP",
        "nominal budgets to allocate; empty: powers of ten in reach"),
    CURRENCY_ROWS_BESIDE(BUDGETS) KEY("fit.isoflop_budgets", KEY_REALS, isoflop_budgets, "", 1e-300, 1e300, NULL,
                                      "FLOP", "nominal budgets of isoFLOP curves; empty: from the data"),
    KEY("fit.extrapolation", KEY_REAL, extrapolation, "10", 1, 1e300, NULL, "1",
        "largest factor in C beyond the data at which an allocation is given"),
    KEY("fit.extrapolate", KEY_BOOL, extrapolate, "false", 0, 0, NULL, "1", "give allocations beyond that factor too"),
    KEY("fit.pairs", KEY_CHOICE, pairs, "all", 0, 0, "all|first", "1",
        "arms to compare: all pairs, or each with the first"),
    KEY("fit.currency", KEY_CHOICE, currency, "auto", 0, 0, FIT_CURRENCIES, "1",
        "compute in which arms are put beside each other; auto: executed FLOP where every row has it, else nominal"),
    KEY("fit.predict", KEY_REALS, predict, "", 1e-300, 1e300, NULL, "1", "N,D,N,D,...: sizes to predict the loss at"),
    KEY("fit.details", KEY_BOOL, details, "false", 0, 0, NULL, "1",
        "everything about every arm and pair on the terminal; the JSON file always has it"),
    KEY("fit.surrogate", KEY_BOOL, surrogate, "true", 0, 0, NULL, "1", "Gaussian-process frontier beside the law"),
    KEY("fit.surrogate_points", KEY_INT, surrogate_points, "5000", 10, 46000, NULL, "points",
        "at most so many points enter the surrogate; 8 n^2 bytes over all ranks"),
    KEY("fit.surrogate_subset", KEY_INT, surrogate_subset, "1000", 10, 46000, NULL, "points",
        "at most so many of them decide its hyperparameters"),
    KEY("fit.arms", KEY_WORDS, rows.arms, "", 0, 0, NULL, "1", "arms to fit; empty: all"),
    KEY("fit.c_min", KEY_REAL, rows.c_min, "0", 0, 1e300, NULL, "FLOP", "least nominal C of a row; 0: none"),
    KEY("fit.c_max", KEY_REAL, rows.c_max, "0", 0, 1e300, NULL, "FLOP",
        "rows have a nominal C below this; 0: no bound"),
    KEY("fit.best", KEY_BOOL, rows.best, "false", 0, 0, NULL, "1",
        "of rows with the same arm, N and D only the one with the least loss, for sweeps of other things"),
    KEY("fit.cost", KEY_REALS, rows.cost, "", 1e-300, 1e300, NULL, "1",
        "kappa, mu, nu of C = kappa N^mu D^nu where one is missing; empty: the arm's own, else 6,1,1"),
    COLUMN("n", n, "N, or N*; empty: N, params, parameters or the like, in any case"),
    COLUMN("d", d, "D, or D*; empty: D, tokens, samples or the like; without one D comes from C and N"),
    COLUMN("loss", loss, "the loss; empty: loss, val_loss or the like"),
    COLUMN("c", c[CURRENCY_NOMINAL], "nominal C; empty: C, flops or the like, else 6 N D; none: 6 N D"),
    CURRENCY_ROWS_BESIDE(COMPUTE) KEY("fit.columns.c_unit", KEY_WORD, rows.c_unit, "auto", 0, 0, NULL, "1",
                                      "unit of C: FLOP, GFLOP, PFLOP-days, ...; auto: by the column's name, else FLOP"),
    COLUMN("arm", arm, "the arm's name; empty: arm, else the file's name"),
    COLUMN("seed", seed, "the seed; empty: seed, else none"),
    COLUMN("group", group, "what rows that may share an error have in common; empty: none"),
    COLUMN("weight", weight, "weights; empty: 1"),
    COLUMN("error", error, "standard error of the loss, or of N*, which gives weights 1 / error^2; empty: none"),
    COLUMN("keep", keep, "rows to leave out, where it is 0 or false; empty: none"),
    COLUMN("drop", drop, "rows to leave out, where it is 1 or true; empty: none"),
    COLUMN("holdout", holdout, "rows to hold out and predict, where it is 1 or true; empty: none"),
    KEY("fit.columns.decimal", KEY_CHOICE, rows.decimal, "auto", 0, 0, "point|comma|auto", "1",
        "decimal mark; auto: the one that all numbers of a table fit with"),
    KEY("suggest", KEY_INT, suggest, "0", 0, 64, NULL, "cells", "propose so many cells to run next; 0: none"),
    KEY("suggest.budget", KEY_REAL, suggest_budget, "0", 0, 1e300, NULL, "FLOP",
        "nominal budget whose allocation they are to pin down; 0: the middle one, in log C, of the runs"),
    KEY("suggest.file", KEY_WORD, suggest_file, "suggest.yaml", 0, 0, NULL, "1", "study file to write; must not exist"),
    KEY("csv", KEY_WORD, csv, "", 0, 0, NULL, "1", "file for the table of a paper, a row an arm; empty: none"),
    KEY("latex", KEY_WORD, latex, "", 0, 0, NULL, "1", "the same in LaTeX; empty: none"),
    KEY("again", KEY_WORD, again, "", 0, 0, NULL, "1",
        "fit.json whose files and options are fitted again, with what else is asked for; empty: none"),
    KEY("json", KEY_WORD, json, "", 0, 0, NULL, "1", "file for programs; -: standard output; empty: none"),
};
const int n_fit_keys = sizeof fit_keys / sizeof *fit_keys;

const char *const objective_words[] = {"Huber on log loss", "least squares on log loss", "least squares on loss"};

Err fit_rows(TableOptions *table, FitOptions *options) {
    RowOptions *o = &options->rows;
    *table = (TableOptions){.columns = {.n = o->n,
                                        .d = o->d,
                                        .loss = o->loss,
                                        .weight = o->weight,
                                        .error = o->error,
                                        .keep = o->keep,
                                        .drop = o->drop,
                                        .arm = o->arm,
                                        .seed = o->seed,
                                        .group = o->group,
                                        .holdout = o->holdout,
                                        .mark = o->decimal},
                            .filter = {.n_arms = o->arms.n, .arms = o->arm_name, .c_min = o->c_min, .c_max = o->c_max},
                            .best = o->best,
                            .error_of_log = options->objective != OBJECTIVE_LOSS};
    for (int c = 0; c < CURRENCIES; c++) table->columns.c[c] = o->c[c];
    for (int i = 0; i < o->arms.n; i++) o->arm_name[i] = o->arms.at[i];
    if (strcmp(o->c_unit, "auto")) {
        table->columns.unit = table_unit(o->c_unit);
        if (table->columns.unit == 0)
            return err_user("%s: fit.columns.c_unit = %s: want FLOP, kFLOP, MFLOP, GFLOP, TFLOP, PFLOP, EFLOP, ZFLOP, "
                            "PFLOP-days or auto",
                            options_source(), o->c_unit);
    }
    if (options->e_fixed > 0 && options->e != LAW_E_FREE)
        return err_user("%s: fit.e_fixed = %g: want fit.e = free beside it", options_source(), options->e_fixed);
    if (options->quantile != 0.5 && options->objective != OBJECTIVE_HUBER)
        return err_user("%s: fit.quantile = %g: want fit.objective = huber", options_source(), options->quantile);
    if (law_kinds[options->law]->of_optima && options->objective == OBJECTIVE_LOSS)
        return err_user("%s: fit.law = optima: want fit.objective = huber or log", options_source());
    table->axes = law_kinds[options->law]->axes;
    table->optima = law_kinds[options->law]->of_optima;
    if (options->predict.n % 2)
        return err_user("%s: fit.predict: %d numbers: want N and D in turn", options_source(), options->predict.n);
    if (o->cost.n != 0 && o->cost.n != 3)
        return err_user("%s: fit.cost: %d numbers: want kappa, mu and nu", options_source(), o->cost.n);
    for (int i = 0; i < o->cost.n; i++) table->cost[i] = o->cost.at[i];
    return ERR_NONE;
}

/* A key, or all that begin like this where it ends in the midst of one. */
static Err refuse_group(const char *begin, const char *reason) {
    size_t n = strlen(begin);
    bool whole = !strchr("._", begin[n - 1]);
    for (int i = 0; i < n_fit_keys; i++) {
        const char *key = fit_keys[i].key;
        if (strncmp(key, begin, n) || (whole && key[n])) continue;
        TRY(options_refuse_other(&fit_keys[i], reason));
    }
    return ERR_NONE;
}

Err fit_refuse_idle(const FitOptions *o, bool tables) {
    const LawKind *law = law_kinds[o->law];
    bool optima = law->of_optima;
    const struct {
        bool idle;
        const char *key, *reason;
    } cases[] = {
        {o->objective != OBJECTIVE_HUBER, "fit.delta", "want fit.objective = huber beside it"},
        {!law_has(law, LAW_E), "fit.e", "the law has no E"},
        {!law_has(law, LAW_E), "fit.e_fixed", "the law has no E"},
        {!law_has(law, LAW_BETA) && o->exponents == LAW_EXPONENTS_TIED, "fit.exponents", "the law has one exponent"},
        {!o->surrogate, "fit.surrogate_", "fit.surrogate is false"},
        {!o->suggest, "suggest.", "want -suggest beside it"},
        {optima, "fit.columns.loss", "a table of optima has no losses"},
        {optima, "fit.columns.weight", "of a table of optima want fit.columns.error"},
        {optima, "fit.predict", "a table of optima says what is best at budgets: fit.budgets"},
        {optima, "fit.columns.holdout", "no row of a table of optima is held out"},
        {!tables, "fit.columns.", "a results file has columns of its own"},
        {!tables, "fit.cost", "a results file has its compute"}};
    for (int i = 0; i < (int)(sizeof cases / sizeof *cases); i++)
        if (cases[i].idle) TRY(refuse_group(cases[i].key, cases[i].reason));
    return ERR_NONE;
}

/* Losses must be able to lie above a fixed E. */
static Err check_fixed_e(double e, Table *table) {
    for (int m = 0; m < table->arms; m++) {
        double most = 0;
        int64_t rows = 0;
        int64_t below = 0;
        for (int64_t i = 0; i < table->n; i++) {
            if (!table_final(table, i, m)) continue;
            most = fmax(most, table->at[i].loss);
            below += table->at[i].loss <= e;
            rows++;
        }
        if (below == rows)
            return err_user("%s: fit.e_fixed = %g: want less than the losses of arm %.100s, whose largest is %g",
                            options_source(), e, table->arm[m], most);
        if (below)
            table_note(table, NULL, "fit.e_fixed = %g is not below the loss in %lld of the %lld rows of arm %.60s", e,
                       (long long)below, (long long)rows, table->arm[m]);
    }
    return ERR_NONE;
}

int fit_reference_currency(const FitOptions *o, const Table *table) {
    const int choice[] = {o->currency - 1, CURRENCY_EXECUTED, CURRENCY_NOMINAL}; /* 0 is auto */
    for (int i = 0; i < 3; i++)
        if (choice[i] >= 0 && table->has[choice[i]]) return choice[i];
    for (int c = 0; c < CURRENCIES; c++)
        if (table->has[c]) return c;
    return -1;
}

/* Which column of a table would have it; of a results file nothing is to be named. */
static const char *column_wanted(const Table *table, int currency) {
    static const char *const wanted[] = {
#define COLUMN_WANTED(word, name, ...) [CURRENCY_##word] = " (-fit_columns_" name " NAME)",
        CURRENCY_ROWS_BESIDE(COLUMN_WANTED)
#undef COLUMN_WANTED
            [CURRENCY_NOMINAL] = " (-fit_columns_c NAME)"};
    return table->text ? wanted[currency] : "";
}

/* What is asked for in a currency that some row lacks is not given, or in another one. */
static void note_currencies(const FitOptions *o, Table *table) {
    int asked = o->currency - 1, taken = fit_reference_currency(o, table);
    if (asked >= 0 && asked != taken)
        table_note(table, NULL, "fit.currency = %s: not every row has %s%s: arms are put beside each other in %s",
                   currencies[asked].name, currencies[asked].amount, column_wanted(table, asked),
                   taken >= 0 ? currencies[taken].amount : "none");
    for (int c = 0; c < CURRENCIES; c++) {
        bool nominal = c == CURRENCY_NOMINAL;
        if (!o->budgets[c].n || table->has[c]) continue;
        table_note(table, NULL, "fit.budgets%s%s: not every row has %s%s: no allocation of it", nominal ? "" : "_",
                   nominal ? "" : currencies[c].name, currencies[c].amount, column_wanted(table, c));
    }
}

/* Fewer resamples than this have no order statistics beyond which 2.5 % lie: (n + 1) / 40 >= 1. */
enum { RESAMPLES_OF_95 = 39 };

static void note_resamples(const FitOptions *o, Table *table) {
    long long n = o->bootstraps;
    if (n < 2)
        table_note(table, NULL,
                   "fit.bootstraps = %lld: no intervals, and no exponent is refused for what its interval says", n);
    else if (n < RESAMPLES_OF_95)
        table_note(
            table, NULL,
            "fit.bootstraps = %lld: of so few resamples an interval is from the least to the greatest, which holds "
            "less than 95 %%: want %d or more",
            n, RESAMPLES_OF_95);
}

Err fit_check_table(const FitOptions *o, Table *table) {
    const LawKind *kind = fit_spec(o).kind;
    if (o->suggest && !law_splits(kind))
        return err_user("suggest: it looks for N* of a budget, which fit.law = %s does not have", kind->name);
    bool surrogate = o->surrogate && table->n >= SURROGATE_ROWS;
    for (int64_t i = 0; i < table->n; i++) surrogate &= isfinite(table->at[i].n) && isfinite(table->at[i].d);
    if (o->suggest && !surrogate)
        return err_user("suggest: want fit.surrogate = true and at least %d rows with N and D", SURROGATE_ROWS);
    note_currencies(o, table);
    note_resamples(o, table);
    return o->e_fixed > 0 ? check_fixed_e(o->e_fixed, table) : ERR_NONE;
}

LawSpec fit_spec(const FitOptions *o) {
    return (LawSpec){.kind = law_kinds[o->law],
                     .objective = o->objective,
                     .delta = o->delta,
                     .e = o->e_fixed > 0 ? LAW_E_FIXED : o->e,
                     .e_value = o->e_fixed,
                     .exponents = o->exponents,
                     .quantile = o->quantile > 0 ? o->quantile : 0.5};
}
