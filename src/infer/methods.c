#include "infer/methods.h"

#include <math.h>
#include <stdio.h>

/* Of the exponent a by the surrogate. */
static Interval surrogate_interval(const CurrencyFit *c) {
    if (c->powers.inside < FRONTIER_LEAST) return (Interval){NAN, NAN};
    double a[LAWFREE_SAMPLES];
    for (int i = 0; i < LAWFREE_SAMPLES; i++) a[i] = c->powers.draw[i].exponent[OPTIMUM_N];
    return stats_interval(a, LAWFREE_SAMPLES, 0);
}

bool methods_disagree(char text[ANALYSIS_STATUS], const CurrencyFit *c) {
    const struct {
        const char *what;
        Interval a;
    } method[METHODS] = {[METHOD_LAW] = {"the law", c->a_interval},
                         [METHOD_ISOFLOP] = {"isoFLOP curves", c->isoflop.n.interval},
                         [METHOD_SURROGATE] = {"the surrogate", surrogate_interval(c)}};
    text[0] = 0;
    for (int i = 0; i < METHODS; i++)
        for (int j = i + 1; j < METHODS; j++) {
            Interval p = method[i].a;
            Interval q = method[j].a;
            if (!(p.hi < q.lo || q.hi < p.lo)) continue;
            snprintf(text, ANALYSIS_STATUS, "methods disagree: a of %s [%.3f, %.3f], of %s [%.3f, %.3f]",
                     method[i].what, p.lo, p.hi, method[j].what, q.lo, q.hi);
            return true;
        }
    return false;
}
