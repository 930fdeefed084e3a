#include "study/cost.h"

#include "base/arena.h"
#include "base/timer.h"
#include "train/forecast.h"
#include "train/optim.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- One rank. ---- */

/* Executed FLOP of a timed step: well under a second on one core; and of a step of one sample and one block, beyond which
 * nothing is timed. */
#define MOMENT_FLOP 4e8
#define LONGEST_FLOP 3e10

/* Share of a batch that is timed beside the whole, for what a step costs whatever its share. */
enum { PART = 4 };

/* What is timed of a kind: samples, and the kind itself or a part of its depth. */
typedef struct Probe {
    GridKind kind;
    int samples;
    double part; /* of the executed FLOP of a sample of the kind */
    Known known;
} Probe;

static double sample_flop(const GridKind *kind, const StudyOptions *o) {
    return kind->executed / (double)o->train.batch;
}

/* false: even its smallest part would take too long. */
static bool probe_of(Probe *p, const GridKind *kind, const StudyOptions *o, const TrainData *data) {
    double flop = sample_flop(kind, o), fit = floor(MOMENT_FLOP / flop);
    *p = (Probe){.kind = *kind, .samples = (int)o->train.batch, .part = 1, .known = KNOWN_MEASURED};
    if (fit >= (double)o->train.batch) return true;
    p->known = KNOWN_SCALED;
    p->samples = fit >= 1 ? (int)fit : 1;
    if (fit >= 1) return true;
    p->kind.job.shape.depth = 1;
    p->kind.job.measures = NULL;
    double shallow = forecast_flops(&p->kind.job, &o->train, data, 1).executed;
    p->part = shallow / kind->executed;
    return shallow / (double)o->train.batch <= LONGEST_FLOP;
}

/* All that decides how long it takes. */
static void name_probe(char name[CALIBRATION_NAME], const Probe *p, const StudyOptions *o, const Machine *m) {
    const TrainJob *j = &p->kind.job;
    const ModelShape *s = &j->shape;
    snprintf(
        name, CALIBRATION_NAME,
        "step %s %s in %d+%d out %d+%d width %d+%d depth %d heads %d%s x%d upright %d samples %d of %lld flop %.6g "
        "on %d ranks %.3f cores",
        j->kind->name, j->procedure->name, s->in_mv, s->in_s, s->out_mv, s->out_s, s->width, s->width_s, s->depth,
        s->heads, s->multi_query ? " shared" : "", s->increase, s->upright, p->samples, (long long)o->train.batch,
        p->kind.executed, m->node_ranks, m->cores);
}

/* Rounds in which all probes are timed, one after the other: whatever else a machine does makes steps slower, often for a
 * second, and seldom in every round, the less so the more rounds there are. From round to round a probe goes to the next rank,
 * since cores differ for as long. What takes long has one round, in which many such moments come and go. Least times tell probes
 * from each other; how much longer rounds are on average, over all probes, is the pace at which cells go. */
enum { ROUNDS = 8 };
static const double long_round = 0.25; /* s */
#define LONG_FLOP 2e9                  /* of a step that takes as long on a core of today */

enum { GRADIENT, FEW, UPDATE, EVALUATE, START, TIMED };

/* Seconds of a probe, the least of the rounds: the gradient of all its samples and of a part of them, what ForecastTimes has else. */
typedef struct Timing {
    double least[TIMED];
    double each[ROUNDS]; /* the gradient in each round; 0: not timed */
    double round;        /* what the latest round took on this rank */
} Timing;

static void take_least(double *least, double seconds) {
    *least = fmin(*least, seconds);
}

static void time_round(Timing *t, int round, const Probe *p, const StudyOptions *o, const TrainData *data) {
    double begin = timer_cpu();
    ForecastTimes all = forecast_times(&p->kind.job, &o->train, data, p->samples);
    take_least(&t->least[GRADIENT], all.gradient);
    take_least(&t->least[UPDATE], all.update);
    take_least(&t->least[EVALUATE], all.evaluate);
    take_least(&t->least[START], all.start);
    if (p->samples >= PART)
        take_least(&t->least[FEW], forecast_times(&p->kind.job, &o->train, data, p->samples / PART).gradient);
    t->round = timer_cpu() - begin;
    t->each[round] = all.gradient;
}

