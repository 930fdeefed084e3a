#include "study/open.h"

#include "base/log.h"
#include "base/stop.h"
#include "infer/design.h"
#include "infer/fit_options.h"
#include "io/commit.h"
#include "io/results.h"
#include "study/data_make.h"
#include "study/plan.h"
#include "study/rule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What stands in for a dataset: as many trajectories as forecast_flops looks at, cut short, as lengths of sequences do not
 * depend on frames. */
enum { SAMPLE_TRAJECTORIES = 128, SAMPLE_FRAMES = 24 };

static TrainDataPlan plan_of(const StudyOptions *o) {
    return (TrainDataPlan){.test = o->test_trajectories,
                           .validation = o->validation_trajectories,
                           .train_max = study_options_trajectories(o),
                           .test_samples = o->test_samples,
                           .validation_samples = o->validation_samples,
                           .instant = o->data.velocity == DATA_INSTANT,
                           .worlds = o->data.inputs != DATA_GEOMETRY && o->data.inputs != DATA_NONE,
                           .no_floor = o->data.inputs == DATA_NO_FLOOR || o->data.inputs == DATA_NONE,
                           .no_gravity = o->data.inputs == DATA_NO_GRAVITY || o->data.inputs == DATA_NONE,
                           .off_centre = o->data.origin == DATA_FRAME};
}

#define SAMPLE_FILE "data.h5"

/* A new folder where temporary files go. */
static Err make_place(char folder[OPTION_TEXT]) {
    const char *temporary = getenv("TMPDIR");
    int n = snprintf(folder, OPTION_TEXT, "%s/equiscale.XXXXXX", temporary && *temporary ? temporary : "/tmp");
    if (n + sizeof SAMPLE_FILE >= OPTION_TEXT) return err_user("TMPDIR: want a shorter path");
    return mkdtemp(folder) ? ERR_NONE : commit_error(folder, "cannot be made");
}

/* A few trajectories of the kind the study wants, in a file that lives as long as it takes to open it. Collective. */
static Err sample_data(Dataset **dataset, const DataOptions *data, const char *folder, const Comm *node) {
    const Comm *world = comm_world();
    DataOptions few = *data;
    few.trajectories = SAMPLE_TRAJECTORIES;
    if (few.frames > SAMPLE_FRAMES) few.frames = SAMPLE_FRAMES;
    few.generate = DATA_AUTO;
    snprintf(few.path, sizeof few.path, "%.*s/" SAMPLE_FILE, (int)(sizeof few.path - sizeof SAMPLE_FILE - 1), folder);
    Err err = comm_agree(world, data_make(&few, node));
    if (!err.code) err = comm_agree(world, dataset_open(dataset, few.path, node, INT64_MAX));
    if (comm_rank(node) == 0) {
        unlink(few.path);
        rmdir(folder);
    }
    return err;
}

/* Each node makes its own: none may see the temporary folder of another. */
static Err open_sample(Study *s) {
    const Comm *world = comm_world();
    Comm *node = comm_split_node(world);
    char folder[OPTION_TEXT] = "";
    Err err = comm_agree(world, comm_rank(node) == 0 ? make_place(folder) : ERR_NONE);
    comm_bcast(node, folder, sizeof folder, 0);
    if (!err.code) err = sample_data(&s->dataset, &s->options.data, folder, node);
    comm_free(node);
    TRY(err);
    s->sampled = true;
    TrainDataPlan plan = plan_of(&s->options);
    plan.test = plan.validation = 1;
    plan.train_max = SAMPLE_TRAJECTORIES - 2;
    plan.test_samples = plan.validation_samples = 0;
    TRY(train_data_init(&s->data, s->dataset, &plan));
    const StudyOptions *o = &s->options;
    int64_t samples = o->data.frames - 2;
    s->data.per_trajectory = samples;
    s->data.test_samples = o->test_samples ? o->test_samples : o->test_trajectories * samples;
    s->data.validation_samples = o->validation_samples ? o->validation_samples : o->validation_trajectories * samples;
    /* A dataset takes its slots from the most bodies it may have, not from those that happened to be drawn. */
    if (s->data.slots < s->options.data.bodies_max) s->data.slots = (int)s->options.data.bodies_max;
    return ERR_NONE;
}

/* Whether sizes meet the budgets depends on lengths of sequences. As a plan does it, of the same trajectories as a run will; what
 * has no budgets needs none. Collective. */
static Err check_budgets(const StudyOptions *o) {
    Study trial = {.options = *o};
    if (!o->budget.budgets.n) return ERR_NONE;
    Err err = open_sample(&trial);
    if (!err.code) err = grid_new(&trial.grid, &trial.options, &trial.data, true);
    study_close(&trial);
    return err;
}

