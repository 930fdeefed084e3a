#include "infer/contrast.h"

#include "base/arena.h"

#include <math.h>
#include <stdio.h>

const char *const method_name[METHODS] = {"law", "isoFLOP", "surrogate"};

/* What a contrast consists of, as columns of resamples. */
enum { PART_A, PART_B, PART_N, PART_MULTIPLIER = PART_N + CONTRAST_BUDGETS, PARTS };

static Contrast nothing(void) {
    Estimate none = {NAN, {NAN, NAN}};
    Contrast c = {.a = none, .b = none, .multiplier = none, .bound = NAN};
    for (int k = 0; k < CONTRAST_BUDGETS; k++) {
        c.budget[k] = NAN;
        c.n_ratio[k] = none;
    }
    return c;
}

/* The budgets that both arms have; false: none. */
static bool set_budgets(Contrast *c, const char *first, const char *second, double lo, double hi) {
    c->known = lo < hi;
    if (!c->known) snprintf(c->status, sizeof c->status, "%.60s and %.60s have no budgets in common", first, second);
    for (int k = 0; k < CONTRAST_BUDGETS && c->known; k++)
        c->budget[k] = exp(log(lo) + (log(hi) - log(lo)) * k / (CONTRAST_BUDGETS - 1));
    return c->known;
}

static void set_parts(Contrast *c, const double value[PARTS], double *draw, int64_t n, double dof) {
    Estimate *part[PARTS];
    part[PART_A] = &c->a;
    part[PART_B] = &c->b;
    for (int k = 0; k < CONTRAST_BUDGETS; k++) part[PART_N + k] = &c->n_ratio[k];
    part[PART_MULTIPLIER] = &c->multiplier;
    for (int k = 0; k < PARTS; k++) *part[k] = (Estimate){value[k], stats_interval(draw + k * n, n, dof)};
}

/* The losses that an arm reaches at its best split with its least and its largest budget. */
typedef struct Reach {
    double c_min, c_max, worst, best;
} Reach;

/* Whether an arm has less loss with its least budget than the other with its largest, and in the resamples too. reach: (1 + n, 2),
 * the first row from the fits themselves. */
static bool is_ahead(const Reach *reach, int64_t n, int arm, double dof) {
    int other = 1 - arm;
    if (!(reach[arm].worst < reach[other].best)) return false;
    if (n == 0) return true;
    double *gap = MEM_NEW(double, n);
    for (int64_t r = 0; r < n; r++) gap[r] = reach[2 * (r + 1) + arm].worst - reach[2 * (r + 1) + other].best;
    bool ahead = stats_interval(gap, n, dof).hi < 0;
    mem_free(gap);
    return ahead;
}

/* Arms that share no loss. */
static void set_bound(Contrast *c, const Reach *reach, int64_t n, double dof) {
    if (isfinite(c->multiplier.value)) return;
    if (is_ahead(reach, n, 1, dof)) c->bound = reach[1].c_min / reach[0].c_max;
    if (is_ahead(reach, n, 0, dof)) c->bound = reach[1].c_max / reach[0].c_min;
}

/* ---- Power laws. ---- */

static double power_at(const Powers *p, int part, double log_c) {
    return p->log_factor[part] + p->exponent[part] * log_c;
}

/* Compute at which the best loss is exp(log_loss), as a log. */
static double power_reach(const Powers *p, double log_loss) {
    return (log_loss - p->log_factor[OPTIMUM_LOSS]) / p->exponent[OPTIMUM_LOSS];
}

/* The log losses that both arms reach within their budgets; hi < lo: none. */
static Interval shared_losses(const ContrastPowers *first, const ContrastPowers *second) {
    const ContrastPowers *arm[2] = {first, second};
    Interval range = {-INFINITY, INFINITY};
    for (int i = 0; i < 2; i++) {
        range.lo = fmax(range.lo, power_at(&arm[i]->value, OPTIMUM_LOSS, log(arm[i]->c_max)));
        range.hi = fmin(range.hi, power_at(&arm[i]->value, OPTIMUM_LOSS, log(arm[i]->c_min)));
    }
    return range;
}

/* Lines: the geometric mean over the losses is the ratio at the middle one. */
static void compare_powers(double part[PARTS], const Contrast *c, const Powers *p, const Powers *q, Interval losses) {
    part[PART_A] = q->exponent[OPTIMUM_N] - p->exponent[OPTIMUM_N];
    part[PART_B] = q->exponent[OPTIMUM_D] - p->exponent[OPTIMUM_D];
    for (int k = 0; k < CONTRAST_BUDGETS; k++) {
        double at = log(c->budget[k]);
        part[PART_N + k] = exp(power_at(q, OPTIMUM_N, at) - power_at(p, OPTIMUM_N, at));
    }
    double middle = 0.5 * (losses.lo + losses.hi);
    bool shared = losses.lo < losses.hi;
    part[PART_MULTIPLIER] = shared ? exp(power_reach(q, middle) - power_reach(p, middle)) : NAN;
}

