/** What a planned grid of runs will tell, before it is run: losses of an assumed law with noise are made up for its
 *  cells and fitted, many times over, and the spread of the exponents and of the allocation is what to expect.
 *
 *  The assumed law is given by its exponents, E and the loss in the middle of the grid (geometric means of N and D),
 *  where the two terms are taken to be equal. With a results file or a table (design.from) it is the law of that file's runs,
 *  and the noise is theirs: between seeds, of every run, and what the law leaves beyond it, of every size and length. A fit of
 *  theirs (fit -json) says the same without them. */
#pragma once

#include "fit/cost.h"
#include "fit/law.h"
#include "par/options.h"

/** Keys design.*: see design_keys in design.c. */
typedef struct DesignOptions {
    double alpha, beta, e, loss, noise, budget;
    int64_t simulations, seed;
    Objective objective;
    char from[OPTION_TEXT]; /* empty: law and noise are assumed */
} DesignOptions;

extern const KeySpec design_keys[];
extern const int n_design_keys;

/** The planned cells of one arm. */
typedef struct DesignArm {
    const char *name;
    int64_t cells;
    const double *n, *d, *c; /* (cells) parameters, samples, compute in any one currency */
} DesignArm;

/** What runs of an arm are made up of. */
typedef struct DesignModel {
    Law law;
    double seeds;  /* standard deviation of log loss between runs that differ in their seeds only */
    double lack;   /* of what else the law leaves, shared by runs of one size and length; 0: not known apart */
    LawE e;        /* what refits know of E */
    double middle; /* budget at which arms are put beside each other; NaN: none */
} DesignModel;

/** What is assumed of an arm under the options. */
DesignModel design_assumed(const DesignArm *arm, const DesignOptions *options);

/** model (arms): the laws and the noise of the runs in design.from, a fit.json where its name ends in .json. Errors name the
 *  file and the arm that it does not tell of. Collective. */
Err design_measured(DesignModel *model, const DesignArm *arm, int arms, const DesignOptions *options, const Comm *comm);

typedef struct DesignResult {
    double condition;     /* of J'J with its diagonal scaled to 1 */
    Interval alpha, beta; /* 95 % of the refits */
    Interval a, b;        /* exponents of N*(C), D*(C) */
    Interval best_n;      /* N* at the budget */
    double budget, best_n_assumed;
    double correlation; /* of alpha and beta over the refits */
    double failed;      /* share of refits that end at a bound */
    bool told_apart;
    char verdict[160]; /* in words */
} DesignResult;

/** Of every refit of an arm: the exponent a, and log N* at the middle budget; both (simulations), NULL: not wanted. */
typedef struct DesignDraws {
    double *a, *log_n;
} DesignDraws;

/** Simulates one arm; refits spread over the ranks, the same for any number of them. Collective. */
Err design_arm(DesignResult *out, DesignDraws draws, const DesignArm *arm, const DesignModel *model,
               const DesignOptions *options, const Comm *comm);

/** What is to be expected of the difference between two arms, from their refits. */
typedef struct DesignContrast {
    Interval a;       /* 95 % of a2 - a1 */
    Interval n_ratio; /* of N2* / N1* at the middle budget */
    double found;     /* the difference of a that is found in 4 of 5 studies, by a test at 5 % */
} DesignContrast;
DesignContrast design_contrast(DesignDraws first, DesignDraws second, int64_t simulations);

/** Simulates every arm and every pair with the first and prints a table. Errors: those of design_measured. Collective. */
Err design_report(const DesignArm *arm, int arms, const DesignOptions *options, const Comm *comm);
