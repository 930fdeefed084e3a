#include "pairs.h"

#include "base/arena.h"

#include <math.h>
#include <stdio.h>

static CompareArm law_of_arm(const Analysis *a, int m, int currency) {
    const ArmFit *arm = &a->arm[m];
    const CurrencyFit *c = &arm->currency[currency];
    return (CompareArm){.name = a->table->arm[m],
                        .law = &arm->group->fit.law[arm->index],
                        .spread = &arm->group->spread,
                        .index = arm->index,
                        .dof = arm->group->dof,
                        .identified = arm->identified,
                        .cost = c->cost,
                        .c_min = c->c_min,
                        .c_max = c->c_max};
}

/* The vertices of isoFLOP curves as power laws. */
static ContrastPowers isoflop_of_arm(const Analysis *a, int m, int currency) {
    const CurrencyFit *c = &a->arm[m].currency[currency];
    const IsoFlop *iso = &c->isoflop;
    const int least = 3; /* vertices that exponents are given for */
    ContrastPowers out = {.name = a->table->arm[m],
                          .why = iso->ok < least ? iso->status : NULL,
                          .draw = iso->draw,
                          .draws = iso->draws,
                          .dof = iso->dof,
                          .c_min = c->c_min,
                          .c_max = c->c_max};
    const PowerLaw *part[OPTIMUM_PARTS] = {&iso->n, &iso->d, &iso->loss};
    for (int k = 0; k < OPTIMUM_PARTS; k++) {
        out.value.log_factor[k] = part[k]->log_factor;
        out.value.exponent[k] = part[k]->exponent;
    }
    return out;
}

static ContrastPowers surrogate_of_arm(const Analysis *a, int m, int currency) {
    const CurrencyFit *c = &a->arm[m].currency[currency];
    const char *why = NULL;
    if (!a->surrogate)
        why = "no surrogate was asked for";
    else if (c->powers.inside < FRONTIER_LEAST)
        why = "too few budgets with a minimum inside the sampled sizes";
    return (ContrastPowers){.name = a->table->arm[m],
                            .why = why,
                            .value = c->powers.mean,
                            .draw = c->powers.draw,
                            .draws = LAWFREE_SAMPLES,
                            .c_min = c->c_min,
                            .c_max = c->c_max};
}

/* Two arms in one currency, by each method. */
static void compare_in(Comparison *pair, const Analysis *a, int currency) {
    Contrast *by = pair->contrast[currency];
    int i = pair->first;
    int j = pair->second;
    CompareArm law[2] = {law_of_arm(a, i, currency), law_of_arm(a, j, currency)};
    compare_arms(&pair->currency[currency], &law[0], &law[1], a->options.extrapolation);
    contrast_laws(&by[METHOD_LAW], &law[0], &law[1], &pair->currency[currency].mean);
    ContrastPowers curves[2] = {isoflop_of_arm(a, i, currency), isoflop_of_arm(a, j, currency)};
    contrast_powers(&by[METHOD_ISOFLOP], &curves[0], &curves[1]);
    ContrastPowers free[2] = {surrogate_of_arm(a, i, currency), surrogate_of_arm(a, j, currency)};
    contrast_powers(&by[METHOD_SURROGATE], &free[0], &free[1]);
}

/* Of laws that are not identifiable no exponents are compared. */
static void test_exponents(Comparison *pair, const Analysis *a, const Comm *comm) {
    const int arm[2] = {pair->first, pair->second};
    LawRows rows[2] = {a->rows[arm[0]], a->rows[arm[1]]};
    for (int k = 0; k < 2; k++) {
        if (a->arm[arm[k]].identified) continue;
        snprintf(pair->exponents.why, sizeof pair->exponents.why, "the law of %.60s is not identifiable",
                 a->table->arm[arm[k]]);
        return;
    }
    compare_exponents(&pair->exponents, rows, &a->spec, comm);
}

void pairs_compare(Analysis *a, const Comm *comm) {
    a->comparison = MEM_NEW(Comparison, a->arms * (a->arms - 1) / 2 + 1);
    int firsts = a->options.pairs == FIT_PAIRS_FIRST ? 1 : a->arms;
    if (a->spec.kind->of_optima) return;
    for (int i = 0; i < firsts; i++)
        for (int j = i + 1; j < a->arms; j++) {
            Comparison *pair = &a->comparison[a->comparisons++];
            pair->first = i;
            pair->second = j;
            test_exponents(pair, a, comm);
            for (int c = 0; c < CURRENCIES; c++)
                if (a->table->has[c]) compare_in(pair, a, c);
        }
}
