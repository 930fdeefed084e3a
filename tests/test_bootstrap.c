// TEST single n=1,2
/* Resampled fits: what they draw from is what was fitted, whatever its seeds, weights, objective and scale of noise. */
#include "base/rng.h"
#include "fit/bootstrap.h"
#include "law_surface.h"
#include "math/stats.h"

enum { RESAMPLES = 60, SIZES = 6, LENGTHS = 6 };

typedef struct Spread {
    double mean, sd; /* of log loss at a place, over resamples, less that of the fit */
} Spread;

/* Fits the first arms of a table, and resamples them. */
static Ensemble resampled(LawFit *fit, LawRows *rows, const Table *t, int arms, Objective objective,
                          BootstrapKind kind) {
    LawSpec spec = {.kind = &law_chinchilla, .objective = objective, .delta = 1e-3};
    for (int m = 0; m < arms; m++) rows[m] = law_rows(t, m, LAW_OF_N_AND_D);
    LawProblem p = law_problem(rows, arms, &spec);
    law_fit(fit, &p, LAW_STARTS_FEW, comm_world());
    return bootstrap_laws(&p, fit, kind, RESAMPLES, 3, comm_world());
}

static Spread spread_at(const Table *t, Objective objective, BootstrapKind kind, double n, double d) {
    LawRows rows;
    LawFit fit;
    Ensemble e = resampled(&fit, &rows, t, 1, objective, kind);
    double v[RESAMPLES];
    Spread s = {0};
    for (int r = 0; r < RESAMPLES; r++) {
        v[r] = log(law_loss(&e.law[r], n, d) / law_loss(&fit.law[0], n, d));
        s.mean += v[r] / RESAMPLES;
    }
    s.sd = stats_sd(v, RESAMPLES);
    ensemble_free(&e);
    law_rows_free(&rows);
    return s;
}

static const double middle_n = 3e8, middle_d = 3e10;

/* Any seed of a configuration is drawn, not the first of them alone. */
static void seeds(void) {
    Table t = surface(&truth, SIZES, LENGTHS, 0, 1);
    int64_t n = t.n;
    for (int64_t i = 0; i < n; i++) {
        Point p = t.at[i];
        t.at[i].loss *= exp(-0.05);
        p.loss *= exp(0.05);
        p.seed = 1;
        p.cell = n + i;
        table_add(&t, p);
    }
    Spread s = spread_at(&t, OBJECTIVE_LOG, BOOTSTRAP_CELLS, middle_n, middle_d);
    EXPECT(fabs(s.mean) < 0.01 && s.sd > 0.002, "%g +- %g of seeds on both sides", s.mean, s.sd);
    table_free(&t);
}

/* A row that hardly counts in the fit hardly counts in a resample. */
static void weights(void) {
    Table t = surface(&truth, SIZES, LENGTHS, 0.002, 1);
    for (int64_t i = 0; i < t.n; i += 4) {
        t.at[i].weight = 1e-6;
        t.at[i].loss *= 2;
    }
    Spread s = spread_at(&t, OBJECTIVE_LOG, BOOTSTRAP_CELLS, middle_n, middle_d);
    EXPECT(fabs(s.mean) < 0.01 && s.sd < 0.01, "%g +- %g beside rows without weight", s.mean, s.sd);
    table_free(&t);
}

/* A fit of losses themselves is resampled in losses. */
static void objectives(void) {
    Table t = surface(&truth, SIZES, LENGTHS, 0.01, 1);
    for (int objective = 0; objective < 3; objective++) {
        Spread s = spread_at(&t, (Objective)objective, BOOTSTRAP_RESIDUALS, middle_n, middle_d);
        EXPECT(fabs(s.mean) < 0.01 && s.sd > 1e-4 && s.sd < 0.01, "objective %d: %g +- %g", objective, s.mean, s.sd);
    }
    table_free(&t);
}

/* Where small models scatter less, their law is known better; so it is in resamples of that kind alone. */
static void scales(void) {
    Table t = surface(&truth, 8, 8, 0, 1);
    for (int64_t i = 0; i < t.n; i++) {
        double scale = 1e-3 * pow(t.at[i].n / 1e7, 0.5);
        t.at[i].loss *= exp(scale * rng_normal(8, 1, (uint64_t)i));
    }
    Spread even = spread_at(&t, OBJECTIVE_LOG, BOOTSTRAP_RESIDUALS, 1e7, middle_d);
    Spread scaled = spread_at(&t, OBJECTIVE_LOG, BOOTSTRAP_SCALED, 1e7, middle_d);
    EXPECT(scaled.sd < 0.7 * even.sd, "%g at the smallest size, scaled %g", even.sd, scaled.sd);
    table_free(&t);
}

/* Arms that differ in nothing draw the same cells: their difference has no noise but its own. */
static void paired(void) {
    Table t = surface(&truth, SIZES, LENGTHS, 0.01, 1);
    int64_t n = t.n;
    int second = table_arm(&t, "second");
    for (int64_t i = 0; i < n; i++) {
        Point p = t.at[i];
        p.arm = second;
        p.cell = n + i;
        table_add(&t, p);
    }
    LawRows rows[2];
    LawFit fit;
    Ensemble e = resampled(&fit, rows, &t, 2, OBJECTIVE_LOG, BOOTSTRAP_CELLS);
    double worst = 0;
    for (int r = 0; r < RESAMPLES; r++) worst = fmax(worst, fabs(e.law[2 * r].alpha - e.law[2 * r + 1].alpha));
    EXPECT(worst < 1e-3, "alpha of equal arms differs by %g", worst);
    ensemble_free(&e);
    for (int m = 0; m < 2; m++) law_rows_free(&rows[m]);
    table_free(&t);
}

/* One budget tells little of E: where its best fit is at 0, that of resamples is not always. */
static void little_e(void) {
    enum { SIZES_THERE = 12, TABLES = 2 };
    for (uint64_t seed = 1; seed <= TABLES; seed++) {
        Table t = table_new();
        table_arm(&t, "synthetic");
        for (int i = 0; i < SIZES_THERE; i++) {
            double n = 1e8 * pow(16, (double)i / (SIZES_THERE - 1)), d = 6e19 / (6 * n);
            double loss = law_loss(&truth, n, d) * exp(0.003 * rng_normal(seed, 1, (uint64_t)i));
            table_add(
                &t,
                (Point){
                    .n = n, .d = d, .c = {6 * n * d, NAN, NAN}, .loss = loss, .weight = 1, .cell = i, .final = true});
        }
        LawRows rows;
        LawFit fit;
        Ensemble e = resampled(&fit, &rows, &t, 1, OBJECTIVE_LOG, BOOTSTRAP_RESIDUALS);
        int large = 0;
        for (int r = 0; r < RESAMPLES; r++) large += exp(e.law[r].e) > 0.1;
        EXPECT(exp(fit.law[0].e) < 1e-3 && large > RESAMPLES / 10 && large < RESAMPLES,
               "E of table %d is %g, and above 0.1 in %d resamples", (int)seed, exp(fit.law[0].e), large);
        ensemble_free(&e);
        law_rows_free(&rows);
        table_free(&t);
    }
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    seeds();
    weights();
    objectives();
    scales();
    paired();
    little_e();
    return test_end();
}
