// TEST double n=1,4
// TEST single n=2
/* A cell that is stopped goes on: with the bits of an undisturbed one on the same layout, to rounding on another; from the
 * older checkpoint where the newer one is damaged, from the start where both are; and what a procedure has learned is part
 * of it. No damaged byte goes unseen. A kill costs no more steps than the checkpoint interval and one step hold. */
#include "fixture.h"

#include "base/timer.h"
#include "damage.h"
#include "io/checkpoint.h"
#include "study/arm.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Asks to stop at one step, on the last rank of the cell alone. */
typedef struct Stopper {
    int64_t at;
    bool asks;
    Err answer; /* whether a checkpoint is of the cell */
} Stopper;

static bool ask(void *context, int64_t done, int64_t steps) {
    const Stopper *s = context;
    (void)steps;
    return s->asks && done == s->at;
}

static Err accept(void *context, Results *found, const char *path) {
    (void)found, (void)path;
    return ((const Stopper *)context)->answer;
}

/* What a cell ends with. */
typedef struct Ending {
    CellRecord record;
    CurvePoint curve[FIXTURE_POINTS];
} Ending;

enum { NEVER = -1 };

/* Trains on the first dp x tp ranks, up to step `stop`; goes on from the checkpoint where there is one and `resume`. The only
 * checkpoint is that of the stop, however long it takes. */
static Ending train(const TrainJob *job, const TrainData *data, int dp, int tp, int64_t stop, bool resume, Err answer) {
    const Comm *world = comm_world();
    Comm *cell = comm_split(world, comm_rank(world) < dp * tp ? 0 : -1);
    Ending end = {0};
    if (!resume && comm_rank(world) == 0) checkpoint_remove(test_file("cell.checkpoint"));
    comm_barrier(world);
    if (cell) {
        MeasureSink found = {0};
        ProcGrid grid = procgrid_new(cell, dp, tp);
        Stopper stopper = {stop, comm_rank(cell) == comm_size(cell) - 1, answer};
        TrainHooks hooks = {.step = ask,
                            .accept = accept,
                            .context = &stopper,
                            .checkpoint = test_file("cell.checkpoint"),
                            .checkpoint_seconds = HUGE_VAL,
                            .study = "test",
                            .provenance = ""};
        Err err = train_cell(&end.record, end.curve, &found, job, &fixture_options, data, &grid, &hooks);
        CHECK(!err.code, "%s", err.text);
        mem_free(found.row);
        procgrid_free(&grid);
        comm_free(cell);
    }
    comm_bcast(world, &end, sizeof end, 0);
    return end;
}

static bool same_bits(const Ending *a, const Ending *b) {
    bool same = !memcmp(&a->record.loss, &b->record.loss, sizeof a->record.loss) &&
                !memcmp(&a->record.loss_initial, &b->record.loss_initial, sizeof a->record.loss_initial) &&
                a->record.tokens == b->record.tokens && a->record.samples == b->record.samples &&
                a->record.compute[CURRENCY_EXECUTED] == b->record.compute[CURRENCY_EXECUTED] &&
                a->record.curve_points == b->record.curve_points;
    for (int p = 0; p < a->record.curve_points && same; p++) {
        const CurvePoint *x = &a->curve[p], *y = &b->curve[p];
        same = x->step == y->step && x->loss == y->loss && x->train_loss == y->train_loss && x->lr == y->lr &&
               !memcmp(x->procedure, y->procedure, sizeof x->procedure);
    }
    return same;
}

static void goes_on(const ModelKind *kind, const TrainData *data) {
    static const int layout[][2] = {{1, 1}, {2, 1}, {1, 2}, {2, 2}};
    TrainJob job = fixture_job(kind, &procedure_augmented, data, 1e-2);
    for (int l = 0; l < 4 && layout[l][0] * layout[l][1] <= comm_size(comm_world()); l++) {
        int dp = layout[l][0], tp = layout[l][1];
        if (!fixture_splits(&job, tp)) continue;
        /* After its last step, and somewhere before. */
        int64_t before = 1 + rng_below(7, rng_stream(kind->name, 0), (uint64_t)l, FIXTURE_STEPS - 1);
        int64_t stop = l == 0 ? FIXTURE_STEPS : before;
        Ending whole = train(&job, data, dp, tp, NEVER, false, ERR_NONE);
        Ending half = train(&job, data, dp, tp, stop, false, ERR_NONE);
        EXPECT(half.record.outcome == OUTCOME_STOPPED, "outcome %lld", (long long)half.record.outcome);
        Ending rest = train(&job, data, dp, tp, NEVER, true, ERR_NONE);
        EXPECT(rest.record.outcome == OUTCOME_DONE && rest.record.attempts == 2, "outcome %lld, %lld attempts",
               (long long)rest.record.outcome, (long long)rest.record.attempts);
        EXPECT(same_bits(&whole, &rest), "%s %d x %d stopped after step %lld: loss %.17g, undisturbed %.17g",
               kind->name, dp, tp, (long long)stop, rest.record.loss, whole.record.loss);
        EXPECT(rest.record.seconds > half.record.seconds, "seconds of both runs");
    }
}

