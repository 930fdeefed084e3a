#include "train/pass.h"

#include "base/rng.h"
#include "par/watch.h"

#include <math.h>
#include <string.h>

/* ---- A model with its buffers. ---- */

static void tensors_layout(Tensors *t, int mv, int s, int64_t tokens, Arena *arena) {
    t->mv = mv ? ARENA_TAKE(arena, real, 16 * tokens * mv) : NULL;
    t->s = s ? ARENA_TAKE(arena, real, tokens * s) : NULL;
}

static void layout(Pass *p, int sequences, Arena *arena) {
    const ModelShape *m = &p->shape;
    batch_layout(&p->batch, p->data, sequences, arena);
    int64_t tokens = p->batch.max_tokens;
    tensors_layout(&p->in, m->in_mv, m->in_s, tokens, arena);
    tensors_layout(&p->out, m->out_mv, m->out_s, tokens, arena);
    tensors_layout(&p->dout, m->out_mv, m->out_s, tokens, arena);
    p->prediction = ARENA_TAKE(arena, real, 3 * tokens);
    p->piece_start = ARENA_TAKE(arena, int64_t, sequences + 1);
    if (m->upright) {
        act_layout(&p->shown, tokens, sequences, arena);
        p->tilt = ARENA_TAKE(arena, Motion, sequences);
        p->back = ARENA_TAKE(arena, Motion, sequences);
    }
    p->error = ARENA_TAKE(arena, double, sequences);
    p->by_trajectory = ARENA_TAKE(arena, double, 2 * batch_held_out(p->data));
}

void pass_share(int *first, int *count, int64_t n, int r, int dp) {
    *first = (int)(n * r / dp);
    *count = (int)(n * (r + 1) / dp) - *first;
}

int pass_largest_share(int64_t n, int dp) {
    return (int)((n + dp - 1) / dp);
}

/* Starts the sum over dp of a gradient block as soon as backward has finished it. One that is not reported, or twice, would not be
 * the sum. */
static void sum_block(void *context, int block) {
    Pass *p = context;
    CHECK(block == p->model->table.blocks - 1 - p->reported, "%s: backward reports block %d as number %d of %d",
          p->kind->name, block, p->reported + 1, p->model->table.blocks);
    p->reported++;
    if (p->sum) return;
    int64_t offset, count = param_block(&p->model->table, block, &offset);
    p->request[block] = comm_sum_real_start(p->grid->dp, p->model->grad + offset, count);
}

void pass_init(Pass *pass, const ModelKind *kind, const ModelShape *shape, uint64_t seed, int sequences,
               const TrainData *data, const ProcGrid *grid) {
    *pass = (Pass){.kind = kind, .shape = *shape, .data = data, .grid = grid};
    Arena count = arena_count();
    layout(pass, sequences, &count);
    pass->arena = arena_new(count.peak);
    layout(pass, sequences, &pass->arena);
    Model *m = model_new(kind, shape, grid->tp, pass->batch.max_tokens, sequences, dataset_max_vertices(data->dataset));
    pass->model = m;
    pass->request = MEM_NEW(CommRequest, m->table.blocks);
    m->block_ready = sum_block;
    m->block_context = pass;
    param_init(m->theta, &m->table, seed);
}

/* Losses that are kept apart until they are added. */
static int64_t most_losses(const TrainData *data, int64_t samples) {
    int64_t most = samples > data->test_samples ? samples : data->test_samples;
    return most > data->validation_samples ? most : data->validation_samples;
}

void pass_reproducible(Pass *pass, int64_t samples) {
    pass->sum = fixed_sum_new(pass->grid->dp, samples, pass->model->table.local);
    pass->sample_loss = MEM_NEW(double, most_losses(pass->data, samples));
}

int64_t pass_reproducible_bytes(const ModelKind *kind, const ModelShape *shape, int dp, int tp, int64_t samples,
                                const TrainData *data) {
    ParamTable table = param_table_new(tp, 0);
    kind->params(&table, shape);
    int64_t bytes = fixed_sum_bytes(samples, table.local, dp);
    param_table_free(&table);
    return bytes + most_losses(data, samples) * (int64_t)sizeof(double);
}

void pass_free(Pass *pass) {
    mem_free(pass->sample_loss);
    fixed_sum_free(pass->sum);
    mem_free(pass->request);
    model_free(pass->model);
    arena_free(&pass->arena);
}

