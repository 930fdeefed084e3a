#include "study/rule.h"

#include "base/log.h"

#include <math.h>
#include <stdlib.h>

/* Up to which sizes, lengths and with what batch the defaults were found. */
static const struct { int64_t parameters, steps, batch; } found = {55661, 15000, 8};

/* Times beyond that which are far. Exponents of sizes and lengths are known to 0.1, so that a factor of 10 may cost a quarter of
 * a rate. No exponent of the batch is known: rates that go with its root are twice as large at four times as many samples. */
enum { FAR = 10, FAR_BATCH = 4 };

double rule_peak(const RateOptions *rule, int rate, int64_t parameters, int64_t steps) {
    double size = pow((double)parameters / 1e5, -rule->lr_exponent);
    return rule->lr.at[rate] * size * fmin(1, pow((double)steps / rule->lr_steps, -rule->lr_steps_exponent));
}

static bool is_default(const RateOptions *rule, const Arm *arm) {
    return rule->lr.n == 1 && rule->lr.at[0] == strtod(arm->lr, NULL) &&
           rule->lr_exponent == strtod(arm->lr_exponent, NULL) && rule->lr_steps == strtod(arm->lr_steps, NULL) &&
           rule->lr_steps_exponent == strtod(arm->lr_steps_exponent, NULL);
}

void rule_tell(const Grid *grid, const StudyOptions *options) {
    int64_t far = 0, parameters = 0, steps = 0, batch = options->train.batch;
    for (int i = 0; i < grid->n; i++) {
        const Cell *c = &grid->cell[i];
        const Arm *arm = arm_find(c->record.arm);
        int64_t n = grid->kind[c->kind].parameters, length = c->job.steps;
        if (!is_default(&options->rates[arm - arms], arm)) continue;
        if (n <= FAR * found.parameters && length <= FAR * found.steps && batch <= FAR_BATCH * found.batch) continue;
        far++;
        if (n > parameters) parameters = n;
        if (length > steps) steps = length;
    }
    if (!far) return;
    log_line("learning rates of %lld of %d cells are extrapolated: the default rules were found up to N = %lld, %lld "
             "steps and batch %lld, and these go up to N = %lld, %lld steps and batch %lld: sweep ARM.lr first "
             "(docs/learning-rates.md)",
             (long long)far, grid->n, (long long)found.parameters, (long long)found.steps, (long long)found.batch,
             (long long)parameters, (long long)steps, (long long)batch);
}
