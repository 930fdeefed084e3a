/** equiscale run FILE: generates the data if absent, trains what is left, gathers, fits. Safe to repeat. */
#include "commands.h"
#include "fit_files.h"

#include "base/log.h"
#include "study/gather.h"
#include "study/open.h"
#include "study/runner.h"

#include <stdio.h>

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

Err cmd_run(int argc, char **argv, int *code) {
    (void)code;
    Study s;
    FitOptions fit;
    TRY(study_load(argc, argv));
    TRY(options_read(&fit, fit_keys, study_fit_keys()));
    TRY(study_open(&s, true));
    Err err = grid_scan(&s.grid, &s.options, comm_world());
    if (!err.code) {
        grid_time(&s.grid, &s.options, &s.data, comm_world());
        err = study_run(&s.grid, &s.options, &s.data);
    }
    if (!err.code) err = gather_results(&s.grid, &s.options);
    study_close(&s);
    if (!err.code && s.options.fit) err = fit_results(&s.options);
    return err;
}