int64_t pass_bytes(const ModelKind *kind, const ModelShape *shape, int tp, int sequences, const TrainData *data) {
    Pass p = {.shape = *shape, .data = data};
    Arena count = arena_count();
    layout(&p, sequences, &count);
    return (int64_t)count.peak +
           model_bytes(kind, shape, tp, p.batch.max_tokens, sequences, dataset_max_vertices(data->dataset));
}

/* ---- Loss and its gradient. ---- */

/* The scenes as the model sees them; good until the next call. */
static const SceneBatch *show(Pass *p, const SceneBatch *scenes) {
    static const double down[3] = {0, 0, -1};
    if (!p->shape.upright) return scenes;
    for (int q = 0; q < scenes->seqs.n; q++) {
        const real *g = scenes->gravity + 3 * q;
        p->tilt[q] = motion_between((double[3]){(double)g[0], (double)g[1], (double)g[2]}, down);
        p->back[q] = motion_inverse(&p->tilt[q]);
    }
    act_scene(&p->shown, scenes, p->tilt, true);
    return &p->shown.scenes;
}

/* What the model itself says, of scenes that fit its buffers. */
static void forward(Pass *p, real *prediction, const SceneBatch *scenes) {
    const SceneBatch *shown = show(p, scenes);
    watch_step();
    p->kind->embed(p->in, shown, &p->shape);
    model_forward(p->model, p->out, p->in, &shown->seqs);
    p->kind->readout(prediction, p->out, shown, &p->shape);
    if (p->shape.upright) act_out(prediction, prediction, &scenes->seqs, p->back, true);
}

/* From the gradient of the prediction of the scenes that went through last to that of the model's output. */
static void output_gradient(Pass *p, real *dprediction, const SceneBatch *scenes) {
    if (p->shape.upright) act_out(dprediction, dprediction, &scenes->seqs, p->tilt, true);
    p->kind->readout_backward(p->dout, dprediction, p->shape.upright ? &p->shown.scenes : scenes, &p->shape);
}

void pass_forward(Pass *pass, const SceneBatch *scenes) {
    forward(pass, pass->prediction, scenes);
}

/* Sequences first .. first+n-1 of a batch as a batch of their own. */
static SceneBatch part_of(int64_t *start, const SceneBatch *whole, int first, int n) {
    int64_t token = whole->seqs.start[first];
    return (SceneBatch){.seqs = packed_part(start, &whole->seqs, first, n),
                        .slots = whole->slots,
                        .worlds = whole->worlds,
                        .position = whole->position + 3 * token,
                        .velocity = whole->velocity + 3 * token,
                        .slot = whole->slot + token,
                        .body = whole->body + SCENE_BODY * token,
                        .floor = whole->floor + 4 * first,
                        .gravity = whole->gravity + 3 * first,
                        .gate = whole->gate ? whole->gate + first : NULL,
                        .world = whole->world + whole->worlds * first};
}

/* The model says how far the displacement departs from the velocity, in units of the rms of that: what inertia alone
 * predicts need not be learned, and both equivariance and the loss stay what they are. */
static void predict_part(Pass *p, real *prediction, const SceneBatch *part) {
    forward(p, prediction, part);
    real unit = (real)p->data->scale.deviation;
    for (int64_t i = 0; i < 3 * part->seqs.start[part->seqs.n]; i++)
        prediction[i] = part->velocity[i] + unit * prediction[i];
}

void pass_predict(Pass *pass, const SceneBatch *scenes) {
    const Packed *seqs = &scenes->seqs;
    for (int first = 0, n; first < seqs->n; first += n) {
        n = model_piece(pass->model, seqs, first);
        SceneBatch part = part_of(pass->piece_start, scenes, first, n);
        predict_part(pass, pass->prediction + 3 * seqs->start[first], &part);
    }
}

/* What an error e adds to the loss, and half of its slope. */
static inline double counted(BatchLoss loss, double e) {
    return loss == LOSS_SQUARED ? e * e : fabs(e);
}

static inline real half_slope(BatchLoss loss, real e) {
    if (loss == LOSS_SQUARED) return e;
    return (real)0.5 * (real)((e > 0) - (e < 0));
}

static bool anchored(const Batch *b, int q) {
    return b->anchors && b->anchors->of[q] >= 0;
}

/* Twice the weight of a sequence in a gradient of this scale. */
static real slope_of(const Pass *p, double scale, int q) {
    const Batch *b = &p->batch;
    return (real)(2 * scale * p->data->scale.deviation) * (b->weight[q] * b->loss_weight[q]);
}

