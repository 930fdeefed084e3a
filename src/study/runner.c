#include "study/runner.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/stop.h"
#include "base/timer.h"
#include "io/checkpoint.h"
#include "io/commit.h"
#include "par/watch.h"
#include "study/claim.h"
#include "study/gather.h"
#include "study/identity.h"
#include "study/measure.h"
#include "study/provenance.h"
#include "study/space.h"
#include "study/weights.h"
#include "folders.h"
#include "progress.h"
#include "tally.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Counters that every block adds to. After them come those of the queues and of the progress. BEGUN: cells; STOP: blocks that
 * were asked to stop; LATE: cells that were not begun, since no time is left for a checkpoint of them; ELSEWHERE: cells that
 * another run is at. */
enum { BEGUN, STOP, LATE, ELSEWHERE, COUNTERS };

/* Cells that wait for blocks of a size, in the order in which they are begun, and the counter of those that were taken. */
typedef struct Queue {
    int n, *cell, counter;
} Queue;

typedef struct Run {
    Grid *grid;
    const StudyOptions *options;
    const TrainData *data;
    Counters *counters;
    const StudyPlan *plan;
    Queue *together, *alone; /* (queues of the plan); alone: while all other blocks wait */
    int n_todo;
    const char *provenance;
    bool leads;      /* this rank is the first of its block */
    int current;     /* index of the cell at work */
    double polled;   /* when other blocks were last asked whether they stop */
    bool stopping;   /* the answer */
    double before;   /* s that pass before cells begin, each time */
    double unsynced; /* when the oldest record was left that may not be on the disk; 0: there is none */
    double least;    /* s from then to the first checkpoint of the quickest cell that this rank was too late for */
    Progress progress;
    Tally tally;
} Run;

/* Whether to stop: this rank was told to, or another block was. */
static bool asked_to_stop(Run *run, double now) {
    const double least = 0.5, each = 1e-3; /* a thousand questions a second for the rank that has the counters */
    double pause = fmax(least, each * comm_size(comm_world()));
    if (stop_asked() || run->stopping) return true;
    if (now - run->polled < pause) return false;
    run->polled = now;
    run->stopping = counter_add(run->counters, STOP, 0) > 0;
    return run->stopping;
}

/* After each step of a cell. */
static bool after_step(void *context, int64_t done, int64_t steps) {
    Run *run = context;
    double now = timer_now();
    if (run->plan->blocks.nodes > 1 && comm_rank(comm_world()) == 0) comm_answer(); /* whose counters they are */
    progress_step(&run->progress, run->grid->cell[run->current].record.id, done, steps, now, run->leads);
    return run->leads ? asked_to_stop(run, now) : stop_asked();
}

/* ---- Cells. ---- */

/* Records of cells that took less than SHARED_SYNC s do not each wait for the disk, which would be longer than their
 * training: they share one wait, before a longer cell is begun, at the end of a queue, or once the oldest is that old. */
#define SHARED_SYNC 1.0

/* Waits for the disk where the oldest record was left `age` seconds ago. On the leader. */
static Err sync_records(Run *run, double age) {
    char folder[COMMIT_PATH];
    if (!run->unsynced || timer_now() - run->unsynced < age) return ERR_NONE;
    run->unsynced = 0;
    snprintf(folder, sizeof folder, "%s/%s/cells", run->options->folder, run->options->name);
    return commit_flush(folder);
}

/* Takes the cell, unless another run is at it or has finished it since the scan. On the leader. */
static Err claim_cell(bool *taken, Claim *claim, Run *run, const Cell *cell) {
    char mark[COMMIT_PATH], path[COMMIT_PATH];
    bool done;
    TRY(sync_records(run, cell->seconds < SHARED_SYNC ? SHARED_SYNC : 0));
    cell_path(mark, sizeof mark, run->options, cell, "running");
    cell_path(path, sizeof path, run->options, cell, "h5");
    TRY(claim_take(taken, claim, mark, cell->deaths == 0));
    if (!*taken) counter_add(run->counters, ELSEWHERE, 1);
    if (!*taken) return ERR_NONE;
    Err err = commit_exists(&done, path);
    if (!err.code && !done) return ERR_NONE;
    if (!err.code) progress_skip(&run->progress);
    claim_release(claim);
    *taken = false;
    return err;
}