static Reach reach_of_powers(const ContrastPowers *arm, const Powers *powers) {
    return (Reach){.c_min = arm->c_min,
                   .c_max = arm->c_max,
                   .worst = power_at(powers, OPTIMUM_LOSS, log(arm->c_min)),
                   .best = power_at(powers, OPTIMUM_LOSS, log(arm->c_max))};
}

void contrast_powers(Contrast *out, const ContrastPowers *first, const ContrastPowers *second) {
    *out = nothing();
    const ContrastPowers *silent = first->why ? first : second;
    if (silent->why) {
        snprintf(out->status, sizeof out->status, "%.60s: %.90s", silent->name, silent->why);
        return;
    }
    if (!set_budgets(out, first->name, second->name, fmax(first->c_min, second->c_min),
                     fmin(first->c_max, second->c_max)))
        return;
    int64_t n = first->draws < second->draws ? first->draws : second->draws;
    double *draw = MEM_NEW(double, PARTS *n + 1), part[PARTS];
    Reach *reach = MEM_NEW(Reach, 2 * (n + 1));
    reach[0] = reach_of_powers(first, &first->value);
    reach[1] = reach_of_powers(second, &second->value);
    Interval losses = shared_losses(first, second);
    for (int64_t r = 0; r < n; r++) {
        reach[2 * (r + 1)] = reach_of_powers(first, &first->draw[r]);
        reach[2 * (r + 1) + 1] = reach_of_powers(second, &second->draw[r]);
        compare_powers(part, out, &first->draw[r], &second->draw[r], losses);
        for (int k = 0; k < PARTS; k++) draw[k * n + r] = part[k];
    }
    compare_powers(part, out, &first->value, &second->value, losses);
    set_parts(out, part, draw, n, fmin(first->dof, second->dof));
    set_bound(out, reach, n, fmin(first->dof, second->dof));
    mem_free(reach);
    mem_free(draw);
}

/* ---- Laws. ---- */

static void compare_laws(double part[PARTS], const Contrast *c, const Law *p, const Cost *cp, const Law *q,
                         const Cost *cq) {
    double a[2], b[2];
    cost_exponents(&a[0], &b[0], p, cp);
    cost_exponents(&a[1], &b[1], q, cq);
    part[PART_A] = a[1] - a[0];
    part[PART_B] = b[1] - b[0];
    for (int k = 0; k < CONTRAST_BUDGETS; k++)
        part[PART_N + k] = cost_allocate(q, cq, c->budget[k]).n / cost_allocate(p, cp, c->budget[k]).n;
    part[PART_MULTIPLIER] = NAN;
}

static Reach reach_of_law(const CompareArm *arm, const Law *law) {
    return (Reach){.c_min = arm->c_min,
                   .c_max = arm->c_max,
                   .worst = cost_allocate(law, &arm->cost, arm->c_min).loss,
                   .best = cost_allocate(law, &arm->cost, arm->c_max).loss};
}

void contrast_laws(Contrast *out, const CompareArm *first, const CompareArm *second, const Multiplier *multiplier) {
    *out = nothing();
    if (!first->identified || !second->identified) {
        snprintf(out->status, sizeof out->status, "the law of %.60s is not identifiable",
                 first->identified ? second->name : first->name);
        return;
    }
    if (!set_budgets(out, first->name, second->name, fmax(first->c_min, second->c_min),
                     fmin(first->c_max, second->c_max)))
        return;
    const Ensemble *p = first->spread, *q = second->spread;
    int64_t n = p->n < q->n ? p->n : q->n;
    double *draw = MEM_NEW(double, PARTS *n + 1), part[PARTS];
    Reach *reach = MEM_NEW(Reach, 2 * (n + 1));
    reach[0] = reach_of_law(first, first->law);
    reach[1] = reach_of_law(second, second->law);
    for (int64_t r = 0; r < n; r++) {
        const Law *one = &p->law[r * p->arms + first->index];
        const Law *other = &q->law[r * q->arms + second->index];
        reach[2 * (r + 1)] = reach_of_law(first, one);
        reach[2 * (r + 1) + 1] = reach_of_law(second, other);
        compare_laws(part, out, one, &first->cost, other, &second->cost);
        for (int k = 0; k < PARTS; k++) draw[k * n + r] = part[k];
    }
    compare_laws(part, out, first->law, &first->cost, second->law, &second->cost);
    set_parts(out, part, draw, n, fmin(first->dof, second->dof));
    out->multiplier = (Estimate){multiplier->value, multiplier->interval};
    set_bound(out, reach, n, fmin(first->dof, second->dof));
    mem_free(reach);
    mem_free(draw);
}