/* Adds the loss of a sequence, of its sum of errors. */
static void count_error(double *total, Pass *p, int q, double sum) {
    const Batch *b = &p->batch;
    p->error[q] = sum * b->weight[q];
    *total += sum * (b->weight[q] * b->loss_weight[q]);
}

/* Of all views that are compared with others, which must still hold what the model says: |f(g x) - g f(x)|. The slope by
 * f(x) is left beside. */
static void add_anchored_error(double *total, Pass *p, double scale) {
    const Batch *b = &p->batch;
    const int64_t *start = b->scenes.seqs.start;
    memset(b->anchors->slope, 0, (size_t)(3 * start[b->scenes.seqs.n]) * sizeof *b->anchors->slope);
    for (int q = 0; q < b->scenes.seqs.n; q++) {
        if (!anchored(b, q)) continue;
        const double *a = b->anchors->by[q].a;
        const real slope = slope_of(p, scale, q);
        int64_t at = start[b->anchors->of[q]];
        double sum = 0;
        for (int64_t t = start[q]; t < start[q + 1]; t++, at++) {
            const real *said = p->prediction + 3 * at;
            real *here = p->prediction + 3 * t, *there = b->anchors->slope + 3 * at;
            for (int i = 0; i < 3; i++) {
                double moved =
                    a[3 * i] * (double)said[0] + a[3 * i + 1] * (double)said[1] + a[3 * i + 2] * (double)said[2];
                real e = here[i] - (real)moved;
                sum += counted(b->loss, (double)e);
                if (scale <= 0) continue;
                here[i] = slope * half_slope(b->loss, e);
                for (int j = 0; j < 3; j++) there[j] -= (real)a[3 * i + j] * here[i];
            }
        }
        count_error(total, p, q, sum);
    }
}

/* Adds the loss of sequences first .. first+n-1; where a scale is given, the prediction becomes scale times its gradient
 * by what the model says. A batch with anchors comes whole. */
static void add_error(double *total, Pass *p, double scale, int first, int n) {
    const Batch *b = &p->batch;
    const Packed *seqs = &b->scenes.seqs;
    if (b->anchors) add_anchored_error(total, p, scale);
    for (int q = first; q < first + n; q++) {
        if (anchored(b, q)) continue;
        const real slope = slope_of(p, scale, q);
        double sum = 0;
        for (int64_t i = 3 * seqs->start[q]; i < 3 * seqs->start[q + 1]; i++) {
            real e = p->prediction[i] - b->target[i];
            sum += counted(b->loss, (double)e);
            if (scale <= 0) continue;
            p->prediction[i] = slope * half_slope(b->loss, e);
            if (b->anchors) p->prediction[i] += b->anchors->slope[i];
        }
        count_error(total, p, q, sum);
    }
}

double pass_loss(Pass *pass) {
    double total = 0;
    add_error(&total, pass, 0, 0, pass->batch.scenes.seqs.n);
    return total;
}

void pass_inputs_layout(InputGradient *inputs, const Pass *pass, Arena *arena) {
    const Batch *b = &pass->batch;
    CHECK(pass->kind->embed_backward && !pass->shape.upright, "%s has no gradient by scenes", pass->kind->name);
    tensors_layout(&inputs->in, pass->shape.in_mv, pass->shape.in_s, b->max_tokens, arena);
    inputs->scene = (SceneGradient){.position = ARENA_TAKE(arena, real, 3 * b->max_tokens),
                                    .velocity = ARENA_TAKE(arena, real, 3 * b->max_tokens),
                                    .floor = ARENA_TAKE(arena, real, 4 * b->max_sequences),
                                    .gravity = ARENA_TAKE(arena, real, 3 * b->max_sequences)};
}

/* Of a part of the batch that starts with sequence `first`. Its velocities are a part of the prediction too. */
static void scene_gradient(Pass *p, const SceneBatch *part, int first) {
    int64_t token = p->batch.start[first];
    SceneGradient d = p->inputs->scene;
    d.position += 3 * token;
    d.velocity += 3 * token;
    d.floor += 4 * first;
    d.gravity += 3 * first;
    p->kind->embed_backward(d, p->inputs->in, part, &p->shape);
    real each = (real)(1 / p->data->scale.deviation);
    for (int64_t i = 0; i < 3 * part->seqs.start[part->seqs.n]; i++)
        d.velocity[i] += each * p->prediction[3 * token + i];
}