/* What a finished cell leaves: its record, and no checkpoint. On the leader. */
static Err commit_cell(Run *run, Cell *cell, CurvePoint *curve, const MeasureSink *found) {
    char path[COMMIT_PATH];
    Results one = {.cells = 1,
                   .points = cell->record.curve_points,
                   .cell = &cell->record,
                   .curve = curve,
                   .measures = found->n,
                   .measure = found->row};
    snprintf(one.study, sizeof one.study, "%.31s", run->options->name);
    study_measure_text(cell->measured, sizeof cell->measured, one.measure, one.measures);
    cell_path(path, sizeof path, run->options, cell, "h5");
    bool wait = cell->record.seconds >= SHARED_SYNC;
    TRY(results_write_cell(path, &one, run->provenance, wait));
    if (!wait && !run->unsynced) run->unsynced = timer_now();
    cell_path(path, sizeof path, run->options, cell, "checkpoint");
    checkpoint_remove(path);
    return ERR_NONE;
}

/* Whether a checkpoint is of the cell at work. */
static Err accept(void *context, Results *found, const char *path) {
    const Run *run = context;
    return identity_check(found, path, &run->grid->cell[run->current], run->options);
}

/* Trains a cell that this block has claimed, under the name of its files. Collective on the block. */
static Err train_named(Run *run, Cell *cell, const ProcGrid *procs) {
    const StudyOptions *o = run->options;
    char checkpoint[COMMIT_PATH], weights[COMMIT_PATH], mark[COMMIT_PATH];
    CurvePoint *curve = MEM_NEW(CurvePoint, o->train.evaluations);
    MeasureSink found = {0};
    double start = timer_now();
    cell_path(mark, sizeof mark, o, cell, "running");
    cell_path(checkpoint, sizeof checkpoint, o, cell, "checkpoint");
    weights_path(weights, sizeof weights, o, cell->file);
    TrainHooks hooks = {.step = after_step,
                        .accept = accept,
                        .context = run,
                        .checkpoint = checkpoint,
                        .checkpoint_seconds = o->run.checkpoint,
                        .weights = o->keep_weights ? weights : NULL,
                        .study = o->name,
                        .provenance = run->provenance};
    progress_begin(&run->progress);
    claim_blame(mark);
    watch_begin(cell->record.id, o->run.watchdog);
    Err err = train_cell(&cell->record, curve, &found, &cell->job, &o->train, run->data, procs, &hooks);
    watch_end();
    claim_blame(NULL);
    bool stopped = cell->record.outcome == OUTCOME_STOPPED;
    if (run->leads && stopped) counter_add(run->counters, STOP, 1);
    if (run->leads && !stopped && !err.code) {
        err = commit_cell(run, cell, curve, &found);
        if (!err.code) progress_finish(&run->progress, cell, timer_now() - start);
    }
    mem_free(found.row);
    mem_free(curve);
    if (!stopped) cell->state = cell->record.outcome == OUTCOME_DONE ? CELL_DONE : CELL_DIVERGED;
    return err;
}

/* The same, for a cell that may have another name in this study file. Collective on the block. */
static Err train(Run *run, Cell *cell, const ProcGrid *procs) {
    char id[RESULTS_ID];
    memcpy(id, cell->record.id, sizeof id);
    memcpy(cell->record.id, cell->file, sizeof id);
    Err err = train_named(run, cell, procs);
    memcpy(cell->record.id, id, sizeof id);
    return err;
}

/* A block of ranks at work: those that the layout of its cell takes, its first ones, are the team. */
typedef struct Crew {
    const Comm *block;
    int ranks;
    Comm *team;     /* NULL: this rank is not in it */
    ProcGrid procs; /* of the team */
    int dp, tp;     /* 0: there is no team yet */
} Crew;

static void dismiss_team(Crew *c) {
    if (c->team) procgrid_free(&c->procs);
    comm_free(c->team);
    c->team = NULL;
    c->dp = c->tp = 0;
}