/* Whether the round of the probe whose number among those to be timed is `turn` is this rank's; -1: it is not to be timed. */
static bool is_mine(const Timing *t, int turn, int round, const Probe *p, const StudyOptions *o, const Comm *comm) {
    if (turn < 0 || t->round >= long_round) return false;
    bool once = p->part * sample_flop(&p->kind, o) * p->samples >= LONG_FLOP;
    return (turn + round) % comm_size(comm) == comm_rank(comm) && (!once || round == 0);
}

/* What all ranks found. Collective. */
static void gather_timings(Timing *timing, int kinds, const Comm *comm) {
    int64_t leasts = (int64_t)TIMED * kinds, rounds = (int64_t)ROUNDS * kinds;
    double *least = MEM_NEW(double, leasts + 1), *each = MEM_NEW(double, rounds + 1);
    for (int k = 0; k < kinds; k++) {
        for (int i = 0; i < TIMED; i++) least[k * TIMED + i] = -timing[k].least[i];
        memcpy(each + k * ROUNDS, timing[k].each, sizeof timing[k].each);
    }
    comm_max_f64(comm, least, leasts);
    comm_sum_f64(comm, each, rounds);
    for (int k = 0; k < kinds; k++) {
        for (int i = 0; i < TIMED; i++) timing[k].least[i] = -least[k * TIMED + i];
        memcpy(timing[k].each, each + k * ROUNDS, sizeof timing[k].each);
    }
    mem_free(least);
    mem_free(each);
}

static int rounds_of(const Timing *t) {
    int rounds = 0;
    for (int r = 0; r < ROUNDS; r++) rounds += t->each[r] > 0;
    return rounds;
}

/* Average time of a round over the least, of all probes that had several. */
static double pace_of_rounds(const Timing *timing, int kinds) {
    double average = 0, least = 0;
    for (int k = 0; k < kinds; k++) {
        int rounds = rounds_of(&timing[k]);
        if (rounds < 2) continue;
        for (int r = 0; r < ROUNDS; r++) average += timing[k].each[r] / rounds;
        least += timing[k].least[GRADIENT];
    }
    return least > 0 ? average / least : 1;
}

/* Of all probes that were in every round. */
static Rounds compare_rounds(const Timing *timing, int kinds) {
    double seconds[ROUNDS] = {0}, sum = 0;
    for (int k = 0; k < kinds; k++) {
        if (rounds_of(&timing[k]) < ROUNDS) continue;
        for (int r = 0; r < ROUNDS; r++) seconds[r] += timing[k].each[r];
    }
    Rounds rounds = {seconds[0], seconds[0]};
    for (int r = 0; r < ROUNDS; r++) {
        sum += seconds[r];
        rounds.least = fmin(rounds.least, seconds[r]);
        rounds.most = fmax(rounds.most, seconds[r]);
    }
    if (sum <= 0) return (Rounds){0};
    return (Rounds){rounds.least * ROUNDS / sum, rounds.most * ROUNDS / sum};
}

/* fixed, sample, update, evaluate, start of what was timed. */
static void split_timing(double value[CALIBRATION_NUMBERS], const Timing *t, const Probe *p) {
    double gradient = t->least[GRADIENT], sample = gradient / p->samples, fixed = 0;
    if (p->samples >= PART) {
        sample = fmin(sample, (gradient - t->least[FEW]) / (p->samples - p->samples / PART));
        sample = fmax(sample, 0);
        fixed = gradient - sample * p->samples;
    }
    const double found[CALIBRATION_NUMBERS] = {fixed, sample, t->least[UPDATE], t->least[EVALUATE], t->least[START]};
    memcpy(value, found, sizeof found);
}

