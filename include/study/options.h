/** The study file: what is trained, on what data, in which layout. */
#pragma once

#include "infer/fit_options.h"
#include "par/options.h"
#include "study/arm.h"
#include "study/data_options.h"
#include "train/trainer.h"

enum { STUDY_ARMS = 16, STUDY_KINDS = 8, STUDY_PROCEDURES = 16 };
/* Tables of keys: eight of the study's own, then one per procedure and per measurement. */
enum { STUDY_TABLES = 8 + STUDY_PROCEDURES + MEASURE_CHOICE };

/** Learning rate of an arm, keys `<arm>.*`, for N parameters and a training of S steps:
 *  peak = lr (N / 1e5)^-lr_exponent min(1, (S / lr_steps)^-lr_steps_exponent); several values of lr are swept. */
typedef struct RateOptions {
    RealList lr;
    double lr_exponent, lr_steps, lr_steps_exponent;
} RateOptions;

/** A grid by compute: each size gets the steps that meet each budget (study/budget.h). */
typedef struct BudgetOptions {
    RealList budgets; /* FLOP */
    int currency;     /* CURRENCY_NOMINAL or CURRENCY_EXECUTED */
    IntList seeds;    /* how many for each budget; one entry: for all */
    int64_t sizes;    /* that meet a budget, nearest to the expected optimum; 0: all */
    int64_t steps_min, steps_max;
    double ratio_min, ratio_max; /* D / N */
} BudgetOptions;

/** What one arm does at the budgets, keys `<arm>.*`. */
typedef struct ArmBudgets {
    double optimum, optimum_exponent; /* expected best N at 1e12 FLOP and how it grows; 0: nothing is expected */
    int64_t sizes;                    /* as in BudgetOptions; 0: what stands there */
    IntList seeds;                    /* likewise; empty: what stands there */
} ArmBudgets;

/** Keys `run.*`: how a run goes about it. They decide no number. */
typedef struct RunOptions {
    double checkpoint; /* s between two checkpoints of a cell; 0: as often as costs 1 % */
    double limit;      /* s from the start of the program to its stop; 0: none */
    int64_t memory;    /* MiB of a node; 0: what it has */
    double say;        /* s between two lines of a log file while cells are at work */
    int64_t watchdog;  /* s without a pass through the model after which the job is ended; 0: never */
} RunOptions;

/** Which final weights are kept; the best of an arm is that of the lowest validation loss. */
typedef enum KeepWeights { KEEP_NONE, KEEP_BEST, KEEP_ALL } KeepWeights;

typedef struct StudyOptions {
    char name[OPTION_TEXT], folder[OPTION_TEXT];
    WordList arms;
    IntList steps, seeds, datasets;
    BudgetOptions budget;
    bool repeat;        /* a cell of role grid may see a training sample twice */
    int64_t data_size;  /* index of the size at which the smaller datasets are run too */
    IntList data_steps; /* and their steps */
    IntList data_seeds; /* and their seeds; empty: those of the grid */
    int64_t test_trajectories, validation_trajectories, test_samples, validation_samples;
    int64_t data_memory; /* MiB */
    int64_t dp, tp;      /* of every cell; both 0: chosen for each (study/plan.h) */
    bool fit;
    ModelSizes sizes[STUDY_KINDS];           /* keys `<model>.*`, in the order of model_kinds */
    RateOptions rates[STUDY_ARMS];           /* in the order of arms */
    ArmBudgets arm_budgets[STUDY_ARMS];      /* likewise */
    OptionRoom procedures[STUDY_PROCEDURES]; /* keys `<procedure>.*`, in the order of procedures */
    WordList measures;                       /* measurements on finished models; empty: none */
    MeasureOptions measure;
    OptionRoom measure_options[MEASURE_CHOICE]; /* keys `<measure>.*`, in the order of measures */
    MeasureChoice chosen;                       /* what these say; points into this struct */
    TrainOptions train;
    DataOptions data;
    RunOptions run;
    int keep_weights; /* KeepWeights */
} StudyOptions;

/** Keys `study.*` that say what losses are measured on. */
extern const KeySpec study_held_out_keys[];
extern const int n_study_held_out_keys;

/** Reads every key; refuses unknown ones and lists that do not fit together. Call after options_load. */
Err study_options_read(StudyOptions *out);

/** The same of a study that was run, from its record (study_options_text, among other lines), without a look at what its keys say
 *  together. Errors name origin and key. Not collective. */
Err study_options_recorded(StudyOptions *out, const char *record, const char *origin);

/** Trajectories of the largest training set, which the grid uses. */
int64_t study_options_trajectories(const StudyOptions *options);

/** The structs that the keys of a model and of a procedure have filled. Not collective. */
const ModelSizes *study_options_sizes(const StudyOptions *options, const ModelKind *kind);
const void *study_options_procedure(const StudyOptions *options, const Procedure *procedure);

/** All keys with their values but run.*, one a line; mem_free it. */
char *study_options_text(const StudyOptions *options);

/** A study file that gives every key the value it has, those of its fit too; mem_free it. */
char *study_options_yaml(const StudyOptions *options, const FitOptions *fit);

/** The tables of all these keys, with the structs that they filled; options may be NULL. Returns how many. */
int study_key_tables(KeyTable tables[STUDY_TABLES], const StudyOptions *options);

/** How many of fit_keys a study file may hold: those of the section fit, which come first. */
int study_fit_keys(void);

/** For a command that uses few of the keys, or none, but takes a study file: options_ignore for the others. */
Err study_options_ignore(void);
