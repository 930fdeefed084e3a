#include "plan_tell.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/text.h"
#include "io/commit.h"
#include "plan_draw.h"

#include <math.h>
#include <stdio.h>

static const double hour = 3600, mebi = 1 << 20;

/* Rows on a terminal: of a study that has more, the first FEW. Names of refused or dropped cells. */
enum { ROWS = 60, FEW = 20, NAMES = 10 };

static const char *known_of(const Cell *c, const StudyPlan *p) {
    return known_name(p->cost[c->kind].known);
}

/* By what means memory is saved. */
static const char *means_of(const Cell *c) {
    static const char *const name[2][2] = {{"", ", recomputed"}, {", sharded", ", sharded, recomputed"}};
    return name[c->job.sharded][c->job.shape.recompute];
}

/* ---- The table. ---- */

static void print_row(const Cell *c, const StudyPlan *p) {
    const CellRecord *r = &c->record;
    char seconds[32] = "refused";
    if (c->state != CELL_REFUSED) snprintf(seconds, sizeof seconds, "%.1f s", c->seconds);
    log_text("%-48s %-5s %9lld %9lld %11.3g %9.2e %9.2e %3lldx%-3lld %8.1f %9s  %s%s", r->id, r->role,
             (long long)r->parameters, (long long)r->samples, r->lr, c->flop_nominal, c->flop_executed,
             (long long)r->dp, (long long)r->tp, (double)c->bytes / mebi, seconds, known_of(c, p), means_of(c));
}

static void print_table(const Study *s, const StudyPlan *p, int n) {
    int rows = n > ROWS ? FEW : n, left = rows;
    log_text("%-48s %-5s %9s %9s %11s %9s %9s %7s %8s %9s  %s", "cell", "role", "N", "D", "lr", "C nominal", "executed",
             "dp x tp", "MiB/rank", "expected", "step");
    for (const Cell *c = s->grid.cell; left > 0; c++) {
        if (!cell_unrun(c)) continue;
        print_row(c, p);
        left--;
    }
    if (rows < n) log_text("... and %d more, of fewer FLOP: -csv FILE has all", n - rows);
}

/* ---- What all of it takes. ---- */

typedef struct Sums {
    double nominal, executed;
    int64_t bytes; /* the most */
    int cells, refused, known[KNOWN_WAYS];
} Sums;

static Sums sums_of(const Study *s, const StudyPlan *p) {
    Sums t = {0};
    for (int i = 0; i < s->grid.n; i++) {
        const Cell *c = &s->grid.cell[i];
        t.cells += cell_unrun(c);
        t.refused += c->state == CELL_REFUSED;
        if (!cell_left(c)) continue;
        t.nominal += c->flop_nominal;
        t.executed += c->flop_executed;
        t.known[p->cost[c->kind].known]++;
        if (c->bytes > t.bytes) t.bytes = c->bytes;
    }
    return t;
}

/* Cells that the schedule trains on a block of each size. */
static void print_blocks(const StudyPlan *p) {
    const Blocks *b = &p->blocks;
    int *cells = MEM_NEW(int, b->sizes);
    char text[512] = "";
    size_t used = 0;
    for (int i = 0; i < p->n; i++) cells[blocks_size(b, p->schedule.slot[i].block)]++;
    for (int s = b->sizes - 1; s >= 0; s--)
        if (cells[s] && used < sizeof text)
            used +=
                (size_t)snprintf(text + used, sizeof text - used, "%s%d on %d", used ? ", " : "", cells[s], b->size[s]);
    log_text("cells on blocks of so many ranks: %s", text);
    mem_free(cells);
}

/* Which numbers are measured and which are not. */
static void print_known(const StudyPlan *p, const Sums *t) {
    static const char *const what[KNOWN_WAYS] = {[KNOWN_MEASURED] = "timed on this machine at their batch",
                                                 [KNOWN_SCALED] =
                                                     "timed on fewer samples or one block, and scaled by FLOP",
                                                 [KNOWN_EXTRAPOLATED] = "extrapolated from another size",
                                                 [KNOWN_DESCRIBED] = "by the rate that is assumed of the machine"};
    for (int k = 0; k < KNOWN_WAYS; k++)
        if (t->known[k])
            log_text("steps of %d cell%s: %s, %s", t->known[k], plural(t->known[k]), known_name(k), what[k]);
    if (p->rounds.most > 0)
        log_text("rounds of timings took %.2f to %.2f times their average: so may a run", p->rounds.least,
                 p->rounds.most);
    if (p->machine.rate <= 0 && p->timed_ranks != p->machine.node_ranks)
        log_text("they were timed with %d rank%s on a node, and here it has %d: a job of that size times its own",
                 p->timed_ranks, plural(p->timed_ranks), p->machine.node_ranks);
    if (p->machine.nodes > 1)
        log_text("sums within a node: %s, between nodes: %s", known_name(p->machine.near.known),
                 known_name(p->machine.far.known));
    else if (p->machine.ranks > 1)
        log_text("sums: %s", known_name(p->machine.near.known));
}

