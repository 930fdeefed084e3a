/** equiscale run FILE: generates the data if absent, trains what is left, gathers, fits. Safe to repeat. */
#include "commands.h"
#include "fit_files.h"

#include "io/commit.h"
#include "study/gather.h"
#include "study/open.h"
#include "study/runner.h"

#include <stdio.h>
#include <unistd.h>

/* The keys of a fit are the study's; those that `run` does not take have their defaults. */
static Err fit_results(const StudyOptions *options) {
    FitOptions fit;
    char path[1024];
    gather_path(path, sizeof path, options);
    TRY(options_read(&fit, fit_keys, n_fit_keys));
    if ((size_t)snprintf(fit.json, sizeof fit.json, "%s/%s/fit.json", options->folder, options->name) >=
        sizeof fit.json)
        return err_user("%s: study.folder: want a shorter path", options_source());
    return fit_files(1, (const char *const[]){path}, &fit);
}

/* `-resume require`. */
typedef enum Resume { RESUME_AUTO, RESUME_REQUIRE } Resume;
typedef struct RunCommand {
    int resume;
} RunCommand;
const KeySpec run_keys[RUN_KEYS] = {
    {"resume", KEY_CHOICE, offsetof(RunCommand, resume), "auto", 0, 0, "auto|require", "1",
     "require: an error where nothing of the study is there yet, so that a mistyped name trains nothing"},
};

/* Whether a run finds a finished cell, or a checkpoint. On the root. */
static bool something_there(const Study *s) {
    char path[COMMIT_PATH];
    for (int i = 0; i < s->grid.n; i++) {
        if (s->grid.cell[i].state >= CELL_DONE) return true;
        cell_path(path, sizeof path, &s->options, &s->grid.cell[i], "checkpoint");
        if (access(path, F_OK) == 0) return true;
    }
    return false;
}

static Err check_resume(const Study *s, const RunCommand *command) {
    if (command->resume == RESUME_AUTO || (!s->sampled && something_there(s))) return ERR_NONE;
    return err_user("%s/%s: nothing to resume: want a study of which a cell is finished or has a checkpoint",
                    s->options.folder, s->options.name);
}

/* Keys of the command line that the fit behind the run does not use. */
static Err refuse_fit(const StudyOptions *options) {
    for (int i = 0; i < study_fit_keys() && !options->fit; i++)
        TRY(options_refuse(fit_keys[i].key, "study.fit is false"));
    return ERR_NONE;
}

Err cmd_run(int argc, char **argv, int *code) {
    (void)code;
    Study s;
    FitOptions fit = {.suggest = 0};
    RunCommand command;
    TRY(study_load(argc, argv));
    TRY(options_read(&fit, fit_keys, study_fit_keys()));
    TRY(fit_refuse_idle(&fit, false));
    TRY(options_read(&command, run_keys, RUN_KEYS));
    TRY(study_options_read(&s.options));
    TRY(refuse_fit(&s.options)); /* before data are simulated */
    TRY(study_open(&s, command.resume == RESUME_AUTO));
    Err err = grid_scan(&s.grid, &s.options, comm_world(), true);
    if (!err.code) err = comm_agree(comm_world(), check_resume(&s, &command));
    if (!err.code) {
        StudyPlan plan;
        err = plan_make(&plan, &s.grid, &s.options, &s.data, &(PlanTarget){0});
        if (!err.code) {
            err = study_run(&s.grid, &s.options, &s.data, &plan);
            plan_free(&plan);
        }
    }
    if (!err.code) err = gather_results(&s.grid, &s.options);
    study_close(&s);
    if (!err.code && s.options.fit) err = fit_results(&s.options);
    return err;
}