/* What would be refused once there are data, and can be told before they are simulated. */
static Err check_before_data(const StudyOptions *o) {
    TrainDataPlan plan = plan_of(o);
    const TrainData data = {.slots = (int)o->data.bodies_max, .worlds = plan.worlds ? SCENE_WORLD : 0};
    int64_t least = plan.test + plan.validation + plan.train_max;
    if (least > o->data.trajectories)
        return err_user("%s: data.trajectories = %lld: want at least %lld: %lld training, %lld validation, %lld test",
                        options_source(), (long long)o->data.trajectories, (long long)least, (long long)plan.train_max,
                        (long long)plan.validation, (long long)plan.test);
    return grid_check(o, &data);
}

static Err open_data(Study *s, bool make) {
    const Comm *world = comm_world();
    const StudyOptions *o = &s->options;
    bool there = false;
    TRY(comm_agree(world, comm_rank(world) == 0 ? commit_exists(&there, o->data.path) : ERR_NONE));
    comm_bcast(world, &there, sizeof there, 0);
    if (!there && o->data.generate == DATA_AUTO) TRY(check_before_data(o));
    if (!there && !make) return open_sample(s);
    if (!there && o->data.generate == DATA_AUTO) {
        TRY(plan_check(o, comm_size(world)));
        TRY(check_budgets(o));
        log_line("%s: no such file: simulating %lld trajectories into it", o->data.path,
                 (long long)o->data.trajectories);
    }
    TRY(data_make(&o->data, world));
    TRY(dataset_open(&s->dataset, o->data.path, world, o->data_memory << 20));
    TrainDataPlan plan = plan_of(o);
    return comm_agree(world, train_data_init(&s->data, s->dataset, &plan));
}

/* Studies of earlier versions may want more samples than there are, and stay valid. */
static void tell_repeats(const char *set, int64_t samples, int64_t trajectories, int64_t per_trajectory) {
    int64_t all = trajectories * per_trajectory;
    if (samples > all)
        log_line("study.%s_samples = %lld: %lld trajectories have %lld: some count more than once", set,
                 (long long)samples, (long long)trajectories, (long long)all);
}

/* How many cells have the rate of a default rule far beyond what it was found with, and how far these go. */
static void tell_far_rates(const Study *s) {
    const StudyOptions *o = &s->options;
    RuleReach most = {.batch = o->train.batch};
    int far = 0;
    for (int i = 0; i < s->grid.n; i++) {
        const Cell *c = &s->grid.cell[i];
        const Arm *arm = arm_find(c->record.arm);
        RuleReach at = {s->grid.kind[c->kind].parameters, c->job.steps, most.batch};
        if (!rule_far(&o->rates[arm - arms], arm, &at)) continue;
        far++;
        if (at.parameters > most.parameters) most.parameters = at.parameters;
        if (at.steps > most.steps) most.steps = at.steps;
    }
    if (far)
        log_line("learning rates of %d of %d cells are extrapolated: the default rules were found up to N = %lld, %lld "
                 "steps and batch %lld, and these go up to N = %lld, %lld steps and batch %lld: sweep ARM.lr first "
                 "(docs/learning-rates.md)",
                 far, s->grid.n, (long long)rule_found.parameters, (long long)rule_found.steps,
                 (long long)rule_found.batch, (long long)most.parameters, (long long)most.steps, (long long)most.batch);
}

Err study_load(int argc, char **argv) {
    bool named = argc > 1 && *argv[1];
    if (!named || argv[1][0] == '-')
        return err_user("equiscale %s: want a study file%s, such as input/quick.yaml", argv[0],
                        named ? " before the keys" : "");
    TRY(options_load(argv[1], argc - 1, argv + 1));
    TRY(options_ignore(fit_keys, study_fit_keys()));
    return options_ignore(design_keys, n_design_keys);
}

Err study_open(Study *study, bool make_data) {
    *study = (Study){.options = study->options};
    stop_limit(study->options.run.limit);
    Err err = open_data(study, make_data);
    if (!err.code) {
        const StudyOptions *o = &study->options;
        int64_t trajectories = study->sampled ? o->data.trajectories : dataset_size(study->dataset);
        int64_t frames = study->sampled ? o->data.frames : dataset_frames(study->dataset);
        study->data.dataset_bytes = dataset_bytes(study->dataset, trajectories, frames, o->data_memory << 20);
    }
    if (!err.code) err = grid_new(&study->grid, &study->options, &study->data, study->sampled);
    if (!err.code) {
        const StudyOptions *o = &study->options;
        tell_repeats("test", o->test_samples, o->test_trajectories, study->data.per_trajectory);
        tell_repeats("validation", o->validation_samples, o->validation_trajectories, study->data.per_trajectory);
        tell_far_rates(study);
    }
    if (err.code) study_close(study);
    return err;
}

void study_close(Study *study) {
    results_forget();
    grid_free(&study->grid);
    if (study->dataset) dataset_close(study->dataset);
    study->dataset = NULL;
}
