/** The one input of every fit: a table of points (arm, N, D, C in every currency, loss), from results files or from
 *  delimited text (CSV and its relatives, io/csv.h).
 *
 *  N: trainable parameters. D: training samples of a results file, whatever unit the D column of a text has. C in the
 *  currencies of io/currency.h; where one of nominal C, N and D is missing it comes from the other two and the cost law
 *  C = kappa N^mu D^nu: the one that was asked for, else the arm's own, from its rows that have all three, else 6 N D.
 *  Rows for a law of N, D or C alone may lack the others (NaN).
 *  `final` points are finished runs: laws and isoFLOP curves are fitted to them. The others are points of learning
 *  curves of unfinished schedules, which only the envelope and the surrogate use. Held-out points are in no fit.
 *
 *  Nothing is lost without a word: rows that are left out are counted by reason, and whatever was assumed or looks odd
 *  is a note. */
#pragma once

#include "base/err.h"
#include "fit/law_kind.h"
#include "io/number.h"
#include "io/results.h"
#include "par/comm.h"

#include <stdbool.h>
#include <stdint.h>

enum { TABLE_ARMS = 16, TABLE_NAME = 256 }; /* arms; bytes of a name, the final zero included */

typedef struct Point {
    double n, d;           /* NaN where unknown, which laws of another axis allow */
    double c[CURRENCIES];  /* NaN where unknown */
    double loss, weight;   /* loss of a held-out point: NaN where there is none */
    int64_t seed, dataset; /* dataset: training trajectories, 0 when unknown */
    int64_t cell;          /* the run this is a point of */
    double epochs;         /* how often the training set was seen; NaN when unknown */
    int64_t batch;         /* samples a step; 0 when unknown, as the sizes below */
    int64_t group;         /* rows that may share an error: a digest of the group column's text; 0 without one */
    int width, depth, heads, scalars, fixed;
    int arm;
    bool final;
} Point;

enum { TABLE_WORDS = 64, TABLE_WORD = 32 };

/** What stood where a loss was wanted, and in how many rows. */
typedef struct LossWord {
    char word[TABLE_WORD]; /* as in the file, numbers within it as #, longer ones cut; "blank" for nothing */
    int64_t rows;
} LossWord;

/** Why rows are missing from a fit. */
typedef struct LeftOut {
    int64_t keep;    /* keep column or weight was 0, or drop column was true */
    int64_t range;   /* C outside the asked-for range */
    int64_t arm;     /* arm not asked for */
    int64_t loss;    /* loss missing, NaN or not positive */
    int64_t outcome; /* cell diverged or failed */
    int64_t role;    /* cell of another purpose than the grid */
    int64_t dataset; /* grid cell on a smaller dataset than the largest */
    int64_t best;    /* another row of the same arm, N and D had less loss */
    LossWord
        word[TABLE_WORDS]; /* of `loss`, rows of texts by what stood there; the last one counts all further words */
} LeftOut;

/** One thing that a reader of the answer should know about its rows. */
typedef struct TableNote {
    char text[320];
    char file[80]; /* the first file that it is about; empty: all */
    int files;     /* how many files it is about */
} TableNote;

typedef struct Table {
    int64_t n, capacity;
    Point *at; /* (n) ordered by file, then row; owned */
    int64_t n_held, held_capacity;
    Point *held; /* (n_held) rows held out, to be predicted; owned */
    int64_t n_limited, limited_capacity;
    Point *limited; /* (n_limited) runs on training sets of several sizes, and the grid's beside them; owned */
    int64_t cells;
    int arms;
    char arm[TABLE_ARMS][TABLE_NAME];
    bool has[CURRENCIES]; /* every point has C in this currency */
    bool text;            /* a file was no results file: its columns can be named */
    bool assumed_6nd;     /* nominal C is 6 N D by convention, not by record */
    LeftOut left_out;
    int notes;
    TableNote *note; /* (notes) owned */
} Table;

/** Which columns of a text hold what. NULL or "none": none does. An empty name: the column with one of the usual names
 *  (n, d, loss, c[0], seed, arm; see table_columns.c), and for the others none. */
typedef struct TableColumns {
    const char *n, *d, *loss, *weight, *keep, *arm, *seed, *width, *depth;
    const char *c[CURRENCIES];
    const char *error;   /* standard error of the loss, which gives the weights */
    const char *drop;    /* true in rows to leave out */
    const char *group;   /* names rows that may share an error */
    const char *holdout; /* true in rows to hold out */
    double unit;         /* FLOP in one unit of c[0]; 0: by the column's name, else 1 */
    NumberMark mark;     /* decimal mark; MARK_UNCLEAR: the one that all numbers of a text fit with */
} TableColumns;

/** What else is left out: arms not listed (n_arms = 0: none) and points with nominal C outside [c_min, c_max). */
typedef struct TableFilter {
    int n_arms;
    const char *const *arms;
    double c_min, c_max; /* FLOP; 0: no bound */
} TableFilter;

typedef struct TableOptions {
    TableColumns columns;
    TableFilter filter;
    LawAxes axes;      /* what a row must have: N and D; N, D or C alone */
    bool optima;       /* rows are optima, C with N* or D* or both, each an arm whose "loss" it is; weights are of N* */
    bool best;         /* of rows with the same arm, N and D only the one with the least loss */
    double cost[3];    /* kappa, mu, nu where C, N or D is missing; kappa = 0: not given */
    bool error_of_log; /* weights from standard errors are for a fit of log loss, not of the loss itself */
    Results *results;  /* on the root receives what the results files hold, appended; NULL: not wanted */
} TableOptions;

Table table_new(void);
void table_free(Table *table);

/** Whether a file is one of results: by its name, or by the first bytes of HDF5. Not collective. */
bool table_is_results(const char *path);

/** Reads all files of a fit: `*.h5` and what begins like HDF5 as results, anything else as text. Rows of a text without
 *  an arm column make an arm of the file's name, with folders as far as two files need them to differ. The root reads,
 *  all ranks end with the same table, which was new before. Errors name file, line and column. Collective. */
Err table_add_files(Table *table, int files, const char *const *paths, const TableOptions *options, const Comm *comm);

/** The same with one file. */
Err table_add_file(Table *table, const char *path, const TableColumns *columns, const TableFilter *filter,
                   const Comm *comm);

/** Appends what a results file holds: finished grid cells on the largest dataset, with their curves. Not collective. */
Err table_add_results(Table *table, const Results *results, const TableFilter *filter, const char *path);

/** The index of an arm's name, made if new; -1 when there are more than TABLE_ARMS or the name is too long. */
int table_arm(Table *table, const char *name);
/** Appends one point to the rows that are fitted, or to those that are held out. */
void table_add(Table *table, Point point);
void table_hold(Table *table, Point point);

/** Adds a note about a file (NULL: about all); the same text about several files is one note. */
void table_note(Table *table, const char *file, const char *text, ...) __attribute__((format(printf, 3, 4)));

/** FLOP in a unit of compute by its name, in any case: FLOP, GFLOP, PFLOP-days and the like; 0 for other words. */
double table_unit(const char *word);

/** Is point i a finished run of the arm? Laws, costs and isoFLOP curves are fitted to these. */
static inline bool table_final(const Table *table, int64_t i, int arm) {
    return table->at[i].arm == arm && table->at[i].final;
}