/* The team of a layout, made anew where it is another than that of the cell before. Collective on the block. */
static void form_team(Crew *c, const Layout *layout) {
    if (c->dp == layout->dp && c->tp == layout->tp) return;
    dismiss_team(c);
    c->team = comm_split(c->block, comm_rank(c->block) < layout->dp * layout->tp ? 0 : -1);
    if (c->team) c->procs = procgrid_new(c->team, layout->dp, layout->tp);
    c->dp = layout->dp;
    c->tp = layout->tp;
}

/* One cell on one block. Collective on the block. */
static Err run_cell(Run *run, int index, Crew *crew) {
    Cell *cell = &run->grid->cell[index];
    Claim claim;
    bool taken = false;
    double start = timer_now(), read = dataset_read_seconds(run->data->dataset);
    run->current = index;
    Err err = run->leads ? claim_cell(&taken, &claim, run, cell) : ERR_NONE;
    TRY(comm_agree(crew->block, err));
    comm_bcast(crew->block, &taken, sizeof taken, 0);
    if (!taken) return ERR_NONE;
    if (run->leads) {
        counter_add(run->counters, BEGUN, 1);
        cell->record.attempts = claim.mark.attempts - 1;
    }
    comm_bcast(crew->block, &cell->record.attempts, sizeof cell->record.attempts, 0);
    const Layout *layout = plan_layout(run->plan, cell, crew->ranks);
    cost_apply(&cell->job, layout);
    form_team(crew, layout);
    cell->record.dp = crew->dp;
    cell->record.tp = crew->tp;
    cell->block = crew->ranks;
    err = crew->team ? train(run, cell, &crew->procs) : ERR_NONE;
    if (run->leads) claim_release(&claim);
    if (crew->team) {
        run->tally.last = timer_now();
        run->tally.seconds += run->tally.last - start;
        run->tally.reading += dataset_read_seconds(run->data->dataset) - read;
        run->tally.cells += run->leads && cell->state >= CELL_DONE;
        run->tally.parts += run->leads && cell->state < CELL_DONE;
    }
    return comm_agree(crew->block, err);
}

/* Seconds until a cell that is begun now has a checkpoint. */
static double first_seconds(const Cell *cell) {
    const double margin = 2; /* forecasts are that good; and a second for what is not forecast */
    return margin * cell->first + 1;
}

/* The next cell of a queue that gets to a checkpoint in time; -1: none, or asked to stop. On the leader. */
static int64_t next_cell(Run *run, const Queue *queue) {
    for (;;) {
        int64_t next = counter_add(run->counters, queue->counter, 1);
        if (next >= queue->n) return -1;
        int index = queue->cell[next];
        double need = first_seconds(&run->grid->cell[index]);
        if (stop_left() > need) {
            run->polled = 0;
            if (!asked_to_stop(run, timer_now())) return index;
            counter_add(run->counters, STOP, 1);
            return -1;
        }
        counter_add(run->counters, LATE, 1);
        run->least = fmin(run->least, timer_now() - run->progress.start + need);
    }
}

/* What the queue of a block's size holds. Collective on the block. */
static Err work(Run *run, const Queue *queue, Crew *crew) {
    Err err = ERR_NONE;
    while (!err.code && queue->n) {
        int64_t next = run->leads ? next_cell(run, queue) : 0;
        comm_bcast(crew->block, &next, sizeof next, 0);
        if (next < 0) break;
        err = run_cell(run, (int)next, crew);
    }
    dismiss_team(crew);
    Err synced = comm_agree(crew->block, run->leads ? sync_records(run, 0) : ERR_NONE);
    return err.code ? err : synced;
}

/* Whether queues of smaller blocks hold anything. */
static bool more_below(const Queue *queues, int queue, int n) {
    for (int q = queue + 1; q < n; q++)
        if (queues[q].n) return true;
    return false;
}

/* A block works through the queue of its size, then its halves through theirs (study/schedule.h). Of cells that must be
 * alone only the first block of each size takes any. Collective on the block. */