static void print_refused(const Study *s, int refused) {
    int named = 0;
    for (int i = 0; i < s->grid.n && refused && named < NAMES; i++) {
        const Cell *c = &s->grid.cell[i];
        if (c->state != CELL_REFUSED) continue;
        log_text("%s does not fit: %s", c->record.id, c->note);
        named++;
    }
    if (refused > named) log_text("... and %d more do not fit: -csv FILE names them", refused - named);
}

/* When and where cells train, and what that comes to. */
static void print_schedule(const Study *s, const StudyPlan *p) {
    const Machine *m = &p->machine;
    const Schedule *schedule = &p->schedule;
    double span = schedule->makespan;
    if (schedule->critical < 0) {
        log_text("no cell runs on %d rank%s of %s", m->ranks, plural(m->ranks), m->name);
        return;
    }
    print_blocks(p);
    const Cell *critical = &s->grid.cell[p->cell[schedule->critical]];
    const Slot *slot = &schedule->slot[schedule->critical];
    log_text("critical cell: %s, from %.4g to %.4g s on %d rank%s", critical->record.id, slot->start, slot->end,
             slot->block.ranks, plural(slot->block.ranks));
    log_text("on %d rank%s, %d node%s of %s: about %.4g s, %.4g core-hours, %.4g node-hours; ranks are in cells %.1f "
             "%% of it",
             m->ranks, plural(m->ranks), m->nodes, plural(m->nodes), m->name, span, span * m->ranks * m->cores / hour,
             span * m->nodes / hour, 100 * schedule_utilisation(schedule, &p->blocks));
}

void plan_print(const Study *s, const StudyPlan *p) {
    const Machine *m = &p->machine;
    Sums t = sums_of(s, p);
    if (!t.cells) {
        log_text("all %d cells have run in %s/%s: nothing is left", s->grid.n, s->options.folder, s->options.name);
        return;
    }
    print_table(s, p, t.cells);
    plan_draw(&s->grid);
    log_text("%d cell%s; N: trainable parameters, D: training samples, C: training FLOP", t.cells, plural(t.cells));
    if (t.cells < s->grid.n)
        log_text("%d of %d cells have run in %s/%s, and are left out", s->grid.n - t.cells, s->grid.n,
                 s->options.folder, s->options.name);
    log_text("in all %.3g nominal FLOP, %.3g executed FLOP; at most %.1f MiB a rank, the dataset included", t.nominal,
             t.executed, (double)t.bytes / mebi);
    print_schedule(s, p);
    if (m->cores < 1) log_text("ranks share cores: %.2f cores each", m->cores);
    print_known(p, &t);
    print_refused(s, t.refused);
    if (s->sampled)
        log_text("%s does not exist yet: lengths of sequences are those of a few trajectories made for this table",
                 s->options.data.path);
}

void plan_print_deadline(const Study *s, const StudyPlan *p, const Deadline *d) {
    int named = 0;
    if (!p->n) return;
    log_text("deadline of %.4g h: %s", d->hours, d->dropped ? "it does not end in time" : "it ends in time");
    if (!d->dropped) return;
    if (d->dropped == p->n) {
        log_text("no cell ends by then, not one by itself");
        return;
    }
    log_text("without %d cell%s the rest ends after %.4g h; drop:", d->dropped, plural(d->dropped), d->makespan / hour);
    for (int i = 0; i < p->n && named < NAMES; i++) {
        if (!d->drop[i]) continue;
        log_text("  %s", s->grid.cell[p->cell[i]].record.id);
        named++;
    }
    if (named < d->dropped) log_text("  ... and %d more: -json FILE names them", d->dropped - named);
}

/* ---- For programs. ---- */

void plan_json_cell(Json *j, const Cell *c) {
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
    json_put_bool(j, "sharded", c->job.sharded);
    json_put_bool(j, "recomputed", c->job.shape.recompute);
    json_put_int(j, "bytes", c->bytes);
}

static void json_expected(Json *j, const Cell *c, const StudyPlan *p, const Slot *slot) {
    json_put_int(j, "block", slot ? c->block : 0);
    json_put_number(j, "seconds", slot ? c->seconds : NAN);
    json_put_number(j, "start", slot ? slot->start : NAN);
    json_put_text(j, "step", known_of(c, p));
    json_put_text(j, "note", c->state == CELL_REFUSED ? c->note : "");
}

