/** Parameter sharing found by learning: theta = A psi with A (K, K) row-stochastic, A = softmax(Z) by rows, Yeh et al. 2022,
 *  arXiv 2204.03640. A hard A is a partition of the K parameters, that is an equivariance.
 *      min over Z of  L_val(psi*(A), A) + R(A),    psi*(A) = argmin over psi of L_train(A psi)
 *      R(A) = lambda (sum_c |A_:c|_2 / K + half the mean entropy of a row)
 *  with a little decay of psi in L_train [ours: the code's inner optimiser has one], since a soft A could otherwise share nothing
 *  by entries near 0 times huge psi. The gradient by A is dL_val/dA - (d/dA) (dL_train/dpsi . v), where H v = dL_val/dpsi and H = d2 L_train / dpsi2.
 *
 *  A partition is one label for each parameter, the smallest that is free at the first of each class: 0, 0, 1, 0.
 *  Not collective. Errors: none. K at most SHARING_MOST. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { SHARING_MOST = 16 };

/** A from Z, both (k, k). */
void sharing_softmax(double *a, const double *z, int k);

/** How A is made to share. */
typedef struct SharingPenalty {
    double lambda;
    double entropy; /* factor on the mean entropy of a row: a half, as above, or less while A may still be soft */
    bool mean;      /* the sum over columns is divided by K */
} SharingPenalty;

/** R(A), and adds its gradient to da (rows, k). A column that stands for no parameter, such as one that is 0, has no row of
 *  its own: where it had, it would be the only class with a member at first, and the cheapest to join. */
double sharing_penalty(double *da, const double *a, int rows, int k, const SharingPenalty *penalty);

/** dz from the gradient by A. */
void sharing_softmax_backward(double *dz, const double *da, const double *a, int k);

/** The partition that A is nearest to: parameters with the same largest column are one class. Returns how many classes. */
int sharing_partition(int *label, const double *a, int k);

/** k minus the largest number of parameters that two partitions can agree on, over all ways to match their classes. Cost:
 *  k 2^k for k classes. */
int sharing_distance(const int *label, const int *other, int k);

/** The next of all partitions, from all zero on; false after the last. */
bool sharing_next(int *label, int k);

/** L(theta) = theta.S theta / 2 - b.theta + c, a loss that is known whole. */
typedef struct Quadratic {
    double s[SHARING_MOST * SHARING_MOST], b[SHARING_MOST], c;
} Quadratic;
double quadratic_at(const Quadratic *q, const double *theta, int k);

/** How H v = b is solved. EXACT: Cholesky on H + 1e-6 I. CG: conjugate gradients to 1e-4 of |b|, at most 30. NEUMANN: the first
 *  `terms` of alpha sum_j (I - alpha H)^j b, alpha = 1 / trace H. */
typedef enum SharingSolver { SHARING_EXACT, SHARING_CG, SHARING_NEUMANN } SharingSolver;
void sharing_solve(double *v, const double *h, const double *b, int k, SharingSolver solver, int terms);

typedef struct SharingTask {
    int k;
    Quadratic train, validation;
    SharingPenalty penalty;
} SharingTask;

/** psi*(A) and the objective, with its gradient by A where da is given. */
double sharing_objective(double *da, double *psi, const SharingTask *task, const double *a, SharingSolver solver,
                         int terms);

/** Minimises over Z: RMSprop at 0.02, 1000 steps, from 10 starts; the partition with the least objective. [paper]: 3 starts.
 *  A = softmax(Z / T) with T falling from 1 to 0.01 [ours]: at T = 1 the minimum may be a row that mixes two values, which
 *  the penalty does not forbid and whose largest entry says nothing. */
int sharing_learn(int *label, const SharingTask *task, uint64_t seed);

/** theta of a partition, the least squares of both losses weighted by their samples, and of no sharing (label NULL). */
void sharing_refit(double *theta, const SharingTask *task, const int *label, double train_weight,
                   double validation_weight);

/** The partition with the least objective of all. */
int sharing_brute_force(int *label, const SharingTask *task);
