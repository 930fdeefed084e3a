/** What a scaling law is: the loss L as a function of model size N and training length D, as a struct of functions.
 *
 *  To add a law: src/fit/law_NAME.c with the functions below, src/fit/law_NAME_sum.c with its derivatives at a row (the
 *  sum over rows is law_sum.h's), and its row in law_kinds and LAW_NAMES. Nothing else knows one law from another.
 *
 *  Every law has the five coefficients of Law, but may fix some of what they mean: exp(a) is the reducible loss at
 *  N = 1 of unlimited D, exp(b) that at D = 1 of unlimited N, exp(e) the irreducible loss. So
 *
 *      L(N, D; a, b, e, alpha, beta) = S(a - alpha x0, b - beta y0, e, alpha, beta; log N - x0, log D - y0)
 *
 *  for any x0 and y0: fits centre both axes in the data, which takes the correlation of a and b with the exponents away.
 *  A law of one axis has no b and no beta, and its x is the logarithm of what it is a law of.
 *  Nothing here is collective. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct LawKind LawKind;

/** The coefficients of one law. Logs because the factors may be anything; e = -INFINITY: E = 0. Of those that a law
 *  lacks b is -INFINITY and beta 0. */
typedef struct Law {
    double a, b, e; /* logarithms of losses */
    double alpha, beta;
    const LawKind *kind;
} Law;

enum { LAW_A, LAW_B, LAW_E, LAW_ALPHA, LAW_BETA, LAW_COEFFICIENTS };

/** What is minimised: the sum over rows of Huber's function of log residuals, of their squares over 2, or of the squared
 *  residuals of the loss itself over 2. */
typedef enum Objective { OBJECTIVE_HUBER, OBJECTIVE_LOG, OBJECTIVE_LOSS } Objective;

/** How a residual counts. above, below: factors of the terms of rows above and below the law; 1 and 1: alike. With
 *  Huber's function they make the law one of a quantile (Koenker and Bassett 1978): below / (above + below) of the rows
 *  lie below it as delta goes to 0. */
typedef struct Misfit {
    Objective objective;
    double delta;
    double above, below;
} Misfit;

/** What a law is a law of. */
typedef enum LawAxes { LAW_OF_N_AND_D, LAW_OF_N, LAW_OF_D, LAW_OF_C } LawAxes;

/** Rows as columns. n is a multiple of LAW_PAD, so that loops over rows vectorise without a tail: what is added has
 *  weight 0, x = y = z = 0 and loss = 1. */
enum { LAW_PAD = 8 };
typedef struct LawColumns {
    int64_t n;
    const double *x, *y;    /* (n) log N - x0, log D - y0; of a law of one axis x is of that axis, y = 0 */
    const double *z, *loss; /* (n) log L, L */
    const double *w;        /* (n) weight */
} LawColumns;

/** A coefficient as a variable of a fit, within [lo, hi]. of_loss: lo counts from the log of the least loss of the rows,
 *  hi from that of the largest, so that a term may vanish beside the losses but not drift away. */
typedef struct LawCoefficient {
    const char *name; /* in the formula; NULL: the law has none */
    double lo, hi;
    bool of_loss;
} LawCoefficient;

/** What a fit does over and over with all rows, in files of their own that are compiled with -ffast-math: rows and
 *  coefficients must be finite. */
typedef struct LawSum {
    /** The objective f; g (5) and h (5, 5) are added to where they are not NULL. */
    double (*objective)(const LawColumns *rows, const Misfit *misfit, const double *p, double *g, double *h);

    /** S = A basis_a + B basis_b + E, where A, B, E are the exponentials of those of p[LAW_A ... LAW_E] that are
     *  `linear` in the law, and A = 1 and B = 0 where they are not. Fills basis_a, basis_b (rows->n). */
    void (*basis)(double *basis_a, double *basis_b, const LawColumns *rows, const double *p);
} LawSum;

struct LawKind {
    const char *name;    /* as fit.law has it */
    const char *formula; /* for people */
    LawAxes axes;
    bool
        of_optima; /* what is fitted are N* and D* against C, not losses, by their logarithms; the exponent of C is -alpha */
    LawCoefficient coefficient[LAW_COEFFICIENTS];

    /** S at one row; p, d (5) in the order of LAW_A ...; fills its derivatives unless d is NULL. The definition. */
    double (*loss)(double *d, const double *p, double x, double y);

    const LawSum *sum;

    /** Start s of `starts`, a grid for whoever knows nothing of the data, in the units of N and D. */
    int starts;
    void (*start)(Law *law, int s);

    bool linear[3]; /* of LAW_A, LAW_B, LAW_E: see LawSum.basis */

    /** log A and log B as the formula has them; NULL: a and b. */
    void (*factors)(double *log_a, double *log_b, const Law *law);

    /** The sum of two power laws of N and of D which is least where this law is, whatever the budget, so that
     *  allocations have a closed form; NULL: they are searched for. */
    Law (*additive)(const Law *law);
};

/** The laws there are, in the order of LAW_NAMES. */
#define LAW_NAMES "chinchilla|kaplan|parameters|samples|compute|optima"
enum { LAW_KINDS = 6 };
extern const LawKind law_chinchilla, law_kaplan, law_parameters, law_samples, law_compute, law_optima;
extern const LawKind *const law_kinds[LAW_KINDS];

/** L of a law of N, D or both. */
double law_loss(const Law *law, double n, double d);

/** L of any law at a run, of which what the law does not need may be NaN. */
double law_loss_of_run(const Law *law, double n, double d, double c);

/** Whether a law has a coefficient, and whether it says how a budget is best split between N and D. */
bool law_has(const LawKind *kind, int coefficient);
bool law_splits(const LawKind *kind);

/** p (5): the coefficients where log N and log D count from x0 and y0. */
void law_centred(double *p, const Law *law, double x0, double y0);

/** A and B of the formula. */
void law_factors(double *a, double *b, const Law *law);

/** The starts of Hoffmann et al. 2022: a and b from 0 to 25, e from -1 to 1, exponents from 0 to 2. */
enum { LAW_GRID_STARTS = 4500 };
void law_grid_start(Law *law, int s);

/** S of every row at centred coefficients p; out (rows->n). */
void law_predict(double *out, const LawKind *kind, const LawColumns *rows, const double *p);
