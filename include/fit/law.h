/** Fits of a law to the rows of one arm, or of several that share E or exponents.
 *
 *  Direct: all coefficients at once, exact Hessian, from each start first with a wide Huber zone and then with narrower
 *  ones down to delta: at delta = 1e-3 the sum is nearly one of absolute values and a plain descent stalls in its
 *  creases. Starts: the law's grid, spread over the ranks, or a few of the size of the data.
 *
 *  Variable projection (Golub and Pereyra 1973): a search in those coefficients in which the law is not linear, of all
 *  arms, and in E where arms share it; the others of each arm come from non-negative least squares, reweighted until
 *  they are the minimum of a Huber or log objective. Both must meet. */
#pragma once

#include "fit/law_kind.h"
#include "fit/law_rows.h"
#include "fit/table.h"
#include "par/comm.h"

#include <stdbool.h>
#include <stdint.h>

/** E: irreducible loss; LAW_E_FIXED: at LawSpec.e_value. */
typedef enum LawE { LAW_E_FREE, LAW_E_ZERO, LAW_E_SHARED, LAW_E_FIXED } LawE;
/** free: of each arm. tied: alpha = beta within each arm. shared: the same in all arms. */
typedef enum LawExponents { LAW_EXPONENTS_FREE, LAW_EXPONENTS_TIED, LAW_EXPONENTS_SHARED } LawExponents;

typedef struct LawSpec {
    const LawKind *kind;
    Objective objective;
    double delta; /* of the Huber function, in log loss */
    LawE e;
    double e_value;
    LawExponents exponents;
    double quantile; /* of the rows that lie below the law as delta goes to 0; 0 or 0.5: both sides count alike */
} LawSpec;

/** How residuals count under a spec: the factors of both sides are 1 on average. */
Misfit law_misfit(const LawSpec *spec);

/** A minimisation problem over the laws of `arms` arms: which coefficients are variables, and their bounds. */
enum { LAW_VARIABLES = LAW_COEFFICIENTS * TABLE_ARMS };
typedef struct LawProblem {
    LawSpec spec;
    int arms, n;                            /* n variables */
    int slot[TABLE_ARMS][LAW_COEFFICIENTS]; /* variable of a coefficient; -1: fixed */
    LawColumns rows[TABLE_ARMS];            /* what is fitted: a resample changes its columns, not its source */
    const LawRows *source[TABLE_ARMS];
    double x0[TABLE_ARMS], y0[TABLE_ARMS];
    double lo[LAW_VARIABLES], hi[LAW_VARIABLES]; /* of the variables, centred */
    double sum_weight;
    int64_t n_rows;
} LawProblem;

/** Keeps pointers to the rows. Not collective, as all but the searches below. */
LawProblem law_problem(const LawRows *rows, int arms, const LawSpec *spec);

/** Between the variables and the law of one arm. law_variables sets only the variables that this arm has a part in. */
Law law_of(const LawProblem *problem, const double *x, int arm);
void law_variables(double *x, const LawProblem *problem, int arm, const Law *law);

/** c (LAW_COEFFICIENTS): the coefficients of an arm at the variables x, those that are fixed or that the law lacks
 *  included; all finite. */
void law_coefficients(double *c, const LawProblem *problem, const double *x, int arm);

/** The objective: a MinFunction; the context is a LawProblem. */
double law_objective(void *problem, const double *x, double *g, double *h);

typedef struct LawFit {
    int arms, n;             /* variables */
    double x[LAW_VARIABLES]; /* the minimum, in the variables of the problem */
    Law law[TABLE_ARMS];
    double objective, gradient;
    double condition; /* of the Hessian of least squares with its diagonal scaled to 1; infinite: singular */
    int64_t rows;
    int starts, reached; /* reached: ended within 1e-6 of the least objective, relative */
    int others;          /* ended at a gradient of zero elsewhere: local minima and flat ends */
    bool converged, at_bound[LAW_VARIABLES];
    double varpro; /* objective and laws by variable projection; NaN as long as nobody has asked law_varpro */
    Law varpro_law[TABLE_ARMS];
} LawFit;

/** Which starts. */
typedef enum LawStarts { LAW_STARTS_GRID, LAW_STARTS_FEW } LawStarts;

/** The best of all starts; the same on every rank. Several arms share something: they start from the same law, and from
 *  their separate minima; with LAW_STARTS_FEW from those alone. Collective. Cost: about 0.6 ms a start for 240 rows. */
void law_fit(LawFit *fit, const LawProblem *problem, LawStarts starts, const Comm *comm);

/** The Huber zone in which a descent from near a minimum begins: ten times delta, or delta itself where the fit `near`
 *  has so many rows that the minimum of other noise is nearer than that (NULL: nothing is known of the noise). */
double law_zone(const LawProblem *problem, const LawFit *near);

/** From one start, on this rank, through Huber zones from `zone` down. Not collective. `solver` has problem->n variables
 *  and a Hessian. Returns the objective. */
struct Minimiser;
double law_refine(double *x, const LawProblem *problem, double zone, struct Minimiser *solver);

/** The best of variable projection from 25 pairs of exponents, or 5 of a law of one axis (0.1 to 2, the same for all arms).
 *  law (arms). Returns the objective. Starts spread over the ranks; collective. */
double law_varpro(Law *law, const LawProblem *problem, const Comm *comm);

/** Condition number of J'J (J: of the residuals, diagonal scaled to 1) at x; infinite if singular. */
double law_condition(const LawProblem *problem, const double *x);

/** Are most residuals beyond delta, so that a Huber fit is nearly one of least absolute values? */
bool law_nearly_absolute(const LawProblem *problem, const LawFit *fit);

/** Status of a fit, for arm `arm`, and in words. */
typedef enum LawVerdict {
    LAW_CONVERGED,
    LAW_REJECTED, /* converged, but contradicted by its rows or by other methods (infer) */
    LAW_NOT_CONVERGED,
    LAW_AT_BOUND,
    LAW_NOT_IDENTIFIABLE
} LawVerdict;
LawVerdict law_status(char *text, size_t size, const LawFit *fit, const LawProblem *problem, int arm);
