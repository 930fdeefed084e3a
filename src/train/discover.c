#include "train/discover.h"

#include "base/rng.h"

#include <math.h>
#include <string.h>

enum { TRAIN, VALIDATION, SETS };

/* Samples in each set. */
static int64_t samples_of(DiscoverKind kind, int set) {
    static const int64_t n[2][SETS] = {[DISCOVER_GAUSSIAN] = {30, 70}, [DISCOVER_SUM] = {100, 150}};
    return n[kind][set];
}

/* Strength of the penalty: of the released code for Gaussian means, where the sum over columns is no mean. */
static SharingTask empty_task(const DiscoverOptions *o) {
    bool gaussian = o->kind == DISCOVER_GAUSSIAN;
    SharingPenalty penalty = {.lambda = gaussian ? 0.01 : 0.05, .entropy = 0.5, .mean = !gaussian};
    return (SharingTask){.k = (int)o->parameters, .penalty = penalty};
}

static void add_gaussian(Quadratic *q, const double *theta, int k, uint64_t seed, uint64_t stream, int64_t n) {
    for (int i = 0; i < k; i++) q->s[i * k + i] = 1;
    for (int64_t m = 0; m < n; m++)
        for (int i = 0; i < k; i++) {
            double x = theta[i] + rng_normal(seed, stream, (uint64_t)(m * k + i));
            q->b[i] += x / (double)n;
            q->c += x * x / 2 / (double)n;
        }
}

static void add_sum(Quadratic *q, const double *theta, int k, uint64_t seed, uint64_t stream, int64_t n) {
    for (int64_t m = 0; m < n; m++) {
        double x[SHARING_MOST], y = rng_normal(seed, stream, (uint64_t)(m * (k + 1)));
        for (int i = 0; i < k; i++) {
            x[i] = rng_normal(seed, stream, (uint64_t)(m * (k + 1) + 1 + i));
            y += theta[i] * x[i];
        }
        for (int i = 0; i < k; i++) {
            for (int j = 0; j < k; j++) q->s[i * k + j] += x[i] * x[j] / (double)n;
            q->b[i] += y * x[i] / (double)n;
        }
        q->c += y * y / 2 / (double)n;
    }
}

/* Classes of equal size, as far as that goes, in the order of a random permutation, named by their first parameter. */
static void draw_truth(int *label, const DiscoverOptions *o, uint64_t trial) {
    int k = (int)o->parameters, name[SHARING_MOST], named = 0;
    for (int c = 0; c < k; c++) name[c] = -1;
    for (int i = 0; i < k; i++) {
        int c = (int)(rng_permuted(i, k, (uint64_t)o->seed, rng_stream("discover classes", trial)) % o->rank);
        if (name[c] < 0) name[c] = named++;
        label[i] = name[c];
    }
}

void discover_trial(DiscoverTrial *out, const DiscoverOptions *o, int64_t trial) {
    int k = (int)o->parameters;
    uint64_t seed = (uint64_t)o->seed, t = (uint64_t)trial;
    double theta[SHARING_MOST], found[SHARING_MOST];
    SharingTask task = empty_task(o);
    *out = (DiscoverTrial){.k = k};
    draw_truth(out->truth, o, t);
    for (int i = 0; i < k; i++) theta[i] = rng_normal(seed, rng_stream("discover values", t), (uint64_t)out->truth[i]);
    Quadratic *sets[SETS] = {&task.train, &task.validation};
    for (int set = 0; set < SETS; set++) {
        uint64_t stream = rng_stream(set == TRAIN ? "discover train" : "discover validation", t);
        int64_t n = samples_of(o->kind, set);
        if (o->kind == DISCOVER_GAUSSIAN) add_gaussian(sets[set], theta, k, seed, stream, n);
        if (o->kind == DISCOVER_SUM) add_sum(sets[set], theta, k, seed, stream, n);
    }
    for (int i = 0; i < k; i++) out->found[DISCOVER_NONE][i] = i;
    memcpy(out->found[DISCOVER_ORACLE], out->truth, sizeof out->truth);
    sharing_learn(out->found[DISCOVER_LEARNED], &task, seed + t);
    if (k <= DISCOVER_BRUTE) sharing_brute_force(out->found[DISCOVER_BRUTE_FORCE], &task);
    for (int way = 0; way < DISCOVER_WAYS; way++) {
        int *label = out->found[way];
        if (way == DISCOVER_BRUTE_FORCE && k > DISCOVER_BRUTE) {
            out->error[way] = NAN;
            continue;
        }
        sharing_refit(found, &task, label, (double)samples_of(o->kind, TRAIN), (double)samples_of(o->kind, VALIDATION));
        for (int i = 0; i < k; i++) {
            out->error[way] += (found[i] - theta[i]) * (found[i] - theta[i]);
            if (label[i] >= out->classes[way]) out->classes[way] = label[i] + 1;
        }
        out->distance[way] = sharing_distance(label, out->truth, k);
    }
}
