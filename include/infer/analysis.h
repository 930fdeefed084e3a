/** Everything `equiscale fit` finds in a table: laws, allocations, isoFLOP curves, with intervals and status, for each arm
 *  and currency. */
#pragma once

#include "fit/bootstrap.h"
#include "infer/certificate.h"
#include "infer/compare.h"
#include "infer/contrast.h"
#include "fit/data_curve.h"
#include "fit/cost.h"
#include "fit/envelope.h"
#include "fit/frontier.h"
#include "infer/fit_options.h"
#include "infer/goodness.h"
#include "fit/isoflop.h"
#include "fit/law.h"
#include "fit/surrogate.h"
#include "infer/predict.h"

/** What is reported of a law, in this order; the last two are exponents of N*(C) and D*(C) in the reference currency. */
enum { COEF_E, COEF_A, COEF_B, COEF_ALPHA, COEF_BETA, COEF_N_EXPONENT, COEF_D_EXPONENT, COEFS };
extern const char *const coef_name[COEFS];
extern const char *const spread_name[]; /* of BootstrapKind, in words */

enum { ANALYSIS_BUDGETS = OPTION_LIST, ANALYSIS_FRONTIER = 41, ANALYSIS_LAWFREE = 21, ANALYSIS_STATUS = 256 };
enum { LAWFREE_SAMPLES = 400 }; /* of the surrogate's posterior */

typedef struct CurrencyFit {
    bool known; /* every point has C in this currency */
    Cost cost;
    double a, b; /* N* ~ C^a, D* ~ C^b */
    Interval a_interval, b_interval;
    double gamma; /* best loss - E ~ C^-gamma; alpha beta / (alpha + beta) where C ~ N D */
    Interval gamma_interval;
    double c_min, c_max; /* of the runs fitted */
    int budgets, frontiers;
    BudgetFit budget[ANALYSIS_BUDGETS];    /* asked for, or the powers of ten in reach */
    BudgetFit frontier[ANALYSIS_FRONTIER]; /* evenly spaced in log C, for curves */
    bool sized;                            /* every run has N and D: without them there is nothing of what follows */
    IsoFlop isoflop;
    Envelope envelope;
    BudgetFit lawfree[ANALYSIS_LAWFREE]; /* by the surrogate, within the data */
    int lawfrees;
    FrontierPowers powers; /* of the surrogate, at budgets that all arms have */
} CurrencyFit;

/** A law fit and its resamples: of one arm, or of all when they share something. */
typedef struct LawGroup {
    LawProblem problem;
    LawFit fit;
    double seconds_fit, seconds_varpro, seconds_spread;
    double dof;                /* for percentiles (stats_interval); 0: what is drawn makes up for it (fit/noise.h) */
    double uneven;             /* p-value of even noise over (N, D), of the arm where it is least times their number */
    BootstrapKind spread_kind; /* what intervals come from */
    Ensemble spread;
} LawGroup;

/** Whether a is the same over the lower and the upper budgets (infer/drift.h). */
typedef enum DriftVerdict { DRIFT_UNDECIDED, DRIFT_STABLE, DRIFT_DRIFTING } DriftVerdict;
extern const char *const drift_word[]; /* of DriftVerdict */
typedef struct Drift {
    DriftVerdict verdict;
    double c;                      /* budget between the halves; NaN: none */
    Estimate lower, upper, change; /* a of the halves, and upper less lower; NaN where the rows do not tell */
    char why[ANALYSIS_STATUS];     /* what keeps it undecided; empty: nothing */
} Drift;

typedef struct ArmFit {
    const LawRows *rows;
    const LawGroup *group;
    int index;           /* of this arm within the group */
    double value[COEFS]; /* NaN, as what follows, where the rows do not tell the coefficients apart */
    double se[COEFS];    /* standard deviation over resamples; of A and B that of their logarithms */
    Interval interval[COEFS];
    double seed_noise; /* standard deviation of log loss between seeds; NaN without repeats */
    int64_t seed_dof;
    Goodness goodness;
    bool columns;       /* fit.columns.group can say which rows share an error */
    double groups_left; /* degrees of freedom that the law leaves to what rows of a group share; INFINITY: no groups */
    char disagreement[ANALYSIS_STATUS]; /* of methods whose intervals of a do not meet; empty: none */
    LawVerdict verdict;
    char status[ANALYSIS_STATUS]; /* the verdict in words, or that the reference is not within what was sampled */
    Extent sampled;               /* N and D of the rows */
    double ratio_lo, ratio_hi;    /* D/N of the rows */
    bool identified;              /* the rows can tell the coefficients apart: without that no allocation is given */
    double seconds_certificate;
    CurrencyFit currency[CURRENCIES];
    Drift drift;         /* in the reference currency */
    BudgetFit reference; /* allocation of Analysis.reference */
    Certificate certificate;
    Holdout holdout;
} ArmFit;

/** Two arms beside each other. */
typedef struct Comparison {
    int first, second;
    ExponentTest exponents;
    Difference currency[CURRENCIES]; /* where both are known */
    Contrast contrast[CURRENCIES][METHODS];
} Comparison;

typedef struct Analysis {
    const Table *table;
    FitOptions options;
    LawSpec spec;
    int groups, arms;
    LawRows *rows; /* of each arm */
    LawGroup *group;
    ArmFit *arm;
    int comparisons;
    Comparison *comparison; /* of every pair of arms, or of each with the first (fit.pairs) */
    int64_t predictions;
    Prediction *prediction; /* (predictions) by arm: sizes asked for, then rows held out */
    Surrogate *surrogate;   /* NULL: not asked for */
    int data_curves;
    DataCurve *data;        /* (data_curves) by arm and length; of results files with several training sets */
    int reference_currency; /* the one asked for, else executed FLOP, else nominal; -1: none that every point has */
    double reference;       /* budget at which arms are put beside each other: geometric mean of their runs' */
} Analysis;

/** Fits everything. Keeps a pointer to the table. Collective; the same on every rank. */
Analysis *analysis_new(const Table *table, const FitOptions *options, const Comm *comm);
void analysis_free(Analysis *analysis);
