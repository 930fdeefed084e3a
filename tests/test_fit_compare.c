// TEST single n=1,2
/* Arms beside each other: known multiplier, crossover and exponents; certificates against refits; the envelope. */
#include "base/rng.h"
#include "check.h"
#include "infer/analysis.h"
#include "math/minimise.h"

static const Law first = {.kind = &law_chinchilla, .a = 6.2, .b = 7.6, .e = 0.3, .alpha = 0.35, .beta = 0.37};

static Table two_arms(const Law *second, double noise) {
    Table t = table_new();
    for (int m = 0; m < 2; m++)
        for (int i = 0; i < 6; i++)
            for (int j = 0; j < 6; j++) {
                double n = 1e7 * pow(4, i), d = 1e9 * pow(4, j),
                       z = noise * rng_normal(3, (uint64_t)m, (uint64_t)(6 * i + j));
                table_add(&t, (Point){.n = n,
                                      .d = d,
                                      .c = {6 * n * d, 7 * n * d, 1e-9 * n * d},
                                      .weight = 1,
                                      .cell = t.n,
                                      .final = true,
                                      .arm = table_arm(&t, m ? "second" : "first"),
                                      .loss = law_loss(m ? second : &first, n, d) * exp(z)});
            }
    return t;
}

static FitOptions options(void) {
    FitOptions o = {.delta = 1e-3,
                    .extrapolation = 10,
                    .bootstraps = 100,
                    .seed = 1,
                    .objective = OBJECTIVE_LOG,
                    .starts = LAW_STARTS_FEW};
    return o;
}

/* The same law with 3 times the compute: A 3^(alpha beta/(alpha+beta)) larger would do for both terms equally. */
static void multiplier(void) {
    Law second = first;
    double gamma = first.alpha * first.beta / (first.alpha + first.beta);
    second.a -= gamma * log(3), second.b -= gamma * log(3);
    Table t = two_arms(&second, 0.003);
    FitOptions o = options();
    Analysis *a = analysis_new(&t, &o, comm_world());
    EXPECT(a->comparisons == 1, "%d pairs", a->comparisons);
    int known = 0;
    for (int c = 0; c < CURRENCIES; c++) {
        const Difference *d = &a->comparison[0].currency[c];
        if (!t.has[c]) continue;
        known++;
        EXPECT(d->mean.interval.lo < 1 / 3.0 && 1 / 3.0 < d->mean.interval.hi && fabs(log(3 * d->mean.value)) < 0.2,
               "%s: multiplier %g [%g, %g]", currencies[c].name, d->mean.value, d->mean.interval.lo,
               d->mean.interval.hi);
        EXPECT(!strcmp(d->status, "second needs less compute"), "%s", d->status);
        EXPECT(!strstr(d->crossover_status, "in 0 %"), "%s", d->crossover_status);
    }
    EXPECT(known == 3, "%d currencies", known);
    EXPECT(a->comparison[0].exponents.p > 0.01, "equal exponents: p = %g", a->comparison[0].exponents.p);
    analysis_free(a);
    table_free(&t);
}

