/* The study file of fit -suggest: a grid of arms, sizes and steps that holds the suggested cells; all other keys come
 * from a base file, line by line, as the files in input/ are written. */
#include "study/suggest_study.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/log.h"
#include "infer/suggest.h"
#include "io/commit.h"
#include "study/options.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TEXT = 512, SIZES = 64 };

enum { MODEL_KEYS = 3 };
static const char *const model_key[MODEL_KEYS] = {"width", "depth", "heads"};

typedef struct Plan {
    char study[4][TEXT];                       /* arms, steps, datasets, data_size */
    char model[STUDY_KINDS][MODEL_KEYS][TEXT]; /* values of model_key of each kind of model */
    bool used[STUDY_KINDS];
} Plan;

static void append(char *list, const char *item) {
    size_t used = strlen(list);
    snprintf(list + used, TEXT - used, "%s%s", used ? ", " : "", item);
}

static void append_int(char *list, int64_t value) {
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)value);
    append(list, text);
}

static Plan plan_of(const Suggestion *s, int n, const Table *table) {
    Plan plan = {0};
    int64_t steps[64], dataset = 0;
    /* The largest training set only: the smaller ones serve another question. */
    for (int64_t i = 0; i < table->n; i++) dataset = table->at[i].dataset > dataset ? table->at[i].dataset : dataset;
    append_int(plan.study[2], dataset);
    append_int(plan.study[3], 0);
    for (int i = 0; i < n; i++) {
        const Arm *arm = arm_find(table->arm[s[i].arm]);
        bool new_arm = true, new_size = true, new_steps = true;
        steps[i] = (int64_t)fmax(1, round(s[i].d / (double)s[i].batch));
        for (int j = 0; j < i; j++) {
            const Arm *other = arm_find(table->arm[s[j].arm]);
            new_arm &= s[j].arm != s[i].arm;
            new_steps &= steps[j] != steps[i];
            new_size &= !(other->kind == arm->kind && s[j].width == s[i].width && s[j].depth == s[i].depth &&
                          s[j].heads == s[i].heads);
        }
        int kind = 0;
        while (kind < n_model_kinds - 1 && model_kinds[kind] != arm->kind) kind++;
        plan.used[kind] = true;
        if (new_arm) append(plan.study[0], arm->name);
        if (new_steps) append_int(plan.study[1], steps[i]);
        if (!new_size) continue;
        append_int(plan.model[kind][0], s[i].width);
        append_int(plan.model[kind][1], s[i].depth);
        append_int(plan.model[kind][2], s[i].heads);
    }
    return plan;
}

/* The new list for a key of a section; NULL: the key stays. */
static const char *replacement(const Plan *plan, const char *section, const char *key) {
    static const char *const study[] = {"arms", "steps", "datasets", "data_size"};
    for (int k = 0; k < 4; k++)
        if (!strcmp(section, "study") && !strcmp(key, study[k])) return plan->study[k];
    for (int m = 0; m < n_model_kinds; m++)
        for (int k = 0; k < MODEL_KEYS; k++)
            if (plan->used[m] && !strcmp(section, model_kinds[m]->name) && !strcmp(key, model_key[k]))
                return plan->model[m][k];
    return NULL;
}

static void write_plain(FILE *f, const Plan *plan) {
    fprintf(f, "study:\n  arms: [%s]\n  steps: [%s]\n  datasets: [%s]\n", plan->study[0], plan->study[1],
            plan->study[2]);
    for (int m = 0; m < n_model_kinds; m++) {
        if (!plan->used[m]) continue;
        fprintf(f, "%s:\n", model_kinds[m]->name);
        for (int k = 0; k < MODEL_KEYS; k++)
            if (model_has_key(model_kinds[m], model_key[k]))
                fprintf(f, "  %s: [%s]\n", model_key[k], plan->model[m][k]);
    }
}

static Err write_from(FILE *f, const Plan *plan, const char *base) {
    TRY(file_check(base, "the study file that the results come from"));
    FILE *in = fopen(base, "r");
    if (!in) return err_user("%s: %s: want the study file that the results come from", base, strerror(errno));
    char line[4096], section[64] = "", key[64];
    while (fgets(line, sizeof line, in)) {
        const char *list = NULL;
        if (sscanf(line, " %63[a-z_A-Z0-9]:", key) == 1 && line[0] != '#') {
            if (line[0] != ' ')
                snprintf(section, sizeof section, "%s", key);
            else
                list = replacement(plan, section, key);
        }
        if (list)
            fprintf(f, strcmp(key, "data_size") ? "  %s: [%s]\n" : "  %s: %s\n", key, list);
        else
            fputs(line, f);
    }
    fclose(in);
    return ERR_NONE;
}

static Err write_file(const Analysis *a, const Suggestion *s, int n, double budget) {
    const FitOptions *o = &a->options;
    for (int i = 0; i < n; i++)
        if (!s[i].width || !arm_find(a->table->arm[s[i].arm]))
            return err_user("suggest: arm %s has no sizes known to a study: want results.h5 for a study file",
                            a->table->arm[s[i].arm]);
    char temp[COMMIT_PATH];
    TRY(commit_name(temp, o->suggest_file));
    FILE *f = fopen(temp, "w");
    if (!f) return err_user("suggest.file = %s: %s: want a new file", o->suggest_file, strerror(errno));
    fprintf(f, "# Cells that pin down the allocation at %.3g nominal FLOP, best per core-second first:\n", budget);
    for (int i = 0; i < n; i++)
        fprintf(f, "#   %-24s N %8.0f  D %10.0f  steps %8.0f  about %.3g core-seconds\n", a->table->arm[s[i].arm],
                s[i].n, s[i].d, round(s[i].d / (double)s[i].batch), s[i].core_seconds);
    fprintf(f,
            "# A study is a grid: this one is the smallest that holds them. Cells that are done are not run again.\n");
    Plan plan = plan_of(s, n, a->table);
    Err err = ERR_NONE;
    if (o->suggest_base[0])
        err = write_from(f, &plan, o->suggest_base);
    else {
        fprintf(f, "# Add the other keys of the study (data, train, ...) or name its file with -suggest_base.\n");
        write_plain(f, &plan);
    }
    if (fclose(f) && !err.code) err = err_user("suggest.file = %s: %s", o->suggest_file, strerror(errno));
    if (!err.code) return commit_rename(temp, o->suggest_file, false);
    remove(temp);
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
    if (o->suggest_base[0]) TRY(file_check(o->suggest_base, "the study file that the results come from"));
    TRY(commit_exists(&there, o->suggest_file));
    if (there) return err_user("%s: exists already: want the name of a new file", o->suggest_file);
    return commit_check(o->suggest_file);
}

Err suggest_check(const FitOptions *options) {
    return comm_agree(comm_world(), comm_rank(comm_world()) == 0 ? check(options) : ERR_NONE);
}

Err suggest_study(const Analysis *a) {
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
    if (sized > 0 && comm_rank(comm_world()) == 0) err = write_file(a, s, sized, outlook.budget);
    if (sized > 0 && !err.code)
        log_text("  written to %s%s", o->suggest_file, sized < n ? ", without the sizes that were not run" : "");
    if (sized == 0 && n > 0)
        log_text("  not written to %s: only sizes that a results file has have a width and depth", o->suggest_file);
    mem_free(s);
    return comm_agree(comm_world(), err);
}
