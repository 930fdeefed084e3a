// TEST single n=1,2,4
/* Laws: kernel derivatives, recovery of known laws, the published Chinchilla fit, one answer for any number of ranks.
 */
#include "base/rng.h"
#include "infer/analysis.h"
#include "fit/bootstrap.h"
#include "fit/cost.h"
#include "law_surface.h"

/* The sum and the definition of a law at a row agree, in value and derivatives. */
static void definition(const LawKind *kind) {
    const double p[LAW_COEFFICIENTS] = {0.3, -0.2, 0.5, 0.4, 0.3}, x = 0.7, y = -1.3, z = 0, loss = 1, w = 1;
    const LawColumns row = {.n = 1, .x = &x, .y = &y, .z = &z, .loss = &loss, .w = &w};
    double d[LAW_COEFFICIENTS], g[LAW_COEFFICIENTS] = {0};
    const Misfit misfit = {.objective = OBJECTIVE_LOSS, .above = 1, .below = 1};
    double s = kind->loss(d, p, x, y), f = kind->sum->objective(&row, &misfit, p, g, NULL);
    EXPECT(fabs(f - 0.5 * (1 - s) * (1 - s)) < 1e-13, "%s: sum %g, loss %g", kind->name, f, s);
    for (int k = 0; k < LAW_COEFFICIENTS; k++)
        EXPECT(fabs(g[k] + (1 - s) * d[k]) < 1e-13, "%s: derivative %d: %g, %g", kind->name, k, g[k], -(1 - s) * d[k]);
}

static void derivatives(const LawKind *kind) {
    Table t = surface(&truth, 4, 3, 0.05, 3);
    LawRows rows = law_rows(&t, 0, kind->axes);
    for (int objective = 0; objective < 3; objective++)
        for (int tied = 0; tied < 2; tied++) {
            LawSpec spec = {.kind = kind,
                            .objective = objective,
                            .delta = 0.03,
                            .exponents = tied ? LAW_EXPONENTS_TIED : LAW_EXPONENTS_FREE};
            LawProblem p = law_problem(&rows, 1, &spec);
            double x[5] = {0.3, -0.2, 0.5, 0.4, 0.3}, g[5], h[25], up[5], down[5], none[25], worst = 0;
            law_objective(&p, x, g, h);
            for (int k = 0; k < p.n; k++) {
                double step = 1e-5, at = x[k];
                x[k] = at + step;
                double f1 = law_objective(&p, x, up, NULL);
                x[k] = at - step;
                double f0 = law_objective(&p, x, down, none);
                x[k] = at;
                worst = fmax(worst, fabs((f1 - f0) / (2 * step) - g[k]) / (1 + fabs(g[k])));
                for (int l = 0; l < p.n; l++)
                    worst =
                        fmax(worst, fabs((up[l] - down[l]) / (2 * step) - h[k * p.n + l]) / (1 + fabs(h[k * p.n + l])));
            }
            EXPECT(worst < 1e-6, "%s, objective %d: derivative off by %g", kind->name, objective, worst);
        }
    law_rows_free(&rows);
    table_free(&t);
}

static void recovery(const LawKind *kind) {
    Law law = of_kind(kind);
    Table t = surface(&law, 6, 6, 0, 0);
    LawRows rows = law_rows(&t, 0, kind->axes);
    for (int objective = 0; objective < 3; objective++) {
        if (kind->of_optima && objective == OBJECTIVE_LOSS) continue;
        LawSpec spec = {.kind = kind, .objective = objective, .delta = 1e-3};
        LawProblem p = law_problem(&rows, 1, &spec);
        LawFit fit;
        law_fit(&fit, &p, LAW_STARTS_FEW, comm_world());
        double worst = fmax(fabs(fit.law[0].alpha - law.alpha), fabs(fit.law[0].beta - law.beta));
        EXPECT(worst < 1e-6 && fabs(exp(fit.law[0].e) - exp(law.e)) < 1e-6, "%s, objective %d: exponents off by %g",
               kind->name, objective, worst);
        EXPECT(fit.reached > fit.starts / 2, "%s: %d of %d", kind->name, fit.reached, fit.starts);
        char status[128];
        law_status(status, sizeof status, &fit, &p, 0);
        EXPECT(!strcmp(status, "converged"), "%s", status);
        Law projected;
        double f = law_varpro(&projected, &p, comm_world());
        EXPECT(f < 1e-12 && fabs(projected.alpha - law.alpha) < 1e-5 && fabs(projected.beta - law.beta) < 1e-5,
               "%s, objective %d: by projection %g, alpha %g, beta %g", kind->name, objective, f, projected.alpha,
               projected.beta);
    }
    law_rows_free(&rows);
    table_free(&t);
}