static void crossing(void) {
    Law second = {.kind = &law_chinchilla, .a = 7.8, .b = 9.2, .e = 0.3, .alpha = 0.45, .beta = 0.45};
    Table t = two_arms(&second, 0.002);
    Cost cost = {.log_kappa = log(6), .mu = 1, .nu = 1};
    double lo = log(1e15), hi = log(1e22);
    for (int i = 0; i < 60; i++) {
        double mid = 0.5 * (lo + hi);
        bool worse = cost_allocate(&second, &cost, exp(mid)).loss > cost_allocate(&first, &cost, exp(mid)).loss;
        *(worse ? &lo : &hi) = mid;
    }
    FitOptions o = options();
    Analysis *a = analysis_new(&t, &o, comm_world());
    const Difference *d = &a->comparison[0].currency[0];
    EXPECT(d->crossover_interval.lo < exp(lo) && exp(lo) < d->crossover_interval.hi,
           "crossover %g [%g, %g], want %g: %s", d->crossover, d->crossover_interval.lo, d->crossover_interval.hi,
           exp(lo), d->crossover_status);
    EXPECT(a->comparison[0].exponents.p < 1e-3, "unequal exponents: p = %g", a->comparison[0].exponents.p);
    const ArmFit *arm = &a->arm[0];
    const double want[] = {first.a, first.b, first.e, first.alpha, first.beta};
    for (int c = 0; c < LAW_COEFFICIENTS; c++) {
        double value = c < LAW_ALPHA ? exp(want[c]) : want[c];
        EXPECT(arm->certificate.profile[c].lo < value * 1.1 && value < arm->certificate.profile[c].hi * 1.1 &&
                   arm->certificate.profile[c].lo < arm->certificate.profile[c].hi,
               "profile %d [%g, %g]", c, arm->certificate.profile[c].lo, arm->certificate.profile[c].hi);
    }
    /* Nearly quadratic here: profile and resampled intervals of alpha agree. */
    Interval p = arm->certificate.profile[LAW_ALPHA], q = arm->interval[COEF_ALPHA];
    EXPECT(fabs(log(4 * arm->se[COEF_ALPHA] / (q.hi - q.lo))) < 0.2, "s.e. %g, interval [%g, %g]", arm->se[COEF_ALPHA],
           q.lo, q.hi);
    EXPECT(fabs(log((p.hi - p.lo) / (q.hi - q.lo))) < 0.35, "profile [%g, %g], resampled [%g, %g]", p.lo, p.hi, q.lo,
           q.hi);
    EXPECT(fabs(arm->certificate.varpro_gap) < 1e-6, "gap %g", arm->certificate.varpro_gap);
    for (int b = 0; b < arm->currency[0].budgets; b++)
        EXPECT(strstr(arm->currency[0].budget[b].status, "data"), "%s", arm->currency[0].budget[b].status);
    analysis_free(a);

    o.budgets[0] = (RealList){.n = 1, .at = {1e30}};
    a = analysis_new(&t, &o, comm_world());
    EXPECT(strstr(a->arm[0].currency[0].budget[0].status, "refused") && isnan(a->arm[0].currency[0].budget[0].at.n),
           "refused");
    analysis_free(a);
    o.extrapolate = true;
    a = analysis_new(&t, &o, comm_world());
    EXPECT(strstr(a->arm[0].currency[0].budget[0].status, "extrapolated") && a->arm[0].currency[0].budget[0].at.n > 0,
           "told to");
    analysis_free(a);
    table_free(&t);
}

/* An arm of one size beside a whole one: no exponents of it are tested, and it is said why. */
static void one_unknown(void) {
    Table both = two_arms(&first, 0.003);
    Table t = table_new();
    for (int m = 0; m < 2; m++) table_arm(&t, both.arm[m]);
    for (int64_t i = 0; i < both.n; i++)
        if (both.at[i].arm == 0 || both.at[i].n < 1.1e7) table_add(&t, both.at[i]);
    FitOptions o = options();
    Analysis *a = analysis_new(&t, &o, comm_world());
    const ExponentTest *e = &a->comparison[0].exponents;
    EXPECT(a->arm[0].identified && !a->arm[1].identified, "%s; %s", a->arm[0].status, a->arm[1].status);
    EXPECT(!e->valid && !strcmp(e->why, "the law of second is not identifiable"), "p = %g, %s", e->p, e->why);
    analysis_free(a);
    table_free(&t);
    table_free(&both);
}

/* How far the objective rises when one variable is held. */
static double rise(const LawProblem *problem, const LawFit *fit, int v, double at) {
    LawProblem p = *problem;
    double x[LAW_VARIABLES];
    memcpy(x, fit->x, sizeof x);
    p.lo[v] = p.hi[v] = x[v] = at;
    Minimiser *solver = minimiser_new(p.n, true);
    double f = law_refine(x, &p, law_zone(&p, NULL), solver);
    minimiser_free(solver);
    return f - fit->objective;
}

/* The law of an arm of two when the table lacks those points that `without` marks. */
static Law refitted(const Table *t, const bool *without, const LawSpec *spec, int arm) {
    Table few = table_new();
    for (int m = 0; m < t->arms; m++) table_arm(&few, t->arm[m]);
    for (int64_t i = 0; i < t->n; i++)
        if (!without[i]) table_add(&few, t->at[i]);
    LawRows rows[2] = {law_rows(&few, 0, LAW_OF_N_AND_D), law_rows(&few, 1, LAW_OF_N_AND_D)};
    LawProblem p = law_problem(rows, 2, spec);
    LawFit fit;
    law_fit(&fit, &p, LAW_STARTS_FEW, comm_world());
    for (int m = 0; m < 2; m++) law_rows_free(&rows[m]);
    table_free(&few);
    return fit.law[arm];
}

static const Sensitivity *choice(const Certificate *c, const char *what) {
    for (int i = 0; i < c->n; i++)
        if (strstr(c->row[i].what, what)) return &c->row[i];
    EXPECT(false, "no row %s", what);
    return &c->row[0];
}

