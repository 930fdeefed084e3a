/** equiscale run FILE: generates the data if absent, trains what is left, gathers, fits. Safe to repeat. */
#include "commands.h"

#include "base/log.h"
#include "infer/fit_options.h"
#include "study/open.h"
#include "study/runner.h"

#include <stdio.h>

static Err fit_results(const StudyOptions *options, int *code) {
    char path[1024], json[1024];
    study_results_path(path, sizeof path, options);
    snprintf(json, sizeof json, "%s/%s/fit.json", options->folder, options->name);
    char *argv[] = {"fit", path, "-json", json, NULL};
    return cmd_fit(4, argv, code);
}

Err cmd_run(int argc, char **argv, int *code) {
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
    study_close(&s);
    if (!err.code && s.options.fit) err = fit_results(&s.options, code);
    return err;
}