/* Of those probes that have a turn. The same on every rank. Collective. */
static Rounds time_probes(double (*found)[CALIBRATION_NUMBERS], const Probe *probe, const int *turn, int kinds,
                          const StudyOptions *o, const TrainData *data, const Comm *comm) {
    Timing *timing = MEM_NEW(Timing, kinds + 1);
    for (int k = 0; k < kinds; k++)
        for (int i = 0; i < TIMED; i++) timing[k].least[i] = INFINITY;
    for (int round = 0; round < ROUNDS; round++)
        for (int k = 0; k < kinds; k++)
            if (is_mine(&timing[k], turn[k], round, &probe[k], o, comm))
                time_round(&timing[k], round, &probe[k], o, data);
    gather_timings(timing, kinds, comm);
    double pace = pace_of_rounds(timing, kinds);
    Rounds rounds = compare_rounds(timing, kinds);
    for (int k = 0; k < kinds; k++) {
        if (turn[k] < 0) continue;
        split_timing(found[k], &timing[k], &probe[k]);
        for (int i = 0; i < CALIBRATION_NUMBERS; i++) found[k][i] *= pace;
    }
    mem_free(timing);
    return rounds;
}

/* Those of the latest timings are kept, for plans that need none. */
static Rounds keep_rounds(Rounds latest, Calibration *calibration, const Machine *m) {
    char name[CALIBRATION_NAME];
    const double value[CALIBRATION_NUMBERS] = {latest.least, latest.most};
    snprintf(name, sizeof name, "rounds on %d ranks %.3f cores", m->node_ranks, m->cores);
    if (latest.most > 0) calibration_put(calibration, name, value);
    const double *kept = m->rate > 0 ? NULL : calibration_get(calibration, name);
    return kept ? (Rounds){kept[0], kept[1]} : (Rounds){0};
}

/* From what was timed to the kind. */
static KindCost scale(const double v[CALIBRATION_NUMBERS], const Probe *p) {
    return (KindCost){.fixed = v[0] / p->part,
                      .sample = v[1] / p->part,
                      .update = v[2] / p->part,
                      .evaluate = v[3] / p->part,
                      .start = v[4] / p->part,
                      .known = p->known};
}

/* What is not timed has the seconds a FLOP of the largest kind of its model, else of any, that is. */
static void extrapolate(KindCost *cost, const bool *timed, int k, const Grid *grid) {
    int near = -1;
    bool same = false;
    for (int i = 0; i < grid->kinds; i++) {
        if (!timed[i]) continue;
        bool model = grid->kind[i].job.kind == grid->kind[k].job.kind;
        if (near >= 0 && (same && !model)) continue;
        if (near >= 0 && same == model && grid->kind[i].executed < grid->kind[near].executed) continue;
        near = i;
        same = model;
    }
    cost[k] = (KindCost){.known = KNOWN_EXTRAPOLATED};
    if (near < 0) return;
    double more = grid->kind[k].executed / grid->kind[near].executed;
    cost[k].sample = more * cost[near].sample;
    cost[k].update = more * cost[near].update;
    cost[k].evaluate = more * cost[near].evaluate;
    cost[k].start = more * cost[near].start;
}

/* On a machine that is described. */
static KindCost describe(const GridKind *kind, const StudyOptions *o, const Machine *m) {
    const double forward = 1.0 / 3, update_passes = 5; /* a backward pass costs two forward ones; train/optim.h */
    double sample = sample_flop(kind, o) / m->rate, bytes = (double)kind->parameters * sizeof(real);
    int views = procedure_views(kind->job.procedure, kind->job.procedure_options);
    return (KindCost){.sample = sample,
                      .update = update_passes * bytes / m->stream,
                      .evaluate = forward * sample / views,
                      .start = update_passes * bytes / m->stream,
                      .known = KNOWN_DESCRIBED};
}

