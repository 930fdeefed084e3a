/** What finished cells leave behind. One struct and one field table for each of three tables, two kinds of file in the
 *  same format `equiscale-results-1`: a small one per cell, written by its leader and committed whole, and results.h5,
 *  gathered from them with parallel HDF5. Group /cells has one dataset per column (attributes unit, description),
 *  group /curves the learning curves of all cells, group /measures what was measured on finished models, /provenance
 *  text attributes. The columns of compute currencies say so (attributes currency, title) and stand in the attribute
 *  `currencies` of their group. For other readers each group of results.h5 has a dimension scale, which numbers its rows and
 *  is not read back.
 *
 *  Errors name the file, and the column where it is one. */
#pragma once

#include "base/err.h"
#include "io/currency.h"
#include "io/h5.h"
#include "par/comm.h"

#include <stdint.h>

enum {
    RESULTS_NAME = 32,
    RESULTS_ID = 96,
    RESULTS_NUMBERS = 192,
    RESULTS_DIGEST = 17
};                           /* bytes, final zero included */
enum { CURVE_NUMBERS = 12 }; /* numbers of a training procedure at a curve point */
/* OUTCOME_STOPPED, before its end, is in no file. */
enum { OUTCOME_DONE = 0, OUTCOME_DIVERGED = 1, OUTCOME_FAILED = 2, OUTCOME_STOPPED = 3 };

typedef struct CellRecord {
    char id[RESULTS_ID];     /* unique in the study, from its sizes: gatr-w8x2-n100-d1024-s1 */
    char arm[RESULTS_NAME];  /* transformer, transformer_augmented, gatr */
    char role[RESULTS_NAME]; /* grid: scaling cells; data: data-efficiency cells; lr: of a sweep, not the best */
    int64_t width, depth, heads;
    int64_t scalars, multi_query, increase; /* the rest of the shape, as in nn/model.h; -1: not recorded */
    int64_t fixed;                          /* fixed inputs of gatr_fixed; 0 where there are none */
    int64_t parameters;                     /* N: trainable parameters */
    int64_t steps, batch;                   /* optimiser steps, samples a step */
    int64_t samples;                        /* D: training samples seen, steps * batch */
    int64_t tokens;                         /* training tokens seen */
    int64_t dataset;                        /* trajectories in the training set */
    double epochs;                          /* samples seen over those of the training set; NaN: not recorded */
    char data[RESULTS_DIGEST]; /* digest of all trajectories that decide its numbers; empty: not recorded */
    int64_t seed;
    double lr;    /* peak learning rate */
    double swept; /* what its procedure sweeps (remul.equivariance); NaN: nothing, or not recorded */
    int64_t dp, tp;
    double compute[CURRENCIES]; /* C: of training, in the units of io/currency.h; NaN where it was not measured */
    double seconds;             /* wall seconds of training */
    double flop_attention;      /* FLOP of attention (scores and weighted sums) that nominal compute leaves out */
    double loss;                /* on the fixed test set, at the end; NaN when diverged */
    double loss_error;          /* standard error of it, for the choice of test trajectories; NaN: not known */
    double loss_initial;        /* on the samples of curves, before training */
    double validation_loss;     /* on the validation set, at the end: decides between what is swept */
    int64_t outcome, attempts;
    int64_t curve_points;
    char numbers[RESULTS_NUMBERS]; /* names of the numbers in CurvePoint.procedure, by comma; empty: it has none */
} CellRecord;

typedef struct CurvePoint {
    int64_t cell;               /* row in /cells */
    int64_t step;               /* optimiser steps done */
    double samples;             /* training samples seen */
    double compute[CURRENCIES]; /* spent so far; NaN where it was not measured */
    double loss;                /* on the first samples of the test set; at the end of training on all of it */
    double train_loss;          /* mean over the steps since the last point */
    double lr;
    double procedure[CURVE_NUMBERS]; /* what the training procedure tells of itself; NaN beyond its own numbers */
} CurvePoint;

/** One number that a measurement found on a model. */
typedef struct MeasureRow {
    int64_t cell;               /* row in /cells */
    int64_t step;               /* optimiser steps done */
    char measure[RESULTS_NAME]; /* name of the measurement */
    int64_t layer;              /* point on the residual stream, from 0; -1: the output */
    char element[RESULTS_NAME]; /* group element or other case: so3, mirror */
    double value, se;           /* in the unit that the measurement says; standard error, NaN where there is none */
    int64_t samples;            /* independent samples behind it */
} MeasureRow;

typedef struct Results {
    int64_t cells, points, measures;
    CellRecord *cell;
    CurvePoint *curve;   /* ordered by cell, then step */
    MeasureRow *measure; /* ordered by cell; none in files from before there was the table */
    char study[RESULTS_NAME];
    char *provenance; /* lines `name = value` of a file that was read; NULL: there is none */
} Results;

/** A cell's own file, sealed with its digest (io/h5.h) and committed whole: temporary name, fsync, rename, fsync of the
 *  folder. wait: until the disk has it; else a commit_flush of the folder waits for many. Not collective. */
Err results_write_cell(const char *path, const Results *one, const char *provenance, bool wait);

/** Reads either kind of file with the serial driver; one without a seal in a child process first (h5_rehearse). Not
 *  collective. results_free gives back the arrays. */
Err results_read(Results *out, const char *path);
void results_free(Results *results);

/** Records that differ in their values alone are written and read without HDF5 (src/io/results_template.h): the first of a
 *  kind is remembered. This forgets them all, and gives back their memory. */
void results_forget(void);

/** The tables, /provenance and the name of the study, into a file of another format that is being written, and out of one
 *  that is being read. */
Err results_put(H5File *file, const Results *results, const char *provenance);
Err results_take(Results *out, H5File *file);

/** Appends all cells of `one` with their curves and measures, without its provenance. Not collective. */
void results_append(Results *to, const Results *one);

/** Afterwards every rank has the rows that the root has; the others pass nothing that they own. Collective. */
void results_bcast(Results *results, const Comm *comm);

/** results.h5 from the root's Results (the others need none), written with parallel HDF5 in equal shares of rows, checked,
 *  renamed into place. A rank has memory and work for its share of rows, the root for all. Collective. */
Err results_gather(const char *path, const Results *all, const char *provenance, const Comm *comm);

/** FOLDER/cells.csv, curves.csv and measures.csv: a line of column names, then one per row, numbers with every digit,
 *  nan for what is not a number; a column with several per row becomes NAME_0, NAME_1, ... Makes the folder; replaces such
 *  files. Not collective. */
Err results_csv(const char *folder, const Results *results);