static Err work_down(Run *run, const Queue *queues, const Comm *comm, Block block) {
    const Blocks *b = &run->plan->blocks;
    int q = b->queue[blocks_size(b, block)];
    Crew crew = {.block = comm, .ranks = block.ranks};
    Block half[2];
    Err err = ERR_NONE;
    run->leads = comm_rank(comm) == 0;
    if (queues != run->alone || block.first == 0) err = work(run, &queues[q], &crew);
    if (err.code || !more_below(queues, q, b->queues) || !blocks_split(half, b, block)) return err;
    int mine = comm_rank(comm) >= half[0].ranks;
    Comm *part = comm_split(comm, mine);
    err = work_down(run, queues, part, half[mine]);
    comm_free(part);
    return err;
}

/* All cells of a set of queues. Collective on the world. */
static Err work_through(Run *run, const Queue *queues) {
    int nodes, *node;
    Comm *job = comm_by_node(&nodes, &node);
    Block block;
    int most = blocks_start(&block, &run->plan->blocks, 0), mine = comm_rank(job) / block.ranks;
    CHECK(mine < most, "rank %d of %d blocks of %d", comm_rank(job), most, block.ranks);
    blocks_start(&block, &run->plan->blocks, mine);
    Comm *comm = comm_split(job, mine);
    Err err = work_down(run, queues, comm, block);
    comm_free(comm);
    comm_free(job);
    mem_free(node);
    return comm_agree(comm_world(), err);
}

/* ---- Cells whose process dies. ---- */

/* After so many deaths in a row without a step further a cell is tried alone, then set aside: soon where a rank of it
 * crashed, and later where it was killed, which may have been meant for another. */
enum { DEATHS_ALONE = 2, DEATHS_CRASHED = 3, DEATHS_KILLED = 6 };

static bool hopeless(const Cell *cell) {
    return cell->state == CELL_PLANNED && cell->deaths >= (cell->mark.crash ? DEATHS_CRASHED : DEATHS_KILLED);
}

/* A record that says why there is no result. On the root. */
static Err set_aside(Cell *cell, const Run *run) {
    char path[COMMIT_PATH], by[64] = "", *provenance;
    if (cell->mark.crash) snprintf(by, sizeof by, ", last by signal %lld", (long long)cell->mark.crash);
    snprintf(cell->note, sizeof cell->note, "its process died %lld times in a row%s", (long long)cell->deaths, by);
    size_t bytes = strlen(run->provenance) + sizeof cell->note + sizeof FAILED_KEY + 8;
    provenance = MEM_NEW(char, bytes);
    snprintf(provenance, bytes, FAILED_KEY " = %s\n%s", cell->note, run->provenance);
    CellRecord r = cell->record;
    memcpy(r.id, cell->file, sizeof r.id);
    r.outcome = OUTCOME_FAILED;
    r.attempts = cell->mark.attempts;
    r.loss = r.loss_error = r.loss_initial = r.validation_loss = NAN;
    Results one = {.cells = 1, .cell = &r};
    snprintf(one.study, sizeof one.study, "%.31s", run->options->name);
    cell_path(path, sizeof path, run->options, cell, "h5");
    Err err = results_write_cell(path, &one, provenance, true);
    mem_free(provenance);
    if (!err.code) log_line("%s is set aside: %s; remove %s to try it again", r.id, cell->note, path);
    cell_path(path, sizeof path, run->options, cell, "running");
    if (!err.code) unlink(path);
    return err;
}

/* Sets aside what is hopeless, and forgets marks of dead runs beside finished cells. On the root. */
static Err look_after_all(bool *gone, Run *run) {
    char path[COMMIT_PATH];
    Mark mark;
    for (int i = 0; i < run->grid->n; i++) {
        Cell *cell = &run->grid->cell[i];
        gone[i] = hopeless(cell);
        if (gone[i]) TRY(set_aside(cell, run));
        if (cell->state < CELL_DONE) continue;
        cell_path(path, sizeof path, run->options, cell, "running");
        if (claim_look(&mark, path) == CLAIM_DEAD) unlink(path);
    }
    return ERR_NONE;
}

/* Collective on the world. */
static Err look_after(Run *run) {
    const Comm *world = comm_world();
    bool *gone = MEM_NEW(bool, run->grid->n + 1);
    Err err = comm_agree(world, comm_rank(world) == 0 ? look_after_all(gone, run) : ERR_NONE);
    comm_bcast(world, gone, (size_t)run->grid->n * sizeof *gone, 0);
    for (int i = 0; i < run->grid->n; i++)
        if (gone[i]) run->grid->cell[i].state = CELL_FAILED;
    mem_free(gone);
    return err;
}

