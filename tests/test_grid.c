// TEST single n=1
/* From a study file to cells and what they cost: every cell once, with the numbers that its keys ask for, by budgets too; on a
 * described machine the seconds that the formulas of study/cost.h give, the sum of them, and what does not end in time. */
#include "fixture.h"
#include "study/plan.h"
#include "study/space.h"
#include "train/forecast.h"
#include "train/state.h"

enum { FRAMES = 6 }; /* that make a sample, of 8 */

static const char keys[] = "study:\n"
                           "  name: t\n"
                           "  arms: [transformer, gatr, transformer_remul]\n"
                           "  steps: [100, 400]\n"
                           "  seeds: [1, 5]\n"
                           "  datasets: [8, 4]\n"
                           "  data_size: 1\n"
                           "  data_steps: [50, 400]\n"
                           "  data_seeds: [7, 5]\n"
                           "  test_trajectories: 4\n"
                           "  validation_trajectories: 2\n"
                           "  repeat: true\n"
                           "  keep_weights: all\n"
                           "transformer:\n"
                           "  width: [8, 16]\n"
                           "  depth: [1, 2]\n"
                           "  heads: [2, 2]\n"
                           "  lr: [1e-3, 1.0000001e-3]\n"
                           "  lr_exponent: 0.5\n"
                           "  lr_steps: 200\n"
                           "  lr_steps_exponent: 0.25\n"
                           "remul: {equivariance: [1, 4]}\n"
                           "gatr: {width: [2, 4], depth: [1, 1], heads: [2, 2]}\n"
                           "train: {batch: 8, evaluations: 4, curve_samples: 10}\n";

static const char described[] = "machine:\n"
                                "  name: test\n"
                                "  nodes: 8\n"
                                "  node_ranks: 2\n"
                                "  memory: 4\n"
                                "  peak: 4e9\n"
                                "  share: 0.5\n"
                                "  stream: 1e9\n"
                                "  latency_node: 1e-6\n"
                                "  bandwidth_node: 1e9\n"
                                "  latency_network: 1e-5\n"
                                "  bandwidth_network: 2e9\n";

static const double rate = 2e9, stream = 1e9; /* of the machine above */

/* Reads the study with more keys, "-key value" each, which stay; NULL ends them. Its file is read once. */
static StudyOptions *read_study(char **word) {
    static bool known;
    int words = 0;
    while (word[words]) words++;
    StudyOptions *o = MEM_NEW(StudyOptions, 1);
    Err err = options_load(known ? NULL : test_file("study.yaml"), words, word);
    known = true;
    if (!err.code) err = study_options_read(o);
    CHECK(!err.code, "%s", err.text);
    return o;
}

/* Lists that do not fit together, or have something twice, which would be another study than is meant. */
static void refused(void) {
    static const struct {
        char *key, *bad, *good, *want;
    } list[] = {
        {"-gatr_scalars", "4", "[]", "gatr.scalars: want one entry for each width, 2"},
        {"-gatr_heads", "2", "2,2", "gatr.depth and gatr.heads: want one entry for each width, 2 each"},
        {"-gatr_width", "2,2", "2,4", "gatr.width lists the size of width 2, depth 1, heads 2 twice"},
        {"-study_data_size", "2", "1", "study.data_size = 2: want 0 to 1"},
        {"-study_budget_seeds", "1,2,3", "1", "study.budget_seeds: want one entry"},
        {"-study_steps", "100,400,100", "100,400", "study.steps lists 100 twice"},
        {"-study_seeds", "5,5", "1,5", "study.seeds lists 5 twice"},
        {"-study_datasets", "8,8", "8,4", "study.datasets lists 8 twice"},
        {"-study_data_steps", "50,50", "50,400", "study.data_steps lists 50 twice"},
        {"-study_data_seeds", "7,7", "7,5", "study.data_seeds lists 7 twice"},
        {"-transformer_lr", "1e-3,0.001", "1e-3,1.0000001e-3", "transformer.lr lists 0.001 twice"},
    };
    StudyOptions *o = read_study((char *[]){"test", NULL});
    for (int i = 0; i < (int)(sizeof list / sizeof *list); i++) {
        Err err = options_load(NULL, 3, (char *[]){"test", list[i].key, list[i].bad, NULL});
        if (!err.code) err = study_options_read(o);
        EXPECT(err.code == EXIT_USER && strstr(err.text, list[i].want), "%s %s: want %s: %s", list[i].key, list[i].bad,
               list[i].want, err.text);
        err = options_load(NULL, 3, (char *[]){"test", list[i].key, list[i].good, NULL});
        if (!err.code) err = study_options_read(o);
        EXPECT(!err.code, "%s %s: %s", list[i].key, list[i].good, err.text);
    }
    mem_free(o);
}

