// TEST n=2
/* What runs of a group share: its variance is found without bias whichever objective was minimised, and where there is
 * nothing it is seldom claimed. */
#include "base/arena.h"
#include "base/rng.h"
#include "check.h"
#include "fit/law.h"
#include "fit/noise.h"

enum { SIZES = 8, LENGTHS = 6, DRAWS = 30 };
static const double noise = 0.005;
static const Law truth = {.kind = &law_chinchilla, .a = 6.2, .b = 7.6, .e = 0.6, .alpha = 0.35, .beta = 0.37};

static Table table_of(int draw, double shared) {
    Table t = table_new();
    table_arm(&t, "x");
    for (int k = 0; k < SIZES * LENGTHS; k++) {
        int size = k / LENGTHS;
        double n = 1e8 * pow(100, size / (SIZES - 1.0)), d = 2e9 * pow(100, k % LENGTHS / (LENGTHS - 1.0));
        double offset = shared * rng_normal((uint64_t)draw, 1, (uint64_t)size);
        double own = noise * rng_normal((uint64_t)draw, 2, (uint64_t)k);
        table_add(&t, (Point){.n = n,
                              .d = d,
                              .c = {6 * n * d, NAN, NAN},
                              .loss = law_loss(&truth, n, d) * exp(offset + own),
                              .weight = 1,
                              .cell = k,
                              .group = size + 1,
                              .final = true});
    }
    return t;
}

/* Means over tables: variances over the true ones, and how often p is below 5 %. */
static void find(double *within, double *between, double *claimed, Objective objective, double shared) {
    double sum[3] = {0};
    const Comm *w = comm_world();
    for (int draw = comm_rank(w); draw < DRAWS; draw += comm_size(w)) {
        Table t = table_of(draw, shared);
        LawRows rows = law_rows(&t, 0, LAW_OF_N_AND_D);
        LawSpec spec = {.kind = &law_chinchilla, .objective = objective, .delta = 1e-3};
        LawProblem p = law_problem(&rows, 1, &spec);
        LawFit fit;
        law_fit(&fit, &p, LAW_STARTS_FEW, comm_self());
        GroupEffect e = noise_groups(&p, &fit, 0, rows.group, rows.groups);
        sum[0] += e.within / (noise * noise) / DRAWS;
        sum[1] += shared > 0 ? e.between / (shared * shared) / DRAWS : 0;
        sum[2] += (e.p < 0.05) / (double)DRAWS;
        EXPECT(fabs(e.dof - 5) < 1.6 && e.growth > 0.8 * LENGTHS, "dof %g, growth %g", e.dof, e.growth);
        law_rows_free(&rows);
        table_free(&t);
    }
    comm_sum_f64(w, sum, 3);
    *within = sum[0];
    *between = sum[1];
    *claimed = sum[2];
}

/* Rows that are drawn many at once have the noise that the definition gives each. */
static void drawn_together(void) {
    Table t = table_of(1, 0);
    for (int k = 0; k < 10; k++) /* more rows than are drawn together */
        for (int64_t i = 0; i < SIZES * LENGTHS; i++) {
            Point p = t.at[i];
            p.loss *= exp(noise * rng_normal(99, (uint64_t)k, (uint64_t)i));
            table_add(&t, p);
        }
    LawRows rows = law_rows(&t, 0, LAW_OF_N_AND_D);
    LawSpec spec = {.kind = &law_chinchilla, .objective = OBJECTIVE_HUBER, .delta = 1e-3};
    LawProblem p = law_problem(&rows, 1, &spec);
    LawFit fit;
    law_fit(&fit, &p, LAW_STARTS_FEW, comm_self());
    Noise residuals = noise_of(&p, &fit, 0, false);
    double *z = MEM_NEW(double, 2 * rows.n);
    const uint64_t seed = 5;
    const int64_t resample = 3;
    noise_draw(z, z + rows.n, &residuals, &rows, seed, resample, 0);
    uint64_t rows_of = rng_stream("bootstrap", (uint64_t)resample);
    uint64_t own = rng_stream("smoothing", (uint64_t)(resample * TABLE_ARMS));
    double worst = 0;
    for (int64_t i = 0; i < rows.n; i++) {
        int64_t element = i;
        int64_t from = rng_below(seed, rows_of, (uint64_t)element, rows.n);
        while (!residuals.drawn[from]) {
            element += rows.n;
            from = rng_below(seed, rows_of, (uint64_t)element, rows.n);
        }
        double smooth = residuals.width * rng_normal(seed, own, (uint64_t)i);
        double want = residuals.fitted[i] + residuals.shrink * (residuals.unit[from] + smooth);
        worst = fmax(worst, fabs(z[i] - want));
        worst = fmax(worst, fabs(log(z[rows.n + i]) - want));
    }
    EXPECT(rows.n > 500 && worst < 1e-12, "%lld rows: log losses differ by %g", (long long)rows.n, worst);
    mem_free(z);
    noise_free(&residuals);
    law_rows_free(&rows);
    table_free(&t);
}

