#include "study/budget.h"

#include <math.h>

/* Three digits: a cell's name stays readable, and no budget is missed by more than half a percent. */
static int64_t three_digits(double steps) {
    double unit = pow(10, fmax(0, floor(log10(fmax(steps, 1))) - 2));
    return (int64_t)(floor(steps / unit + 0.5) * unit);
}

/* Log of the size that the design is centred on: the expected optimum, else the middle of what the limits allow. */
static double centre(const int64_t *steps, const BudgetSizes *s, double budget) {
    static const double reference = 1e12; /* FLOP, where ARM.optimum is given */
    if (s->optimum > 0) return log(s->optimum) + s->optimum_exponent * log(budget / reference);
    double low = INFINITY, high = -INFINITY;
    for (int i = 0; i < s->n; i++) {
        if (!steps[i]) continue;
        low = fmin(low, log(s->parameters[i]));
        high = fmax(high, log(s->parameters[i]));
    }
    return (low + high) / 2;
}

/* Leaves out the sizes that lie furthest from the centre until `most` are left; returns how many. */
static int keep_nearest(int64_t *steps, int left, int64_t most, const BudgetSizes *s, double middle) {
    for (; left > most; left--) {
        int furthest = -1;
        double distance = -1;
        for (int i = 0; i < s->n; i++) {
            double d = fabs(log(s->parameters[i]) - middle);
            if (!steps[i] || d <= distance) continue;
            furthest = i;
            distance = d;
        }
        steps[furthest] = 0;
    }
    return left;
}

Err budget_steps(int64_t steps[OPTION_LIST], const BudgetOptions *o, int b, const BudgetSizes *s, const char *arm) {
    double budget = o->budgets.at[b];
    int left = 0;
    for (int i = 0; i < s->n; i++) {
        double needed = budget / s->flop[i], ratio = needed * (double)s->batch / s->parameters[i];
        bool inside = needed >= (double)o->steps_min && needed <= (double)o->steps_max && ratio >= o->ratio_min &&
                      ratio <= o->ratio_max;
        steps[i] = inside ? three_digits(needed) : 0;
        left += inside;
    }
    if (s->most) left = keep_nearest(steps, left, s->most, s, centre(steps, s, budget));
    if (left >= BUDGET_SIZES) return ERR_NONE;
    return err_user("%s: study.budgets = %g: %d sizes of %s meet it within the limits of study.budget_steps_*, "
                    "study.budget_ratio_* and study.budget_sizes: want at least %d",
                    options_source(), budget, left, arm, BUDGET_SIZES);
}

int64_t budget_seeds(const IntList *seeds, int b) {
    return seeds->at[seeds->n > 1 ? b : 0];
}
