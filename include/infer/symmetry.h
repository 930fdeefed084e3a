/** What was measured on the trained models of a results file: per arm the numbers of its largest models, for every cell those of
 *  its output, whether models that are more invariant are better (Deng et al., arXiv 2207.07065), whether larger, longer trained or
 *  better models are more equivariant (arXiv 2304.02628 and 2210.02984, which disagree), and what training found: widths of motions
 *  (arXiv 2010.11882), weights that are the same (arXiv 2204.03640). Of finished grid cells, at their last step; nothing where nothing
 *  was measured. Not collective. Errors: none. */
#pragma once

#include "io/json.h"
#include "io/results.h"
#include "math/stats.h"

/** The numbers that a line of an arm has room for. */
enum { SYMMETRY_HEADLINES = 9 };
typedef struct SymmetryHeadline {
    const char *measure, *element, *title;
    bool last; /* of the last layer, moved by its law or else by a fitted matrix; else of the output */
} SymmetryHeadline;
extern const SymmetryHeadline symmetry_headline[SYMMETRY_HEADLINES];

/** A mean over seeds. */
typedef struct SymmetryNumber {
    double value,
        se; /* se: of the samples or of the scatter between seeds, whichever is larger; value NaN: not measured */
    int64_t samples;
} SymmetryNumber;

/** Of the largest model of an arm, and of these the ones trained longest. */
typedef struct SymmetryArm {
    char arm[RESULTS_NAME];
    const char *exact; /* what the caller says that it is exact in; NULL: unknown */
    double n, d;
    int seeds;
    SymmetryNumber of[SYMMETRY_HEADLINES];
} SymmetryArm;

/** Over the cells of one arm, or of all: the correlation of what was measured on a model with the accuracy of its probe, with -log
 *  loss, log N or log D. Intervals: 95 %, by resampling cells. */
typedef enum SymmetryGoal {
    SYMMETRY_ACCURACY,
    SYMMETRY_LOSS,
    SYMMETRY_SIZE,
    SYMMETRY_SAMPLES,
    SYMMETRY_GOALS
} SymmetryGoal;
typedef struct SymmetryLink {
    char arm[RESULTS_NAME]; /* empty: all arms together */
    const char *measure, *element;
    SymmetryGoal goal;
    int64_t n;
    int64_t least, most; /* samples that a cell was measured on: where they differ, so may the scores by that alone */
    Estimate pearson, spearman; /* NaN where n is below SYMMETRY_LEAST, or one of both does not vary beyond rounding */
} SymmetryLink;
enum { SYMMETRY_LEAST = 8 };

/** One generator of motions, and how wide a cell's training made them. */
typedef struct SymmetryWidth {
    int64_t cell;
    char generator[RESULTS_NAME];
    double width;
} SymmetryWidth;

/** Which weights a cell's training made the same: a letter each, the same letter where they are, 0 where they are 0. */
typedef struct SymmetrySharing {
    int64_t cell;
    char classes[2 * CURVE_NUMBERS];
} SymmetrySharing;

typedef struct Symmetry {
    Results results; /* owned */
    int arms, links;
    SymmetryArm *arm;
    SymmetryLink *link;
    int64_t rows, widths, sharings;
    int64_t *row; /* (rows) of results.measure */
    SymmetryWidth *width;
    SymmetrySharing *sharing;
} Symmetry;

/** Takes `results` over. */
Symmetry symmetry_of(Results results);
void symmetry_free(Symmetry *symmetry);

/** What one of the cells of s->arm[arm] found to be the same, the first of them in the file; NULL: nothing. */
const SymmetrySharing *symmetry_sharing(const Symmetry *symmetry, int arm);

/** Members symmetry, exact, invariance, trends, widths and sharing of fit.json. */
void symmetry_json(Json *json, const Symmetry *symmetry);