/* The only cell of an arm that has all this; swept: NaN where its procedure sweeps nothing. */
static const Cell *find(const Grid *grid, const char *arm, double swept, int64_t width, int64_t steps, int64_t seed,
                        int64_t dataset, double lr) {
    const Cell *found = NULL;
    for (int i = 0; i < grid->n; i++) {
        const CellRecord *r = &grid->cell[i].record;
        bool same = !strcmp(r->arm, arm) && r->width == width && r->steps == steps && r->seed == seed;
        bool alike = isnan(swept) ? isnan(r->swept) : r->swept == swept;
        if (!same || !alike || r->dataset != dataset || grid->cell[i].rate != lr) continue;
        EXPECT(!found, "%s is there twice", r->id);
        found = &grid->cell[i];
    }
    EXPECT(found, "no cell %s %g w%lld t%lld r%lld n%lld lr %g", arm, swept, (long long)width, (long long)steps,
           (long long)seed, (long long)dataset, lr);
    return found;
}

/* Elements of all tensors of a model. */
static int64_t elements_of(const GridKind *kind) {
    ParamTable table = param_table_new(1, 0);
    int64_t n = 0;
    kind->job.kind->params(&table, &kind->job.shape);
    for (int t = 0; t < table.n; t++) n += param_size(&table.at[t]);
    param_table_free(&table);
    return n;
}

/* What a record says before its cell is run. */
static void check_record(const Grid *grid, const Cell *c, const char *role) {
    const CellRecord *r = &c->record;
    const GridKind *kind = &grid->kind[c->kind];
    char scalars[24] = "", weight[24] = "", name[RESULTS_ID];
    if (r->scalars) snprintf(scalars, sizeof scalars, "s%lld", (long long)r->scalars);
    if (r->swept == 4) snprintf(weight, sizeof weight, "-e4");
    snprintf(name, sizeof name, "%s-w%lld%sx%lldh%lld%s-t%lld-n%lld-r%lld", r->arm, (long long)r->width, scalars,
             (long long)r->depth, (long long)r->heads, weight, (long long)r->steps, (long long)r->dataset,
             (long long)r->seed);
    EXPECT(!strncmp(r->id, name, strlen(name)), "%s is no name of %s", r->id, name);
    EXPECT(!strcmp(r->role, role), "%s has the role %s", r->id, r->role);
    EXPECT(r->samples == 8 * r->steps && r->batch == 8, "%s: %lld samples", r->id, (long long)r->samples);
    EXPECT(fabs(r->epochs * (double)(r->dataset * FRAMES) - (double)r->samples) < 1e-9 * (double)r->samples,
           "%s: %g epochs", r->id, r->epochs);
    EXPECT(r->parameters == elements_of(kind) && r->scalars == (kind->job.shape.in_mv ? 2 * r->width : 0),
           "%s: %lld parameters, %lld scalars", r->id, (long long)r->parameters, (long long)r->scalars);
    EXPECT(kind->parameters == r->parameters && r->width == kind->job.shape.width && r->depth == kind->job.shape.depth,
           "%s is of another size", r->id);
    EXPECT(c->job.steps == r->steps && c->job.dataset == r->dataset && c->job.seed == (uint64_t)r->seed &&
               c->job.lr == r->lr && c->job.procedure == arm_find(r->arm)->procedure,
           "%s trains something else", r->id);
    EXPECT(c->flop_executed == kind->executed * (double)r->steps && c->flop_nominal == kind->nominal * (double)r->steps,
           "%s: %g FLOP", r->id, c->flop_executed);
    const RealList *swept = procedure_swept(c->job.procedure, c->job.procedure_options);
    EXPECT(swept ? swept->n == 1 && swept->at[0] == r->swept : isnan(r->swept), "%s trains with another weight", r->id);
    EXPECT(strlen(r->data) > 0, "%s has no digest of its data", r->id);
}

