/** How well a law describes the rows of an arm: what it leaves, and whether that is more than noise.
 *
 *  Lack of fit: where enough runs differ in their seeds only, the residuals against the pure error between seeds (F test);
 *  where most runs have no such others, whether residuals bend with (log N, log D): all terms of degree 2, of 2 and 3, and of
 *  2 to 4 beside the derivatives of the law, as far as the rows carry them (F test on residuals in units of the noise's scale,
 *  fit/noise.h, with those beyond CLIP standard deviations drawn in, since a few wild rows are no lack of fit; of a law of one
 *  axis its powers). What finds most is given, with p times the number of tests. Rows that share an error bend by themselves:
 *  with groups it is not tested, nor of residuals so small that they are rounding.
 *
 *  Shared errors: whether residuals of one size, length, seed or budget have a mean of their own, and whether those of neighbours in
 *  D are alike (src/infer/serial.h). A law that bends otherwise than the rows makes neighbours alike too: where curvature is
 *  found they are looked at beside its terms, and what they still share is no smooth deviation. */
#pragma once

#include "fit/law.h"

typedef enum LackOfFit { LACK_UNTESTED, LACK_BY_SEEDS, LACK_BY_CURVATURE } LackOfFit;
extern const char *const lack_name[]; /* of LackOfFit, in words */

/** Rows that may share an error. */
typedef enum SharedBy {
    SHARED_BY_SIZE,
    SHARED_BY_LENGTH,
    SHARED_BY_SEED,
    SHARED_BY_BUDGET,
    SHARED_BY_NEIGHBOURS, /* of one size, in D, as checkpoints of a run are */
    SHARED_KINDS
} SharedBy;
extern const char *const shared_text[SHARED_KINDS]; /* that they do, in words */

typedef struct Goodness {
    double rms; /* of log residuals, over the rows' degrees of freedom */
    double r2;  /* share of the variance of log loss that the law explains */
    LackOfFit by;
    double f, p; /* F statistic and its tail probability; NaN where untested */
    int dof1, dof2;
    double shared_p[SHARED_KINDS]; /* p-values of no error that these rows share; NaN with groups of the rows' own */
} Goodness;

/** Below this the law is rejected by its own points. */
#define LACK_LIMIT 1e-3

/** The sum of squares of log loss about the means of runs that differ in their seeds only, and its degrees of freedom. */
double goodness_pure_error(int *dof, const LawRows *rows);

/** uneven: the noise's scale is modelled over (N, D). Not collective. */
Goodness goodness_of(const LawProblem *problem, const LawFit *fit, int arm, bool uneven);