/* ---- The whole of it. ---- */

/* Cells whose records cannot say what data they were trained on. */
static void say_unknown_data(const Grid *grid) {
    int n = 0;
    for (int i = 0; i < grid->n; i++) n += grid->cell[i].state >= CELL_DONE && !grid->cell[i].record.data[0];
    if (n) log_line("%d cells are from before records held a digest of their data: their data.* keys are these", n);
}

static Queue *new_queues(int n, int room, int counter) {
    Queue *queue = MEM_NEW(Queue, n);
    for (int q = 0; q < n; q++) queue[q] = (Queue){.cell = MEM_NEW(int, room), .counter = counter + q};
    return queue;
}

static void free_queues(Queue *queue, int n) {
    for (int q = 0; queue && q < n; q++) mem_free(queue[q].cell);
    mem_free(queue);
}

/* The schedule's queues. In each, cells whose process has died come last, so that the others get done whatever happens. */
static void fill_queues(Run *run) {
    const StudyPlan *plan = run->plan;
    const Schedule *s = &plan->schedule;
    int n = plan->blocks.queues;
    run->together = new_queues(n, plan->n + 1, COUNTERS);
    run->alone = new_queues(n, plan->n + 1, COUNTERS + n);
    for (int q = 0; q < n; q++)
        for (int pass = 0; pass < 2; pass++)
            for (int k = s->first[q]; k < s->first[q + 1]; k++) {
                int i = plan->cell[s->order[k]];
                const Cell *c = &run->grid->cell[i];
                bool died = c->deaths > 0;
                if (!cell_left(c) || died != pass) continue;
                Queue *queue = c->deaths >= DEATHS_ALONE ? &run->alone[q] : &run->together[q];
                queue->cell[queue->n++] = i;
                run->n_todo++;
            }
}

/* `1 rank (80 cells), 2 (1)`. */
static void say_blocks(const Run *run) {
    const Blocks *b = &run->plan->blocks;
    char text[256] = "", left[PROGRESS_TIME];
    size_t used = 0;
    for (int q = b->queues - 1; q >= 0; q--) {
        int cells = run->together[q].n + run->alone[q].n, ranks = b->size[b->queue_size[q]];
        if (!cells || used >= sizeof text) continue;
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%d (%d cell%s)", used ? ", " : "", ranks, cells,
                                 plural(cells));
    }
    progress_time(left, run->plan->schedule.makespan);
    int begun = 0;
    for (int i = 0; i < run->grid->n; i++) begun += cell_left(&run->grid->cell[i]) && run->grid->cell[i].begun;
    char held[64] = "";
    if (begun) snprintf(held, sizeof held, ", less what %d checkpoint%s", begun, begun == 1 ? " holds" : "s hold");
    log_line("%d of %d cells to run on %d rank%s%s%s; about %s%s", run->n_todo, run->grid->n, b->ranks,
             plural(b->ranks), used ? ", in blocks of " : "", text, left, held);
}

/* Collective. */
static void read_counters(int64_t count[COUNTERS], const Run *run) {
    for (int i = 0; i < COUNTERS; i++) count[i] = comm_rank(comm_world()) == 0 ? counter_add(run->counters, i, 0) : 0;
    comm_bcast(comm_world(), count, COUNTERS * sizeof *count, 0);
}

/* A run that began no cell since its time was too short for any, and did nothing else that the next one finds done: the same
 * command would end as it did. Of the time that is wanted half is for training. */
static Err too_short(const Run *run, double least) {
    const double share = 0.5;
    double needed = run->before + least;
    if (stop_time() > needed) return ERR_NONE;
    return err_user(
        "%s comes after %.3g s: %.1f s pass before cells begin, and the quickest of them takes %.1f s to its first "
        "checkpoint: want at least %.0f s",
        stop_reason(), stop_time(), run->before, least, ceil(needed / share));
}

/* Cells without a record of those that other runs were at when this one came to them, how many of these they still are at, and who
 * is at one of those. */