/* The cells of an arm at one rate, and at one weight that its procedure sweeps: sizes, lengths and seeds, and at the second size
 * those of the training sets, of which the largest is the grid's. */
static void check_arm(const Grid *grid, const char *arm, double swept, int64_t narrow, double lr) {
    static const int64_t steps[] = {100, 400}, data_steps[] = {50, 400}, seeds[] = {1, 5}, data_seeds[] = {7, 5};
    for (int i = 0; i < 8; i++) {
        const Cell *c = find(grid, arm, swept, narrow << i / 4, steps[i / 2 % 2], seeds[i % 2], 8, lr);
        if (c) check_record(grid, c, "grid");
        if (!c || strcmp(arm, "transformer") != 0) continue;
        double want = lr * sqrt(1e5 / (double)c->record.parameters) * (c->record.steps > 200 ? pow(0.5, 0.25) : 1);
        EXPECT(fabs(c->record.lr / want - 1) < 1e-12 && c->swept, "%s: lr %g, want %g", c->record.id, c->record.lr,
               want);
    }
    for (int i = 0; i < 8; i++) {
        const int64_t dataset = i / 4 ? 8 : 4, length = data_steps[i / 2 % 2], seed = data_seeds[i % 2];
        const Cell *c = find(grid, arm, swept, 2 * narrow, length, seed, dataset, lr);
        bool also_grid = dataset == 8 && length == 400 && seed == 5;
        if (c) check_record(grid, c, also_grid ? "grid" : "data");
    }
}

/* Every cell once, under a name of its own, the dearest first. */
static void every_cell(const TrainData *data) {
    enum { EACH = 8 + 8 - 1 }; /* of the grid and of training sets; one is both */
    StudyOptions *o = read_study((char *[]){"test", NULL});
    Grid grid;
    Err err = grid_new(&grid, o, data, false);
    CHECK(!err.code, "%s", err.text);
    check_arm(&grid, "transformer", NAN, 8, 1e-3);
    check_arm(&grid, "transformer", NAN, 8, 1.0000001e-3); /* which are no two names in six digits */
    check_arm(&grid, "gatr", NAN, 2, o->rates[arm_find("gatr") - arms].lr.at[0]);
    for (int k = 0; k < 2; k++)
        check_arm(&grid, "transformer_remul", k ? 4 : 1, 8, o->rates[arm_find("transformer_remul") - arms].lr.at[0]);
    EXPECT(grid.n == 5 * EACH, "%d cells", grid.n);
    bool *place = MEM_NEW(bool, grid.n);
    for (int i = 0; i < grid.n; i++) {
        const Cell *c = &grid.cell[i];
        EXPECT(i == 0 || c->flop_executed <= c[-1].flop_executed, "%s is not in its order", c->record.id);
        CHECK(c->place >= 0 && c->place < grid.n && !place[c->place], "place %d", c->place);
        place[c->place] = true;
        for (int k = 0; k < i; k++) EXPECT(strcmp(c->record.id, grid.cell[k].record.id), "two are %s", c->record.id);
    }
    mem_free(place);
    grid_free(&grid);
    mem_free(o);
}

/* A law takes every sample for a new one, so a grid that sees some twice is refused. */
static void repeats(const TrainData *data) {
    StudyOptions *o =
        read_study((char *[]){"test", "-study_steps", "4,5,6", "-transformer_width", "8,12,16", "-transformer_depth",
                              "1,1,1", "-transformer_heads", "2,2,2", "-study_repeat", "false", NULL});
    Grid grid;
    Err err = grid_new(&grid, o, data, false);
    EXPECT(!err.code && 6 * 8 == 8 * FRAMES, "as many samples as there are: %s", err.text);
    grid_free(&grid);
    o->dp = 9;
    err = grid_new(&grid, o, data, false);
    EXPECT(err.code == EXIT_USER && strstr(err.text, "layout.dp = 9: want at most train.batch = 8"), "%s", err.text);
    grid_free(&grid);
    o->dp = 0;
    o->steps.at[2] = 7;
    err = grid_new(&grid, o, data, false);
    EXPECT(err.code == EXIT_USER && strstr(err.text, "sees 56 samples, 8 trajectories have 48: want 10 trajectories "
                                                     "for training (data.trajectories = 16 or more)"),
           "%s", err.text);
    grid_free(&grid);
    mem_free(o);
}