void cost_kinds(KindCost *cost, Rounds *rounds, const Grid *grid, const bool *wanted, const StudyOptions *o,
                const TrainData *data, const Machine *m, Calibration *calibration, const Comm *comm) {
    char name[CALIBRATION_NAME];
    Probe *probe = MEM_NEW(Probe, grid->kinds + 1);
    bool *timed = MEM_NEW(bool, grid->kinds + 1);
    int *turn = MEM_NEW(int, grid->kinds + 1), turns = 0;
    double(*found)[CALIBRATION_NUMBERS] = mem_alloc((size_t)(grid->kinds + 1) * sizeof *found);
    for (int k = 0; k < grid->kinds; k++) {
        turn[k] = -1;
        timed[k] = m->rate <= 0 && wanted[k] && probe_of(&probe[k], &grid->kind[k], o, data);
        if (!timed[k]) continue;
        name_probe(name, &probe[k], o, m);
        const double *kept = calibration_get(calibration, name);
        if (kept) memcpy(found[k], kept, sizeof found[k]);
        if (!kept) turn[k] = turns++;
    }
    Rounds latest = time_probes(found, probe, turn, grid->kinds, o, data, comm);
    *rounds = keep_rounds(latest, calibration, m);
    for (int k = 0; k < grid->kinds; k++) {
        if (!timed[k]) continue;
        cost[k] = scale(found[k], &probe[k]);
        name_probe(name, &probe[k], o, m);
        if (!calibration_get(calibration, name)) calibration_put(calibration, name, found[k]);
    }
    for (int k = 0; k < grid->kinds; k++) {
        if (m->rate > 0)
            cost[k] = describe(&grid->kind[k], o, m);
        else if (wanted[k] && !timed[k])
            extrapolate(cost, timed, k, grid);
    }
    mem_free(probe);
    mem_free(timed);
    mem_free(turn);
    mem_free(found);
}

/* ---- A layout. ---- */

/* Parameters of a shard, and its gradient blocks. */
typedef struct Shard {
    double bytes;
    int blocks;
} Shard;

static Shard shard_of(const TrainJob *job, int tp) {
    ParamTable table = param_table_new(tp, 0);
    job->kind->params(&table, &job->shape);
    Shard s = {(double)table.local * sizeof(real), table.blocks};
    param_table_free(&table);
    return s;
}

/* Bytes of the residual stream of a sample: tokens by channels. */
static double stream_bytes(const TrainJob *job, const TrainData *data) {
    const ModelShape *s = &job->shape;
    double channels = s->in_mv ? 16.0 * s->width + s->width_s : s->width;
    int n = dataset_size(data->dataset) < 128 ? (int)dataset_size(data->dataset) : 128;
    double tokens = 0;
    for (int i = 0; i < n; i++) tokens += (double)dataset_get(data->dataset, i)->vertices;
    return channels * tokens / n * sizeof(real);
}

void cost_apply(TrainJob *job, const Layout *layout) {
    job->shape.recompute = layout->recompute;
    job->sharded = layout->sharded;
}

/* What a layout takes, of a rank with the largest share. */
static Layout price(const GridKind *kind, const KindCost *c, Layout l, const StudyOptions *o, const TrainData *data,
                    const Machine *m) {
    const int sums_a_block = 2; /* one after attention, one after the MLP, in each direction */
    const double verdict = 32;  /* bytes that a cell agrees on after each step */
    int dp = l.dp, tp = l.tp;
    TrainJob one = kind->job;
    TrainOptions train = o->train;
    const TrainJob *job = &one;
    cost_apply(&one, &l);
    train.rank_bytes = (int64_t)(m->node_bytes / m->node_ranks);
    int views = procedure_views(job->procedure, job->procedure_options);
    int share = pass_largest_share(o->train.batch, dp);
    double work = forecast_flops(job, &o->train, data, tp).executed / (tp * kind->executed);
    double stream = tp > 1 ? machine_sum_seconds(m, tp, 1, views * stream_bytes(job, data)) : 0;
    double wait = tp > 1 ? machine_sum_seconds(m, tp, 1, 0) : 0;
    Shard shard = shard_of(job, tp);
    int passes = 2 * sums_a_block + l.recompute; /* the last sum of a block is not made again */
    double sums = passes * job->shape.depth * (wait + share * (stream - wait));
    double gradient =
        machine_sum_seconds(m, dp, tp, shard.bytes) + (shard.blocks - 1) * machine_sum_seconds(m, dp, tp, 0);
    double compute = work * (c->fixed + share * c->sample) + c->update / tp;
    if (l.sharded) gradient += machine_sum_seconds(m, dp, tp, shard.bytes / 2); /* gathering is half of a sum */
    double plain = forecast_flops(&kind->job, &o->train, data, tp).executed / (tp * kind->executed);
    double forward = (plain * c->evaluate + sums_a_block * job->shape.depth * (stream - wait) / views) / dp;
    l.bytes = forecast_bytes(job, &train, data, dp, tp);
    l.pace = (Pace){.start = c->start / m->cores,
                    .step = compute / m->cores + sums + gradient + machine_sum_seconds(m, dp * tp, 1, verdict),
                    .pass = forward / m->cores};
    l.first = l.pace.start + l.pace.step + l.pace.pass * (double)train_curve_samples(&o->train, data);
    return l;
}