/* With noise the planted coefficients lie within the intervals. (One draw: of 20 intervals one may miss.) */
static void intervals(const LawKind *kind) {
    Law law = of_kind(kind);
    Table t = surface(&law, 7, 7, 0.01, 11);
    FitOptions o = {.law = 0, .delta = 1e-3, .objective = OBJECTIVE_LOG, .starts = LAW_STARTS_FEW, .bootstraps = 200};
    while (law_kinds[o.law] != kind) o.law++;
    o.extrapolation = 10;
    Analysis *a = analysis_new(&t, &o, comm_world());
    double value[COEFS] = {0};
    law_factors(&value[COEF_A], &value[COEF_B], &law);
    value[COEF_E] = exp(law.e);
    value[COEF_ALPHA] = law.alpha;
    value[COEF_BETA] = law.beta;
    cost_exponents(&value[COEF_N_EXPONENT], &value[COEF_D_EXPONENT], &law, &a->arm[0].currency[0].cost);
    for (int k = 0; k < COEFS; k++) {
        Interval i = a->arm[0].interval[k];
        bool missing = isnan(a->arm[0].value[k]);
        if (missing) EXPECT(isnan(i.lo), "%s: %s does not exist and has an interval", kind->name, coef_name[k]);
        if (missing) continue;
        EXPECT(i.lo <= value[k] && value[k] <= i.hi && i.hi > i.lo, "%s: %s %g outside [%g, %g]", kind->name,
               coef_name[k], value[k], i.lo, i.hi);
    }
    double gamma = law_splits(kind) ? law.alpha * law.beta / (law.alpha + law.beta) : law.alpha;
    bool falls = law_splits(kind) || kind == &law_compute;
    Interval of_loss = a->arm[0].currency[0].gamma_interval;
    EXPECT(falls == isfinite(a->arm[0].currency[0].gamma), "%s: gamma %g", kind->name, a->arm[0].currency[0].gamma);
    EXPECT(!falls ||
               (of_loss.lo <= gamma && gamma <= of_loss.hi && fabs(a->arm[0].currency[0].gamma / gamma - 1) < 0.1),
           "%s: gamma %g outside [%g, %g]", kind->name, gamma, of_loss.lo, of_loss.hi);
    EXPECT(!strcmp(a->arm[0].status, "converged"), "%s: %s", kind->name, a->arm[0].status);
    analysis_free(a);
    table_free(&t);
}

/* Three arms: one surface, and two with other factors and exponents and, unless `same`, another E. */
static Table three_arms(bool same, double noise) {
    Table t = table_new();
    for (int m = 0; m < 3; m++) {
        Law law = truth;
        law.a += 0.4 * m, law.b -= 0.3 * m, law.alpha += 0.03 * m, law.beta -= 0.02 * m;
        if (!same) law.e -= 0.3 * m;
        Table one = surface(&law, 6, 5 + m, noise, (uint64_t)(20 + m));
        int arm = table_arm(&t, m == 0 ? "first" : m == 1 ? "second" : "third");
        for (int64_t i = 0; i < one.n; i++) {
            one.at[i].arm = arm;
            table_add(&t, one.at[i]);
        }
        table_free(&one);
    }
    return t;
}

