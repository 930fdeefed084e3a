#include "study/options.h"

#include "base/arena.h"
#include "base/text.h"
#include "study/measure.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define AT(member) offsetof(StudyOptions, member)
static const KeySpec study_keys[] = {
    {"study.name", KEY_WORD, AT(name), NULL, 0, 0, NULL, "1", "name of the study and of its folder"},
    {"study.folder", KEY_WORD, AT(folder), "runs", 0, 0, NULL, "1", "folder that holds the studies"},
    {"study.steps", KEY_INTS, AT(steps), "", 1, 1e9, NULL, "steps", "training lengths, optimiser steps"},
    {"study.seeds", KEY_INTS, AT(seeds), "1", 0, 1e9, NULL, "1", "seeds of initial parameters and sample order"},
    {"study.budgets", KEY_REALS, AT(budget.budgets), "", 1, 1e30, NULL, "FLOP",
     "training compute: each size gets the steps that meet each of these"},
    {"study.budget_currency", KEY_CHOICE, AT(budget.currency), "executed", 0, 0, "nominal|executed", "1",
     "what budgets count: FLOP that the kernels do, or by the reference's convention"},
    {"study.budget_seeds", KEY_INTS, AT(budget.seeds), "1", 1, 1000, NULL, "1",
     "number of seeds (1, 2, ...) at each budget; one entry: at all"},
    {"study.budget_sizes", KEY_INT, AT(budget.sizes), "0", 0, OPTION_LIST, NULL, "1",
     "sizes at each budget, those nearest to ARM.optimum; 0: all that the limits allow"},
    {"study.budget_steps_min", KEY_INT, AT(budget.steps_min), "500", 1, 1e9, NULL, "steps",
     "a size that would meet a budget in fewer steps is left out of it"},
    {"study.budget_steps_max", KEY_INT, AT(budget.steps_max), "1000000", 1, 1e9, NULL, "steps",
     "likewise with more steps"},
    {"study.budget_ratio_min", KEY_REAL, AT(budget.ratio_min), "0", 0, 1e15, NULL, "samples",
     "likewise with fewer training samples per parameter, D / N"},
    {"study.budget_ratio_max", KEY_REAL, AT(budget.ratio_max), "1e15", 0, 1e15, NULL, "samples", "likewise with more"},
    {"study.repeat", KEY_BOOL, AT(repeat), "false", 0, 0, NULL, "1",
     "cells of the grid may see a training sample more than once"},
    {"study.datasets", KEY_INTS, AT(datasets), NULL, 1, 1e9, NULL, "trajectories",
     "sizes of the training set; the grid uses the largest"},
    {"study.data_size", KEY_INT, AT(data_size), "0", 0, OPTION_LIST - 1, NULL, "1",
     "which model size (0: the first) is run on the smaller training sets too"},
    {"study.data_steps", KEY_INTS, AT(data_steps), "1000", 1, 1e9, NULL, "steps",
     "training lengths on all training sets at that size"},
    {"study.data_seeds", KEY_INTS, AT(data_seeds), "", 0, 1e9, NULL, "1", "their seeds; empty: those of study.seeds"},
    {"study.data_memory", KEY_INT, AT(data_memory), "2048", 0, 1 << 20, NULL, "MiB",
     "a dataset of at most this size is kept in memory, once on each node; larger ones are read as they are used"},
    {"study.keep_weights", KEY_CHOICE, AT(keep_weights), "none", 0, 0, "none|best|all", "1",
     "final weights that are kept: of no cell, of the best of each arm, of all"},
    {"study.fit", KEY_BOOL, AT(fit), "true", 0, 0, NULL, "1", "fit the laws when the cells are done"},
    {"layout.dp", KEY_INT, AT(dp), "auto", 0, 1 << 20, "auto", "ranks",
     "data-parallel ranks of every cell; `layout: auto`: the program chooses for each, as with 0; 1 where only "
     "layout.tp is given",
     "1"},
    {"layout.tp", KEY_INT, AT(tp), "auto", 0, 1 << 10, "auto", "ranks",
     "tensor-parallel ranks of every cell; `layout: auto`: the program chooses for each, as with 0; 1 where only "
     "layout.dp is given",
     "1"},
};
/* These decide what a cell's losses are measured on. */
const KeySpec study_held_out_keys[] = {
    {"study.test_trajectories", KEY_INT, AT(test_trajectories), "128", 1, 1e9, NULL, "trajectories",
     "held out for the test set: the first of the file"},
    {"study.validation_trajectories", KEY_INT, AT(validation_trajectories), "64", 1, 1e9, NULL, "trajectories",
     "held out to choose between learning rates: the next ones"},
    {"study.test_samples", KEY_INT, AT(test_samples), "0", 0, 1e9, NULL, "samples",
     "samples of the fixed test set; 0: all that its trajectories have"},
    {"study.validation_samples", KEY_INT, AT(validation_samples), "0", 0, 1e9, NULL, "samples",
     "samples of the fixed validation set; 0: all"},
};
const int n_study_held_out_keys = sizeof study_held_out_keys / sizeof *study_held_out_keys;

