/** What `equiscale fit` can be asked for, as keys fit.*, suggest.* and json, and what the layers below need of it. */
#pragma once

#include "fit/law.h"
#include "fit/table.h"
#include "par/options.h"

/** The words of enums, in their order. */
#define FIT_OBJECTIVES "huber|log|loss"
#define FIT_ERRORS "free|zero|shared"
#define FIT_EXPONENTS "free|tied|shared"
#define FIT_CURRENCY(word, name, ...) "|" name
#define FIT_CURRENCIES "auto" CURRENCY_ROWS(FIT_CURRENCY)

/** Which resamples intervals come from. auto: of residuals, by groups where
 *  rows have them, scaled where the noise is uneven. */
typedef enum FitIntervals {
    FIT_INTERVALS_AUTO,
    FIT_INTERVALS_RESIDUALS,
    FIT_INTERVALS_SCALED,
    FIT_INTERVALS_CELLS,
    FIT_INTERVALS_GROUPS
} FitIntervals;

/** Which arms are compared. */
typedef enum FitPairs { FIT_PAIRS_ALL, FIT_PAIRS_FIRST } FitPairs;

/** Which rows are fitted and which columns hold what; keys fit.columns.*, fit.arms, fit.best and the like. */
typedef struct RowOptions {
    char n[OPTION_TEXT], d[OPTION_TEXT], loss[OPTION_TEXT], c[CURRENCIES][OPTION_TEXT], c_unit[OPTION_TEXT],
        arm[OPTION_TEXT], seed[OPTION_TEXT], group[OPTION_TEXT], weight[OPTION_TEXT], error[OPTION_TEXT],
        keep[OPTION_TEXT], drop[OPTION_TEXT], holdout[OPTION_TEXT];
    NumberMark decimal;
    WordList arms;
    double c_min, c_max;
    bool best;
    RealList cost;
    const char *arm_name[OPTION_LIST]; /* of `arms`; filled by fit_rows */
} RowOptions;

/** Keys fit.*: see fit_keys in fit_options.c for meaning, unit and range. */
typedef struct FitOptions {
    int law; /* index into law_kinds */
    Objective objective;
    LawE e;
    LawExponents exponents;
    LawStarts starts;
    FitIntervals intervals;
    char json[OPTION_TEXT], csv[OPTION_TEXT], latex[OPTION_TEXT], again[OPTION_TEXT];
    double e_fixed, quantile, delta, extrapolation;
    int64_t bootstraps, seed, surrogate_points, surrogate_subset, suggest;
    double suggest_budget;
    char suggest_file[OPTION_TEXT];
    bool extrapolate, surrogate, details;
    FitPairs pairs;
    int currency; /* in which arms are put beside each other: 0 auto, else 1 + CURRENCY_... */
    RealList budgets[CURRENCIES], isoflop_budgets;
    RealList predict; /* N, D, N, D, ... */
    RowOptions rows;
} FitOptions;

extern const KeySpec fit_keys[];
extern const int n_fit_keys;

/** What each Objective minimises. */
extern const char *const objective_words[];

/** How the files become rows; the result points into the options. Errors name the key. */
Err fit_rows(TableOptions *table, FitOptions *options);
/** An error when the command line asks for what has no effect beside the other options. tables: a file to fit has columns. */
Err fit_refuse_idle(const FitOptions *options, bool tables);
/** Rows that a surrogate wants. */
enum { SURROGATE_ROWS = 10 };

/** An error when the rows do not have what the options want of them; what is odd beside them is a note. */
Err fit_check_table(const FitOptions *options, Table *table);

/** The currency in which arms are put beside each other: the one asked for where every row has it; -1: none is known. */
int fit_reference_currency(const FitOptions *options, const Table *table);
LawSpec fit_spec(const FitOptions *options);
