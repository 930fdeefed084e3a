/** equiscale run FILE: generates the data if absent, trains what is left, gathers. Safe to repeat. */
#include "commands.h"

#include "base/log.h"
#include "study/open.h"
#include "study/runner.h"

Err cmd_run(int argc, char **argv, int *code) {
    (void)code;
    Study s;
    TRY(study_open(&s, argc, argv, true));
    Err err = grid_scan(&s.grid, &s.options, comm_world());
    if (!err.code) {
        grid_time(&s.grid, &s.options, &s.data, comm_world());
        err = study_run(&s.grid, &s.options, &s.data);
    }
    study_close(&s);
    return err;
}
