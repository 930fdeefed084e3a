#include "study/rule.h"

#include <math.h>
#include <stdlib.h>

const RuleReach rule_found = {.parameters = 55661, .steps = 15000, .batch = 8};

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

bool rule_far(const RateOptions *rule, const Arm *arm, const RuleReach *cell) {
    const RuleReach *found = &rule_found;
    bool far = cell->parameters > FAR * found->parameters || cell->steps > FAR * found->steps ||
               cell->batch > FAR_BATCH * found->batch;
    return far && is_default(rule, arm);
}
