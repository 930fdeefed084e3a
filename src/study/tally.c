#include "tally.h"

#include "base/log.h"
#include "io/commit.h"
#include "io/json.h"

#include <stdio.h>

typedef struct Sum {
    int ranks;
    int64_t cells, parts;
    double seconds, rank_seconds, idle;
    double reading; /* share of rank_seconds */
} Sum;

static Sum sum_of(const Tally *t, double start) {
    const Comm *world = comm_world();
    Sum s = {.ranks = comm_size(world), .cells = t->cells, .parts = t->parts, .rank_seconds = t->seconds};
    if (t->last > start) s.seconds = t->last - start;
    comm_sum_i64(world, &s.cells, 1);
    comm_sum_i64(world, &s.parts, 1);
    double waits = t->reading;
    comm_sum_f64(world, &s.rank_seconds, 1);
    comm_sum_f64(world, &waits, 1);
    comm_max_f64(world, &s.seconds, 1);
    if (s.seconds > 0) s.idle = 1 - s.rank_seconds / (s.ranks * s.seconds);
    if (s.rank_seconds > 0) s.reading = waits / s.rank_seconds;
    return s;
}

static Err write_run(const Sum *s, const StudyOptions *o, const StudyPlan *plan, bool whole) {
    char path[COMMIT_PATH];
    Json *json = json_new();
    json_put_text(json, "study", o->name);
    json_put_int(json, "ranks", s->ranks);
    json_put_int(json, "cells", s->cells);
    json_put_int(json, "stopped_cells", s->parts);
    json_put_number(json, "seconds", s->seconds);
    json_put_number(json, "rank_seconds", s->rank_seconds);
    json_put_number(json, "idle_share", s->idle);
    json_put_number(json, "reading_share", s->reading);
    if (whole) {
        json_put_number(json, "planned_seconds", plan->schedule.makespan);
        json_put_number(json, "planned_rank_seconds", plan->schedule.busy);
    }
    snprintf(path, sizeof path, "%s/%s/run.json", o->folder, o->name);
    Err err = json_commit(json, path);
    json_free(json);
    return err;
}

Err tally_tell(const Tally *tally, double start, const StudyOptions *o, const StudyPlan *plan, bool whole) {
    const Comm *world = comm_world();
    Sum s = sum_of(tally, start);
    if (!s.cells && !s.parts) return ERR_NONE;
    char parts[48] = "";
    if (s.parts) snprintf(parts, sizeof parts, " and parts of %lld", (long long)s.parts);
    log_line("%lld cell%s%s in %.1f s on %d rank%s, which were without a cell for %.1f %% of that", (long long)s.cells,
             plural(s.cells), parts, s.seconds, s.ranks, plural(s.ranks), 100 * s.idle);
    if (s.reading > 0)
        log_line("%s does not fit into study.data_memory: waits for it took %.1f %% of the time of cells", o->data.path,
                 100 * s.reading);
    return comm_agree(world, comm_rank(world) == 0 ? write_run(&s, o, plan, whole) : ERR_NONE);
}