/* Cells of an arm that meet a budget, each within the half percent that three digits leave, at seeds 1, 2, ... */
static int meeting(const Grid *grid, const char *arm, double budget, bool nominal, int seeds) {
    int n = 0;
    for (int i = 0; i < grid->n; i++) {
        const Cell *c = &grid->cell[i];
        double flop = nominal ? c->flop_nominal : c->flop_executed;
        if (strcmp(c->record.arm, arm) || fabs(flop / budget - 1) > 0.005) continue;
        EXPECT(c->record.seed >= 1 && c->record.seed <= seeds && c->record.dataset == 8, "%s is no cell of a budget",
               c->record.id);
        n++;
    }
    return n;
}

/* Steps that meet a budget in either currency, and the number of seeds that the study or the arm has there. */
static void budgets(const TrainData *data) {
    static const char *const currency[] = {"nominal", "executed"};
    for (int k = 0; k < 2; k++) {
        StudyOptions *o = read_study((char *[]){"test",
                                                "-study_arms",
                                                "transformer,gatr",
                                                "-study_budget_currency",
                                                (char *)currency[k],
                                                "-study_budgets",
                                                "1e12,2e12",
                                                "-study_steps",
                                                "[]",
                                                "-study_datasets",
                                                "8",
                                                "-study_budget_steps_min",
                                                "1",
                                                "-study_budget_seeds",
                                                "2,1",
                                                "-gatr_budget_seeds",
                                                "1,3",
                                                "-study_repeat",
                                                "true",
                                                "-transformer_lr",
                                                "1e-3",
                                                "-transformer_width",
                                                "8,10,12,14,16",
                                                "-transformer_depth",
                                                "1,1,1,1,1",
                                                "-transformer_heads",
                                                "2,2,2,2,2",
                                                "-gatr_width",
                                                "2,3,4,5,6",
                                                "-gatr_depth",
                                                "1,1,1,1,1",
                                                "-gatr_heads",
                                                "1,1,1,1,1",
                                                NULL});
        Grid grid;
        Err err = grid_new(&grid, o, data, false);
        CHECK(!err.code, "%s", err.text);
        int found[2][2];
        for (int b = 0; b < 2; b++) {
            found[0][b] = meeting(&grid, "transformer", b ? 2e12 : 1e12, k == 0, b ? 1 : 2);
            found[1][b] = meeting(&grid, "gatr", b ? 2e12 : 1e12, k == 0, b ? 3 : 1);
        }
        EXPECT(found[0][0] == 10 && found[0][1] == 5 && found[1][0] == 5 && found[1][1] == 15 && grid.n == 35,
               "%s: %d and %d of transformer, %d and %d of gatr, %d in all", currency[k], found[0][0], found[0][1],
               found[1][0], found[1][1], grid.n);
        grid_free(&grid);
        mem_free(o);
    }
}

