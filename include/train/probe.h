/** Probe: a linear classifier on features that someone else has worked out, to see what they tell. Multinomial logistic
 *  regression on standardised features,
 *      p_k(x) ~ exp(w_k . z + b_k),   z = (x - mean) / sd,   loss = mean of -log p_label + (L2 / 2) sum_k |w_k|^2
 *  minimised by Newton's method with step halving from 0: convex, so there is one answer and no randomness.
 *  All double. Not collective. Errors: none. */
#pragma once

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

enum { PROBE_CLASSES = 3 };

typedef struct Probe {
    int width;               /* features */
    double *mean, *sd;       /* (width); a feature that does not vary has sd 1 */
    double *weight;          /* (PROBE_CLASSES, width + 1), the constant last */
    double *gradient, *step; /* as weight */
    double *hessian;         /* (weights, weights) */
} Probe;

/** Room for a probe of so many features: 8 (3 width)^2 bytes. Called twice, to count and to place. */
void probe_layout(Probe *probe, int width, Arena *arena);

/** Fits to rows of x (n, width) with labels 0 .. PROBE_CLASSES-1; rows of label -1 are left out. Cost: a few times
 *  5 n width^2 + 9 width^3 operations. */
void probe_fit(Probe *probe, const double *x, const int *label, int64_t n);

/** Probabilities of the classes, and the likeliest one. */
int probe_say(double out[PROBE_CLASSES], const Probe *p, const double *x);

/** Effective invariance of two answers (Deng et al. 2022, arXiv 2207.07065): the geometric mean of the largest probabilities
 *  where the likeliest classes agree, else 0. */
double probe_effective_invariance(const double p[PROBE_CLASSES], const double moved[PROBE_CLASSES]);
