/** equiscale plan FILE [-design] [-json OUT]: every cell with its size, work, layout, memory and expected time, before anything
 * runs; with -design also what the grid will tell about the exponents (design.* keys: the assumed law and noise).
 *  equiscale status FILE [-json OUT]: the same cells with what has become of them. */
#include "commands.h"
#include "plan_draw.h"

#include "base/arena.h"
#include "base/log.h"
#include "infer/design.h"
#include "study/open.h"
#include "study/plan.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

typedef struct PlanOptions {
    char json[OPTION_TEXT];
    bool design;
} PlanOptions;

/* `status` takes the first only. */
const KeySpec plan_keys[PLAN_KEYS] = {
    {"json", KEY_WORD, offsetof(PlanOptions, json), "", 0, 0, NULL, "1", "file for programs; -: standard output"},
    {"design", KEY_BOOL, offsetof(PlanOptions, design), "false", 0, 0, NULL, "1",
     "tell what the grid will tell about the exponents, under the law that design.* assumes"},
};

static void print_plan(const Study *s) {
    double seconds = 0, longest = 0, nominal = 0, executed = 0;
    int64_t bytes = 0;
    log_text("%-48s %-5s %9s %9s %11s %9s %9s %7s %8s %9s", "cell", "role", "N", "D", "lr", "C nominal", "executed",
             "dp x tp", "MiB/rank", "expected");
    for (int i = 0; i < s->grid.n; i++) {
        const Cell *c = &s->grid.cell[i];
        const CellRecord *r = &c->record;
        log_text("%-48s %-5s %9lld %9lld %11.3g %9.2e %9.2e %3lldx%-3lld %8.1f %7.1f s", r->id, r->role,
                 (long long)r->parameters, (long long)r->samples, r->lr, c->flop_nominal, c->flop_executed,
                 (long long)r->dp, (long long)r->tp, (double)c->bytes / 1048576, c->seconds);
        seconds += c->seconds;
        longest = fmax(longest, c->seconds);
        nominal += c->flop_nominal;
        executed += c->flop_executed;
        if (c->bytes > bytes) bytes = c->bytes;
    }
    int block = 1, ranks = comm_size(comm_world());
    int blocks = ranks / block > 0 ? ranks / block : 1;
    plan_draw(&s->grid);
    log_text("%d cells; N: trainable parameters, D: training samples, C: training FLOP", s->grid.n);
    log_text("in all %.3g nominal FLOP, %.3g executed FLOP, %.2f core-hours; at most %.1f MiB a rank", nominal,
             executed, seconds * block / 3600, (double)bytes / 1048576);
    log_text("on %d ranks in %d blocks: about %.0f s, the longest cell %.0f s", blocks * block, blocks,
             fmax(seconds / blocks, longest), longest);
    if (s->sampled)
        log_text("%s does not exist yet: lengths of sequences are those of a few trajectories made for this table",
                 s->options.data.path);
}

/* The grid cells of each arm, to the simulated refits. Collective. */
static Err judge_design(const Study *s, const DesignOptions *design) {
    const WordList *names = &s->options.arms;
    DesignArm *arm = MEM_NEW(DesignArm, names->n);
    double *columns = MEM_NEW(double, 3 * names->n * s->grid.n);
    for (int a = 0; a < names->n; a++) {
        double *n = columns + (int64_t)3 * a * s->grid.n, *d = n + s->grid.n, *c = d + s->grid.n;
        arm[a] = (DesignArm){.name = names->at[a], .n = n, .d = d, .c = c};
        for (int i = 0; i < s->grid.n; i++) {
            const Cell *cell = &s->grid.cell[i];
            if (strcmp(cell->record.arm, names->at[a]) || strcmp(cell->record.role, "grid")) continue;
            int64_t k = arm[a].cells++;
            n[k] = (double)cell->record.parameters;
            d[k] = (double)cell->record.samples;
            c[k] = cell->flop_nominal;
        }
    }
    Err err = design_report(arm, names->n, design, comm_world());
    mem_free(columns);
    mem_free(arm);
    return err;
}

/* One object a cell: its identity, and what `plan` expects of it. */
static void json_cell(Json *j, const Cell *c) {
    const CellRecord *r = &c->record;
    json_put_text(j, "id", r->id);
    json_put_text(j, "arm", r->arm);
    json_put_text(j, "role", r->role);
    json_put_int(j, "parameters", r->parameters);
    json_put_int(j, "samples", r->samples);
    json_put_int(j, "steps", r->steps);
    json_put_int(j, "dataset", r->dataset);
    json_put_int(j, "seed", r->seed);
    json_put_number(j, "lr", r->lr);
    json_put_number(j, "flop_nominal", c->flop_nominal);
    json_put_number(j, "flop_executed", c->flop_executed);
    json_put_int(j, "dp", r->dp);
    json_put_int(j, "tp", r->tp);
    json_put_int(j, "bytes", c->bytes);
}

static Err json_plan(const Study *s, const char *path) {
    Json *j = json_new();
    json_put_text(j, "study", s->options.name);
    json_put_int(j, "ranks", comm_size(comm_world()));
    json_open_array(j, "cells");
    for (int i = 0; i < s->grid.n; i++) {
        json_open_object(j, NULL);
        json_cell(j, &s->grid.cell[i]);
        json_put_number(j, "seconds", s->grid.cell[i].seconds);
        json_close(j);
    }
    json_close(j);
    return answer_json(j, path);
}

Err cmd_plan(int argc, char **argv, int *code) {
    (void)code;
    PlanOptions options;
    DesignOptions design;
    Study s;
    TRY(study_load(argc, argv));
    TRY(options_read(&options, plan_keys, PLAN_KEYS));
    TRY(options_read(&design, design_keys, n_design_keys));
    TRY(study_open(&s, false));
    StudyPlan p;
    TRY(plan_make(&p, &s.grid, &s.options, &s.data, &(PlanTarget){0}));
    print_plan(&s);
    Err err = ERR_NONE;
    if (*options.json) err = comm_agree(comm_world(), json_plan(&s, options.json));
    if (!err.code && options.design) err = judge_design(&s, &design);
    plan_free(&p);
    study_close(&s);
    return err;
}

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
        json_cell(j, c);
        json_put_text(j, "state", cell_state_name(c->state));
        json_put_text(j, "note", c->note);
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
    TRY(options_read(json, plan_keys, STATUS_KEYS));
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
            snprintf(found, sizeof found, "on %s, process %lld, heartbeat %lld s ago", c->mark.host,
                     (long long)c->mark.pid, (long long)time(NULL) - (long long)c->mark.heartbeat);
        if (c->state == CELL_PLANNED && c->deaths)
            snprintf(found, sizeof found, "its process died %lld times", (long long)c->deaths);
        log_text("%-9s %-48s %s%s%s%s", cell_state_name(c->state), c->record.id, found, c->measured,
                 c->note[0] ? "  " : "", c->note);
    }
    if (!err.code)
        log_text("%d cells: %d planned, %d running, %d done, %d diverged, %d failed, %d refused", s.grid.n,
                 count[CELL_PLANNED], count[CELL_RUNNING], count[CELL_DONE], count[CELL_DIVERGED], count[CELL_FAILED],
                 count[CELL_REFUSED]);
    if (!err.code && *json) err = comm_agree(comm_world(), json_status(&s, count, json));
    *code = 0;
    study_close(&s);
    return err;
}
