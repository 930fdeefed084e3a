#include "results_table.h"

#include <stddef.h>
#include <string.h>

#define CELL(member, type, unit, description)                                                                          \
    { {"/cells/" #member, type, {0}, unit, description, 0}, offsetof(CellRecord, member), NULL, NULL }
#define CELL_LATER(member, type, fallback, unit, description)                                                          \
    { {"/cells/" #member, type, {0}, unit, description, 0}, offsetof(CellRecord, member), fallback, NULL }
#define CELL_TEXT(member, size, description)                                                                           \
    { {"/cells/" #member, H5_TEXT, {0}, "1", description, size}, offsetof(CellRecord, member), NULL, NULL }
#define CELL_COMPUTE(word, name, column, title, amount, unit, description)                                             \
    {{"/cells/" column, H5_F64, {0}, unit, "C: training compute " description, 0},                                     \
     offsetof(CellRecord, compute[CURRENCY_##word]),                                                                   \
     "nan",                                                                                                            \
     &currencies[CURRENCY_##word]},
#define CURVE(member, type, unit, description)                                                                         \
    { {"/curves/" #member, type, {0}, unit, description, 0}, offsetof(CurvePoint, member), NULL, NULL }
#define CURVE_COMPUTE(word, name, column, title, amount, unit, description)                                            \
    {{"/curves/" column, H5_F64, {0}, unit, "training compute so far " description, 0},                                \
     offsetof(CurvePoint, compute[CURRENCY_##word]),                                                                   \
     "nan",                                                                                                            \
     &currencies[CURRENCY_##word]},
#define MEASURE(member, type, unit, description)                                                                       \
    { {"/measures/" #member, type, {0}, unit, description, 0}, offsetof(MeasureRow, member), NULL, NULL }
#define MEASURE_TEXT(member, description)                                                                              \
    { {"/measures/" #member, H5_TEXT, {0}, "1", description, RESULTS_NAME}, offsetof(MeasureRow, member), NULL, NULL }

static const ResultsField cell_fields[] = {
    CELL_TEXT(id, RESULTS_ID, "name of the cell, unique in the study"),
    CELL_TEXT(arm, RESULTS_NAME, "model and training procedure"),
    CELL_TEXT(role, RESULTS_NAME, "grid: scaling; data: data efficiency; lr: of a sweep, not the best"),
    CELL(width, H5_I64, "1", "hidden channels (of multivectors, for gatr)"),
    CELL(depth, H5_I64, "1", "blocks"),
    CELL(heads, H5_I64, "1", "attention heads"),
    CELL_LATER(scalars, H5_I64, "-1", "1", "hidden scalar channels beside multivectors; -1: not recorded"),
    CELL_LATER(multi_query, H5_I64, "-1", "1", "1: query heads share one key and value head; -1: not recorded"),
    CELL_LATER(increase, H5_I64, "-1", "1", "factor on the channels inside the attention; -1: not recorded"),
    CELL_LATER(fixed, H5_I64, "0", "1", "fixed inputs (gatr_fixed)"),
    CELL(parameters, H5_I64, "1", "N: trainable parameters"),
    CELL(steps, H5_I64, "1", "optimiser steps"),
    CELL(batch, H5_I64, "samples", "samples a step"),
    CELL(samples, H5_I64, "samples", "D: training samples seen"),
    CELL(tokens, H5_I64, "tokens", "training tokens seen"),
    CELL(dataset, H5_I64, "trajectories", "size of the training set"),
    CELL_LATER(epochs, H5_F64, "nan", "1", "how often the training set was seen"),
    {{"/cells/data",
      H5_TEXT,
      {0},
      "1",
      "digest of the trajectories that decide its numbers; empty: not recorded",
      RESULTS_DIGEST},
     offsetof(CellRecord, data),
     "",
     NULL},
    CELL(seed, H5_I64, "1", "seed of initialisation and sample order"),
    CELL(lr, H5_F64, "1", "peak learning rate"),
    CELL_LATER(swept, H5_F64, "nan", "1",
               "what its training procedure sweeps (remul.equivariance); NaN: nothing, or not recorded"),
    CELL(dp, H5_I64, "ranks", "data-parallel ranks"),
    CELL(tp, H5_I64, "ranks", "tensor-parallel ranks"),
    CURRENCY_ROWS(CELL_COMPUTE) CELL(seconds, H5_F64, "s", "wall time of training"),
    CELL_LATER(flop_attention, H5_F64, "nan", "FLOP",
               "executed in attention (scores, weighted sums), which nominal compute leaves out"),
    CELL(loss, H5_F64, "1", "test loss at the end, relative to no motion; NaN when diverged"),
    CELL_LATER(loss_error, H5_F64, "nan", "1", "standard error of the test loss, by bootstrap over test trajectories"),
    CELL(loss_initial, H5_F64, "1", "test loss before training"),
    CELL(validation_loss, H5_F64, "1", "validation loss at the end"),
    CELL(outcome, H5_I64, "1", "0 done, 1 diverged, 2 failed"),
    CELL(attempts, H5_I64, "1", "how often the cell was started"),
    CELL(curve_points, H5_I64, "1", "rows of /curves that belong to the cell"),
    {{"/cells/numbers", H5_TEXT, {0}, "1", "names of the numbers in /curves/procedure, by comma", RESULTS_NUMBERS},
     offsetof(CellRecord, numbers),
     "",
     NULL},
};

static const ResultsField curve_fields[] = {
    CURVE(cell, H5_I64, "1", "row of the cell in /cells, from 0"),
    CURVE(step, H5_I64, "1", "optimiser steps done"),
    CURVE(samples, H5_F64, "samples", "training samples seen"),
    CURRENCY_ROWS(CURVE_COMPUTE) CURVE(loss, H5_F64, "1", "test loss, relative to no motion"),
    CURVE(train_loss, H5_F64, "1", "mean training loss since the last point"),
    CURVE(lr, H5_F64, "1", "learning rate"),
    {{"/curves/procedure", H5_F64, {CURVE_NUMBERS}, "1", "numbers of the training procedure; NaN: it has no more", 0},
     offsetof(CurvePoint, procedure),
     "nan",
     NULL},
};

static const ResultsField measure_fields[] = {
    MEASURE(cell, H5_I64, "1", "row of the cell in /cells, from 0"),
    MEASURE(step, H5_I64, "1", "optimiser steps done"),
    MEASURE_TEXT(measure, "name of the measurement"),
    MEASURE(layer, H5_I64, "1", "point on the residual stream, from 0; -1: the output"),
    MEASURE_TEXT(element, "group element or other case"),
    MEASURE(value, H5_F64, "1", "what was found"),
    MEASURE(se, H5_F64, "1", "its standard error; NaN where there is none"),
    MEASURE(samples, H5_I64, "samples", "independent samples behind it"),
};

#define TABLE(group, fields, Record, rows, at, optional, dimension)                                                    \
    {                                                                                                                  \
        group, fields, sizeof(fields) / sizeof *(fields), sizeof(Record), offsetof(Results, rows),                     \
            offsetof(Results, at), optional, {                                                                         \
            group "/" dimension, H5_I64, {0}, "1", "number of the row, from 0", 0                                      \
        }                                                                                                              \
    }
const ResultsTable results_table[RESULTS_TABLES] = {
    [RESULTS_CELLS] = TABLE("/cells", cell_fields, CellRecord, cells, cell, false, "cell"),
    [RESULTS_CURVES] = TABLE("/curves", curve_fields, CurvePoint, points, curve, false, "point"),
    [RESULTS_MEASURES] = TABLE("/measures", measure_fields, MeasureRow, measures, measure, true, "row"),
};

const H5Column results_number_scale = {"/curves/number", H5_I64, {0}, "1", "place in /curves/procedure, from 0", 0};

int64_t results_rows(const Results *r, int table) {
    int64_t rows;
    memcpy(&rows, (const char *)r + results_table[table].rows, sizeof rows);
    return rows;
}

/* Pointers of different types, so they are copied as bytes. */
void *results_records(const Results *r, int table) {
    void *records;
    memcpy(&records, (const char *)r + results_table[table].at, sizeof records);
    return records;
}

void results_set(Results *r, int table, void *records, int64_t rows) {
    memcpy((char *)r + results_table[table].at, &records, sizeof records);
    memcpy((char *)r + results_table[table].rows, &rows, sizeof rows);
}

void results_copy_column(void *column, char *records, const ResultsField *f, size_t record, int64_t rows, bool back) {
    size_t bytes = h5_row_bytes(&f->column);
    for (int64_t i = 0; i < rows; i++) {
        char *at = (char *)column + (size_t)i * bytes, *member = records + (size_t)i * record + f->offset;
        if (f->column.type == H5_TEXT && !back)
            strncpy(at, member, bytes); /* what follows the text is zeros in the file */
        else
            memcpy(back ? member : at, back ? at : member, bytes);
        if (f->column.type == H5_TEXT && back) member[bytes - 1] = 0;
    }
}
