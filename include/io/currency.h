/** Compute currencies: what the cost C of training is counted in. One row each, which the columns of /cells and /curves,
 *  the keys and the JSON of a fit, its text and the report page are made from. To add one: a row here, and the trainer
 *  that fills its entry of `compute` in CellRecord and CurvePoint; a file without its column has NaN there. */
#pragma once

/* ROW(WORD, name, column, title, amount, unit, description). Nominal compute comes first: every table of a fit has it,
 * measured or as 6 N D. The others may be unknown. */
#define CURRENCY_ROWS(ROW)                                                                                             \
    ROW(NOMINAL, "nominal", "flop_nominal", "nominal compute", "nominal FLOP", "FLOP",                                 \
        "by the reference's convention")                                                                               \
    CURRENCY_ROWS_BESIDE(ROW)
#define CURRENCY_ROWS_BESIDE(ROW)                                                                                      \
    ROW(EXECUTED, "executed", "flop_executed", "executed compute", "executed FLOP", "FLOP", "that the kernels did")    \
    ROW(CORE_SECONDS, "core_seconds", "core_seconds", "measured time", "core-seconds", "core-seconds",                 \
        "as wall time of training times ranks")                                                                        \
    ROW(JOULES, "joules", "joules", "measured energy", "joules", "J",                                                  \
        "as energy of the nodes, NaN where they do not say")                                                           \
    ROW(CPU_SECONDS, "cpu_seconds", "cpu_seconds", "processor time", "CPU-seconds", "CPU-seconds",                     \
        "as processor time of training, over all ranks")

enum {
#define CURRENCY_WORD(word, ...) CURRENCY_##word,
    CURRENCY_ROWS(CURRENCY_WORD)
#undef CURRENCY_WORD
        CURRENCIES
};

typedef struct Currency {
    const char *name;        /* in keys and JSON: executed */
    const char *column;      /* of /cells and /curves: flop_executed */
    const char *title;       /* of axes and tables: executed compute */
    const char *amount;      /* after a number: executed FLOP */
    const char *unit;        /* FLOP */
    const char *description; /* training compute ... */
} Currency;

extern const Currency currencies[CURRENCIES];
