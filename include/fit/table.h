/** The one input of every fit: a table of points (arm, N, D, C in three currencies, loss), from results.h5 or from CSV.
 *
 *  N: trainable parameters. D: training samples of a results file, whatever unit the D column of a CSV has. C in three
 *  currencies: nominal FLOP, executed FLOP, core-seconds; a CSV without a compute column gets nominal C = 6 N D.
 *  `final` points are finished runs: laws and isoFLOP curves are fitted to them. The others are points of learning
 *  curves of unfinished schedules, which only the envelope and the surrogate use. */
#pragma once

#include "base/err.h"
#include "io/results.h"
#include "par/comm.h"

#include <stdbool.h>
#include <stdint.h>

enum { TABLE_ARMS = 16, TABLE_NAME = 48 };

typedef struct Point {
    double n, d;
    double c[CURRENCIES]; /* NaN where unknown */
    double loss, weight;
    int64_t seed, dataset; /* dataset: training trajectories, 0 when unknown */
    int64_t cell;          /* the run this is a point of */
    int64_t batch;         /* samples a step; 0 when unknown, as the sizes below */
    int width, depth, heads;
    int arm;
    bool final;
} Point;

/** Why rows are missing from a fit. */
typedef struct LeftOut {
    int64_t keep;    /* keep column was 0 */
    int64_t range;   /* C outside the asked-for range */
    int64_t arm;     /* arm not asked for */
    int64_t loss;    /* loss missing, NaN or not positive */
    int64_t outcome; /* cell diverged or failed */
    int64_t role;    /* cell of another purpose than the grid */
    int64_t dataset; /* grid cell on a smaller dataset than the largest */
} LeftOut;

typedef struct Table {
    int64_t n, capacity;
    Point *at; /* (n) ordered by file, then row; owned */
    int64_t cells;
    int arms;
    char arm[TABLE_ARMS][TABLE_NAME];
    bool has[CURRENCIES]; /* every point has C in this currency */
    bool assumed_6nd;     /* nominal C is 6 N D by convention, not by record */
    LeftOut left_out;
} Table;

/** Which CSV columns hold what; an empty name: none. */
typedef struct TableColumns {
    const char *n, *d, *loss, *weight, *keep, *arm, *seed, *width, *depth;
    const char *c[CURRENCIES];
} TableColumns;

/** What else is left out: arms not listed (n_arms = 0: none) and points with nominal C outside [c_min, c_max]. */
typedef struct TableFilter {
    int n_arms;
    const char (*arms)[32];
    double c_min, c_max; /* FLOP; 0: no bound */
} TableFilter;

Table table_new(void);
void table_free(Table *table);

/** Appends a file: `*.h5` is read as results, anything else as CSV (comment lines start with #, the first other line
 *  names the columns). The root reads, all ranks end with the same table. Errors name file, line and column.
 *  Collective. */
Err table_add_file(Table *table, const char *path, const TableColumns *columns, const TableFilter *filter,
                   const Comm *comm);

/** Appends what a results file holds: finished grid cells on the largest dataset, with their curves. Not collective. */
Err table_add_results(Table *table, const Results *results, const TableFilter *filter, const char *path);

/** Appends one point. arm: the index of its name, made if new; -1 when there are more than TABLE_ARMS. */
int table_arm(Table *table, const char *name);
void table_add(Table *table, Point point);

/** Is point i a finished run of the arm? Laws, costs and isoFLOP curves are fitted to these. */
static inline bool table_final(const Table *table, int64_t i, int arm) {
    return table->at[i].arm == arm && table->at[i].final;
}
