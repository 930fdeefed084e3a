/** What a smaller training set costs: the loss of one arm, size and length of training against the number of training
 *  trajectories. The runs are those of role `data` in a results file, with the grid's of the same size and length.
 *
 *  log loss is the mean over seeds; its noise is that between seeds, pooled over the sets of a curve, and where no set
 *  has two seeds there are no intervals. A curve is made monotone (pooled neighbours) and straight between sets in
 *  log trajectories. Intervals: percentiles over curves with the noise drawn anew, widened as stats_interval does.
 *  Test set and trajectories are shared by all runs, so what is common to them cancels. Not collective. */
#pragma once

#include "fit/table.h"
#include "math/stats.h"

enum { DATA_SETS = 32, DATA_CURVES = 64, DATA_DRAWS = 1000, DATA_STATUS = 128 };

typedef struct DataCurve {
    int arm;
    double n, d; /* N; samples seen in training */
    int sets;    /* ascending */
    double trajectories[DATA_SETS], epochs[DATA_SETS], log_loss[DATA_SETS];
    int seeds[DATA_SETS];
    Estimate penalty[DATA_SETS]; /* log loss above that of the largest set */
    double noise;                /* standard deviation of log loss between seeds; NaN: no repeats */
    int64_t dof;
    Estimate
        need; /* trajectories that come within DATA_WITHIN of the largest set's loss; infinite: more than sampled */
    char status[DATA_STATUS]; /* of `need`, in words */
    double *draw;             /* (DATA_DRAWS, sets) log losses with noise drawn anew; NULL without noise; owned */
    double *need_draw;        /* (DATA_DRAWS) `need` of these; owned */
} DataCurve;

extern const double DATA_WITHIN; /* a loss that is higher by this factor counts as the same */

/** Curves by arm, then length, of what has two training sets or more; returns how many (at most DATA_CURVES). */
int data_curves(DataCurve curve[DATA_CURVES], const Table *table, uint64_t seed);
void data_curve_free(DataCurve *curve);

/** Trajectories that curve `b` needs over those that `a` needs for the same loss, as the geometric mean over the losses
 *  that both reach. Where there are none, `value` is NaN and `bound` says how far apart they are at least: below 1, b has
 *  with its smallest set less loss than a with its largest, by more than noise between seeds where that is known; above 1
 *  the other way round; NaN otherwise. */
typedef struct DataRatio {
    Estimate ratio;
    double bound;
} DataRatio;
DataRatio data_ratio(const DataCurve *a, const DataCurve *b);

/** How many epochs curve `a` can make before a smaller set costs it more than `reference`, by a factor of DATA_WITHIN
 *  in loss, upper end of the interval; both of the same length. */
typedef struct DataClosing {
    double epochs, trajectories; /* the most epochs, on the smallest set, that pass; NaN: none, or no intervals */
    bool all;                    /* every set passes */
    Estimate excess;             /* of the penalty on the smallest common set: a's over the reference's, as a log */
    Estimate need;               /* of a over the reference's */
} DataClosing;
DataClosing data_closing(const DataCurve *a, const DataCurve *reference);