/* Of log losses z about a law, less the means of sizes: the sum of products of neighbours over that of squares. */
static double correlation(const double *z, const double *fitted) {
    double products = 0;
    double squares = 0;
    for (int size = 0; size < SIZES; size++) {
        double left[LENGTHS];
        double mean = 0;
        for (int k = 0; k < LENGTHS; k++) {
            left[k] = z[size * LENGTHS + k] - fitted[size * LENGTHS + k];
            mean += left[k] / LENGTHS;
        }
        for (int k = 0; k < LENGTHS; k++) {
            squares += (left[k] - mean) * (left[k] - mean);
            if (k > 0) products += (left[k] - mean) * (left[k - 1] - mean);
        }
    }
    return products / squares;
}

/* Runs whose checkpoints continue each other are drawn whole, and neighbours are as alike in what is drawn; others are not. */
static void drawn_whole(void) {
    enum { RESAMPLES = 200 };
    for (int carried = 0; carried < 2; carried++) {
        Table t = table_of(11, 0.5 * noise);
        double e = 0;
        for (int64_t i = 0; i < t.n; i++) {
            e = (i % LENGTHS > 0 ? e : 0) + 5 * noise * rng_normal(8, 3, (uint64_t)i);
            t.at[i].loss *= exp(carried * e);
        }
        LawRows rows = law_rows(&t, 0, LAW_OF_N_AND_D);
        LawSpec spec = {.kind = &law_chinchilla, .objective = OBJECTIVE_LOG};
        LawProblem p = law_problem(&rows, 1, &spec);
        LawFit fit;
        law_fit(&fit, &p, LAW_STARTS_FEW, comm_self());
        Noise drawn = noise_grouped(&p, &fit, 0);
        double *z = MEM_NEW(double, rows.n);
        double found = 0;
        for (int r = 0; r < RESAMPLES; r++) {
            noise_draw(z, NULL, &drawn, &rows, 5, r, 0);
            found += correlation(z, drawn.fitted) / RESAMPLES;
        }
        double own = correlation(rows.k.z, drawn.fitted);
        double want = carried ? own : -1.0 / LENGTHS; /* of independent errors less their mean */
        EXPECT(fabs(found - want) < 0.08 && (own > 0.1) == carried, "carried %d: correlation %g, %g of the rows",
               carried, found, own);
        mem_free(z);
        noise_free(&drawn);
        law_rows_free(&rows);
        table_free(&t);
    }
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    drawn_together();
    drawn_whole();
    const Objective objective[] = {OBJECTIVE_HUBER, OBJECTIVE_LOG};
    double within, between, claimed;
    for (int k = 0; k < 2; k++) {
        find(&within, &between, &claimed, objective[k], noise);
        /* Standard errors: sqrt(2 / (40 DRAWS)), and sqrt(2 / (5 DRAWS)) with what the rest adds. */
        EXPECT(fabs(within - 1) < 0.15 && fabs(between - 1) < 0.5, "objective %d: within %g, between %g", k, within,
               between);
        EXPECT(claimed > 0.6, "objective %d: found in %g", k, claimed);
        find(&within, &between, &claimed, objective[k], 0);
        EXPECT(claimed < 0.2, "objective %d: claimed in %g where there is none", k, claimed);
    }
    /* Where the groups explain nearly all it is found too. */
    find(&within, &between, &claimed, OBJECTIVE_HUBER, 10 * noise);
    EXPECT(claimed > 0.99, "found in %g", claimed);
    return test_end();
}
