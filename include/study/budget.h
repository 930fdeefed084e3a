/** An isoFLOP design (Hoffmann et al. 2022, arXiv 2203.15556, approach 2): at each compute budget several model sizes, each
 *  trained for the steps that meet it. Not collective. */
#pragma once

#include "study/options.h"

/** Fewer sizes than this at a budget do not show where its best one is. */
enum { BUDGET_SIZES = 5 };

/** The model sizes of one arm, in the order of the study file. */
typedef struct BudgetSizes {
    int n;
    double parameters[OPTION_LIST];
    double flop[OPTION_LIST];         /* of a step, in the currency of the budgets */
    int64_t batch;                    /* samples a step */
    double optimum, optimum_exponent; /* as in ArmBudgets */
    int64_t most;                     /* that meet a budget; 0: all */
} BudgetSizes;

/** Steps of each size at budget b, rounded to three digits; 0 where the size is left out: because of limits, or because
 *  sizes->most others lie nearer to the expected optimum. Errors: fewer than BUDGET_SIZES are left; names the arm. */
Err budget_steps(int64_t steps[OPTION_LIST], const BudgetOptions *options, int b, const BudgetSizes *sizes,
                 const char *arm);

/** Number of seeds at budget b, where one entry stands for all budgets. */
int64_t budget_seeds(const IntList *seeds, int b);