/* The machine is described: seconds are FLOP over its rate and bytes over its memory's; sums cost latency and bandwidth. */
static void seconds(const TrainData *data) {
    StudyOptions *o = read_study((char *[]){"test", "-study_steps", "1,4,400", "-run_memory", "100", NULL});
    Grid grid;
    StudyPlan plan;
    Err err = grid_new(&grid, o, data, false);
    if (!err.code)
        err = plan_make(&plan, &grid, o, data, &(PlanTarget){.machine = test_file("machine.yaml"), .ranks = 1});
    CHECK(!err.code, "%s", err.text);
    EXPECT(o->train.rank_bytes == 100 << 20, "a rank has %lld bytes", (long long)o->train.rank_bytes);
    double sum = 0;
    for (int i = 0; i < grid.n; i++) {
        const Cell *c = &grid.cell[i];
        const GridKind *kind = &grid.kind[c->kind];
        int views = procedure_views(kind->job.procedure, kind->job.procedure_options);
        double update = 5 * (double)kind->parameters * sizeof(real) / stream, step = kind->executed / rate + update;
        double pass = kind->executed / 8 / rate / 3 / views, points = fmin(4, 1 + floor(log2((double)c->job.steps)));
        /* One evaluation before training, one at each point of the curve but the last, which is on all samples, as the choice is. */
        double passes = 10 * points + (double)(data->test_samples + data->validation_samples) +
                        measure_passes(&o->chosen, data, train_passes(&c->job, &o->train));
        double want = update + (double)c->job.steps * step + passes * pass;
        EXPECT(fabs(c->seconds / want - 1) < 1e-9, "%s: %g s, want %g", c->record.id, c->seconds, want);
        EXPECT(fabs(c->first / (update + step + 10 * pass) - 1) < 1e-9, "%s: %g s to its first step", c->record.id,
               c->first);
        EXPECT(c->block == 1 && c->record.dp == 1 && c->record.tp == 1, "%s on %d ranks", c->record.id, c->block);
        sum += c->seconds;
    }
    EXPECT(fabs(plan.schedule.makespan / sum - 1) < 1e-9, "%g s of %g", plan.schedule.makespan, sum);
    plan_free(&plan);
    grid_free(&grid);
    mem_free(o);
}

/* A study planned on so many ranks of the machine, with more keys; to be given back by forget. */
typedef struct Planned {
    StudyOptions *options;
    Grid grid;
    StudyPlan plan;
} Planned;

static Planned make_plan(const TrainData *data, int ranks, char **word) {
    Planned p = {.options = read_study(word)};
    const PlanTarget target = {.machine = test_file("machine.yaml"), .ranks = ranks};
    Err err = grid_new(&p.grid, p.options, data, false);
    if (!err.code) err = plan_make(&p.plan, &p.grid, p.options, data, &target);
    CHECK(!err.code, "%s", err.text);
    return p;
}

static void forget(Planned *p) {
    plan_free(&p->plan);
    grid_free(&p->grid);
    mem_free(p->options);
}

/* Elements of a shard, and its gradient blocks. */
static double shard_bytes(int *blocks, const GridKind *kind, int tp) {
    ParamTable table = param_table_new(tp, 0);
    kind->job.kind->params(&table, &kind->job.shape);
    double bytes = (double)table.local * sizeof(real);
    *blocks = table.blocks;
    param_table_free(&table);
    return bytes;
}

/* Four ranks on two nodes share a batch: a quarter of it each, and sums of gradients and of the verdict, in two stages, of which one
 * is within a node and one between two; where moments are sharded, parameters are gathered too. */
static void data_parallel(const TrainData *data, char *sharded) {
    const double latency = 1e-6 + 1e-5, each = 1 / 1e9 + 1 / 2e9, verdict = 32;
    char *word[] = {"test", "-layout_dp", "4", "-train_shard_optimizer", sharded, NULL};
    Planned p = make_plan(data, 4, word);
    EXPECT(p.options->tp == 1, "layout.dp alone leaves layout.tp = %lld", (long long)p.options->tp);
    for (int k = 0; k < p.grid.kinds; k++) {
        const GridKind *kind = &p.grid.kind[k];
        const Layout *l = &p.plan.layout[k * p.plan.blocks.sizes];
        int blocks, views = procedure_views(kind->job.procedure, kind->job.procedure_options);
        double bytes = shard_bytes(&blocks, kind, 1), update = 5 * (double)kind->parameters * sizeof(real) / stream;
        double gathered = strcmp(sharded, "always") ? 0 : latency + bytes / 2 * each;
        double sums = blocks * latency + bytes * each + gathered + latency + verdict * each;
        double want = kind->executed / 4 / rate + update + sums, pass = kind->executed / 8 / rate / 3 / 4 / views;
        EXPECT(l->dp == 4 && l->tp == 1 && fabs(l->pace.step / want - 1) < 1e-9, "kind %d: %g s a step, want %g", k,
               l->pace.step, want);
        EXPECT(fabs(l->pace.pass / pass - 1) < 1e-9, "kind %d: %g s a sample, want %g", k, l->pace.pass, pass);
    }
    forget(&p);
}

