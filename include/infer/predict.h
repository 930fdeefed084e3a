/** The loss that a fitted law gives where it was not fitted: at sizes asked for (fit.predict) and at rows held out
 *  (fit.columns.holdout), with what the rows say about it. Not collective. */
#pragma once

#include "fit/bootstrap.h"
#include "math/stats.h"

enum { PREDICTION_STATUS = 96 };

typedef struct Prediction {
    int arm;
    bool held;                      /* a row held out, not a size asked for */
    double n, d, c;                 /* N, D, nominal C; NaN where unknown */
    double observed;                /* loss of the row; NaN where there is none */
    double loss;                    /* by the law */
    Interval interval;              /* of the law, without the noise of a single run */
    bool within;                    /* the data; else the law is asked where there are none, or cannot answer */
    char status[PREDICTION_STATUS]; /* within the data, or how far outside */
} Prediction;

/** How well an arm's law meets the rows that were held out and have a loss. */
typedef struct Holdout {
    int64_t rows;
    double rms, mean; /* of log(observed / predicted); NaN without rows */
} Holdout;

/** Fills `loss` and `interval` at N and D by the law and by its resamples, of which it is the index-th; dof as for
 *  stats_interval. */
void predict_loss(Prediction *at, const Law *law, const Ensemble *spread, int index, double dof);

/** Over the predictions of an arm. */
Holdout predict_score(const Prediction *prediction, int64_t n, int arm);
