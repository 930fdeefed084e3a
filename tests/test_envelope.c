// TEST single n=1
/* The lower envelope of learning curves: points inside what was sampled alone give exponents, points of schedules that had not ended
 * are counted, and the steps between an arm's own sizes widen intervals. */
#include "check.h"
#include "fit/envelope.h"

enum { SIZES = 7 };

/* One point for every size, each better than all with less compute: N ~ C^0.5, sizes in steps of `factor`. */
static Table staircase(double factor, const char *name) {
    Table t = table_new();
    int arm = table_arm(&t, name);
    for (int i = 0; i < SIZES; i++) {
        double n = 1e6 * pow(factor, i);
        double d = 1e8 * pow(factor, i);
        table_add(&t, (Point){.n = n,
                              .d = d,
                              .c = {6 * n * d, NAN, NAN},
                              .loss = 3 - 0.3 * i,
                              .weight = 1,
                              .cell = i,
                              .arm = arm,
                              .final = true});
    }
    return t;
}

static void exponents(void) {
    Table t = staircase(4, "arm");
    Envelope e;
    envelope_fit(&e, &t, 0, CURRENCY_NOMINAL, 40);
    EXPECT(e.points == SIZES && e.inside == SIZES - 2 && !e.unfinished, "%d points, %d inside", e.points, e.inside);
    EXPECT(fabs(e.n_exponent - 0.5) < 1e-9 && fabs(e.d_exponent - 0.5) < 1e-9, "exponents %g, %g", e.n_exponent,
           e.d_exponent);
    /* All that is open of the exponent is the steps between sizes: one of 4 over the compute of five points. */
    double open = log(4) / (4 * log(16));
    EXPECT(fabs(e.n_interval.hi - (0.5 + open)) < 1e-6 && fabs(e.n_interval.lo - (0.5 - open)) < 1e-6, "[%g, %g]",
           e.n_interval.lo, e.n_interval.hi);
    EXPECT(!strcmp(e.caveat, "finished runs only"), "%s", e.caveat);
    table_free(&t);
}

/* Sizes of another arm between them are none of this arm's. */
static void other_arm(void) {
    Table t = staircase(4, "arm");
    Envelope alone, beside;
    envelope_fit(&alone, &t, 0, CURRENCY_NOMINAL, 40);
    int other = table_arm(&t, "other");
    for (int i = 0; i < SIZES; i++) {
        Point p = t.at[i];
        p.n *= 1.5;
        p.arm = other;
        p.loss = 1;
        table_add(&t, p);
    }
    envelope_fit(&beside, &t, 0, CURRENCY_NOMINAL, 40);
    EXPECT(beside.n_interval.lo == alone.n_interval.lo && beside.n_interval.hi == alone.n_interval.hi,
           "[%g, %g] beside another arm", beside.n_interval.lo, beside.n_interval.hi);
    table_free(&t);
}

/* The longest and the shortest runs are edges as the largest and the smallest models are. */
static void edges(void) {
    Table t = staircase(4, "arm");
    t.at[2].d = t.at[0].d;
    t.at[3].d = t.at[SIZES - 1].d;
    Envelope e;
    envelope_fit(&e, &t, 0, CURRENCY_NOMINAL, 40);
    EXPECT(e.points == SIZES && e.inside == SIZES - 4, "%d points inside", e.inside);
    t.at[4].d = t.at[0].d;
    envelope_fit(&e, &t, 0, CURRENCY_NOMINAL, 40);
    EXPECT(e.inside == 2 && isnan(e.n_exponent) && strstr(e.caveat, "not identifiable: 2 of 7 points"), "%g: %s",
           e.n_exponent, e.caveat);
    table_free(&t);
}

static void unfinished(void) {
    Table t = staircase(4, "arm");
    t.at[3].final = false;
    Envelope e;
    envelope_fit(&e, &t, 0, CURRENCY_NOMINAL, 40);
    EXPECT(e.unfinished == 1 && strstr(e.caveat, "caution: 1 of 7 points"), "%d: %s", e.unfinished, e.caveat);
    table_free(&t);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    exponents();
    other_arm();
    edges();
    unfinished();
    return test_end();
}
