/** AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101, algorithm 2) with the decay scaled by lr and clipping by the
 *  global norm, over the whole local parameter vector in one pass:
 *      g *= min(1, max_grad_norm / (norm + 1e-6))
 *      p -= lr weight_decay p + lr mhat / (sqrt(vhat) + epsilon)
 *  with mhat and vhat the moments of g, corrected for their start at zero. The norm is that of the full gradient:
 *  shards are summed over tp, replicated tensors count once.
 *
 *  The moments may be divided over dp (ZeRO stage 1, Rajbhandari et al. 2020, arXiv 1910.02054): each rank then updates the
 *  parameters whose moments it has, and all gather what the others have made. The same bits as with all of them on every
 *  rank. Gradients are summed whole in either case, so that procedures may look at them: the gathering comes on top of
 *  that, with half of its volume. */
#pragma once

#include "nn/param.h"
#include "par/comm.h"

typedef struct OptimSettings {
    double beta1, beta2, epsilon, weight_decay;
    double max_grad_norm; /* 2-norm of the full gradient */
} OptimSettings;

/** First and second moments (zero) and the step count. Not collective. */
typedef struct Optim Optim;
Optim *optim_new(const ParamTable *table, const ProcGrid *grid, bool sharded);
void optim_free(Optim *optim);
/** Bytes that optim_new takes on the rank with the largest of so many shards. Not collective. */
int64_t optim_bytes(const ParamTable *table, int shards);

/** Moments of elements first .. first+count-1 of the local vector, those that this rank has; and how many updates they are
 *  made of. For checkpoints. Not collective. */
typedef struct OptimMoments {
    int64_t first, count;
    bool sharded; /* over dp */
    real *m, *v;  /* first and second moments */
} OptimMoments;
OptimMoments optim_moments(Optim *optim);
void optim_resume(Optim *optim, int64_t steps);

/** One update of theta from grad (complete, summed over dp). Returns the norm of the full gradient before clipping;
 *  when it is not finite nothing is changed. Collective on tp, and on dp where the moments are sharded. Cost: 16 FLOP and 5
 *  passes of memory an element. */
double optim_step(Optim *optim, real *theta, const real *grad, double lr, const OptimSettings *settings);

/** Factor on the peak learning rate at step 0 .. steps-1: linear over the first warmup*steps steps, then a cosine from
 *  1 to final. Not collective. */
double optim_schedule(int64_t step, int64_t steps, double warmup, double final);