/* Variable projection meets the direct route, whatever the arms share. */
static void projection(void) {
    double worst = 0;
    Table t = three_arms(true, 0.01);
    LawRows rows[3] = {law_rows(&t, 0, LAW_OF_N_AND_D), law_rows(&t, 1, LAW_OF_N_AND_D),
                       law_rows(&t, 2, LAW_OF_N_AND_D)};
    for (int objective = 0; objective < 3; objective++)
        for (int e = 0; e < 3; e++)
            for (int exponents = 0; exponents < 3; exponents++)
                for (int arms = 1; arms <= 3; arms += 2) {
                    bool joint = e == LAW_E_SHARED || exponents == LAW_EXPONENTS_SHARED;
                    if (joint != (arms > 1)) continue;
                    LawSpec spec = {
                        .kind = &law_chinchilla, .objective = objective, .delta = 1e-3, .e = e, .exponents = exponents};
                    LawProblem p = law_problem(rows, arms, &spec);
                    LawFit fit;
                    law_fit(&fit, &p, LAW_STARTS_FEW, comm_world());
                    Law law[3];
                    double f = law_varpro(law, &p, comm_world()), gap = f / fit.objective - 1, off = 0;
                    for (int m = 0; m < arms; m++)
                        off = fmax(off, fmax(fabs(law[m].alpha - fit.law[m].alpha), fabs(law[m].a - fit.law[m].a)));
                    worst = fmax(worst, fabs(gap));
                    EXPECT(fabs(gap) < 1e-9 && off < 1e-4,
                           "objective %d, E %d, exponents %d, %d arms: %.12g, direct %.12g, laws differ by %g",
                           objective, e, exponents, arms, f, fit.objective, off);
                }
    if (comm_rank(comm_world()) == 0) printf("worst: variable projection and direct route differ by %.1e\n", worst);
    for (int m = 0; m < 3; m++) law_rows_free(&rows[m]);
    table_free(&t);
}

/* Two arms of one law but for A and B: shared exponents and E come out the same. */
static void shared(void) {
    Table t = surface(&truth, 5, 5, 0, 0);
    Law other = truth;
    other.a += 0.5, other.b -= 0.3;
    Table u = surface(&other, 5, 5, 0, 0);
    int second = table_arm(&t, "other");
    for (int64_t i = 0; i < u.n; i++) {
        u.at[i].arm = second;
        table_add(&t, u.at[i]);
    }
    LawRows rows[2] = {law_rows(&t, 0, LAW_OF_N_AND_D), law_rows(&t, 1, LAW_OF_N_AND_D)};
    LawSpec spec = {
        .kind = &law_chinchilla, .objective = OBJECTIVE_LOG, .e = LAW_E_SHARED, .exponents = LAW_EXPONENTS_SHARED};
    LawProblem p = law_problem(rows, 2, &spec);
    EXPECT(p.n == 7, "%d variables", p.n);
    LawFit fit;
    law_fit(&fit, &p, LAW_STARTS_FEW, comm_world());
    EXPECT(fabs(fit.law[1].alpha - other.alpha) < 1e-6 && fabs(fit.law[1].a - other.a) < 1e-4 &&
               fit.law[0].beta == fit.law[1].beta && fit.law[0].e == fit.law[1].e,
           "alpha %g", fit.law[1].alpha);
    for (int m = 0; m < 2; m++) law_rows_free(&rows[m]);
    table_free(&t);
    table_free(&u);
}