/* Two ranks of a node share each sample: half of the work and of the update, and two sums of the residual stream a block of the
 * model in each direction. */
static void tensor_parallel(const TrainData *data) {
    const double latency = 1e-6, bandwidth = 1e9, verdict = 32;
    double tokens = 0;
    int64_t n = dataset_size(data->dataset);
    for (int64_t i = 0; i < n; i++) tokens += (double)dataset_get(data->dataset, i)->vertices / (double)n;
    Planned p = make_plan(data, 2, (char *[]){"test", "-layout_dp", "1", "-layout_tp", "2", NULL});
    for (int k = 0; k < p.grid.kinds; k++) {
        const GridKind *kind = &p.grid.kind[k];
        const ModelShape *m = &kind->job.shape;
        const Layout *l = &p.plan.layout[k * p.plan.blocks.sizes];
        int views = procedure_views(kind->job.procedure, kind->job.procedure_options);
        double channels = m->in_mv ? 16 * m->width + m->width_s : m->width;
        double moved = channels * tokens * sizeof(real) / bandwidth; /* s, of a sample and view */
        double half = forecast_flops(&kind->job, &p.options->train, data, 2).executed / 2 / rate;
        double update = 5 * (double)kind->parameters * sizeof(real) / stream / 2;
        double step = half + update + 4 * m->depth * (latency + 8 * views * moved) + latency + verdict / bandwidth;
        double pass = half / 8 / 3 / views + 2 * m->depth * moved;
        EXPECT(l->dp == 1 && l->tp == 2 && fabs(l->pace.step / step - 1) < 1e-9, "kind %d: %g s a step, want %g", k,
               l->pace.step, step);
        EXPECT(fabs(l->pace.pass / pass - 1) < 1e-9, "kind %d: %g s a sample, want %g", k, l->pace.pass, pass);
    }
    forget(&p);
}

/* Where the program chooses, a layout is as fast as the fastest of those that a study file could ask for. */
static void fastest(const TrainData *data) {
    static char *const layout[][2] = {{"2", "1"}, {"1", "2"}, {"1", "1"}};
    enum { GIVEN = sizeof layout / sizeof *layout, KINDS = 16 };
    double step[GIVEN][KINDS];
    for (int i = 0; i < GIVEN; i++) {
        char *word[] = {"test", "-layout_dp", layout[i][0], "-layout_tp", layout[i][1], NULL};
        Planned p = make_plan(data, 2, word);
        CHECK(p.grid.kinds <= KINDS, "%d kinds", p.grid.kinds);
        for (int k = 0; k < p.grid.kinds; k++) step[i][k] = p.plan.layout[k * p.plan.blocks.sizes].pace.step;
        forget(&p);
    }
    Planned p = make_plan(data, 2, (char *[]){"test", "-layout_dp", "0", "-layout_tp", "0", NULL});
    for (int k = 0; k < p.grid.kinds; k++) {
        const Layout *l = &p.plan.layout[k * p.plan.blocks.sizes]; /* on both ranks */
        double least = fmin(fmin(step[0][k], step[1][k]), step[2][k]);
        EXPECT(fabs(l->pace.step / least - 1) < 1e-12, "kind %d: %d x %d takes %g s, another %g", k, l->dp, l->tp,
               l->pace.step, least);
    }
    forget(&p);
}