/* Certificates of arms that share E and exponents: every number by another way, a fit from scratch. */
static void certificate(void) {
    Law second = first;
    second.a += 0.4, second.b -= 0.2;
    Table t = two_arms(&second, 0.003);
    FitOptions o = options();
    o.e = LAW_E_SHARED;
    o.exponents = LAW_EXPONENTS_SHARED;
    Analysis *a = analysis_new(&t, &o, comm_world());
    const LawGroup *g = &a->group[0];
    const LawProblem *p = &g->problem;
    bool *without = MEM_NEW(bool, t.n);
    double allowed = certificate_unit(p, &g->fit) * stats_f_quantile(0.95, 1, (double)(p->n_rows - p->n));
    for (int m = 0; m < 2; m++) {
        const ArmFit *arm = &a->arm[m];
        const Certificate *c = &arm->certificate;
        EXPECT(arm->group == g && fabs(c->varpro_gap) < 1e-9, "gap %g", c->varpro_gap);
        EXPECT(c->profile[LAW_ALPHA].lo < first.alpha && first.alpha < c->profile[LAW_ALPHA].hi, "alpha [%g, %g]",
               c->profile[LAW_ALPHA].lo, c->profile[LAW_ALPHA].hi);
        for (int k = LAW_E; k < LAW_COEFFICIENTS; k++)
            for (int end = 0; end < 2; end++) {
                double at = end ? c->profile[k].hi : c->profile[k].lo;
                double risen = rise(p, &g->fit, p->slot[m][k], k == LAW_E ? log(at) : at);
                EXPECT(fabs(risen / allowed - 1) < 0.01, "profile of %d, end %d: rise %g, allowed %g", k, end, risen,
                       allowed);
                double other = end ? a->arm[0].certificate.profile[k].hi : a->arm[0].certificate.profile[k].lo;
                EXPECT(fabs(at / other - 1) < 1e-6, "shared %d moves in both arms: %g, %g", k, at, other);
            }
        EXPECT(c->profile[LAW_A].lo < arm->value[COEF_A] && arm->value[COEF_A] < c->profile[LAW_A].hi &&
                   c->profile[LAW_A].hi < 3 * arm->value[COEF_A],
               "A %g [%g, %g]", arm->value[COEF_A], c->profile[LAW_A].lo, c->profile[LAW_A].hi);

        double e, f;
        int64_t out = arm->rows->point[c->worst];
        without[out] = true;
        Law law = refitted(&t, without, &a->spec, m);
        without[out] = false;
        cost_exponents(&e, &f, &law, &arm->currency[0].cost);
        EXPECT(fabs(e - arm->currency[0].a - c->influence[c->worst]) < 1e-6, "influence %g, refit %g",
               c->influence[c->worst], e - arm->currency[0].a);

        LawSpec spec = a->spec;
        spec.objective = OBJECTIVE_LOSS;
        law = refitted(&t, without, &spec, m);
        const Sensitivity *row = choice(c, "least squares on loss");
        EXPECT(fabs(row->alpha - law.alpha) < 1e-6 && fabs(row->E - exp(law.e)) < 1e-6, "on loss: %g, refit %g",
               row->alpha, law.alpha);

        const LawRows *rows = arm->rows;
        row = choice(c, "largest loss");
        int64_t largest = 0;
        for (int64_t i = 0; i < rows->n; i++)
            if (rows->k.loss[i] > rows->k.loss[largest]) largest = i;
        without[rows->point[largest]] = true;
        law = refitted(&t, without, &a->spec, m);
        without[rows->point[largest]] = false;
        EXPECT(row->rows == 35 && fabs(row->alpha - law.alpha) < 1e-6, "%lld rows, alpha %g, refit %g",
               (long long)row->rows, row->alpha, law.alpha);
    }
    mem_free(without);
    analysis_free(a);
    table_free(&t);
}