/* The whole world and this rank alone agree to the last bit. */
static void rank_count(void) {
    Table t = surface(&truth, 6, 5, 0.01, 9);
    LawRows rows = law_rows(&t, 0, LAW_OF_N_AND_D);
    LawSpec spec = {.kind = &law_chinchilla, .objective = OBJECTIVE_HUBER, .delta = 1e-3};
    LawProblem p = law_problem(&rows, 1, &spec);
    LawFit fit[2];
    Ensemble e[2];
    Comm *alone = comm_split(comm_world(), comm_rank(comm_world()));
    for (int i = 0; i < 2; i++) {
        const Comm *comm = i ? alone : comm_world();
        law_fit(&fit[i], &p, LAW_STARTS_FEW, comm);
        e[i] = bootstrap_laws(&p, &fit[i], BOOTSTRAP_CELLS, 20, 4, comm);
    }
    EXPECT(!memcmp(&fit[0].law[0], &fit[1].law[0], sizeof(Law)), "law %.17g %.17g", fit[0].law[0].alpha,
           fit[1].law[0].alpha);
    EXPECT(!memcmp(e[0].law, e[1].law, 20 * sizeof(Law)), "resamples");
    for (int i = 0; i < 2; i++) ensemble_free(&e[i]);
    comm_free(alone);
    law_rows_free(&rows);
    table_free(&t);
}

/* A law without a closed form is searched along the budget, and says the same. */
static void searched(const Law *law, const Cost *cost) {
    LawKind open_kind = *law->kind;
    open_kind.additive = NULL;
    Law open_law = *law;
    open_law.kind = &open_kind;
    Cost middle = *cost;
    middle.log_middle = log(1e20);
    double a, b, open_a, open_b;
    cost_exponents(&a, &b, law, &middle);
    cost_exponents(&open_a, &open_b, &open_law, &middle);
    EXPECT(fabs(a - open_a) < 1e-5 && fabs(b - open_b) < 1e-5, "%s: a %g, searched %g", law->kind->name, a, open_a);
    for (double c = 1e16; c < 1e24; c *= 100) {
        Allocation closed = cost_allocate(law, &middle, c), found = cost_allocate(&open_law, &middle, c);
        EXPECT(fabs(log(found.n / closed.n)) < 1e-5 && fabs(found.loss / closed.loss - 1) < 1e-12,
               "%s: N* %g, searched %g", law->kind->name, closed.n, found.n);
        double reached = cost_to_reach(&open_law, &middle, closed.loss);
        EXPECT(fabs(log(reached / c)) < 1e-6, "%s: %g reaches the loss of %g", law->kind->name, reached, c);
    }
}

/* A law of compute alone has a loss at a budget and no split; one of N or D alone has neither. */
static void without_split(const LawKind *kind) {
    const Law law = of_kind(kind);
    const Cost cost = {.log_kappa = log(6), .mu = 1, .nu = 1};
    double c = 1e20, a, b;
    Allocation at = cost_allocate(&law, &cost, c);
    cost_exponents(&a, &b, &law, &cost);
    EXPECT(isnan(at.n) && isnan(at.d) && isnan(b), "%s: N* %g", kind->name, at.n);
    EXPECT(isfinite(at.loss) == (kind->axes == LAW_OF_C), "%s: loss %g at a budget", kind->name, at.loss);
    EXPECT(kind->of_optima ? a == 0.5 : isnan(a), "%s: a %g", kind->name, a);
    if (kind == &law_compute)
        EXPECT(fabs(cost_to_reach(&law, &cost, at.loss) / c - 1) < 1e-9, "%s: inverse", kind->name);
}

/* E held at a value that the rows contradict stays there, by both routes. */
static void fixed_e(void) {
    Table t = surface(&truth, 6, 6, 0, 0);
    LawRows rows = law_rows(&t, 0, LAW_OF_N_AND_D);
    LawSpec spec = {
        .kind = &law_chinchilla, .objective = OBJECTIVE_HUBER, .delta = 1e-3, .e = LAW_E_FIXED, .e_value = 1.75};
    LawProblem p = law_problem(&rows, 1, &spec);
    LawFit fit;
    law_fit(&fit, &p, LAW_STARTS_FEW, comm_world());
    Law projected;
    double f = law_varpro(&projected, &p, comm_world());
    EXPECT(p.n == 4 && fabs(exp(fit.law[0].e) - 1.75) < 1e-12 && fabs(exp(projected.e) - 1.75) < 1e-12, "E %g, %g",
           exp(fit.law[0].e), exp(projected.e));
    EXPECT(fit.law[0].alpha < truth.alpha && fabs(f / fit.objective - 1) < 1e-9, "alpha %g, objective %.12g, %.12g",
           fit.law[0].alpha, fit.objective, f);
    law_rows_free(&rows);
    table_free(&t);
}