/* Stopped twice, in three layouts. */
static void changes_layout(const ModelKind *kind, const TrainData *data) {
    if (comm_size(comm_world()) < 2) return;
    const double bound = REAL_EPSILON < 1e-10 ? 1e-10 : 1e-4;
    TrainJob job = fixture_job(kind, &procedure_plain, data, 1e-2);
    Ending whole = train(&job, data, 1, 1, NEVER, false, ERR_NONE);
    train(&job, data, 1, 1, 3, false, ERR_NONE);
    train(&job, data, 2, 1, 6, true, ERR_NONE);
    Ending rest = train(&job, data, 1, fixture_splits(&job, 2) ? 2 : 1, NEVER, true, ERR_NONE);
    double off = fabs(rest.record.loss / whole.record.loss - 1);
    EXPECT(rest.record.attempts == 3 && off <= bound, "%s in three layouts differs by %g", kind->name, off);
    EXPECT(rest.record.tokens == whole.record.tokens, "tokens");
}

/* ---- Damage. ---- */

static void flip(const char *path, long at) {
    FILE *f = fopen(path, "r+b");
    CHECK(f && !fseek(f, at, SEEK_SET), "%s", path);
    int byte = fgetc(f);
    fseek(f, at, SEEK_SET);
    fputc(byte ^ 0x10, f);
    fclose(f);
}

static void damaged(const TrainData *data) {
    char path[COMMIT_PATH], old[COMMIT_PATH];
    snprintf(path, sizeof path, "%s", test_file("cell.checkpoint"));
    checkpoint_old(old, path);
    TrainJob job = fixture_job(&gatr_kind, &procedure_plain, data, 1e-2);
    Ending whole = train(&job, data, 1, 1, NEVER, false, ERR_NONE);
    bool root = comm_rank(comm_world()) == 0;

    train(&job, data, 1, 1, 3, false, ERR_NONE);
    train(&job, data, 1, 1, 6, true, ERR_NONE);
    EXPECT(access(path, F_OK) == 0 && access(old, F_OK) == 0, "two generations");
    comm_barrier(comm_world());
    if (root) flip(path, 5000);
    Ending rest = train(&job, data, 1, 1, NEVER, true, ERR_NONE);
    EXPECT(same_bits(&whole, &rest) && rest.record.attempts == 2, "from the older one: %lld attempts",
           (long long)rest.record.attempts);
    if (root) flip(path, 5000); /* that of its last step; the older one is the one from before */
    rest = train(&job, data, 1, 1, NEVER, true, ERR_NONE);
    EXPECT(same_bits(&whole, &rest) && rest.record.attempts == 1, "from the start");

    train(&job, data, 1, 1, 3, false, ERR_NONE);
    rest = train(&job, data, 1, 1, NEVER, true, err_user("another cell"));
    EXPECT(same_bits(&whole, &rest) && rest.record.attempts == 1, "not from another cell's");
}

/* Each kind of damage, so many times: none goes unseen. */
static void sees_damage(int trials) {
    if (comm_rank(comm_world()) != 0) return;
    const char *path = test_file("cell.checkpoint");
    Checkpoint file;
    Err err = checkpoint_open(&file, path, CHECKPOINT_TRAINING);
    EXPECT(!err.code, "%s", err.text);
    checkpoint_close(&file);
    size_t bytes;
    char *good = test_read(path, &bytes), *bad = mem_alloc(bytes);
    int unseen = 0;
    for (int i = 0; i < trials; i++) {
        memcpy(bad, good, bytes);
        size_t left = damage_medium((unsigned char *)bad, bytes, i);
        test_write(path, bad, left);
        err = checkpoint_open(&file, path, CHECKPOINT_TRAINING);
        if (!err.code) checkpoint_close(&file);
        unseen += err.code != EXIT_USER;
    }
    EXPECT(unseen == 0, "%d of %d damaged checkpoints were not seen to be that", unseen, trials);
    printf("measured %d damaged checkpoints refused\n", trials - unseen);
    mem_free(good);
    mem_free(bad);
}