/* field += x y^T */
static void add_outer(double field[9], const double x[3], const double y[3]) {
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) field[3 * i + j] += x[i] * y[j];
}

void pass_field(double field[MOTION_GENERATORS], const Pass *pass, int q) {
    const SceneBatch *s = &pass->batch.scenes;
    const SceneGradient *d = &pass->inputs->scene;
    memset(field, 0, MOTION_GENERATORS * sizeof *field);
    for (int64_t t = 3 * s->seqs.start[q]; t < 3 * s->seqs.start[q + 1]; t += 3)
        for (int i = 0; i < 3; i++) {
            double dtarget = -(double)pass->prediction[t + i] / pass->data->scale.deviation;
            for (int j = 0; j < 3; j++)
                field[3 * i + j] += (double)d->position[t + i] * (double)s->position[t + j] +
                                    (double)d->velocity[t + i] * (double)s->velocity[t + j] +
                                    dtarget * (double)pass->batch.target[t + j];
            field[9 + i] += (double)d->position[t + i];
        }
    /* Gravity stays of unit length; normals move on by -M^T n, and heights by -n.m, at unit length of n. */
    double u[3], n[3], du[3], dn[3], along = 0, across = 0, h = (double)s->floor[4 * q + 3],
                                     dh = (double)d->floor[4 * q + 3];
    for (int i = 0; i < 3; i++) {
        u[i] = (double)s->gravity[3 * q + i];
        n[i] = (double)s->floor[4 * q + i];
        along += u[i] * (double)d->gravity[3 * q + i];
        across += n[i] * (double)d->floor[4 * q + i];
    }
    for (int i = 0; i < 3; i++) {
        du[i] = (double)d->gravity[3 * q + i] - along * u[i];
        dn[i] = (across + dh * h) * n[i] - (double)d->floor[4 * q + i];
        field[9 + i] -= dh * n[i];
    }
    add_outer(field, du, u);
    add_outer(field, n, dn);
}

static void clear_gradient(Pass *p) {
    memset(p->model->grad, 0, (size_t)p->model->table.local * sizeof(real));
}

/* Adds the gradient of the batch, piece by piece; `more`: another batch follows before it is complete. Returns its loss
 * times samples. */
static double add_gradient(Pass *pass, int64_t samples, bool more) {
    const SceneBatch *scenes = &pass->batch.scenes;
    const Packed *seqs = &scenes->seqs;
    Model *m = pass->model;
    double total = 0;
    int first = 0;
    pass->reported = 0;
    do { /* once where there are no sequences: the sums over dp want every rank */
        int n = pass->batch.anchors ? seqs->n : model_piece(m, seqs, first);
        SceneBatch part = part_of(pass->piece_start, scenes, first, n);
        real *prediction = pass->prediction + 3 * seqs->start[first];
        predict_part(pass, prediction, &part);
        add_error(&total, pass, 1 / (double)samples, first, n);
        output_gradient(pass, prediction, &part);
        first += n;
        m->more = more || first < seqs->n;
        model_backward(m, pass->inputs ? pass->inputs->in : (Tensors){0}, pass->dout, &part.seqs);
        if (pass->inputs) scene_gradient(pass, &part, first - n);
    } while (first < seqs->n);
    int want = more ? 0 : m->table.blocks;
    CHECK(pass->reported == want, "%s: backward reports %d blocks: want %d", pass->kind->name, pass->reported, want);
    return total;
}

/* Adds numbers of samples, of which each rank has its own and zeros elsewhere, in the order of samples. Collective on dp;
 * the same on every rank. */
static double sum_in_order(Pass *p, int64_t samples) {
    double total = 0;
    comm_sum_f64(p->grid->dp, p->sample_loss, samples);
    for (int64_t i = 0; i < samples; i++) total += p->sample_loss[i];
    return total;
}

static void clear_losses(Pass *p, int64_t samples) {
    memset(p->sample_loss, 0, (size_t)samples * sizeof *p->sample_loss);
}

void pass_gradient_start(Pass *pass) {
    pass->begun = false;
    clear_gradient(pass);
}

/* The gradient of one sample by itself, on its way into the tree. The first rank has the loss of all, since that is how
 * whoever adds over ranks gets the same bits from any number of them. */
