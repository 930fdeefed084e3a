/** What `equiscale fit` can be asked for, as keys fit.*, suggest.* and json, and what the layers below need of it. */
#pragma once

#include "fit/law.h"
#include "fit/table.h"
#include "par/options.h"

/** The words of enums, in their order. */
#define FIT_OBJECTIVES "huber|log|loss"
#define FIT_ERRORS "free|zero|shared"
#define FIT_EXPONENTS "free|tied|shared"

/** Which resamples intervals come from. auto: of residuals, scaled where the noise is uneven. */
typedef enum FitIntervals {
    FIT_INTERVALS_AUTO,
    FIT_INTERVALS_RESIDUALS,
    FIT_INTERVALS_SCALED,
    FIT_INTERVALS_CELLS
} FitIntervals;

/** Keys fit.*: see fit_keys in fit_options.c for meaning, unit and range. */
typedef struct FitOptions {
    int law; /* index into law_kinds */
    Objective objective;
    LawE e;
    LawExponents exponents;
    LawStarts starts;
    FitIntervals intervals;
    char json[OPTION_TEXT];
    double delta, extrapolation, c_min, c_max;
    int64_t bootstraps, seed, surrogate_points, surrogate_subset, suggest;
    double suggest_budget;
    char suggest_file[OPTION_TEXT], suggest_base[OPTION_TEXT];
    bool extrapolate, surrogate;
    RealList budgets[CURRENCIES], isoflop_budgets;
    WordList arms;
    char column_n[OPTION_TEXT], column_d[OPTION_TEXT], column_loss[OPTION_TEXT], column_weight[OPTION_TEXT],
        column_keep[OPTION_TEXT], column_arm[OPTION_TEXT], column_seed[OPTION_TEXT];
    char column_c[CURRENCIES][OPTION_TEXT];
} FitOptions;

extern const KeySpec fit_keys[];
extern const int n_fit_keys;

TableColumns fit_columns(const FitOptions *options);
TableFilter fit_filter(const FitOptions *options);
LawSpec fit_spec(const FitOptions *options);