/* Of more rows than are tried, those that are left untried matter little; and every number of ranks says the same. */
static void many_rows(void) {
    enum { SIDE = 34 };
    Table t = table_new();
    for (int i = 0; i < SIDE * SIDE; i++) {
        double n = 1e7 * pow(1.2, i / SIDE), d = 1e9 * pow(1.2, i % SIDE);
        double z = 0.01 * rng_normal(5, 1, (uint64_t)i);
        table_add(&t, (Point){.n = n,
                              .d = d,
                              .c = {6 * n * d, NAN, NAN},
                              .weight = 1,
                              .cell = i,
                              .final = true,
                              .arm = table_arm(&t, "x"),
                              .loss = law_loss(&first, n, d) * exp(z)});
    }
    LawRows rows = law_rows(&t, 0, LAW_OF_N_AND_D);
    Comm *alone = comm_split(comm_world(), comm_rank(comm_world()));
    for (int objective = OBJECTIVE_HUBER; objective <= OBJECTIVE_LOG; objective++) {
        LawSpec spec = {.kind = &law_chinchilla, .objective = objective, .delta = 1e-3};
        LawProblem p = law_problem(&rows, 1, &spec);
        LawFit fit;
        law_fit(&fit, &p, LAW_STARTS_FEW, comm_world());
        Cost cost = cost_fit(&t, 0, CURRENCY_NOMINAL);
        Certificate c[2];
        for (int i = 0; i < 2; i++) certificate_make(&c[i], &p, &fit, 0, &cost, 1e18, i ? alone : comm_world());
        double *w = (double *)p.rows[0].w, most = 0, a, b, a0, differ = 0;
        int64_t untried = 0;
        Minimiser *solver = minimiser_new(p.n, true);
        cost_exponents(&a0, &b, &fit.law[0], &cost);
        for (int64_t i = 0; i < rows.n; i++) {
            if (!isnan(c[0].influence[i])) {
                differ = fmax(differ, fabs(c[0].influence[i] - c[1].influence[i]));
                continue;
            }
            double x[LAW_VARIABLES];
            memcpy(x, fit.x, sizeof x);
            w[i] = 0;
            law_refine(x, &p, law_zone(&p, NULL), solver);
            w[i] = 1;
            Law law = law_of(&p, x, 0);
            cost_exponents(&a, &b, &law, &cost);
            most = fmax(most, fabs(a - a0)), untried++;
        }
        minimiser_free(solver);
        EXPECT(untried == SIDE * SIDE - CERTIFICATE_REFITS, "%lld untried", (long long)untried);
        EXPECT(most < 0.5 * fabs(c[0].influence[c[0].worst]), "untried rows change a by up to %g, the worst by %g",
               most, c[0].influence[c[0].worst]);
        EXPECT(differ < 1e-9 && c[0].worst == c[1].worst && c[0].n == c[1].n, "ranks differ by %g", differ);
        for (int k = 0; k < LAW_COEFFICIENTS; k++)
            EXPECT(fabs(c[0].profile[k].lo - c[1].profile[k].lo) <= 1e-9 * fabs(c[1].profile[k].lo), "profile %d", k);
        for (int i = 0; i < 2; i++) certificate_free(&c[i]);
    }
    comm_free(alone);
    law_rows_free(&rows);
    table_free(&t);
}

static void envelope(void) {
    Table t = table_new();
    table_arm(&t, "x");
    for (int i = 0; i < 12; i++)
        for (int k = 1; k <= 10; k++) {
            double n = 1e6 * pow(2, i), d = 20 * n * k / 5;
            table_add(&t, (Point){.n = n,
                                  .d = d,
                                  .c = {6 * n * d, NAN, NAN},
                                  .loss = law_loss(&first, n, d),
                                  .weight = 1,
                                  .cell = i,
                                  .final = k == 10});
        }
    Envelope e;
    envelope_fit(&e, &t, 0, 0, 0);
    EXPECT(e.points > 8 && e.unfinished > 0 && strstr(e.caveat, "had not ended"), "%s", e.caveat);
    EXPECT(fabs(e.n_exponent - 0.5) < 0.1, "exponent %g", e.n_exponent);
    for (int i = 1; i < e.points; i++)
        EXPECT(e.point[i].loss < e.point[i - 1].loss && e.point[i].c > e.point[i - 1].c, "descends");
    EXPECT(e.inside < e.points && e.n_interval.lo < 0.5 && e.n_interval.hi > 0.5, "inside %d", e.inside);
    table_free(&t);
}

/* Runs so short that all best sizes are beyond what was trained long enough: no envelope that contradicts the law. */
static void short_runs(void) {
    Table t = table_new();
    table_arm(&t, "x");
    for (int k = 0; k < 42; k++) {
        double n = 1e7 * pow(300, k / 6 / 6.0), d = 1e8 * pow(6, k % 6 / 5.0);
        table_add(&t, (Point){.n = n,
                              .d = d,
                              .c = {6 * n * d, NAN, NAN},
                              .loss = law_loss(&first, n, d),
                              .weight = 1,
                              .cell = k,
                              .final = true});
    }
    Cost cost = cost_fit(&t, 0, 0);
    double a, b;
    cost_exponents(&a, &b, &first, &cost);
    Envelope e;
    envelope_fit(&e, &t, 0, 0, 0);
    EXPECT(!(e.n_interval.lo > a) && !(e.n_interval.hi < a), "a = %g, envelope [%g, %g]", a, e.n_interval.lo,
           e.n_interval.hi);
    table_free(&t);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    multiplier();
    crossing();
    one_unknown();
    certificate();
    many_rows();
    envelope();
    short_runs();
    return test_end();
}
