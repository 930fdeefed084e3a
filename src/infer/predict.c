#include "infer/predict.h"

#include "base/arena.h"

#include <math.h>

void predict_loss(Prediction *at, const Law *law, const Ensemble *spread, int index, double dof) {
    double *v = MEM_NEW(double, spread->n + 1);
    at->loss = law_loss_of_run(law, at->n, at->d, at->c);
    for (int64_t r = 0; r < spread->n; r++)
        v[r] = law_loss_of_run(&spread->law[r * spread->arms + index], at->n, at->d, at->c);
    at->interval = stats_interval(v, spread->n, dof);
    mem_free(v);
}

Holdout predict_score(const Prediction *prediction, int64_t n, int arm) {
    Holdout score = {0};
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++) {
        const Prediction *p = &prediction[i];
        if (p->arm != arm || !p->held || !isfinite(p->observed) || !isfinite(p->loss)) continue;
        double r = log(p->observed / p->loss);
        score.rows++;
        sum += r;
        squares += r * r;
    }
    score.mean = score.rows ? sum / (double)score.rows : NAN;
    score.rms = score.rows ? sqrt(squares / (double)score.rows) : NAN;
    return score;
}
