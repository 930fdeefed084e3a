// TEST single n=1,2
/* Certificates: units of chi-square, profiles and other choices that say of N what they say of D where both trade places, and an E
 * that is held at nothing. */
#include "infer/certificate.h"

#include "law_surface.h"

enum { SIZES = 7, LENGTHS = 6 };
static const Cost six = {.log_kappa = 1.791759469228055, .mu = 1, .nu = 1};

/* A table whose N and D trade places. */
static Table turned(const Table *t) {
    Table out = table_new();
    table_arm(&out, "turned");
    for (int64_t i = 0; i < t->n; i++) {
        Point p = t->at[i];
        p.n = t->at[i].d;
        p.d = t->at[i].n;
        table_add(&out, p);
    }
    return out;
}

static LawFit fit(LawProblem *p, LawRows *rows, const Table *t, const LawSpec *spec) {
    LawFit out;
    *rows = law_rows(t, 0, LAW_OF_N_AND_D);
    *p = law_problem(rows, 1, spec);
    law_fit(&out, p, LAW_STARTS_FEW, comm_world());
    out.varpro = NAN;
    return out;
}

static bool near(double x, double y, double tolerance) {
    return fabs(x - y) <= tolerance * fabs(y);
}

static const Sensitivity *row_of(const Certificate *c, const char *what) {
    for (int i = 0; i < c->n; i++)
        if (!strcmp(c->row[i].what, what)) return &c->row[i];
    return NULL;
}

static void trade_places(void) {
    Table t = surface(&truth, SIZES, LENGTHS, 0.01, 4);
    Table u = turned(&t);
    const LawSpec spec = {.kind = &law_chinchilla, .objective = OBJECTIVE_LOG, .delta = 1e-3};
    const Table *table[2] = {&t, &u};
    Certificate c[2];
    for (int k = 0; k < 2; k++) {
        LawProblem p;
        LawRows rows;
        LawFit f = fit(&p, &rows, table[k], &spec);
        certificate_make(&c[k], &p, &f, 0, &six, 1e20, comm_world());
        law_rows_free(&rows);
    }
    const int other[LAW_COEFFICIENTS] = {
        [LAW_A] = LAW_B, [LAW_B] = LAW_A, [LAW_E] = LAW_E, [LAW_ALPHA] = LAW_BETA, [LAW_BETA] = LAW_ALPHA};
    for (int k = 0; k < LAW_COEFFICIENTS; k++) {
        Interval x = c[0].profile[k], y = c[1].profile[other[k]];
        EXPECT(x.lo < x.hi && near(x.lo, y.lo, 0.02) && near(x.hi, y.hi, 0.02), "profile %d: [%g, %g], turned [%g, %g]",
               k, x.lo, x.hi, y.lo, y.hi);
    }
    double factors[2];
    law_factors(&factors[0], &factors[1], &truth);
    EXPECT(c[0].profile[LAW_A].lo < factors[0] && factors[0] < c[0].profile[LAW_A].hi, "A %g outside [%g, %g]",
           factors[0], c[0].profile[LAW_A].lo, c[0].profile[LAW_A].hi);
    EXPECT(c[0].profile[LAW_B].lo < factors[1] && factors[1] < c[0].profile[LAW_B].hi, "B %g outside [%g, %g]",
           factors[1], c[0].profile[LAW_B].lo, c[0].profile[LAW_B].hi);
    const Sensitivity *of_n = row_of(&c[0], "rows of smallest N left out: 4");
    const Sensitivity *of_d = row_of(&c[1], "rows of smallest D left out: 4");
    EXPECT(of_n && of_d && near(of_n->alpha, of_d->beta, 1e-4) && near(of_n->E, of_d->E, 1e-4),
           "without the smallest: alpha %g, turned %g", of_n ? of_n->alpha : NAN, of_d ? of_d->beta : NAN);
    for (int k = 0; k < 2; k++) certificate_free(&c[k]);
    table_free(&t);
    table_free(&u);
}

/* A loss of the smallest models that is far off is in their rows alone, so that without them the law is the truth. */
static void smallest(void) {
    const LawSpec spec = {.kind = &law_chinchilla, .objective = OBJECTIVE_LOG, .delta = 1e-3};
    Table t = surface(&truth, 10, 4, 0, 4);
    for (int64_t i = 0; i < t.n; i++)
        if (t.at[i].n < 1.1e7) t.at[i].loss *= 1.05;
    LawProblem p;
    LawRows rows;
    LawFit f = fit(&p, &rows, &t, &spec);
    Certificate c;
    certificate_make(&c, &p, &f, 0, &six, 1e20, comm_world());
    const Sensitivity *without = row_of(&c, "rows of smallest N left out: 4");
    EXPECT(without && near(without->alpha, truth.alpha, 1e-3) && !near(f.law[0].alpha, truth.alpha, 1e-2),
           "alpha %g, with all rows %g", without ? without->alpha : NAN, f.law[0].alpha);
    certificate_free(&c);
    law_rows_free(&rows);
    table_free(&t);
}

/* Residual variance over 2, by what the rows have more than the law; by Huber's with a delta that no residual reaches too. */
static void units(void) {
    Table t = surface(&truth, SIZES, LENGTHS, 0.01, 4);
    LawProblem p;
    LawRows rows;
    const LawSpec squares = {.kind = &law_chinchilla, .objective = OBJECTIVE_LOG, .delta = 1};
    LawFit f = fit(&p, &rows, &t, &squares);
    double want = f.objective / (SIZES * LENGTHS - 5), found = certificate_unit(&p, &f);
    EXPECT(near(found, want, 1e-9), "unit %g, want %g", found, want);
    law_rows_free(&rows);
    const LawSpec huber = {.kind = &law_chinchilla, .objective = OBJECTIVE_HUBER, .delta = 1};
    f = fit(&p, &rows, &t, &huber);
    found = certificate_unit(&p, &f);
    EXPECT(near(found, want, 1e-3), "unit %g by Huber, want %g", found, want);
    /* The objective of the fit is none of the other choices. */
    const LawSpec usual = {.kind = &law_chinchilla, .objective = OBJECTIVE_HUBER, .delta = 1e-3};
    law_rows_free(&rows);
    f = fit(&p, &rows, &t, &usual);
    Certificate c;
    certificate_make(&c, &p, &f, 0, &six, 1e20, comm_world());
    EXPECT(!row_of(&c, "Huber, delta 0.001") && row_of(&c, "Huber, delta 0.01"), "its own delta as another choice");
    certificate_free(&c);
    law_rows_free(&rows);
    table_free(&t);
}

/* The profile of an E that has vanished begins at 0. */
static void no_e(void) {
    Law law = truth;
    law.e = -INFINITY;
    Table t = surface(&law, SIZES, LENGTHS, 0.01, 4);
    const LawSpec spec = {.kind = &law_chinchilla, .objective = OBJECTIVE_LOG, .delta = 1e-3};
    LawProblem p;
    LawRows rows;
    LawFit f = fit(&p, &rows, &t, &spec);
    Certificate c;
    certificate_make(&c, &p, &f, 0, &six, 1e20, comm_world());
    EXPECT(c.profile[LAW_E].lo == 0 && c.profile[LAW_E].hi > 0, "E [%g, %g]", c.profile[LAW_E].lo, c.profile[LAW_E].hi);
    certificate_free(&c);
    law_rows_free(&rows);
    table_free(&t);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    trade_places();
    smallest();
    units();
    no_e();
    return test_end();
}