/* Whether tp neighbours are on one node, wherever a block starts: whole nodes split into halves at whole nodes. */
static bool stays_inside(int tp, int ranks, const Machine *m) {
    if (tp == 1) return true;
    return tp <= m->node_ranks && (ranks <= m->node_ranks || m->node_ranks % tp == 0);
}

static bool fits(const Layout *l, const Machine *m) {
    return (double)l->bytes <= m->node_bytes / m->node_ranks;
}

/* The better of two: what fits first, then the faster one; among those that do not fit the smaller. */
static bool better(const Layout *a, const Layout *b, const Machine *m) {
    if (!b->dp) return true;
    if (fits(a, m) != fits(b, m)) return fits(a, m);
    if (!fits(a, m)) return a->bytes < b->bytes;
    return a->pace.step < b->pace.step;
}

static bool allowed(MeansUse use, bool used) {
    return use == MEANS_AUTO || used == (use == MEANS_ALWAYS);
}

/* With as few means to save memory as it takes, or with all that there are. */
static Layout lightest_needed(const GridKind *kind, const KindCost *cost, int dp, int tp, const StudyOptions *o,
                              const TrainData *data, const Machine *m) {
    Layout l = {0};
    for (int means = 0; means < 4; means++) {
        Layout next = {.dp = dp, .tp = tp, .sharded = means % 2, .recompute = means / 2};
        if (!allowed(o->train.shard_optimizer, next.sharded) || !allowed(o->train.recompute, next.recompute)) continue;
        if (next.recompute && !kind->job.kind->recomputes) continue;
        if (next.sharded && dp == 1 && o->train.shard_optimizer == MEANS_AUTO) continue;
        l = price(kind, cost, next, o, data, m);
        if (fits(&l, m)) break;
    }
    return l;
}

Layout cost_layout(const GridKind *kind, const KindCost *cost, int ranks, const StudyOptions *o, const TrainData *data,
                   const Machine *m) {
    Layout best = {0};
    int64_t batch = o->train.batch;
    for (int tp = 1; tp <= ranks && tp <= m->node_ranks; tp++) {
        if (o->tp && tp != o->tp) continue;
        if ((tp & (tp - 1)) && !o->tp && kind->job.shape.heads % tp)
            continue; /* powers of two, and what divides heads */
        Err err = kind->job.kind->check(&kind->job.shape, tp);
        if (err.code || (!o->tp && !stays_inside(tp, ranks, m))) continue;
        int most = ranks / tp < batch ? ranks / tp : (int)batch;
        int share = pass_largest_share(batch, most), dp = (int)((batch + share - 1) / share);
        if (o->dp) dp = (int)o->dp;
        if ((int64_t)dp * tp > ranks) continue;
        Layout l = lightest_needed(kind, cost, dp, tp, o, data, m);
        if (better(&l, &best, m)) best = l;
    }
    if (!best.dp || !fits(&best, m)) best.pace = (Pace){INFINITY, INFINITY, INFINITY};
    return best;
}
