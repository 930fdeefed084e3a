// TEST n=1
/* exp, exp2 and the transposition of whole vectors against the C library and plain loops. */
#include "check.h"
#include "la/vmath.h"

/* Worst relative error over arguments from 0 to `end`, in units of the precision. */
static double worst_error(Vec function(Vec x), double library(double x), double end) {
    enum { STEPS = 100000 };
    double worst = 0;
    for (int i = 0; i <= STEPS; i++) {
        real x = (real)(end * i / STEPS);
        double want = library((double)x), got = (double)function(vec_set(x))[LANES - 1];
        worst = fmax(worst, fabs(got - want) / want);
    }
    return worst / (double)REAL_EPSILON;
}

static void check_exponentials(void) {
    bool single = sizeof(real) == 4;
    double of_exp = worst_error(vec_exp, exp, single ? -87 : -708);
    double of_exp2 = worst_error(vec_exp2, exp2, single ? -126 : -1022);
    double below = worst_error(vec_exp2_near, exp2, single ? -126 : -1022),
           above = worst_error(vec_exp2_near, exp2, single ? 126 : 1022);
    EXPECT(below < 2 && above < 2, "exp2 between the ends: %g and %g units", below, above);
    EXPECT(of_exp < 2, "exp: %g units", of_exp);
    EXPECT(of_exp2 < 2, "exp2: %g units", of_exp2);
    real far[] = {single ? -127 : -1023, -2000, (real)-1e30};
    for (int i = 0; i < 3; i++) EXPECT(vec_exp2(vec_set(far[i]))[0] == 0, "exp2(%g) is not 0", (double)far[i]);
    EXPECT(isnan((double)vec_exp2(vec_set((real)NAN))[0]), "exp2 makes a number of what is none");
    EXPECT(vec_exp2(vec_set(0))[0] == 1, "exp2(0) is not 1");
}

static void check_transpose(void) {
    Vec v[LANES];
    for (int i = 0; i < LANES; i++) v[i] = __builtin_convertvector(lane_numbers + (Lane)(i * LANES), Vec);
    vec_transpose(v);
    for (int i = 0; i < LANES; i++)
        for (int j = 0; j < LANES; j++)
            EXPECT(v[i][j] == (real)(j * LANES + i), "transposed (%d, %d): %g", i, j, (double)v[i][j]);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    check_exponentials();
    check_transpose();
    return test_end();
}
