/** The grid: from options to cells, with what each will cost. FLOP as in nn/model.h, seconds of wall time, bytes. */
#pragma once

#include "study/claim.h"
#include "study/options.h"

/** What has become of a cell. Refused: it needs more memory than there is. From CELL_DONE on it has a record. Failed: set
 *  aside after its process died again and again. */
typedef enum CellState {
    CELL_PLANNED,
    CELL_RUNNING,
    CELL_REFUSED,
    CELL_DONE,
    CELL_DIVERGED,
    CELL_FAILED,
    CELL_STATES
} CellState;

/** What the cells of an arm at one model size have in common, and at one of the weights that its procedure sweeps. */
typedef struct GridKind {
    TrainJob job; /* of one of its cells */
    double swept; /* that weight; NaN: it sweeps none */
    int64_t parameters;
    double nominal, executed; /* FLOP of a step, of the layout without tensor parallelism */
} GridKind;

typedef struct Cell {
    CellRecord record;     /* identity from the start; results when it is finished */
    char file[RESULTS_ID]; /* name of its file in cells/, without suffix: its id, or that in an earlier study file */
    TrainJob job;
    int kind;                           /* which of grid.kind */
    int place;                          /* in the study file's order, which is that of results.h5 */
    double rate;                        /* as the study file has it: peak learning rate at N = 1e5 */
    bool swept;                         /* the arm has several */
    double flop_nominal, flop_executed; /* expected, of training */
    double seconds;                     /* expected wall time in its layout, evaluations included (study/plan.h) */
    double first;                       /* of these, up to the end of the first step */
    int64_t bytes;                      /* a rank */
    int block;                          /* ranks of the block that is to train it */
    CellState state;
    bool begun;         /* it has a checkpoint; on the root */
    int64_t deaths;     /* attempts in a row whose process died before it got further */
    Mark mark;          /* of the run that is at it or died at it; zero without one */
    char note[256];     /* why it failed or was refused, or what happened to an earlier record; on the root */
    char measured[128]; /* what was measured on the finished model, for people; on the root */
} Cell;

typedef struct Grid {
    int n;
    Cell *cell; /* most executed FLOP first */
    int kinds;
    GridKind *kind;
    int swept; /* options of procedures with one weight each, for jobs */
    OptionRoom **options;
} Grid;

/** Every cell of the study: arms x sizes x steps x seeds x learning rates x what a procedure sweeps, on the largest dataset,
 *  and the smaller datasets at one size and length. sampled: the trajectories only stand in for those of the study. Errors: sizes and
 *  layouts that do not divide. Not collective. */
Err grid_new(Grid *grid, const StudyOptions *options, const TrainData *data, bool sampled);
void grid_free(Grid *grid);

/** What grid_new would refuse and what can be told before there are data: of them only slots and worlds are looked at. Errors: as
 *  grid_new. Not collective. */
Err grid_check(const StudyOptions *options, const TrainData *data);

/** Finds the cells that are finished, those that another run is at, and how often the process of one has died; those that
 *  were refused stay so. A cell is looked for under its name with and without its learning rate, since a study may get a
 *  second rate or lose it; so is the checkpoint of one that was begun. A damaged record counts as none: with `repair` it is
 *  moved aside as FILE.damaged, its reason beside it in FILE.damaged.txt. Errors: a record that is not of this study
 *  (study/identity.h), or that may not be read. Collective. */
Err grid_scan(Grid *grid, const StudyOptions *options, const Comm *comm, bool repair);

/** The same, and hands over what each record holds: on the root, cell by cell in the order of the study file; `one` is NULL
 *  for a cell without a record, and its row is the cell's. */
typedef void GridTake(void *context, const Cell *cell, const Results *one);
Err grid_read(Grid *grid, const StudyOptions *options, const Comm *comm, GridTake *take, void *context);

/** The name of a cell: all by which the cells of a study can differ; `swept`: its learning rate too. */
void cell_name(char id[RESULTS_ID], const Cell *cell, bool swept);

/** runs/NAME/cells/ID.SUFFIX: h5 for a finished cell, running for the mark of one at work, checkpoint for one in the
 *  middle of its training. */
void cell_path(char *path, size_t size, const StudyOptions *options, const Cell *cell, const char *suffix);
const char *cell_state_name(CellState state);

/** Whether a cell is to be trained: also one that another run is at, since that may die. */
bool cell_left(const Cell *cell);

/** Whether none has run it: it is left to run, or would be if it fitted. */
bool cell_unrun(const Cell *cell);

/** The line of /provenance that says why a cell failed. */
#define FAILED_KEY "failed"