static int64_t left_elsewhere(int64_t *held, Mark *who, const Run *run) {
    char path[COMMIT_PATH];
    Mark mark;
    int64_t left = 0;
    *held = 0;
    for (int i = 0; i < run->grid->n; i++) {
        const Cell *cell = &run->grid->cell[i];
        if (!cell_left(cell)) continue;
        /* In this order: who is at a cell lets it go once its record is there. */
        cell_path(path, sizeof path, run->options, cell, "running");
        bool busy = claim_look(&mark, path) == CLAIM_HELD;
        cell_path(path, sizeof path, run->options, cell, "h5");
        if (access(path, F_OK) == 0) continue;
        *held += busy;
        if (busy && mark.pid) *who = mark;
        left++;
    }
    return left;
}

/* None is left where the other runs have ended meanwhile: then this one gathers. */
static Err check_elsewhere(const Run *run) {
    Mark who = {0};
    int64_t held, left = left_elsewhere(&held, &who, run);
    if (!left) return ERR_NONE;
    if (!held)
        return err_user("%lld cell%s left by another run that has ended: the same command goes on", (long long)left,
                        left == 1 ? " was" : "s were");
    char at[128] = "";
    if (who.pid) snprintf(at, sizeof at, ", such as process %lld on %s", (long long)who.pid, who.host);
    return err_user("%lld cell%s at work in other runs%s: the one that ends last gathers; the same command goes on",
                    (long long)held, held == 1 ? " is" : "s are", at);
}

/* How the run ended: all done, or the error that says what is left. */
static Err ending(const Run *run, const int64_t count[COUNTERS], int64_t done, double least) {
    Err err = ERR_NONE;
    if (count[LATE] && !count[BEGUN] && !count[STOP] && !count[ELSEWHERE]) TRY(too_short(run, least));
    if ((count[STOP] || count[LATE]) && done < run->n_todo)
        err = err_user("%s: stopped and saved, %lld of %d cells done: the same command goes on", stop_reason(),
                       (long long)done, run->n_todo);
    else if (count[ELSEWHERE])
        err = check_elsewhere(run);
    if (err.code) err.code = EXIT_RESUME;
    return err;
}

/* What the run's ranks did, and how it ended. Collective. */
static Err tell_end(const Run *run) {
    const Comm *world = comm_world();
    int64_t count[COUNTERS], done = comm_rank(world) == 0 ? progress_done(&run->progress) : 0;
    double sooner = -run->least; /* of all ranks the least */
    read_counters(count, run);
    comm_max_f64(world, &sooner, 1);
    bool whole = done == run->plan->n && !count[ELSEWHERE];
    TRY(tally_tell(&run->tally, run->progress.start, run->options, run->plan, whole));
    return comm_agree(world, comm_rank(world) == 0 ? ending(run, count, done, -sooner) : ERR_NONE);
}

Err study_run(Grid *grid, const StudyOptions *options, const TrainData *data, const StudyPlan *plan) {
    const Comm *world = comm_world();
    int queues = plan->blocks.queues;
    TRY(gather_check(grid, options));
    TRY(folders_make(options));
    TRY(space_check(grid, options, plan));
    TRY(folders_write_used(options));
    Run run = {.grid = grid, .options = options, .data = data, .plan = plan, .least = INFINITY};
    char *provenance = provenance_text(options, world);
    run.provenance = provenance;
    Err err = look_after(&run);
    if (!err.code) {
        fill_queues(&run);
        say_unknown_data(grid);
        say_blocks(&run);
        int progress = COUNTERS + 2 * queues;
        run.counters = counters_new(world, progress + progress_counters(grid));
        run.progress = progress_new(grid, plan, run.counters, progress, run.n_todo, options->run.say);
        run.before = stop_spent();
        stop_patient(true);
        err = work_through(&run, run.together);
        if (!err.code) err = work_through(&run, run.alone);
        stop_patient(false);
        if (!err.code) err = tell_end(&run);
        progress_free(&run.progress);
        counters_free(run.counters);
    }
    free_queues(run.together, queues);
    free_queues(run.alone, queues);
    mem_free(provenance);
    return err;
}
