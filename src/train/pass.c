#include "train/pass.h"

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
    p->error = ARENA_TAKE(arena, double, sequences);
}

void pass_share(int *first, int *count, int64_t n, int r, int dp) {
    *first = (int)(n * r / dp);
    *count = (int)(n * (r + 1) / dp) - *first;
}

int pass_largest_share(int64_t n, int dp) {
    return (int)((n + dp - 1) / dp);
}

/* Starts the sum over dp of a gradient block as soon as backward has finished it. */
static void sum_block(void *context, int block) {
    Pass *p = context;
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

void pass_free(Pass *pass) {
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

void pass_forward(Pass *pass, const SceneBatch *scenes) {
    pass->kind->embed(pass->in, scenes, &pass->shape);
    model_forward(pass->model, pass->out, pass->in, &scenes->seqs);
    pass->kind->readout(pass->prediction, pass->out, scenes, &pass->shape);
}

/* The model says how far the displacement departs from the one before, in units of the rms of that: what inertia alone
 * predicts need not be learned, and both equivariance and the loss stay what they are. */
void pass_predict(Pass *pass, const SceneBatch *scenes) {
    pass_forward(pass, scenes);
    real unit = (real)pass->data->scale.deviation;
    for (int64_t i = 0; i < 3 * scenes->seqs.start[scenes->seqs.n]; i++)
        pass->prediction[i] = scenes->velocity[i] + unit * pass->prediction[i];
}

/* The loss; where a scale is given, the prediction becomes scale times its gradient. */
static double squared_error(Pass *p, double scale) {
    const Batch *b = &p->batch;
    const Packed *seqs = &b->scenes.seqs;
    double total = 0;
    for (int q = 0; q < seqs->n; q++) {
        double sum = 0;
        real weight = b->weight[q] * b->loss_weight[q];
        real slope = (real)(2 * scale * p->data->scale.deviation) * weight;
        for (int64_t i = 3 * seqs->start[q]; i < 3 * seqs->start[q + 1]; i++) {
            real e = p->prediction[i] - b->target[i];
            sum += (double)e * e;
            if (scale > 0) p->prediction[i] = slope * e;
        }
        p->error[q] = sum * b->weight[q];
        total += sum * weight;
    }
    return total;
}

double pass_loss(Pass *pass) {
    return squared_error(pass, 0);
}

double pass_gradient(Pass *pass, int64_t samples) {
    const SceneBatch *scenes = &pass->batch.scenes;
    Model *m = pass->model;
    memset(m->grad, 0, (size_t)m->table.local * sizeof(real));
    pass_predict(pass, scenes);
    double loss = squared_error(pass, 1 / (double)samples) / (double)samples;
    pass->kind->readout_backward(pass->dout, pass->prediction, scenes, &pass->shape);
    model_backward(m, (Tensors){0}, pass->dout, &scenes->seqs);
    for (int b = 0; b < m->table.blocks; b++) comm_wait(&pass->request[b]);
    return loss;
}

double pass_evaluate(Pass *pass, SampleRange range, int64_t samples) {
    const Comm *dp = pass->grid->dp;
    SampleStream stream = {.range = range};
    int first, count;
    double total = 0;
    pass_share(&first, &count, samples, comm_rank(dp), comm_size(dp));
    for (int done = 0; done < count; done += pass->batch.max_sequences) {
        int n = count - done < pass->batch.max_sequences ? count - done : pass->batch.max_sequences;
        batch_fill(&pass->batch, pass->data, &stream, first + done, n);
        pass_predict(pass, &pass->batch.scenes);
        total += pass_loss(pass);
    }
    comm_sum_f64(dp, &total, 1);
    return total / (double)samples;
}
