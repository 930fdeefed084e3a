// TEST single n=1
/* Whether a law is that of its rows: the F test by runs that differ in their seeds to its digits, also of rows with weights, and what
 * so few runs do not tell. */
#include "infer/goodness.h"

#include "law_surface.h"
#include "math/stats.h"

enum { SIZES = 6, LENGTHS = 6 };

/* Repeats the first `repeated` rows with noise of their own; every second row counts four times, as its noise is half. */
static Table repeated(int repeated, bool weights) {
    Table t = surface(&truth, SIZES, LENGTHS, 0, 1);
    for (int64_t i = 0; i < repeated; i++) {
        Point p = t.at[i];
        p.seed = 1;
        p.cell = t.n;
        table_add(&t, p);
    }
    for (int64_t i = 0; i < t.n; i++) {
        bool half = weights && t.at[i].cell % 2;
        t.at[i].weight = half ? 4 : 1;
        t.at[i].loss *= exp((half ? 0.005 : 0.01) * rng_normal(3, 1, (uint64_t)i));
    }
    return t;
}

static LawFit fit(LawProblem *p, LawRows *rows, const Table *t, const LawKind *kind) {
    const LawSpec spec = {.kind = kind, .objective = OBJECTIVE_LOG, .delta = 1e-3};
    LawFit out;
    *rows = law_rows(t, 0, kind->axes);
    *p = law_problem(rows, 1, &spec);
    law_fit(&out, p, LAW_STARTS_FEW, comm_world());
    return out;
}

static bool near(double x, double y) {
    return fabs(x - y) <= 1e-6 * fabs(y);
}

static void by_seeds(bool weights) {
    Table t = repeated(SIZES * LENGTHS, weights);
    LawProblem p;
    LawRows rows;
    LawFit f = fit(&p, &rows, &t, &law_chinchilla);
    Goodness g = goodness_of(&p, &f, 0, false);
    double pure = 0, weighted = 0, squares = 0, mean = 0, total = 0;
    int64_t cells = SIZES * LENGTHS;
    for (int64_t i = 0; i < t.n; i++) {
        double r = log(t.at[i].loss / law_loss(&f.law[0], t.at[i].n, t.at[i].d));
        weighted += t.at[i].weight * r * r;
        squares += r * r;
        mean += log(t.at[i].loss) / (double)t.n;
    }
    for (int64_t i = 0; i < t.n; i++) total += pow(log(t.at[i].loss) - mean, 2);
    for (int64_t i = 0; i < cells; i++) {
        const Point *x = &t.at[i], *y = &t.at[cells + i];
        pure += x->weight * y->weight / (x->weight + y->weight) * pow(log(x->loss / y->loss), 2);
    }
    int dof1 = (int)cells - 5, dof2 = (int)cells;
    double ratio = (weighted - pure) / dof1 / (pure / dof2);
    EXPECT(g.by == LACK_BY_SEEDS && g.dof1 == dof1 && g.dof2 == dof2, "F(%d, %d) by %s", g.dof1, g.dof2,
           lack_name[g.by]);
    EXPECT(near(g.f, ratio) && near(g.p, stats_f_sf(ratio, dof1, dof2)), "F %g, want %g", g.f, ratio);
    EXPECT(near(g.r2, 1 - squares / total) && near(g.rms, sqrt(squares / (double)(t.n - 5))), "R^2 %g, rms %g", g.r2,
           g.rms);
    law_rows_free(&rows);
    table_free(&t);
}

/* Three repeats say nothing of noise, however near they are to each other; nor do seven pairs of neighbours of theirs. */
static void few(void) {
    LawProblem p;
    LawRows rows;
    Table t = repeated(3, false);
    for (int64_t i = 0; i < 3; i++) t.at[SIZES * LENGTHS + i].loss = t.at[i].loss * (1 + 1e-6);
    LawFit f = fit(&p, &rows, &t, &law_chinchilla);
    Goodness g = goodness_of(&p, &f, 0, false);
    EXPECT(g.by == LACK_BY_CURVATURE && isfinite(g.shared_p[SHARED_BY_NEIGHBOURS]), "by %s", lack_name[g.by]);
    law_rows_free(&rows);
    table_free(&t);
    t = surface(&truth, 7, 2, 0.01, 1); /* seven pairs of neighbours */
    f = fit(&p, &rows, &t, &law_chinchilla);
    g = goodness_of(&p, &f, 0, false);
    EXPECT(isnan(g.shared_p[SHARED_BY_NEIGHBOURS]), "p = %g of seven pairs", g.shared_p[SHARED_BY_NEIGHBOURS]);
    law_rows_free(&rows);
    table_free(&t);
}

/* Rows of D alone are neighbours, whatever their N is. */
static void of_data(void) {
    Law law = of_kind(&law_samples);
    Table t = surface(&law, 2, 30, 0.01, 1);
    t.n = 30;
    for (int64_t i = 0; i < t.n; i++) t.at[i].n = NAN;
    LawProblem p;
    LawRows rows;
    LawFit f = fit(&p, &rows, &t, &law_samples);
    Goodness g = goodness_of(&p, &f, 0, false);
    EXPECT(g.shared_p[SHARED_BY_NEIGHBOURS] > 1e-3 && g.shared_p[SHARED_BY_NEIGHBOURS] < 1,
           "p = %g of independent neighbours", g.shared_p[SHARED_BY_NEIGHBOURS]);
    law_rows_free(&rows);
    table_free(&t);
}

/* The p-value of neighbours on a grid whose errors continue by `along` from one length to the next of a size. */
static double serial_p(int draw, double along) {
    LawProblem p;
    LawRows rows;
    Table t = surface(&truth, SIZES, LENGTHS, 0, 1);
    double error = 0;
    for (int64_t i = 0; i < t.n; i++) {
        bool continues = i > 0 && t.at[i].n == t.at[i - 1].n;
        error = (continues ? along * error : 0) + 0.01 * rng_normal(9, (uint64_t)draw, (uint64_t)i);
        t.at[i].loss *= exp(error);
    }
    LawFit f = fit(&p, &rows, &t, &law_chinchilla);
    Goodness g = goodness_of(&p, &f, 0, false);
    law_rows_free(&rows);
    table_free(&t);
    return g.shared_p[SHARED_BY_NEIGHBOURS];
}

/* The p-value of neighbours is uniform where errors are independent, although the fit makes residuals of neighbours differ; small
 * where they continue. */
static void neighbours(void) {
    enum { DRAWS = 60 };
    double mean = 0, square = 0, alike = 0;
    for (int k = 0; k < DRAWS; k++) {
        double p = serial_p(k, 0);
        mean += p / DRAWS;
        square += p * p / DRAWS;
    }
    for (int k = 0; k < 6; k++) alike += serial_p(k, 0.9) / 6;
    printf("measured mean p %.3f, sd %.3f; of errors that continue %.4f\n", mean, sqrt(square - mean * mean), alike);
    EXPECT(fabs(mean - 0.5) < 0.1, "mean p %g of independent errors", mean);
    EXPECT(fabs(sqrt(square - mean * mean) - sqrt(1.0 / 12)) < 0.06, "sd of p %g", sqrt(square - mean * mean));
    EXPECT(alike < 0.05, "mean p %g of errors that continue", alike);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    by_seeds(false);
    by_seeds(true);
    few();
    of_data();
    neighbours();
    return test_end();
}