/* ---- Kills. ---- */

enum { LONG_STEPS = 2000, KILLS = 20 };
#define BETWEEN 0.05 /* s between checkpoints */

/* What a child that trains leaves in memory that its parent sees, however it ends. */
typedef struct Seen {
    int64_t first, last;       /* steps that it ended, 0: none */
    double at[LONG_STEPS + 1]; /* s on its clock when it had ended that step, of this or an earlier child */
    bool ended;
    Ending end;
} Seen;

static bool see(void *context, int64_t done, int64_t steps) {
    Seen *seen = context;
    (void)steps;
    if (!seen->first) seen->first = done;
    seen->at[done] = timer_now();
    seen->last = done;
    return false;
}

static Err accept_any(void *context, Results *found, const char *path) {
    (void)context, (void)found, (void)path;
    return ERR_NONE;
}

static void train_here(Seen *seen, const TrainJob *job, const TrainData *data, const ProcGrid *grid) {
    MeasureSink found = {0};
    TrainHooks hooks = {.step = see,
                        .accept = accept_any,
                        .context = seen,
                        .checkpoint = test_file("killed.checkpoint"),
                        .checkpoint_seconds = BETWEEN,
                        .study = "test",
                        .provenance = ""};
    Err err = train_cell(&seen->end.record, seen->end.curve, &found, job, &fixture_options, data, grid, &hooks);
    CHECK(!err.code, "%s", err.text);
    mem_free(found.row);
    seen->ended = true;
}