static const KeySpec run_keys[] = {
    {"run.checkpoint", KEY_REAL, AT(run.checkpoint), "0", 0, 1e9, NULL, "s",
     "time between two checkpoints of a cell; 0: as often as costs 1 % of the time, and at most every 10 s"},
    {"run.limit", KEY_REAL, AT(run.limit), "0", 0, 1e9, NULL, "s",
     "the program saves and stops this long after its start; 0: no limit but that of the Slurm job"},
    {"run.memory", KEY_INT, AT(run.memory), "0", 0, 1 << 30, NULL, "MiB",
     "memory of a node: cells that need more are refused; 0: what it has"},
    {"run.say", KEY_REAL, AT(run.say), "60", 0.1, 1e9, NULL, "s",
     "a log file gets a line this often while cells are at work; a terminal has a live one"},
    {"run.watchdog", KEY_INT, AT(run.watchdog), "1800", 0, 1e9, NULL, "s",
     "a rank whose cell makes no pass through its model for this long hangs, and the job is ended; 0: it may"},
};
enum { N_RUN_KEYS = sizeof run_keys / sizeof *run_keys };
#undef AT
enum { N_STUDY_KEYS = sizeof study_keys / sizeof *study_keys };

/* The keys of models and arms are made from their lists, so that neither needs to be named here. */
/* SIZE_KEYS: the most that a model may have. */
enum { SIZE_KEYS = 10, ARM_KEYS = 8, MADE_KEYS = 2 + SIZE_KEYS * STUDY_KINDS + ARM_KEYS * STUDY_ARMS };
static KeySpec made[MADE_KEYS];
enum { CHOICES = 1024 };
static char names[MADE_KEYS][64], arm_names[CHOICES], measure_names[CHOICES];
static int n_made;
/* Whom a made key serves; neither: every study. */
static struct {
    const ModelKind *kind;
    const Arm *arm;
} serves[MADE_KEYS];

static void make_key(const char *owner, const char *key, KeyType type, size_t offset, const char *fallback, double lo,
                     double hi, const char *choices, const char *unit, const char *help) {
    CHECK(n_made < MADE_KEYS, "more than %d keys of models and arms", MADE_KEYS);
    int length = snprintf(names[n_made], sizeof names[n_made], "%s.%s", owner, key);
    CHECK(length < (int)sizeof names[n_made], "key %s.%s is longer than %zu letters", owner, key,
          sizeof names[n_made] - 1);
    for (int i = 0; i < n_made; i++)
        CHECK(strcmp(names[i], names[n_made]),
              "two keys are %s: each model and arm wants a name of its own, and no key of sizes one that arms have",
              names[i]);
    made[n_made] = (KeySpec){names[n_made], type, offset, fallback, lo, hi, choices, unit, help};
    n_made++;
}

static void add_choice(char list[CHOICES], const char *name) {
    size_t used = strlen(list);
    int length = snprintf(list + used, CHOICES - used, "%s%s", used ? "|" : "", name);
    CHECK(used + (size_t)length < CHOICES, "no room for %s behind %s", name, list);
}

