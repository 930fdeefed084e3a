/** The noise of log loss about a fitted law, as the residuals show it, and fresh draws of it.
 *
 *  Residuals r are smaller than errors: of least squares with hat matrix H and errors of scale s_j, E r_i^2 is proportional
 *  to sum_j (I - H)_ij^2 s_j^2, which is s^2 (1 - H_ii) where the scale is even. They are divided by the root of that,
 *  centred where the pulls of the objective balance (the mean, or for Huber nearly the median) and smoothed.
 *
 *  Uneven noise: s_j = e^(c1 log N_j + c2 log D_j), with c1, c2 from the sizes of the residuals (scoring of the gamma model
 *  with a log link, variance as the square of the mean). For Huber fits, whose residuals H does not describe, and for more
 *  than NOISE_ROWS rows, the sum is taken to be s_i^2 (1 - H_ii). Not collective. */
#pragma once

#include "fit/law.h"

enum { NOISE_ROWS = 1500 };

typedef struct Noise {
    int64_t n;
    double *fitted; /* (n) log loss of the law; owned, as all arrays */
    double *scale;  /* (n) s_j */
    double *unit;   /* (n) residuals made as large as errors, over their scale */
    int64_t pools;  /* how many of them are drawn from */
    double *pool; /* (pools) of a Huber fit all but the smallest, as many as coefficients: it passes through so many */
    double width, shrink; /* of the kernel that smooths their distribution, and what keeps its variance */
} Noise;

Noise noise_of(const LawProblem *problem, const LawFit *fit, int arm, bool uneven);
void noise_free(Noise *noise);

/** log loss z (n) and loss (n) of the rows drawn anew: a function of (seed, stream). */
void noise_draw(double *z, double *loss, const Noise *noise, const LawRows *rows, uint64_t seed, uint64_t stream);

/** Is the noise uneven? p-value of no dependence of sqrt |residual| on (log N, log D), Glejser's test. */
double noise_uneven(const LawProblem *problem, const LawFit *fit, int arm);
