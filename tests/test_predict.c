// TEST single n=1
/* Predictions by a law and its resamples, and how well an arm's rows that were held out are met. */
#include "check.h"
#include "infer/predict.h"

static void scores(void) {
    const double one = log(1.1), other = log(1.3);
    const Prediction p[] = {
        {.arm = 1, .held = true, .observed = 2.2, .loss = 2}, {.arm = 1, .held = true, .observed = 3.9, .loss = 3},
        {.arm = 0, .held = true, .observed = 9, .loss = 1},   {.arm = 1, .held = false, .observed = 9, .loss = 1},
        {.arm = 1, .held = true, .observed = NAN, .loss = 1}, {.arm = 1, .held = true, .observed = 9, .loss = NAN},
    };
    Holdout h = predict_score(p, sizeof p / sizeof *p, 1);
    EXPECT(h.rows == 2 && fabs(h.mean - 0.5 * (one + other)) < 1e-12, "%lld rows, off by %g", (long long)h.rows,
           h.mean);
    EXPECT(fabs(h.rms - sqrt(0.5 * (one * one + other * other))) < 1e-12, "rms %g", h.rms);
    h = predict_score(p, sizeof p / sizeof *p, 2);
    EXPECT(h.rows == 0 && isnan(h.mean) && isnan(h.rms), "a score of no rows: %g", h.rms);
}

/* The law's loss, and an interval from the resamples of this arm among several. */
static void losses(void) {
    enum { DRAWS = 50, ARMS = 2 };
    Law law[DRAWS * ARMS];
    double v[DRAWS];
    const Law truth = {.kind = &law_chinchilla, .a = 6.2, .b = 7.6, .e = 0.6, .alpha = 0.35, .beta = 0.37};
    for (int r = 0; r < DRAWS; r++) {
        for (int m = 0; m < ARMS; m++) {
            law[r * ARMS + m] = truth;
            law[r * ARMS + m].a += m ? 0.001 * (r - DRAWS / 2) : 5;
        }
        v[r] = law_loss(&law[r * ARMS + 1], 1e8, 1e10);
    }
    const Ensemble spread = {.n = DRAWS, .arms = ARMS, .law = law};
    Prediction p = {.arm = 1, .n = 1e8, .d = 1e10, .c = 6e18};
    predict_loss(&p, &truth, &spread, 1, 5);
    Interval want = stats_interval(v, DRAWS, 5);
    EXPECT(p.loss == law_loss(&truth, 1e8, 1e10) && p.interval.lo == want.lo && p.interval.hi == want.hi,
           "loss %g [%g, %g]", p.loss, p.interval.lo, p.interval.hi);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    scores();
    losses();
    return test_end();
}
