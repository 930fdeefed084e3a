#include "train/probe.h"

#include "math/stats.h"

#include <math.h>
#include <string.h>

static const double penalty = 1e-3; /* L2 */

static int weights_of(const Probe *p) {
    return PROBE_CLASSES * (p->width + 1);
}

void probe_layout(Probe *p, int width, Arena *arena) {
    p->width = width;
    int n = weights_of(p);
    p->mean = ARENA_TAKE(arena, double, width);
    p->sd = ARENA_TAKE(arena, double, width);
    p->weight = ARENA_TAKE(arena, double, n);
    p->gradient = ARENA_TAKE(arena, double, n);
    p->step = ARENA_TAKE(arena, double, n);
    p->hessian = ARENA_TAKE(arena, double, (int64_t)n *n);
}

static void standardise(Probe *p, const double *x, const int *label, int64_t n) {
    for (int i = 0; i < p->width; i++) {
        double sum = 0, square = 0, rows = 0;
        for (int64_t r = 0; r < n; r++) {
            if (label[r] < 0) continue;
            sum += x[r * p->width + i];
            rows++;
        }
        p->mean[i] = rows > 0 ? sum / rows : 0;
        for (int64_t r = 0; r < n; r++) {
            double d = x[r * p->width + i] - p->mean[i];
            if (label[r] >= 0) square += d * d;
        }
        double variance = rows > 0 ? square / rows : 0;
        p->sd[i] = variance > 1e-12 * (1 + p->mean[i] * p->mean[i]) ? sqrt(variance) : 1;
    }
}

static double feature(const Probe *p, const double *x, int i) {
    return i < p->width ? (x[i] - p->mean[i]) / p->sd[i] : 1;
}

/* Probabilities under given weights; returns the logarithm of that of `label`. */
static double probabilities(double out[PROBE_CLASSES], const Probe *p, const double *weight, const double *x,
                            int label) {
    double score[PROBE_CLASSES] = {0}, largest, sum = 0;
    for (int k = 0; k < PROBE_CLASSES; k++)
        for (int i = 0; i <= p->width; i++) score[k] += weight[k * (p->width + 1) + i] * feature(p, x, i);
    largest = fmax(score[0], fmax(score[1], score[2]));
    for (int k = 0; k < PROBE_CLASSES; k++) {
        out[k] = exp(score[k] - largest);
        sum += out[k];
    }
    for (int k = 0; k < PROBE_CLASSES; k++) out[k] /= sum;
    return score[label] - largest - log(sum);
}

/* The loss under given weights; where asked for its gradient and Hessian in p. */
static double loss_of(Probe *p, const double *weight, const double *x, const int *label, int64_t n, bool derivatives) {
    int each = p->width + 1, all = weights_of(p);
    double loss = 0, rows = 0, out[PROBE_CLASSES];
    if (derivatives) {
        memset(p->gradient, 0, (size_t)all * sizeof(double));
        memset(p->hessian, 0, (size_t)all * (size_t)all * sizeof(double));
    }
    for (int64_t r = 0; r < n; r++) rows += label[r] >= 0;
    for (int64_t r = 0; r < n; r++) {
        const double *row = x + r * p->width;
        if (label[r] < 0) continue;
        loss -= probabilities(out, p, weight, row, label[r]) / rows;
        if (!derivatives) continue;
        double *z = p->step; /* free until the system is solved */
        for (int i = 0; i < each; i++) z[i] = feature(p, row, i);
        for (int k = 0; k < PROBE_CLASSES; k++)
            for (int i = 0; i < each; i++) p->gradient[k * each + i] += (out[k] - (k == label[r])) * z[i] / rows;
        for (int k = 0; k < PROBE_CLASSES; k++)
            for (int l = 0; l <= k; l++)
                for (int i = 0; i < each; i++) {
                    double f = out[k] * ((k == l) - out[l]) * z[i] / rows;
                    double *to = p->hessian + (int64_t)(k * each + i) * all + l * each;
                    for (int j = 0; j < each; j++) to[j] += f * z[j];
                }
    }
    for (int k = 0; k < PROBE_CLASSES; k++)
        for (int i = 0; i < each; i++) {
            int at = k * each + i;
            /* The constants are free, but for what keeps the system definite: a shift of all of them changes nothing. */
            double l2 = i < p->width ? penalty : 1e-9;
            loss += l2 / 2 * weight[at] * weight[at];
            if (!derivatives) continue;
            p->gradient[at] += l2 * weight[at];
            p->hessian[(int64_t)at * all + at] += l2;
        }
    return loss;
}

void probe_fit(Probe *p, const double *x, const int *label, int64_t n) {
    enum { STEPS = 50, HALVINGS = 20 };
    int all = weights_of(p);
    double *trial = MEM_NEW(double, all);
    standardise(p, x, label, n);
    memset(p->weight, 0, (size_t)all * sizeof(double));
    for (int s = 0; s < STEPS; s++) {
        double loss = loss_of(p, p->weight, x, label, n, true), next = loss, length = 1, slope = 0;
        for (int i = 0; i < all; i++)
            for (int j = i + 1; j < all; j++) p->hessian[(int64_t)i * all + j] = p->hessian[(int64_t)j * all + i];
        memcpy(p->step, p->gradient, (size_t)all * sizeof(double));
        if (!stats_solve(p->hessian, p->step, all)) break;
        for (int i = 0; i < all; i++) slope += p->step[i] * p->gradient[i];
        if (!(slope > 1e-12)) break;
        for (int h = 0; h < HALVINGS; h++, length /= 2) {
            for (int i = 0; i < all; i++) trial[i] = p->weight[i] - length * p->step[i];
            next = loss_of(p, trial, x, label, n, false);
            if (next < loss) break;
        }
        if (!(next < loss)) break;
        memcpy(p->weight, trial, (size_t)all * sizeof(double));
    }
    mem_free(trial);
}

static int likeliest(const double p[PROBE_CLASSES]) {
    int best = 0;
    for (int k = 1; k < PROBE_CLASSES; k++)
        if (p[k] > p[best]) best = k;
    return best;
}

int probe_say(double out[PROBE_CLASSES], const Probe *p, const double *x) {
    probabilities(out, p, p->weight, x, 0);
    return likeliest(out);
}

double probe_effective_invariance(const double p[PROBE_CLASSES], const double moved[PROBE_CLASSES]) {
    int class = likeliest(p);
    return class == likeliest(moved) ? sqrt(p[class] * moved[class]) : 0;
}