/* Bytes for the records of all cells, the weights of all, and the three checkpoints of the one cell that is at work. */
static void room(const TrainData *data) {
    enum { RECORD = 65536, ROWS = 8192 };
    Planned p = make_plan(data, 2, (char *[]){"test", "-layout_dp", "2", "-layout_tp", "1", NULL});
    int64_t most = 0, weights = 0;
    for (int i = 0; i < p.grid.n; i++) {
        const TrainJob *job = &p.grid.cell[i].job;
        int64_t bytes = state_bytes(job->kind, &job->shape, CHECKPOINT_TRAINING);
        weights += state_bytes(job->kind, &job->shape, CHECKPOINT_WEIGHTS);
        most = bytes > most ? bytes : most;
    }
    int64_t needed = space_needed(&p.grid, p.options, &p.plan);
    int64_t want = weights + 3 * (most + RECORD) + p.grid.n * (2 * RECORD + ROWS);
    EXPECT(needed == want, "%lld bytes, want %lld", (long long)needed, (long long)want);
    p.grid.cell[0].state = CELL_DONE;
    const TrainJob *done = &p.grid.cell[0].job;
    int64_t less = needed - space_needed(&p.grid, p.options, &p.plan);
    want = 2 * RECORD + state_bytes(done->kind, &done->shape, CHECKPOINT_WEIGHTS);
    EXPECT(less == want, "a cell that is done takes %lld bytes less, want %lld", (long long)less, (long long)want);
    forget(&p);
    /* Two blocks at once have as many cells at work; without weights there are none of them. */
    p = make_plan(data, 4, (char *[]){"test", "-study_keep_weights", "none", NULL});
    needed = space_needed(&p.grid, p.options, &p.plan);
    want = 2 * 3 * (most + RECORD) + p.grid.n * (RECORD + ROWS);
    EXPECT(needed == want, "%lld bytes of two blocks, want %lld", (long long)needed, (long long)want);
    forget(&p);
}

/* The dearest cells go first where the time is short, and as few as will do: by their seconds, whatever their FLOP. */
static void drop(const TrainData *data) {
    Planned p = make_plan(data, 2, (char *[]){"test", "-layout_dp", "2", "-layout_tp", "1", NULL});
    StudyPlan *plan = &p.plan;
    Pace *pace = MEM_NEW(Pace, p.grid.kinds);
    plan->layout[p.grid.cell[p.grid.n - 1].kind].pace.step *= 1000;
    for (int k = 0; k < p.grid.kinds; k++) pace[k] = plan->layout[k].pace;
    schedule_free(&plan->schedule);
    schedule_make(&plan->schedule, &plan->blocks, &(Work){plan->n, plan->task, pace});
    bool *gone = MEM_NEW(bool, plan->n);
    double makespan, half = plan->schedule.makespan / 2, dearest = 0, cheapest = INFINITY, rest = 0;
    int n = plan_drop(gone, &makespan, plan, p.grid.kinds, half), counted = 0;
    for (int i = 0; i < plan->n; i++) {
        double seconds = plan->schedule.slot[i].end - plan->schedule.slot[i].start;
        counted += gone[i];
        if (gone[i]) cheapest = fmin(cheapest, seconds);
        if (!gone[i]) dearest = fmax(dearest, seconds);
        if (!gone[i]) rest += seconds;
    }
    EXPECT(n == counted && n > 0 && n < plan->n, "%d cells go, said %d", counted, n);
    EXPECT(makespan <= half && makespan + cheapest > half && dearest <= cheapest, "%g s of %g, without %g and more",
           makespan, half, cheapest);
    EXPECT(fabs(rest / makespan - 1) < 1e-9, "%g s are left, said %g", rest, makespan);
    n = plan_drop(gone, &makespan, plan, p.grid.kinds, 1e-9);
    EXPECT(n == plan->n && makespan == 0, "%d cells of %d go where none ends in time", n, plan->n);
    mem_free(gone);
    mem_free(pace);
    forget(&p);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    test_folder_new();
    Dataset *dataset = fixture_dataset(argv);
    TrainDataPlan cut = fixture_plan;
    TrainData data = fixture_cut(dataset, &cut);
    test_write(test_file("study.yaml"), keys, strlen(keys));
    test_write(test_file("machine.yaml"), described, strlen(described));
    refused();
    every_cell(&data);
    seconds(&data);
    data_parallel(&data, "never");
    data_parallel(&data, "always");
    tensor_parallel(&data);
    fastest(&data);
    room(&data);
    drop(&data);
    repeats(&data);
    budgets(&data);
    dataset_close(dataset);
    return test_end();
}
