// TEST single n=1
/* isoFLOP designs: every size meets its budget, within limits, nearest to the expected optimum. */
#include "check.h"
#include "study/budget.h"

static BudgetSizes sizes_of(void) {
    BudgetSizes s = {.n = 10, .batch = 8, .optimum = 2e4, .optimum_exponent = 0.5};
    for (int i = 0; i < s.n; i++) {
        s.parameters[i] = 1e3 * pow(1.6, i);
        s.flop[i] = 1.2e3 * s.parameters[i] + 4e5;
    }
    return s;
}

static BudgetOptions options_of(void) {
    return (BudgetOptions){.budgets = {3, {1e11, 1e12, 4e12}},
                           .seeds = {1, {2}},
                           .steps_min = 500,
                           .steps_max = 400000,
                           .ratio_max = 1e15};
}

static int left(const int64_t *steps, int n) {
    int count = 0;
    for (int i = 0; i < n; i++) count += steps[i] > 0;
    return count;
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    BudgetSizes s = sizes_of();
    BudgetOptions o = options_of();
    int64_t steps[OPTION_LIST];
    for (int b = 0; b < o.budgets.n; b++) {
        Err err = budget_steps(steps, &o, b, &s, "arm");
        EXPECT(!err.code, "%s", err.text);
        for (int i = 0; i < s.n; i++) {
            double needed = o.budgets.at[b] / s.flop[i];
            bool inside = needed >= 500 && needed <= 400000;
            EXPECT((steps[i] > 0) == inside, "budget %d size %d: %lld steps, %g needed", b, i, (long long)steps[i],
                   needed);
            EXPECT(!inside || fabs((double)steps[i] / needed - 1) <= 0.005, "%lld of %g", (long long)steps[i], needed);
        }
    }

    /* D / N. */
    o.ratio_min = 5;
    o.ratio_max = 400;
    EXPECT(!budget_steps(steps, &o, 1, &s, "arm").code, "limits");
    for (int i = 0; i < s.n; i++) {
        double ratio = 1e12 / s.flop[i] * 8 / s.parameters[i];
        EXPECT((steps[i] > 0) == (ratio >= 5 && ratio <= 400 && 1e12 / s.flop[i] <= 400000), "size %d: D/N %g", i,
               ratio);
    }

    /* Fewer steps than the least. */
    o = options_of();
    o.steps_min = 10000;
    EXPECT(!budget_steps(steps, &o, 0, &s, "arm").code, "limits");
    for (int i = 0; i < s.n; i++)
        EXPECT((steps[i] > 0) == (1e11 / s.flop[i] >= 10000), "size %d: %lld steps", i, (long long)steps[i]);

    /* The five nearest to the optimum in log N: 6e3 at 1e11, 2e4 at 1e12, 4e4 at 4e12. */
    o = options_of();
    s.most = 5;
    for (int b = 0; b < 3; b++) {
        double middle = log(2e4 * sqrt(o.budgets.at[b] / 1e12)), most = 0, least = INFINITY;
        EXPECT(!budget_steps(steps, &o, b, &s, "arm").code && left(steps, s.n) == 5, "%d sizes", left(steps, s.n));
        for (int i = 0; i < s.n; i++) {
            double away = fabs(log(s.parameters[i]) - middle);
            if (steps[i])
                most = fmax(most, away);
            else if (o.budgets.at[b] / s.flop[i] <= 400000)
                least = fmin(least, away);
        }
        EXPECT(most <= least, "kept up to %g, left out from %g", most, least);
    }

    /* Where no optimum is known, the middle of the sizes within the limits. */
    s.optimum = 0;
    o.steps_max = 20000;
    EXPECT(!budget_steps(steps, &o, 0, &s, "arm").code && left(steps, s.n) == 5, "%d sizes", left(steps, s.n));
    int first = 0;
    while (1e11 / s.flop[first] > 20000) first++;
    double middle = 0.5 * log(s.parameters[first] * s.parameters[s.n - 1]), inside = 0, outside = INFINITY;
    for (int i = first; i < s.n; i++) {
        double away = fabs(log(s.parameters[i]) - middle);
        if (steps[i])
            inside = fmax(inside, away);
        else
            outside = fmin(outside, away);
    }
    EXPECT(first > 0 && inside <= outside, "kept up to %g, left out from %g", inside, outside);

    s = sizes_of();
    s.most = 5;
    o.steps_max = 100000;
    Err err = budget_steps(steps, &o, 2, &s, "arm");
    EXPECT(err.code == EXIT_USER && strstr(err.text, "study.budgets = 4e+12: 2 sizes of arm"), "%s", err.text);

    IntList each = {3, {4, 2, 1}};
    EXPECT(budget_seeds(&o.seeds, 2) == 2, "one entry for all");
    EXPECT(budget_seeds(&each, 0) == 4 && budget_seeds(&each, 2) == 1, "one for each");
    return test_end();
}
