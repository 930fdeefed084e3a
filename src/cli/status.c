/** equiscale status FILE [-json OUT]: the cells of a study with what has become of them. */
#include "commands.h"
#include "plan_tell.h"

#include "base/log.h"
#include "study/open.h"
#include "study/plan.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

static Err json_status(const Study *s, const int count[CELL_STATES], const char *path) {
    Json *j = json_new();
    json_put_text(j, "study", s->options.name);
    json_open_object(j, "count");
    for (int state = 0; state < CELL_STATES; state++) json_put_int(j, cell_state_name(state), count[state]);
    json_close(j);
    json_open_array(j, "cells");
    for (int i = 0; i < s->grid.n; i++) {
        const Cell *c = &s->grid.cell[i];
        bool done = c->state == CELL_DONE;
        json_open_object(j, NULL);
        plan_json_cell(j, c);
        json_put_text(j, "state", cell_state_name(c->state));
        json_put_text(j, "note", c->note);
        json_put_bool(j, "begun", c->begun);
        json_put_int(j, "attempts", done ? c->record.attempts : c->mark.attempts);
        json_put_number(j, "loss", done ? c->record.loss : NAN);
        json_put_number(j, "seconds", done ? c->record.seconds : NAN);
        json_close(j);
    }
    json_close(j);
    return answer_json(j, path);
}

Err cmd_status(int argc, char **argv, int *code) {
    Study s;
    int count[CELL_STATES] = {0};
    char json[OPTION_TEXT];
    TRY(study_load(argc, argv));
    TRY(command_refuse_idle(argv[0]));
    TRY(options_read(json, plan_keys, STATUS_KEYS));
    TRY(answer_check("json", json, 1, (const char *const[]){argv[1]}));
    TRY(study_options_read(&s.options));
    TRY(study_open(&s, false));
    Err err = grid_scan(&s.grid, &s.options, comm_world(), false);
    if (!err.code) err = plan_refuse(&s.grid, &s.options, &s.data);
    for (int i = 0; i < s.grid.n && !err.code; i++) {
        const Cell *c = &s.grid.cell[i];
        count[c->state]++;
        char found[192] = "";
        if (c->state == CELL_DONE)
            snprintf(found, sizeof found, "loss %.5f  %.1f s", c->record.loss, c->record.seconds);
        if (c->state == CELL_RUNNING)
            snprintf(found, sizeof found, "on %s, process %lld, heartbeat %.0f s ago", c->mark.host,
                     (long long)c->mark.pid, fmax(0, (double)(time(NULL) - c->mark.heartbeat))); /* by another clock */
        if (c->state == CELL_PLANNED && c->begun) snprintf(found, sizeof found, "goes on from its checkpoint");
        if (c->state == CELL_PLANNED && c->deaths)
            snprintf(found, sizeof found, "its process died %lld times", (long long)c->deaths);
        log_text("%-9s %-48s %s%s%s%s", cell_state_name(c->state), c->record.id, found, c->measured,
                 c->note[0] ? "  " : "", c->note);
    }
    if (!err.code)
        log_text("%d cell%s: %d planned, %d running, %d done, %d diverged, %d failed, %d refused", s.grid.n,
                 plural(s.grid.n), count[CELL_PLANNED], count[CELL_RUNNING], count[CELL_DONE], count[CELL_DIVERGED],
                 count[CELL_FAILED], count[CELL_REFUSED]);
    if (!err.code && *json) err = comm_agree(comm_world(), json_status(&s, count, json));
    *code = 0;
    study_close(&s);
    return err;
}