/* The keys of a procedure or measurement fill an OptionRoom. */
static void check_room(const char *owner, const KeySpec *keys, int n) {
    static const size_t size[] = {
        [KEY_INT] = sizeof(int64_t),    [KEY_REAL] = sizeof(double),   [KEY_BOOL] = sizeof(bool),
        [KEY_WORD] = OPTION_TEXT,       [KEY_CHOICE] = sizeof(int),    [KEY_INTS] = sizeof(IntList),
        [KEY_REALS] = sizeof(RealList), [KEY_WORDS] = sizeof(WordList)};
    for (int i = 0; i < n; i++)
        CHECK(keys[i].offset + size[keys[i].type] <= OPTION_ROOM,
              "%s: key %s ends after %zu bytes of options: want at most %d", owner, keys[i].key,
              keys[i].offset + size[keys[i].type], OPTION_ROOM);
}

static void check_arm(const Arm *a) {
    bool kind = false, procedure = false;
    CHECK(a->name && a->kind && a->procedure && a->lr && a->lr_exponent && a->lr_steps && a->lr_steps_exponent,
          "arm %s lacks a member", a->name ? a->name : "without a name");
    size_t plain = strspn(a->name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    CHECK(plain && plain == strlen(a->name) && plain < RESULTS_NAME,
          "arm %s: want a name of at most %d small letters, digits and _, as it is part of keys and files", a->name,
          RESULTS_NAME - 1);
    for (int k = 0; k < n_model_kinds; k++) kind |= model_kinds[k] == a->kind;
    for (int p = 0; p < n_procedures; p++) procedure |= procedures[p] == a->procedure;
    CHECK(kind, "arm %s: its model is not in model_kinds, nn/model.c", a->name);
    CHECK(procedure, "arm %s: its procedure is not in procedures, train/procedure.c", a->name);
    CHECK(!a->procedure->input_gradient || (a->kind->embed_backward && !a->upright),
          "arm %s: its procedure asks for a gradient by scenes, which %s has not", a->name,
          a->upright ? "an upright arm" : a->kind->name);
}

/* What whoever adds a line to a list may have left out, before any study meets it. */
static void check_lists(void) {
    CHECK(n_model_kinds <= STUDY_KINDS, "%d models: want STUDY_KINDS as large", n_model_kinds);
    CHECK(n_arms <= STUDY_ARMS, "%d arms: want STUDY_ARMS as large", n_arms);
    CHECK(n_procedures <= STUDY_PROCEDURES, "%d procedures: want STUDY_PROCEDURES as large", n_procedures);
    CHECK(n_measures <= MEASURE_CHOICE, "%d measurements: want MEASURE_CHOICE as large", n_measures);
    for (int k = 0; k < n_model_kinds; k++) {
        const char *lacks = model_kind_lacks(model_kinds[k]);
        CHECK(!lacks, "model %s lacks %s", model_kinds[k]->name ? model_kinds[k]->name : "without a name", lacks);
    }
    for (int p = 0; p < n_procedures; p++) {
        CHECK(procedures[p]->name && procedures[p]->fill, "procedure %d lacks name or fill", p);
        CHECK(!procedures[p]->state == !procedures[p]->restore, "procedure %s lacks state or restore",
              procedures[p]->name);
        CHECK(!procedures[p]->numbers == !procedures[p]->number[0], "procedure %s lacks numbers or their names",
              procedures[p]->name);
        check_room(procedures[p]->name, procedures[p]->keys, procedures[p]->n_keys);
    }
    for (int m = 0; m < n_measures; m++) {
        const Measure *measure = measures[m];
        CHECK(measure->name && measure->unit && measure->description && measure->passes && measure->run,
              "measurement %d lacks name, unit, description, passes or run", m);
        check_room(measure->name, measure->keys, measure->n_keys);
    }
    for (int a = 0; a < n_arms; a++) check_arm(&arms[a]);
}

static void make_keys(void) {
    if (n_made) return;
    check_lists();
    for (int i = 0; i < n_arms; i++) add_choice(arm_names, arms[i].name);
    for (int i = 0; i < n_measures; i++) add_choice(measure_names, measures[i]->name);
    make_key("study", "measures", KEY_WORDS, offsetof(StudyOptions, measures), "equivariance", 0, 0, measure_names, "1",
             "what is measured on finished models; [] for nothing");
    make_key("study", "arms", KEY_WORDS, offsetof(StudyOptions, arms), NULL, 0, 0, arm_names, "1", "arms to compare");
    for (int k = 0; k < n_model_kinds; k++) {
        size_t at = offsetof(StudyOptions, sizes) + (size_t)k * sizeof(ModelSizes);
        CHECK(model_kinds[k]->n_size_keys <= SIZE_KEYS, "%d keys of %s", model_kinds[k]->n_size_keys,
              model_kinds[k]->name);
        for (int i = 0; i < model_kinds[k]->n_size_keys; i++) {
            const KeySpec *size = &model_kinds[k]->size_keys[i];
            serves[n_made].kind = model_kinds[k];
            make_key(model_kinds[k]->name, size->key, size->type, at + size->offset, size->fallback, size->lo, size->hi,
                     size->choices, size->unit, size->help);
        }
    }
    for (int a = 0; a < n_arms; a++) {
        size_t at = offsetof(StudyOptions, rates) + (size_t)a * sizeof(RateOptions);
        for (int i = 0; i < ARM_KEYS; i++) serves[n_made + i].arm = &arms[a];
        make_key(arms[a].name, "lr", KEY_REALS, at + offsetof(RateOptions, lr), arms[a].lr, 1e-12, 1e12, NULL, "1",
                 "peak learning rate at N = 1e5; several are swept");
        make_key(arms[a].name, "lr_exponent", KEY_REAL, at + offsetof(RateOptions, lr_exponent), arms[a].lr_exponent,
                 -2, 2, NULL, "1", "the peak learning rate falls as N to this power");
        make_key(arms[a].name, "lr_steps", KEY_REAL, at + offsetof(RateOptions, lr_steps), arms[a].lr_steps, 1, 1e9,
                 NULL, "steps", "beyond this training length the peak learning rate falls");
        make_key(arms[a].name, "lr_steps_exponent", KEY_REAL, at + offsetof(RateOptions, lr_steps_exponent),
                 arms[a].lr_steps_exponent, -2, 2, NULL, "1", "as the length to this power");
        at = offsetof(StudyOptions, arm_budgets) + (size_t)a * sizeof(ArmBudgets);
        make_key(arms[a].name, "optimum", KEY_REAL, at + offsetof(ArmBudgets, optimum), "0", 0, 1e15, NULL, "1",
                 "expected best N at 1e12 FLOP, for study.budget_sizes; 0: nothing is expected");
        make_key(arms[a].name, "optimum_exponent", KEY_REAL, at + offsetof(ArmBudgets, optimum_exponent), "0.3", 0, 1,
                 NULL, "1", "the expected best N grows as compute to this power");
        make_key(arms[a].name, "budget_sizes", KEY_INT, at + offsetof(ArmBudgets, sizes), "0", 0, OPTION_LIST, NULL,
                 "1", "sizes of this arm at each budget; 0: study.budget_sizes");
        make_key(arms[a].name, "budget_seeds", KEY_INTS, at + offsetof(ArmBudgets, seeds), "", 1, 1000, NULL, "1",
                 "number of seeds of this arm at each budget; empty: study.budget_seeds");
    }
}

typedef struct Part {
    const KeySpec *specs;
    int n;
    size_t offset; /* of the struct that it fills, in StudyOptions */
} Part;

/* Every table of keys that a study file may hold; returns how many. */
static int parts_of(Part parts[STUDY_TABLES]) {
    int n = 0;
    make_keys();
    parts[n++] = (Part){study_keys, N_STUDY_KEYS, 0};
    parts[n++] = (Part){study_held_out_keys, n_study_held_out_keys, 0};
    parts[n++] = (Part){made, n_made, 0};
    parts[n++] = (Part){train_keys, n_train_keys, offsetof(StudyOptions, train)};
    parts[n++] = (Part){train_means_keys, n_train_means_keys, offsetof(StudyOptions, train)};
    parts[n++] = (Part){data_keys, n_data_keys, offsetof(StudyOptions, data)};
    parts[n++] = (Part){run_keys, N_RUN_KEYS, 0};
    parts[n++] = (Part){measure_keys, n_measure_keys, offsetof(StudyOptions, measure)};
    for (int p = 0; p < n_procedures; p++) {
        size_t at = offsetof(StudyOptions, procedures) + (size_t)p * sizeof(OptionRoom);
        if (procedures[p]->n_keys) parts[n++] = (Part){procedures[p]->keys, procedures[p]->n_keys, at};
    }
    for (int m = 0; m < n_measures; m++) {
        size_t at = offsetof(StudyOptions, measure_options) + (size_t)m * sizeof(OptionRoom);
        if (measures[m]->n_keys) parts[n++] = (Part){measures[m]->keys, measures[m]->n_keys, at};
    }
    return n;
}

int study_key_tables(KeyTable tables[STUDY_TABLES], const StudyOptions *options) {
    Part parts[STUDY_TABLES];
    int n = parts_of(parts);
    for (int i = 0; i < n; i++)
        tables[i] = (KeyTable){parts[i].specs, parts[i].n, options ? (const char *)options + parts[i].offset : NULL};
    return n;
}

int study_fit_keys(void) {
    int n = 0;
    while (n < n_fit_keys && !strncmp(fit_keys[n].key, "fit.", 4)) n++;
    return n;
}

char *study_options_yaml(const StudyOptions *options, const FitOptions *fit) {
    KeyTable tables[STUDY_TABLES + 1];
    int n = study_key_tables(tables, options);
    tables[n++] = (KeyTable){fit_keys, study_fit_keys(), fit};
    return options_yaml(tables, n);
}

const ModelSizes *study_options_sizes(const StudyOptions *options, const ModelKind *kind) {
    for (int k = 0; k < n_model_kinds; k++)
        if (model_kinds[k] == kind) return &options->sizes[k];
    CHECK(false, "model %s is not in the list", kind->name);
}

const void *study_options_procedure(const StudyOptions *options, const Procedure *procedure) {
    for (int p = 0; p < n_procedures; p++)
        if (procedures[p] == procedure) return &options->procedures[p];
    CHECK(false, "procedure %s is not in the list", procedure->name);
}

static Err twice(const char *owner, const char *key, const char *value) {
    return err_user("%s: %s%s lists %s twice: want each once", options_source(), owner, key, value);
}

static Err check_ints(const char *key, const IntList *list) {
    char value[32];
    for (int i = 0; i < list->n; i++)
        for (int k = 0; k < i; k++) {
            snprintf(value, sizeof value, "%lld", (long long)list->at[i]);
            if (list->at[i] == list->at[k]) return twice("", key, value);
        }
    return ERR_NONE;
}

static Err check_rates(const char *arm, const RealList *list) {
    char value[32];
    for (int i = 0; i < list->n; i++)
        for (int k = 0; k < i; k++) {
            snprintf(value, sizeof value, "%g", list->at[i]);
            if (list->at[i] == list->at[k]) return twice(arm, ".lr", value);
        }
    return ERR_NONE;
}

/* A cell that the grid lists twice would be trained twice and count twice in a fit. */
static Err check_twice(const StudyOptions *o) {
    for (int i = 0; i < o->arms.n; i++) {
        const Arm *arm = arm_find(o->arms.at[i]);
        for (int k = 0; k < i; k++)
            if (!strcmp(o->arms.at[i], o->arms.at[k])) return twice("", "study.arms", arm->name);
        TRY(check_rates(arm->name, &o->rates[arm - arms].lr));
    }
    TRY(check_ints("study.seeds", &o->seeds));
    TRY(check_ints("study.steps", &o->steps));
    TRY(check_ints("study.data_steps", &o->data_steps));
    TRY(check_ints("study.data_seeds", &o->data_seeds));
    return check_ints("study.datasets", &o->datasets);
}

/* An entry of a list that may be left out. */
static int64_t entry(const IntList *list, int i, int64_t otherwise) {
    return list->n ? list->at[i] : otherwise;
}

/* Scalar channels of a size: twice the width unless they are listed. */
static int64_t scalars_of(const ModelSizes *s, int size) {
    return entry(&s->scalars, size, 2 * s->width.at[size]);
}

static Err check_sizes_differ(const ModelSizes *s, const char *model) {
    char value[96];
    for (int i = 0; i < s->width.n; i++)
        for (int k = 0; k < i; k++) {
            if (s->width.at[i] != s->width.at[k] || scalars_of(s, i) != scalars_of(s, k) ||
                s->depth.at[i] != s->depth.at[k] || s->heads.at[i] != s->heads.at[k] ||
                entry(&s->fixed, i, 0) != entry(&s->fixed, k, 0))
                continue;
            snprintf(value, sizeof value, "the size of width %lld, depth %lld, heads %lld", (long long)s->width.at[i],
                     (long long)s->depth.at[i], (long long)s->heads.at[i]);
            return twice(model, ".width", value);
        }
    return ERR_NONE;
}

static Err check_sizes(const StudyOptions *o, const ModelKind *kind) {
    const ModelSizes *s = study_options_sizes(o, kind);
    const char *name = kind->name;
    bool heads = model_has_key(kind, "heads");
    int n = s->width.n;
    if (n == 0)
        return err_user("%s: key %s.width is missing: want one width for each model size", options_source(), name);
    if (s->depth.n != n || (heads && s->heads.n != n))
        return err_user("%s: %s.depth%s%s%s: want one entry for each width, %d each", options_source(), name,
                        heads ? " and " : "", heads ? name : "", heads ? ".heads" : "", n);
    if (s->scalars.n && s->scalars.n != n)
        return err_user("%s: %s.scalars: want one entry for each width, %d", options_source(), name, n);
    if (s->fixed.n && s->fixed.n != n)
        return err_user("%s: %s.fixed: want one entry for each width, %d", options_source(), name, n);
    TRY(check_sizes_differ(s, name));
    if (o->datasets.n > 1 && o->data_size >= n)
        return err_user("%s: study.data_size = %lld: want 0 to %d, the last size of %s", options_source(),
                        (long long)o->data_size, n - 1, name);
    return ERR_NONE;
}

static Err check_seeds(const StudyOptions *o, const char *whose, const IntList *seeds) {
    if (seeds->n == 1 || seeds->n == o->budget.budgets.n) return ERR_NONE;
    return err_user("%s: %s.budget_seeds: want one entry, or one for each of study.budgets", options_source(), whose);
}

/* The name of a folder, and a word in lines of the log. */
static bool is_plain(const char *name) {
    for (const char *c = name; *c; c++)
        if (*c == '/' || iscntrl((unsigned char)*c)) return false;
    return *name && *name != '.' && strlen(name) < RESULTS_NAME;
}

static Err check_together(const StudyOptions *o) {
    TRY(data_check(&o->data));
    if (!is_plain(o->name))
        return err_user("%s: study.name = %s: want a plain word of at most %d letters", options_source(), o->name,
                        RESULTS_NAME - 1);
    if (!o->arms.n) return err_user("%s: study.arms: want at least one of %s", options_source(), arm_names);
    TRY(check_seeds(o, "study", &o->budget.seeds));
    for (int i = 0; i < o->arms.n; i++) {
        const Arm *arm = arm_find(o->arms.at[i]);
        const IntList *seeds = &o->arm_budgets[arm - arms].seeds;
        TRY(check_sizes(o, arm->kind));
        if (seeds->n) TRY(check_seeds(o, arm->name, seeds));
        if (arm->upright && (o->data.inputs == DATA_NO_GRAVITY || o->data.inputs == DATA_NONE))
            return err_user("%s: data.inputs: %s turns scenes by their gravity: want full, geometry or no_floor",
                            options_source(), arm->name);
        if (!o->rates[arm - arms].lr.n)
            return err_user("%s: %s.lr: want at least one learning rate", options_source(), arm->name);
    }
    if (!o->steps.n && !o->budget.budgets.n)
        return err_user("%s: study.steps, study.budgets: want an entry of one of them at least", options_source());
    if (!o->seeds.n || !o->datasets.n)
        return err_user("%s: study.seeds, study.datasets: want at least one entry each", options_source());
    return check_twice(o);
}

/* Whether an arm of the study is this one, or has this model or this procedure; NULL: which nothing has. */
static bool has_arm(const StudyOptions *o, const Arm *arm, const ModelKind *kind, const Procedure *procedure) {
    bool found = false;
    for (int i = 0; i < o->arms.n; i++) {
        const Arm *a = arm_find(o->arms.at[i]);
        found |= a == arm || a->kind == kind || a->procedure == procedure;
    }
    return found;
}

static bool has_measure(const StudyOptions *o, const Measure *measure) {
    bool found = false;
    for (int i = 0; i < o->chosen.n; i++) found |= o->chosen.at[i].measure == measure;
    return found;
}

static Err refuse_all(const KeySpec *specs, int n, const char *reason) {
    for (int k = 0; k < n; k++) TRY(options_refuse(specs[k].key, reason));
    return ERR_NONE;
}

/* A file may keep keys of arms and measurements that are not in the study; who gives one on the command line expects
 * something of it. */
static Err check_effects(const StudyOptions *o) {
    const char *no_arm = "want an arm in study.arms that uses it";
    for (int i = 0; i < n_made; i++) {
        bool served = (!serves[i].arm && !serves[i].kind) || has_arm(o, serves[i].arm, serves[i].kind, NULL);
        if (!served) TRY(options_refuse(made[i].key, no_arm));
    }
    for (int p = 0; p < n_procedures; p++) {
        const Procedure *procedure = procedures[p];
        if (!has_arm(o, NULL, NULL, procedure)) TRY(refuse_all(procedure->keys, procedure->n_keys, no_arm));
    }
    for (int m = 0; m < n_measures; m++)
        if (!has_measure(o, measures[m]))
            TRY(refuse_all(measures[m]->keys, measures[m]->n_keys, "want its measurement in study.measures"));
    return ERR_NONE;
}

Err study_options_read(StudyOptions *out) {
    Part parts[STUDY_TABLES];
    int n = parts_of(parts);
    memset(out, 0, sizeof *out);
    for (int i = 0; i < n; i++) TRY(options_read((char *)out + parts[i].offset, parts[i].specs, parts[i].n));
    TRY(options_unknown());
    out->train.rank_bytes = (out->run.memory << 20) / comm_node_ranks();
    if (out->dp && !out->tp) out->tp = 1;
    if (out->tp && !out->dp) out->dp = 1;
    TRY(study_measures(out));
    TRY(check_effects(out));
    return check_together(out);
}

Err study_options_recorded(StudyOptions *out, const char *record, const char *origin) {
    Part parts[STUDY_TABLES];
    int n = parts_of(parts);
    memset(out, 0, sizeof *out);
    for (int i = 0; i < n; i++)
        TRY(options_recorded((char *)out + parts[i].offset, parts[i].specs, parts[i].n, record, origin));
    return ERR_NONE;
}

Err study_options_ignore(void) {
    KeyTable t[STUDY_TABLES];
    int n = study_key_tables(t, NULL);
    for (int i = 0; i < n; i++) TRY(options_ignore(t[i].specs, t[i].n));
    return ERR_NONE;
}

int64_t study_options_trajectories(const StudyOptions *o) {
    int64_t most = 0;
    for (int i = 0; i < o->datasets.n; i++)
        if (o->datasets.at[i] > most) most = o->datasets.at[i];
    return most;
}

char *study_options_text(const StudyOptions *options) {
    KeyTable t[STUDY_TABLES];
    int n = study_key_tables(t, options);
    Text all = {0};
    for (int i = 0; i < n; i++) {
        if (t[i].specs == run_keys) continue;
        char *text = options_text(t[i].filled, t[i].specs, t[i].n);
        text_add(&all, "%s", text);
        mem_free(text);
    }
    return all.at;
}
