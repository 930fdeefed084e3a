/** The noise of log loss about a fitted law, as the residuals show it, and fresh draws of it.
 *
 *  Residuals r are smaller than errors: of least squares with hat matrix H and errors of scale s_j, E r_i^2 is
 *  proportional to sum_j (I - H)_ij^2 s_j^2, which is s^2 (1 - H_ii) where the scale is even. They are divided by its
 *  root, centred where the pulls of the objective balance (the mean; for Huber nearly the median), then smoothed.
 *
 *  Uneven noise: log s_j is linear in log N_j and log D_j, of 100 rows or more quadratic (of a law of one axis: in that one), with coefficients from the
 *  sizes of the residuals (scoring of the gamma model with a log link, variance as the square of the mean). For fits of
 *  nearly absolute values, whose residuals H does not describe, and for more than NOISE_ROWS rows, the sum is taken as
 *  s_i^2 (1 - H_ii). Not collective. */
#pragma once

#include "fit/law.h"

enum { NOISE_ROWS = 1500 };

/** The error that rows of a group share: variances of log loss by the method of moments, E r r' = (I - H)(within I +
 *  between Z Z')(I - H) with Z the rows' groups (Henderson's third method), so that what the fit has taken of a group's
 *  offset is made up for. The sums of groups have the mean square `square`, whose expectation is within + growth * between,
 *  with Satterthwaite's degrees of freedom, dof. p: of between = 0 (F test). left: what the law leaves of the degrees of
 *  freedom of the groups' means, from which all of this is known. */
typedef struct GroupEffect {
    double within, between;
    double square, growth, dof;
    double left;
    double p;
} GroupEffect;

typedef struct Noise {
    int64_t n;
    double *fitted;              /* (n) log loss of the law; owned, as all arrays */
    double *scale;               /* (n) s_j */
    double *unit;                /* (n) residuals made as large as errors, over their scale */
    bool *drawn;                 /* (n) which units are drawn: of nearly absolute fits all but the smallest */
    struct Sequences *sequences; /* of groups, which are drawn whole (src/fit/sequence.h); NULL: without groups */
    GroupEffect effect;          /* what the rows of a group share; zeros: nothing */
    double width, shrink;        /* of the kernel that smooths their distribution, and what keeps its variance */
} Noise;

/** group (rows of the arm): numbers from 0 to groups - 1. Cost: rows + groups. */
GroupEffect noise_groups(const LawProblem *problem, const LawFit *fit, int arm, const int64_t *group, int64_t groups);

/** Even noise of which a part is shared by the rows of a group (LawRows.group). */
Noise noise_grouped(const LawProblem *problem, const LawFit *fit, int arm);

/** Is the fit one of nearly absolute values, of enough rows to learn their errors from what it leaves? Of fewer rows what
 *  least squares would leave is taken, and intervals must make up for their number (stats_interval). */
bool noise_absolute(const LawProblem *problem, const LawFit *fit);

Noise noise_of(const LawProblem *problem, const LawFit *fit, int arm, bool uneven);
void noise_free(Noise *noise);

/** log loss z (n) and loss (n; NULL: not wanted) of the rows drawn anew: a function of (seed, resample, arm). The same resample draws the
 *  same row numbers in every arm (paired), as far as they are among the drawn. */
void noise_draw(double *z, double *loss, const Noise *noise, const LawRows *rows, uint64_t seed, int64_t resample,
                int arm);

/** Is the noise uneven? p-value of no dependence of sqrt |residual| on (log N, log D), Glejser's test. */
double noise_uneven(const LawProblem *problem, const LawFit *fit, int arm);