/* The law of a quantile has that share of the rows below it, by both routes. */
static void quantile(double share) {
    Table t = surface(&truth, 15, 15, 0.02, 31);
    LawRows rows = law_rows(&t, 0, LAW_OF_N_AND_D);
    LawSpec spec = {.kind = &law_chinchilla, .objective = OBJECTIVE_HUBER, .delta = 1e-5, .quantile = share};
    LawProblem p = law_problem(&rows, 1, &spec);
    LawFit fit;
    law_fit(&fit, &p, LAW_STARTS_FEW, comm_world());
    Law projected;
    double f = law_varpro(&projected, &p, comm_world()), below = 0;
    for (int64_t i = 0; i < t.n; i++)
        below += t.at[i].loss < law_loss(&fit.law[0], t.at[i].n, t.at[i].d) ? 1.0 / (double)t.n : 0;
    EXPECT(fabs(below - share) < 5.0 / (double)t.n, "quantile %g: %g of the rows lie below", share, below);
    EXPECT(fabs(f / fit.objective - 1) < 1e-6, "quantile %g: objective %.12g, by projection %.12g", share,
           fit.objective, f);
    law_rows_free(&rows);
    table_free(&t);
}

/* N*(C), D*(C) against a search along the budget, with a cost that is not N D. */
static void allocation(const LawKind *kind) {
    const Law law = of_kind(kind);
    Cost cost = {.log_kappa = 2, .mu = 0.8, .nu = 1.1};
    double c = 1e20, best = INFINITY, at = 0;
    for (int i = 0; i < 200000; i++) {
        double n = exp(10 + 20.0 * i / 200000), d = exp((log(c) - cost.log_kappa - cost.mu * log(n)) / cost.nu);
        double loss = law_loss(&law, n, d);
        if (loss < best) best = loss, at = n;
    }
    Allocation a = cost_allocate(&law, &cost, c);
    EXPECT(fabs(log(a.n / at)) < 2e-3 && a.loss <= best, "N* %g, search %g", a.n, at);
    EXPECT(fabs(cost_of(&cost, a.n, a.d) / c - 1) < 1e-10, "on the budget");
    double en, ed;
    cost_exponents(&en, &ed, &law, &cost);
    Allocation ten = cost_allocate(&law, &cost, 10 * c);
    EXPECT(fabs(log10(ten.n / a.n) - en) < 1e-9 && fabs(log10(ten.d / a.d) - ed) < 1e-9, "exponents");
    EXPECT(fabs(cost_to_reach(&law, &cost, a.loss) / c - 1) < 1e-9, "inverse");
    searched(&law, &cost);
    Table t = surface(&law, 3, 3, 0, 0);
    for (int64_t i = 0; i < t.n; i++) t.at[i].c[0] = cost_of(&cost, t.at[i].n, t.at[i].d);
    Cost got = cost_fit(&t, 0, 0);
    EXPECT(fabs(got.mu - cost.mu) < 1e-9 && fabs(got.nu - cost.nu) < 1e-9, "mu %g nu %g", got.mu, got.nu);
    table_free(&t);
}

