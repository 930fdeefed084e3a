#include "train/gradnorm.h"

#include <math.h>

static const double least_weight = 1e-3;

static double sign(double x) {
    return (double)((x > 0) - (x < 0));
}

void gradnorm_step(double *weight, const GradNorm *g, const double *loss, const double *norm) {
    double target = 0, ratio = 0, sum = 0;
    for (int k = 0; k < g->n; k++) {
        target += weight[k] * norm[k] / g->n;
        ratio += loss[k] / g->first[k] / g->n;
    }
    if (!isfinite(target) || !isfinite(ratio) || target <= 0 || ratio <= 0) return;
    for (int k = 0; k < g->n; k++) {
        double pace = loss[k] / g->first[k] / ratio;
        double above = weight[k] * norm[k] - target * pow(pace, g->gamma);
        weight[k] = fmax(weight[k] - g->rate * sign(above) * norm[k], least_weight);
    }
    for (int k = 0; k < g->n; k++) sum += weight[k];
    for (int k = 0; k < g->n; k++) weight[k] *= g->n / sum;
}