/* A child that trains, killed once it has made `most` steps, unless it gets to the end before. */
static void train_and_die(Seen *seen, int64_t most, const TrainJob *job, const TrainData *data, const ProcGrid *grid) {
    volatile int64_t *last = &seen->last;
    volatile bool *ended = &seen->ended;
    seen->first = seen->last = 0;
    pid_t child = fork();
    CHECK(child >= 0, "no child process");
    if (child == 0) {
        train_here(seen, job, data, grid);
        _exit(0);
    }
    int64_t from = *last;
    while (!*ended && (!*last || *last - from < most) && waitpid(child, NULL, WNOHANG) == 0) {
        if (*last && !from) from = *last;
        usleep(200);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* Of the steps that a child repeats all but the last ended within BETWEEN of the first, on the clock by which
 * checkpoints are due: so much was lost with the kill, and that last one, and what was under way. */
static void killed(const TrainData *data) {
    if (comm_size(comm_world()) > 1) return;
    TrainJob job = fixture_job(&transformer_kind, &procedure_plain, data, 1e-3);
    job.steps = LONG_STEPS;
    Seen *seen = mmap(NULL, 2 * sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0),
         *whole = seen + 1;
    CHECK(seen != MAP_FAILED, "no memory to share with a child process");
    ProcGrid grid = procgrid_new(comm_self(), 1, 1);
    train_and_die(whole, LONG_STEPS, &job, data, &grid);
    checkpoint_remove(test_file("killed.checkpoint"));
    EXPECT(whole->ended, "the undisturbed one ended after step %lld", (long long)whole->last);
    int64_t dearest = 0, repeated = 0, kills = 0, reached = 0;
    double longest = 0;
    for (; kills < KILLS && !seen->ended; kills++) {
        double at_death[LONG_STEPS + 1];
        memcpy(at_death, seen->at, sizeof at_death);
        train_and_die(seen, 1 + rng_below(11, 0, (uint64_t)kills, LONG_STEPS / 4), &job, data, &grid);
        int64_t again = seen->first ? reached - seen->first + 1 : 0;
        if (again > 1) longest = fmax(longest, at_death[reached - 1] - at_death[seen->first]);
        if (again > dearest) dearest = again;
        repeated += again > 0 ? again : 0;
        EXPECT(!seen->first || seen->first <= reached + 1, "steps up to %lld were left out", (long long)seen->first);
        if (seen->last) reached = seen->last;
    }
    EXPECT(longest <= BETWEEN, "steps of %g s were repeated", longest);
    if (!seen->ended) train_and_die(seen, LONG_STEPS, &job, data, &grid);
    EXPECT(same_bits(&whole->end, &seen->end), "after %lld kills: loss %.17g, undisturbed %.17g", (long long)kills,
           seen->end.record.loss, whole->end.record.loss);
    printf("measured %lld kills of a cell of %d steps: %lld steps made again, at most %lld at once, of %.3f s and one "
           "step, "
           "at checkpoints every %g s\n",
           (long long)kills, LONG_STEPS, (long long)repeated, (long long)dearest, longest, BETWEEN);
    procgrid_free(&grid);
    munmap(seen, 2 * sizeof *seen);
}

/* ---- A procedure that learns. ---- */

static void place(ProcedureRun *run, Arena *arena) {
    run->state = ARENA_TAKE(arena, double, 2);
    if (run->state) memset(run->state, 0, 2 * sizeof(double));
}

static void fill_plain(ProcedureRun *run, Batch *batch, int64_t first, int n) {
    procedure_plain.fill(run, batch, first, n);
}

/* A running mean of the gradient's first element, and the number of steps. */
static void learn(ProcedureRun *run, Pass *pass) {
    double *state = run->state;
    state[0] = 0.9 * state[0] + (double)pass->model->grad[0];
    state[1]++;
}

static int64_t give_state(const ProcedureRun *run, double *numbers) {
    if (numbers) memcpy(numbers, run->state, 2 * sizeof *numbers);
    return 2;
}

static void take_state(ProcedureRun *run, const double *numbers) {
    memcpy(run->state, numbers, 2 * sizeof *numbers);
}

static void show(ProcedureRun *run, double value[CURVE_NUMBERS]) {
    memcpy(value, run->state, 2 * sizeof *value);
}

static void learns(const TrainData *data) {
    static const Procedure learner = {.name = "learner",
                                      .layout = place,
                                      .fill = fill_plain,
                                      .after_gradient = learn,
                                      .state = give_state,
                                      .restore = take_state,
                                      .number = {"mean", "steps"},
                                      .numbers = show};
    TrainJob job = fixture_job(&transformer_kind, &learner, data, 1e-2);
    Ending whole = train(&job, data, 1, 1, NEVER, false, ERR_NONE);
    train(&job, data, 1, 1, 4, false, ERR_NONE);
    Ending rest = train(&job, data, 1, 1, NEVER, true, ERR_NONE);
    const double *end = rest.curve[rest.record.curve_points - 1].procedure;
    EXPECT(same_bits(&whole, &rest) && end[1] == FIXTURE_STEPS, "learned in %g steps", end[1]);
}

/* Keys with which a procedure learns something in a few steps; the others do by default, or never. */
static const char *busy_keys(const Procedure *procedure) {
    if (procedure == &procedure_shared) return "-shared_every 2";
    return procedure == &procedure_remul ? "-remul_penalty gradnorm" : NULL;
}

/* What an arm's procedure learns or remembers beside the model. */
static void every_arm(const TrainData *data) {
    for (int a = 0; a < n_arms; a++) {
        const Arm *arm = &arms[a];
        OptionRoom keys = fixture_keys(arm->procedure, busy_keys(arm->procedure));
        OptionRoom one = keys;
        if (arm->procedure->swept) procedure_take(&one, arm->procedure, &keys, 0);
        TrainJob job = fixture_job(arm->kind, arm->procedure, data, 1e-2);
        job.procedure_options = &one;
        job.shape.upright = arm->upright;
        Ending whole = train(&job, data, 1, 1, NEVER, false, ERR_NONE);
        train(&job, data, 1, 1, 5, false, ERR_NONE);
        Ending rest = train(&job, data, 1, 1, NEVER, true, ERR_NONE);
        EXPECT(rest.record.attempts == 2 && same_bits(&whole, &rest),
               "%s stopped after step 5: loss %.17g, undisturbed %.17g", arm->name, rest.record.loss,
               whole.record.loss);
    }
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    test_folder_new();
    Dataset *dataset = fixture_dataset(argv);
    TrainData data = fixture_data(dataset);
    for (int k = 0; k < n_model_kinds; k++) {
        goes_on(model_kinds[k], &data);
        changes_layout(model_kinds[k], &data);
    }
    damaged(&data);
    sees_damage(test_trials(argc, argv, 600));
    killed(&data);
    learns(&data);
    every_arm(&data);
    dataset_close(dataset);
    return test_end();
}