/* The words of fit.law are the names of the laws, in their order. */
/* Many rows of few configurations: all starts find the one minimum, though the first zone has seen 400 rows only. */
static void repeated_rows(void) {
    enum { ROWS = 900, CONFIGS = 17 };
    const Law law = {.kind = &law_chinchilla, .a = 3, .b = 3.2, .e = -1, .alpha = 0.4, .beta = 0.35};
    Table t = table_new();
    table_arm(&t, "arm");
    for (int i = 0; i < ROWS; i++) {
        int config = i % CONFIGS;
        double n = 1e4 * pow(10, 2 * rng_uniform(4, 1, (uint64_t)config));
        double d = 1e5 * pow(10, 2 * rng_uniform(4, 2, (uint64_t)config));
        double loss = law_loss(&law, n, d) * exp(0.01 * rng_normal(4, 3, (uint64_t)i));
        table_add(
            &t,
            (Point){.n = n, .d = d, .c = {6 * n * d, NAN, NAN}, .weight = 1, .loss = loss, .seed = i, .final = true});
    }
    LawRows rows = law_rows(&t, 0, LAW_OF_N_AND_D);
    const LawSpec spec = {.kind = &law_chinchilla, .objective = OBJECTIVE_HUBER, .delta = 1e-3};
    LawProblem p = law_problem(&rows, 1, &spec);
    LawFit fit;
    Law found;
    law_fit(&fit, &p, LAW_STARTS_FEW, comm_world());
    double other = law_varpro(&found, &p, comm_world());
    EXPECT(fit.reached == fit.starts && fabs(fit.objective / other - 1) < 1e-9,
           "%d of %d starts, objective %.15g, %.15g", fit.reached, fit.starts, fit.objective, other);
    EXPECT(fabs(fit.law[0].alpha - 0.4) < 0.05, "alpha %g", fit.law[0].alpha);
    law_rows_free(&rows);
    table_free(&t);
}

static void names(void) {
    for (int k = 0; k < LAW_KINDS; k++) {
        char word[32];
        options_choice(word, sizeof word, LAW_NAMES, k);
        EXPECT(!strcmp(word, law_kinds[k]->name), "fit.law %s is the law %s", word, law_kinds[k]->name);
    }
}

static void chinchilla(void) {
    const char *path = "../shared/data/chinchilla.csv";
    FILE *f = fopen(path, "r");
    if (!f) {
        printf("skipped: %s is not here\n", path);
        return;
    }
    fclose(f);
    Table t = table_new();
    TableColumns columns = {.n = "N", .d = "D", .loss = "loss", .keep = "keep"};
    TableFilter filter = {0};
    Err err = table_add_file(&t, path, &columns, &filter, comm_world());
    EXPECT(!err.code && t.n == 240 && t.left_out.keep == 5, "%s", err.text);
    LawRows rows = law_rows(&t, 0, LAW_OF_N_AND_D);
    LawSpec spec = {.kind = &law_chinchilla, .objective = OBJECTIVE_HUBER, .delta = 1e-3};
    LawProblem p = law_problem(&rows, 1, &spec);
    LawFit fit;
    law_fit(&fit, &p, LAW_STARTS_GRID, comm_world());
    EXPECT(fit.objective <= 0.00101827403 * (1 + 1e-6), "objective %.12g", fit.objective);
    EXPECT(fabs(fit.law[0].alpha - 0.34731) < 5e-4 && fabs(fit.law[0].beta - 0.36717) < 1e-3 &&
               fabs(exp(fit.law[0].e) - 1.81722) < 1e-3,
           "alpha %g beta %g", fit.law[0].alpha, fit.law[0].beta);
    if (comm_rank(comm_world()) == 0)
        printf("measured: %d of %d starts reach %.10g\n", fit.reached, fit.starts, fit.objective);
    law_rows_free(&rows);
    table_free(&t);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    for (int k = 0; k < LAW_KINDS; k++) {
        definition(law_kinds[k]);
        derivatives(law_kinds[k]);
        recovery(law_kinds[k]);
        intervals(law_kinds[k]);
        if (law_splits(law_kinds[k]))
            allocation(law_kinds[k]);
        else
            without_split(law_kinds[k]);
    }
    fixed_e();
    quantile(0.1);
    quantile(0.5);
    quantile(0.8);
    projection();
    shared();
    rank_count();
    names();
    repeated_rows();
    chinchilla();
    return test_end();
}
