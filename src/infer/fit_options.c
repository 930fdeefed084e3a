#include "infer/fit_options.h"

#include <stddef.h>

#define KEY(name, type, member, fallback, lo, hi, choices, unit, help)                                                 \
    { name, type, offsetof(FitOptions, member), fallback, lo, hi, choices, unit, help }
#define COLUMN(name, member, fallback, help) KEY("fit.columns." name, KEY_WORD, member, fallback, 0, 0, NULL, "1", help)

/* Of each currency beside nominal compute. */
#define BUDGETS(word, name, column, title, amount, unit, description)                                                  \
    KEY("fit.budgets_" name, KEY_REALS, budgets[CURRENCY_##word], "", 1e-300, 1e300, NULL, unit, "the same in " amount),
#define COMPUTE(word, name, column, title, amount, unit, description)                                                  \
    COLUMN(name, column_c[CURRENCY_##word], "", "CSV column of " amount "; empty: none"),

const KeySpec fit_keys[] = {
    KEY("fit.law", KEY_CHOICE, law, "chinchilla", 0, 0, LAW_NAMES, "1",
        "L = E + A/N^alpha + B/D^beta, or E + (A/N^(alpha/beta) + B/D)^beta"),
    KEY("fit.objective", KEY_CHOICE, objective, "huber", 0, 0, FIT_OBJECTIVES, "1",
        "sum of Huber on log residuals, least squares on log loss, or on loss"),
    KEY("fit.delta", KEY_REAL, delta, "1e-3", 1e-6, 10, NULL, "1",
        "where the Huber function turns linear, in log loss"),
    KEY("fit.e", KEY_CHOICE, e, "free", 0, 0, FIT_ERRORS, "1", "irreducible loss: free, 0, or shared by all arms"),
    KEY("fit.exponents", KEY_CHOICE, exponents, "free", 0, 0, FIT_EXPONENTS, "1",
        "alpha and beta: free, equal to each other, or shared by all arms"),
    KEY("fit.starts", KEY_CHOICE, starts, "grid", 0, 0, "grid|few", "1",
        "the law's grid, of chinchilla the published one of 4500, or 36 of the size of the data"),
    KEY("fit.bootstraps", KEY_INT, bootstraps, "1000", 0, 1000000, NULL, "1", "resamples of each kind"),
    KEY("fit.intervals", KEY_CHOICE, intervals, "auto", 0, 0, "auto|residuals|scaled|cells", "1",
        "resamples that intervals come from; auto: residuals, or scaled ones where the noise is uneven"),
    KEY("fit.seed", KEY_INT, seed, "1", 0, 9e15, NULL, "1", "of the resamples"),
    KEY("fit.budgets", KEY_REALS, budgets[CURRENCY_NOMINAL], "", 1e-300, 1e300, NULL, "FLOP",
        "nominal budgets to allocate; empty: powers of ten in reach"),
    CURRENCY_ROWS_BESIDE(BUDGETS) KEY("fit.isoflop_budgets", KEY_REALS, isoflop_budgets, "", 1e-300, 1e300, NULL,
                                      "FLOP", "nominal budgets of isoFLOP curves; empty: from the data"),
    KEY("fit.extrapolation", KEY_REAL, extrapolation, "10", 1, 1e300, NULL, "1",
        "largest factor in C beyond the data at which an allocation is given"),
    KEY("fit.extrapolate", KEY_BOOL, extrapolate, "false", 0, 0, NULL, "1", "give allocations beyond that factor too"),
    KEY("fit.surrogate", KEY_BOOL, surrogate, "true", 0, 0, NULL, "1", "Gaussian-process frontier beside the law"),
    KEY("fit.surrogate_points", KEY_INT, surrogate_points, "20000", 10, 46000, NULL, "points",
        "at most so many points enter the surrogate; 8 n^2 bytes over all ranks"),
    KEY("fit.surrogate_subset", KEY_INT, surrogate_subset, "1000", 10, 46000, NULL, "points",
        "at most so many of them decide its hyperparameters"),
    KEY("fit.arms", KEY_WORDS, arms, "", 0, 0, NULL, "1", "arms to fit; empty: all"),
    KEY("fit.c_min", KEY_REAL, c_min, "0", 0, 1e300, NULL, "FLOP", "least nominal C of a row; 0: none"),
    KEY("fit.c_max", KEY_REAL, c_max, "0", 0, 1e300, NULL, "FLOP", "rows have a nominal C below this; 0: no bound"),
    COLUMN("n", column_n, "N", "CSV column of N"),
    COLUMN("d", column_d, "D", "CSV column of D"),
    COLUMN("loss", column_loss, "loss", "CSV column of the loss"),
    COLUMN("weight", column_weight, "", "CSV column of weights; empty: 1"),
    COLUMN("keep", column_keep, "", "CSV column that is 0 in rows to leave out; empty: none"),
    COLUMN("arm", column_arm, "", "CSV column of the arm's name; empty: the file's name"),
    COLUMN("seed", column_seed, "", "CSV column of the seed; empty: none"),
    COLUMN("c", column_c[CURRENCY_NOMINAL], "", "CSV column of nominal C; empty: 6 N D"),
    CURRENCY_ROWS_BESIDE(COMPUTE)
        KEY("suggest", KEY_INT, suggest, "0", 0, 64, NULL, "cells", "propose so many cells to run next; 0: none"),
    KEY("suggest.budget", KEY_REAL, suggest_budget, "0", 0, 1e300, NULL, "FLOP",
        "nominal budget whose allocation they are to pin down; 0: the largest run's"),
    KEY("suggest.file", KEY_WORD, suggest_file, "suggest.yaml", 0, 0, NULL, "1", "study file to write; must not exist"),
    KEY("suggest.base", KEY_WORD, suggest_base, "", 0, 0, NULL, "1",
        "study file that gives all other keys; empty: none"),
    KEY("json", KEY_WORD, json, "", 0, 0, NULL, "1", "file for programs; empty: none"),
};
const int n_fit_keys = sizeof fit_keys / sizeof *fit_keys;

TableColumns fit_columns(const FitOptions *o) {
    TableColumns columns = {.n = o->column_n,
                            .d = o->column_d,
                            .loss = o->column_loss,
                            .weight = o->column_weight,
                            .keep = o->column_keep,
                            .arm = o->column_arm,
                            .seed = o->column_seed};
    for (int c = 0; c < CURRENCIES; c++) columns.c[c] = o->column_c[c];
    return columns;
}

TableFilter fit_filter(const FitOptions *o) {
    return (TableFilter){.n_arms = o->arms.n, .arms = o->arms.at, .c_min = o->c_min, .c_max = o->c_max};
}

LawSpec fit_spec(const FitOptions *o) {
    return (LawSpec){
        .kind = law_kinds[o->law], .objective = o->objective, .delta = o->delta, .e = o->e, .exponents = o->exponents};
}
