/* The study file of fit -suggest: a grid of arms, sizes and steps that holds the suggested cells; all else is as the results file
 * has it of its study. */
#include "study/suggest_study.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/text.h"
#include "infer/suggest.h"
#include "io/commit.h"
#include "study/open.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static bool holds(const IntList *list, int64_t value) {
    bool found = false;
    for (int i = 0; i < list->n; i++) found = found || list->at[i] == value;
    return found;
}

static void append(IntList *list, int64_t value) {
    list->at[list->n++] = value;
}

static bool same_size(const Suggestion *a, const Suggestion *b) {
    return a->width == b->width && a->depth == b->depth && a->heads == b->heads && a->scalars == b->scalars &&
           a->fixed == b->fixed;
}

/* Optimiser steps of a cell. */
static int64_t steps_of(const Suggestion *s, const StudyOptions *o) {
    return (int64_t)fmax(1, round(s->d / (double)o->train.batch));
}

static ModelSizes *sizes_of(StudyOptions *o, const ModelKind *kind) {
    int k = 0;
    while (model_kinds[k] != kind) k++;
    return &o->sizes[k];
}

/* The size of the i-th cell, beside those of the cells before it that have the same model. */
static void add_size(StudyOptions *o, const Suggestion *s, int i, const Table *table) {
    const ModelKind *kind = arm_find(table->arm[s[i].arm])->kind;
    ModelSizes *sizes = sizes_of(o, kind);
    bool first = true;
    for (int j = 0; j < i; j++) {
        if (arm_find(table->arm[s[j].arm])->kind != kind) continue;
        if (same_size(&s[j], &s[i])) return;
        first = false;
    }
    if (first) sizes->width.n = sizes->depth.n = sizes->heads.n = sizes->scalars.n = sizes->fixed.n = 0;
    append(&sizes->width, s[i].width);
    append(&sizes->depth, s[i].depth);
    if (model_has_key(kind, "heads")) append(&sizes->heads, s[i].heads);
    if (model_has_key(kind, "scalars")) append(&sizes->scalars, s[i].scalars);
    if (model_has_key(kind, "fixed")) append(&sizes->fixed, s[i].fixed);
}

void suggest_options(StudyOptions *o, const Suggestion *s, int n, const Table *table) {
    int64_t dataset = 0;
    /* The largest training set only: the smaller ones serve another question. */
    for (int64_t i = 0; i < table->n; i++) dataset = table->at[i].dataset > dataset ? table->at[i].dataset : dataset;
    o->datasets = (IntList){1, {dataset}};
    o->data_size = 0;
    o->steps.n = o->arms.n = 0;
    o->budget.budgets.n = 0;
    o->budget.seeds = (IntList){1, {1}};
    for (int a = 0; a < n_arms; a++) o->arm_budgets[a].seeds.n = 0;
    for (int i = 0; i < n; i++) {
        const char *arm = table->arm[s[i].arm];
        bool new_arm = true;
        for (int j = 0; j < i; j++) new_arm = new_arm && s[j].arm != s[i].arm;
        if (new_arm) snprintf(o->arms.at[o->arms.n++], OPTION_TEXT, "%s", arm);
        if (!holds(&o->steps, steps_of(&s[i], o))) append(&o->steps, steps_of(&s[i], o));
        add_size(o, s, i, table);
    }
}

/* The study with its cells, and how it is fitted, behind the list of those. */
static Err write_study(const char *path, const StudyOptions *o, const Suggestion *s, int n, double budget,
                       const Analysis *a) {
    char *yaml = study_options_yaml(o, &a->options);
    Text text = {0};
    text_add(&text, "# Cells that pin down the allocation at %.3g nominal FLOP, best per core-second first:\n", budget);
    for (int i = 0; i < n; i++)
        text_add(&text, "#   %-24s N %8.0f  D %10.0f  steps %8lld  about %.3g core-seconds\n", a->table->arm[s[i].arm],
                 s[i].n, s[i].d, (long long)steps_of(&s[i], o), s[i].core_seconds);
    text_add(&text,
             "# A study is a grid: this one is the smallest that holds them. Cells that are done are not run again, "
             "and stay.\n");
    text_add(&text, "%s", yaml);
    Err err = commit_text(path, text.at, false);
    mem_free(text.at);
    mem_free(yaml);
    return err;
}

