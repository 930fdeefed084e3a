/** Tasks whose sharing of parameters is known, and what learning finds of it (train/sharing.h). Of K parameters theta in `rank`
 *  classes, each with a value from N(0, 1), samples are
 *      gaussian   x ~ N(theta, I), 30 to train and 70 to validate           [paper]
 *      sum        y = theta.x + noise, x ~ N(0, I), noise ~ N(0, 1), 100 and 150    [paper: sizes; ours: the noise]
 *  Errors are |theta_found - theta|^2, for `sum` the expected excess of a squared error; without sharing K/N and, where the classes
 *  are known, rank/N for `gaussian` with N samples. Not collective. */
#pragma once

#include "train/sharing.h"

#include <stdint.h>

typedef enum DiscoverKind { DISCOVER_GAUSSIAN, DISCOVER_SUM } DiscoverKind;
typedef enum DiscoverWay {
    DISCOVER_NONE,
    DISCOVER_LEARNED,
    DISCOVER_BRUTE_FORCE,
    DISCOVER_ORACLE,
    DISCOVER_WAYS
} DiscoverWay;

/** Most parameters of which all partitions are tried: 203 of 6, 115975 of 10. */
enum { DISCOVER_BRUTE = 8 };

typedef struct DiscoverOptions {
    DiscoverKind kind;
    int64_t parameters, rank, trials, seed;
} DiscoverOptions;

typedef struct DiscoverTrial {
    int k, truth[SHARING_MOST], found[DISCOVER_WAYS][SHARING_MOST];
    int classes[DISCOVER_WAYS];
    double error[DISCOVER_WAYS]; /* NAN: not tried */
    int distance[DISCOVER_WAYS];
} DiscoverTrial;

/** One task and every way to solve it. trial: which one, from 0. Cost: some 10 ms. */
void discover_trial(DiscoverTrial *out, const DiscoverOptions *options, int64_t trial);