static double add_sample(Pass *p, int64_t samples, bool more) {
    if (!p->begun) clear_losses(p, samples);
    p->begun = true;
    if (p->batch.scenes.seqs.n) {
        clear_gradient(p);
        double loss = add_gradient(p, samples, false);
        p->sample_loss[fixed_sum_add(p->sum, p->model->grad)] = loss;
    }
    if (more) return 0;
    fixed_sum_end(p->sum, p->model->grad);
    double total = sum_in_order(p, samples);
    return comm_rank(p->grid->dp) == 0 ? total / (double)samples : 0;
}

double pass_gradient_add(Pass *pass, int64_t samples, bool more) {
    if (pass->sum) return add_sample(pass, samples, more);
    double total = add_gradient(pass, samples, more);
    for (int b = 0; !more && b < pass->model->table.blocks; b++) comm_wait(&pass->request[b]);
    return total / (double)samples;
}

double pass_gradient(Pass *pass, int64_t samples) {
    CHECK(!pass->sum, "a whole batch at once is not reproducible");
    pass_gradient_start(pass);
    return pass_gradient_add(pass, samples, false);
}

/* Standard deviation of the mean over trajectories drawn with replacement. */
static double bootstrap(const double *sum, const double *samples, int64_t trajectories) {
    enum { RESAMPLES = 400 };
    double mean = 0, square = 0;
    for (int64_t r = 0; r < RESAMPLES; r++) {
        double total = 0, n = 0;
        uint64_t stream = rng_stream("test trajectories", (uint64_t)r);
        for (int64_t k = 0; k < trajectories; k++) {
            int64_t i = rng_below(1, stream, (uint64_t)k, trajectories);
            total += sum[i];
            n += samples[i];
        }
        double loss = n > 0 ? total / n : 0;
        mean += loss / RESAMPLES;
        square += loss * loss / RESAMPLES;
    }
    return sqrt(fmax(square - mean * mean, 0));
}

static void clear_trajectories(Pass *p) {
    memset(p->by_trajectory, 0, 2 * (size_t)batch_held_out(p->data) * sizeof *p->by_trajectory);
}

/* What pass_evaluate says, of samples that go through the model one by one and are added in their order. */
static double evaluate_samples(Pass *p, double *error, SampleRange range, int64_t samples) {
    SampleStream stream = {.range = range};
    double *sum = p->by_trajectory, *number = sum + batch_held_out(p->data);
    int first, count;
    clear_losses(p, samples);
    clear_trajectories(p);
    pass_share(&first, &count, samples, comm_rank(p->grid->dp), comm_size(p->grid->dp));
    for (int64_t i = first; i < first + count; i++) {
        batch_fill(&p->batch, p->data, &stream, i, 1);
        pass_predict(p, &p->batch.scenes);
        p->sample_loss[i] = pass_loss(p);
    }
    double total = sum_in_order(p, samples);
    for (int64_t i = 0; error && i < samples; i++) {
        int64_t trajectory = batch_trajectory(p->data, &stream, i);
        sum[trajectory] += p->sample_loss[i];
        number[trajectory]++;
    }
    if (error) *error = bootstrap(sum, number, range == SAMPLES_TEST ? p->data->test : p->data->validation);
    return total / (double)samples;
}

double pass_evaluate(Pass *pass, double *error, SampleRange range, int64_t samples) {
    if (pass->sum) return evaluate_samples(pass, error, range, samples);
    const Comm *dp = pass->grid->dp;
    SampleStream stream = {.range = range};
    int64_t trajectories = batch_held_out(pass->data);
    int first, count;
    double total = 0, *sum = pass->by_trajectory, *number = sum + trajectories;
    clear_trajectories(pass);
    pass_share(&first, &count, samples, comm_rank(dp), comm_size(dp));
    for (int done = 0; done < count; done += pass->batch.max_sequences) {
        int n = count - done < pass->batch.max_sequences ? count - done : pass->batch.max_sequences;
        batch_fill(&pass->batch, pass->data, &stream, first + done, n);
        pass_predict(pass, &pass->batch.scenes);
        total += pass_loss(pass);
        for (int i = 0; i < n; i++) {
            int64_t trajectory = batch_trajectory(pass->data, &stream, first + done + i);
            sum[trajectory] += pass->error[i];
            number[trajectory]++;
        }
    }
    comm_sum_f64(dp, &total, 1);
    if (error) {
        comm_sum_f64(dp, sum, (int)(2 * trajectories));
        *error = bootstrap(sum, number, range == SAMPLES_TEST ? pass->data->test : pass->data->validation);
    }
    return total / (double)samples;
}
