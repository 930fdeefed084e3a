/** Gaussian-process surrogate of log loss over (log N, log D, arm), from final points and learning curves: a frontier
 *  that assumes no law (Rasmussen and Williams 2006, chapters 2 and 5).
 *
 *      log loss = plane of the arm in (log N, log D) + offset of unfinished runs
 *               + f(log N, log D, arm) + [unfinished] h(log N, log D, arm) + run + noise
 *
 *  f and h have Matern 5/2 kernels of the same two widths (twice differentiable: smoother ones claim too much); arms
 *  are coupled by a correlation rho. h is what an unfinished schedule adds, so that learning curves inform f without
 *  being taken for finished runs; `run` is what all points of one run share. The hyperparameters maximise the marginal
 *  likelihood (TAO, analytic gradient) on at most `subset` points; the prediction uses all points. Kernel matrix and
 *  factor are spread block-cyclically (la/dist.h). Cost: n^3/3 FLOP and 8 n^2 bytes over all ranks. Results agree to
 *  rounding for any number of ranks. */
#pragma once

#include "fit/table.h"
#include "la/dist.h"

enum { GP_SCALE, GP_WIDTH_N, GP_WIDTH_D, GP_RHO, GP_UNFINISHED, GP_RUN, GP_NOISE, GP_PARAMETERS };
extern const char *const gp_name[GP_PARAMETERS];

typedef struct Surrogate {
    int64_t n, subset; /* points of the prediction, of the marginal likelihood */
    int arms;
    double theta[GP_PARAMETERS]; /* logs; rho: log(rho / (1 - rho)) */
    double scale;                /* standard deviation of what the planes leave: the unit of sizes in theta */
    double x0, y0;               /* centres of log N, log D */
    double plane[TABLE_ARMS][4]; /* 1, log N - x0, log D - y0, unfinished */
    double *x, *y, *r;           /* (n) centred coordinates, residual of the plane over scale; owned, as all arrays */
    int *arm;
    bool *unfinished;
    int64_t *cell;
    double *alpha; /* (n) K^-1 r */
    DistGrid *grid;
    DistMatrix l;          /* Cholesky factor of K */
    double log_likelihood; /* of the subset */
    int iterations;
    double seconds_fit, seconds_factor; /* of the hyperparameters; of assembling and factoring K */
    char status[96];
} Surrogate;

/** At most max_points (all final points, curve points at random). Collective. */
Surrogate *surrogate_new(const Table *table, int64_t max_points, int64_t subset, uint64_t seed, const Comm *comm);
void surrogate_free(Surrogate *s);

/** log loss of finished runs of `arm` at m places: mean (m) and covariance (m, m), of f, without run and noise, the
 *  same on every rank. Collective. */
typedef struct SurrogatePlace {
    double n, d;
    int arm;
} SurrogatePlace;
void surrogate_predict(double *mean, double *covariance, const Surrogate *s, const SurrogatePlace *place, int64_t m);

/** Variance of log loss that a new run adds to f: run and noise. */
double surrogate_noise(const Surrogate *s);

/** Negative log marginal likelihood of the first `subset` points with its gradient: a MinFunction.
 *  Collective on comm. */
typedef struct SurrogateLikelihood {
    const Surrogate *s;
    const Comm *comm;
    DistGrid *grid;
    DistMatrix k, b;
    struct SurrogateRows *rows; /* the points of the local rows of k */
} SurrogateLikelihood;
double surrogate_likelihood(void *likelihood, const double *theta, double *g, double *h);
SurrogateLikelihood surrogate_likelihood_new(const Surrogate *s, const Comm *comm);
void surrogate_likelihood_free(SurrogateLikelihood *likelihood);