static Err write_file(const Analysis *a, const char *record, const Suggestion *s, int n, double budget) {
    const char *path = a->options.suggest_file;
    for (int i = 0; i < n; i++)
        if (!arm_find(a->table->arm[s[i].arm]))
            return err_user("suggest: arm %s is none of a study's: want results.h5 of one for a study file",
                            a->table->arm[s[i].arm]);
    StudyOptions *study = MEM_NEW(StudyOptions, 1);
    Err err = study_options_recorded(study, record, "suggest: the results file");
    if (!err.code) {
        suggest_options(study, s, n, a->table);
        err = write_study(path, study, s, n, budget, a);
    }
    mem_free(study);
    return err;
}

/* What the runs say of N* at the budget, and why nothing is proposed where nothing is. */
static void print_outlook(const SuggestOutlook *o, int n, const Table *table) {
    bool larger = o->view == SUGGEST_LARGER;
    bool outside = larger || o->view == SUGGEST_SMALLER;
    log_text("\ncells to run next, for the allocation at C = %.3g nominal FLOP", o->budget);
    if (o->view == SUGGEST_OUT_OF_REACH)
        log_text("  none: that budget's sizes and lengths are out of reach of the runs");
    if (outside)
        log_text("  %s models are needed: N* of %.60s is %s than any that was run, %.4g, in %.0f %% of the surrogate's "
                 "draws",
                 larger ? "larger" : "smaller", table->arm[o->arm], larger ? "larger" : "smaller", o->n,
                 100 * o->share);
    if (n || o->view == SUGGEST_OUT_OF_REACH) return;
    if (outside)
        log_text(
            "  none helps: no run of a size at hand, nor of twice or half as many parameters, makes N* less uncertain");
    else
        log_text(
            "  none helps: no single run makes N* less uncertain beyond Monte Carlo error; the standard deviation of "
            "log10 N* is %.2g",
            o->sd);
}

/* An existing file is not replaced. */
static Err check(const FitOptions *o) {
    bool there;
    TRY(commit_exists(&there, o->suggest_file));
    if (there) return err_user("%s: exists already: want the name of a new file", o->suggest_file);
    return commit_check(o->suggest_file);
}

Err suggest_check(const FitOptions *options) {
    return comm_agree(comm_world(), comm_rank(comm_world()) == 0 ? check(options) : ERR_NONE);
}

static void print_written(const char *path, int sized, int n, bool known) {
    if (sized > 0 && known)
        log_text("  written to %s%s", path, sized < n ? ", without the sizes that were not run" : "");
    else if (sized > 0)
        log_text("  not written to %s: the results file does not say of which study it is", path);
    else if (n > 0)
        log_text("  not written to %s: only sizes that a results file has have a width and depth", path);
}

Err suggest_study(const Analysis *a, const char *record) {
    const FitOptions *o = &a->options;
    int k = (int)o->suggest;
    SuggestOutlook outlook;
    Suggestion *s = MEM_NEW(Suggestion, k + 1);
    int n = suggest_cells(s, k, &outlook, o->suggest_budget, a->surrogate, a->table, (uint64_t)o->seed);
    print_outlook(&outlook, n, a->table);
    int sized = 0; /* those that a study file can hold: their widths are known */
    for (int i = 0; i < n; i++)
        log_text("  %-*s N %9.4g  D %9.4g  about %9.3g %s; standard deviation of log10 N* %.3g -> %.3g%s",
                 log_field(a->table->arm[s[i].arm], 24), a->table->arm[s[i].arm], s[i].n, s[i].d, s[i].core_seconds,
                 a->table->has[CURRENCY_CORE_SECONDS] ? "core-seconds" : "FLOP", s[i].sd_before, s[i].sd_after,
                 s[i].unseen ? " (a size that was not run)" : "");
    for (int i = 0; i < n; i++)
        if (s[i].width > 0) s[sized++] = s[i];
    Err err = ERR_NONE;
    bool known = record && strstr(record, "study.name = ");
    if (sized > 0 && known) err = write_file(a, record, s, sized, outlook.budget);
    if (comm_rank(comm_world()) == 0 && !err.code) print_written(o->suggest_file, sized, n, known);
    mem_free(s);
    return comm_agree(comm_world(), err);
}