/* Where each cell of the grid stands in the schedule; NULL: nowhere. mem_free it. */
static const Slot **slots_of(const Study *s, const StudyPlan *p) {
    const Slot **slot = mem_alloc((size_t)(s->grid.n + 1) * sizeof *slot);
    for (int i = 0; i < p->n; i++) slot[p->cell[i]] = &p->schedule.slot[i];
    return slot;
}

Json *plan_json(const Study *s, const StudyPlan *p, const Deadline *deadline) {
    const Machine *m = &p->machine;
    double span = p->schedule.makespan;
    Sums t = sums_of(s, p);
    const Slot **slot = slots_of(s, p);
    Json *j = json_new();
    json_put_text(j, "study", s->options.name);
    json_put_text(j, "machine", m->name);
    json_put_int(j, "ranks", m->ranks);
    json_put_int(j, "nodes", m->nodes);
    json_put_number(j, "cores_a_rank", m->cores);
    if (m->rate <= 0) json_put_int(j, "timed_ranks_a_node", p->timed_ranks);
    json_put_number(j, "rounds_least", p->rounds.most > 0 ? p->rounds.least : NAN);
    json_put_number(j, "rounds_most", p->rounds.most > 0 ? p->rounds.most : NAN);
    json_put_text(j, "sums_within_nodes", known_name(m->near.known));
    json_put_text(j, "sums_between_nodes", known_name(m->far.known));
    json_put_number(j, "flop_nominal", t.nominal);
    json_put_number(j, "flop_executed", t.executed);
    json_put_number(j, "makespan", span);
    json_put_number(j, "core_hours", span * m->ranks * m->cores / hour);
    json_put_number(j, "node_hours", span * m->nodes / hour);
    json_put_number(j, "utilisation", schedule_utilisation(&p->schedule, &p->blocks));
    json_put_text(j, "critical", p->schedule.critical < 0 ? "" : s->grid.cell[p->cell[p->schedule.critical]].record.id);
    json_put_int(j, "refused", t.refused);
    json_put_int(j, "left_out", s->grid.n - t.cells);
    json_open_array(j, "cells");
    for (int i = 0; i < s->grid.n; i++) {
        if (!cell_unrun(&s->grid.cell[i])) continue;
        json_open_object(j, NULL);
        plan_json_cell(j, &s->grid.cell[i]);
        json_expected(j, &s->grid.cell[i], p, slot[i]);
        json_close(j);
    }
    json_close(j);
    if (deadline) {
        json_open_object(j, "deadline");
        json_put_number(j, "hours", deadline->hours);
        json_put_number(j, "makespan", deadline->makespan);
        json_open_array(j, "drop");
        for (int i = 0; i < p->n; i++)
            if (deadline->drop[i]) json_put_text(j, NULL, s->grid.cell[p->cell[i]].record.id);
        json_close(j);
        json_close(j);
    }
    mem_free(slot);
    return j;
}

Err plan_csv(const Study *s, const StudyPlan *p, const char *path) {
    static const char head[] =
        "id,arm,role,N,D,steps,dataset,seed,lr,flop_nominal,flop_executed,dp,tp,sharded,recomputed,block,bytes,seconds,"
        "start,step,note\n";
    const Slot **slot = slots_of(s, p);
    Text text = {0};
    text_add(&text, "%s", head);
    for (int i = 0; i < s->grid.n; i++) {
        const Cell *c = &s->grid.cell[i];
        const CellRecord *r = &c->record;
        if (!cell_unrun(c)) continue;
        text_add(&text, "%s,%s,%s,%lld,%lld,%lld,%lld,%lld,%.9g,%.9g,%.9g,%lld,%lld,%d,%d,%d,%lld,", r->id, r->arm,
                 r->role, (long long)r->parameters, (long long)r->samples, (long long)r->steps, (long long)r->dataset,
                 (long long)r->seed, r->lr, c->flop_nominal, c->flop_executed, (long long)r->dp, (long long)r->tp,
                 c->job.sharded, c->job.shape.recompute, slot[i] ? c->block : 0, (long long)c->bytes);
        if (slot[i]) text_add(&text, "%.6g,%.6g", c->seconds, slot[i]->start);
        text_add(&text, "%s,%s,\"%s\"\n", slot[i] ? "" : ",", known_of(c, p), c->state == CELL_REFUSED ? c->note : "");
    }
    Err err = commit_text(path, text.at, true);
    mem_free(text.at);
    mem_free(slot);
    return err;
}
