#include "train/batch.h"

#include <math.h>
#include <string.h>

enum { SCALE_TRAJECTORIES = 256 };

/* ---- Vertices of a scene at a frame. ---- */

typedef struct Pose {
    double r[9], t[3]; /* world = r body + t */
} Pose;

static Pose pose_at(const Trajectory *tr, int64_t frame, int body) {
    const float *p = tr->pose + (frame * tr->bodies + body) * 7;
    double w = p[3], x = p[4], y = p[5], z = p[6], n = 2 / (w * w + x * x + y * y + z * z);
    return (Pose){.r = {1 - n * (y * y + z * z), n * (x * y - w * z), n * (x * z + w * y), n * (x * y + w * z),
                        1 - n * (x * x + z * z), n * (y * z - w * x), n * (x * z - w * y), n * (y * z + w * x),
                        1 - n * (x * x + y * y)},
                  .t = {p[0], p[1], p[2]}};
}

static void pose_apply(double out[3], const Pose *p, const float v[3]) {
    for (int i = 0; i < 3; i++) out[i] = p->r[3 * i] * v[0] + p->r[3 * i + 1] * v[1] + p->r[3 * i + 2] * v[2] + p->t[i];
}

/* A vector of space and a spare number, and a pose as columns: the sums of pose_apply, in its order, side by side. */
typedef double Vertex __attribute__((vector_size(4 * sizeof(double))));
typedef real Rounded __attribute__((vector_size(4 * sizeof(real))));
typedef struct Columns {
    Vertex r[3], t;
} Columns;

static inline Columns columns_of(const Pose *p) {
    return (Columns){.r = {{p->r[0], p->r[3], p->r[6]}, {p->r[1], p->r[4], p->r[7]}, {p->r[2], p->r[5], p->r[8]}},
                     .t = {p->t[0], p->t[1], p->t[2]}};
}

static inline Vertex vertex_at(const Columns *p, const float v[3]) {
    return p->r[0] * (double)v[0] + p->r[1] * (double)v[1] + p->r[2] * (double)v[2] + p->t;
}

/* Three numbers, and one that the next vertex overwrites. */
static inline void vertex_put(real *at, Vertex x) {
    Rounded rounded = __builtin_convertvector(x, Rounded);
    memcpy(at, &rounded, sizeof rounded);
}

/* What a frame's time does to a vertex at this moment's velocities, or did since the frame before: linear in the vertex
 * as a pose is, but of a vector. */
static Pose rate_at(const TrainData *d, const Trajectory *tr, int64_t frame, int body, const Pose *now) {
    Pose rate;
    if (!d->instant) {
        Pose before = pose_at(tr, frame - 1, body);
        for (int i = 0; i < 9; i++) rate.r[i] = now->r[i] - before.r[i];
        for (int i = 0; i < 3; i++) rate.t[i] = now->t[i] - before.t[i];
        return rate;
    }
    const float *m = tr->motion + (frame * tr->bodies + body) * 6;
    double dt = dataset_frame_time(d->dataset);
    for (int i = 0; i < 3; i++) {
        int j = (i + 1) % 3, k = (i + 2) % 3;
        rate.t[i] = dt * (double)m[i];
        /* spin x column of r */
        for (int c = 0; c < 3; c++)
            rate.r[3 * i + c] = dt * ((double)m[3 + j] * now->r[3 * k + c] - (double)m[3 + k] * now->r[3 * j + c]);
    }
    return rate;
}

/* Poses of every body at a frame. */
static void poses_at(Pose *poses, const Trajectory *tr, int64_t frame) {
    for (int b = 0; b < tr->bodies; b++) poses[b] = pose_at(tr, frame, b);
}

static void mean_vertex(double mean[3], const Trajectory *tr, const Pose *poses) {
    Vertex sum = {0};
    for (int64_t v = 0; v < tr->vertices;) {
        int body = tr->vertex_body[v];
        Columns pose = columns_of(&poses[body]);
        for (; v < tr->vertices && tr->vertex_body[v] == body; v++)
            sum += vertex_at(&pose, tr->vertex + 3 * v) / (double)tr->vertices;
    }
    for (int i = 0; i < 3; i++) mean[i] = sum[i];
}

/* log mass, friction, restitution, log radius of each body */
static void body_raw(double (*raw)[SCENE_BODY], const Trajectory *tr) {
    for (int b = 0; b < tr->bodies; b++) {
        raw[b][0] = log(tr->mass[b]);
        raw[b][1] = tr->friction[b];
        raw[b][2] = tr->restitution[b];
        raw[b][3] = 1e-12;
    }
    for (int64_t v = 0; v < tr->vertices; v++) {
        const float *x = tr->vertex + 3 * v;
        double *r2 = &raw[tr->vertex_body[v]][3];
        *r2 = fmax(*r2, (double)x[0] * x[0] + (double)x[1] * x[1] + (double)x[2] * x[2]);
    }
    for (int b = 0; b < tr->bodies; b++) raw[b][3] = 0.5 * log(raw[b][3]);
}

/* friction and restitution of the floor, gravity in m/s^2 */
static void world_raw(double raw[SCENE_WORLD], const Trajectory *tr) {
    const float *g = tr->gravity;
    raw[0] = (double)tr->floor_friction;
    raw[1] = (double)tr->floor_restitution;
    raw[2] = sqrt((double)g[0] * g[0] + (double)g[1] * g[1] + (double)g[2] * g[2]);
}

/* ---- Ranges and scale. ---- */

static int64_t frames_of(const TrainData *d) {
    return dataset_frames(d->dataset) - 2; /* a sample needs a frame before and one after */
}

/* Sums of mean squares over the vertices of scenes. */
typedef struct Squares {
    double step, deviation; /* displacement to the next frame; what of it the velocity does not say */
} Squares;

static void add_squares(Squares *sum, const TrainData *d, const Trajectory *tr, int64_t frame) {
    double each = 1 / (double)tr->vertices;
    Pose rate = {0}, now = {0}, next = {0};
    for (int64_t v = 0; v < tr->vertices; v++) {
        if (v == 0 || tr->vertex_body[v] != tr->vertex_body[v - 1]) {
            now = pose_at(tr, frame, tr->vertex_body[v]);
            next = pose_at(tr, frame + 1, tr->vertex_body[v]);
            rate = rate_at(d, tr, frame, tr->vertex_body[v], &now);
        }
        double x[3], y[3], z[3];
        pose_apply(x, &rate, tr->vertex + 3 * v);
        pose_apply(y, &now, tr->vertex + 3 * v);
        pose_apply(z, &next, tr->vertex + 3 * v);
        for (int i = 0; i < 3; i++) {
            sum->step += each * (z[i] - y[i]) * (z[i] - y[i]);
            sum->deviation += each * (z[i] - y[i] - x[i]) * (z[i] - y[i] - x[i]);
        }
    }
}

static int64_t scale_trajectories(const TrainData *d) {
    return d->train < SCALE_TRAJECTORIES ? d->train : SCALE_TRAJECTORIES;
}

int64_t train_data_used(const TrainData *d, int64_t trajectories) {
    int64_t scale = scale_trajectories(d);
    return d->test + d->validation + (trajectories > scale ? trajectories : scale);
}

/* Of n values with these sums; what does not vary is left in its unit. */
static void mean_and_sd(double *mean, double *sd, double sum, double sum2, int64_t n) {
    *mean = sum / (double)n;
    double var = sum2 / (double)n - *mean * *mean;
    *sd = var > 1e-12 ? sqrt(var) : 1;
}

static void measure_scale(TrainData *d) {
    int64_t n = scale_trajectories(d), bodies = 0;
    Squares squares = {0};
    double raw[DATASET_BODIES][SCENE_BODY], sum[SCENE_BODY] = {0}, sum2[SCENE_BODY] = {0};
    double world[SCENE_WORLD], world_sum[SCENE_WORLD] = {0}, world_sum2[SCENE_WORLD] = {0};
    for (int64_t k = 0; k < n; k++) {
        const Trajectory *tr = dataset_get(d->dataset, d->test + d->validation + k);
        for (int64_t f = 1; f <= frames_of(d); f++) add_squares(&squares, d, tr, f);
        body_raw(raw, tr);
        for (int b = 0; b < tr->bodies; b++, bodies++)
            for (int j = 0; j < SCENE_BODY; j++) {
                sum[j] += raw[b][j];
                sum2[j] += raw[b][j] * raw[b][j];
            }
        world_raw(world, tr);
        for (int j = 0; j < SCENE_WORLD; j++) {
            world_sum[j] += world[j];
            world_sum2[j] += world[j] * world[j];
        }
    }
    double samples = (double)(n * frames_of(d));
    d->scale.step = squares.step > 0 ? sqrt(squares.step / samples) : 1;
    d->scale.deviation = squares.step > 0 && squares.deviation > 0 ? sqrt(squares.deviation / squares.step) : 1;
    DataScale *s = &d->scale;
    for (int j = 0; j < SCENE_BODY; j++) mean_and_sd(&s->body_mean[j], &s->body_sd[j], sum[j], sum2[j], bodies);
    for (int j = 0; j < SCENE_WORLD; j++)
        mean_and_sd(&s->world_mean[j], &s->world_sd[j], world_sum[j], world_sum2[j], n);
}

/* Samples of a held-out range: as many as asked for, or all. */
static int64_t held_out(int64_t asked, int64_t trajectories, const TrainData *d) {
    return asked ? asked : trajectories * frames_of(d);
}

Err train_data_init(TrainData *data, Dataset *dataset, const TrainDataPlan *plan) {
    int64_t size = dataset_size(dataset);
    if (dataset_frames(dataset) < 3)
        return err_user("dataset: %d frames a trajectory: want at least 3", dataset_frames(dataset));
    if (plan->test + plan->validation + plan->train_max > size)
        return err_user(
            "study.datasets: %lld training, %lld validation and %lld test trajectories: the dataset has %lld",
            (long long)plan->train_max, (long long)plan->validation, (long long)plan->test, (long long)size);
    if (plan->instant && !dataset_has_motion(dataset))
        return err_user("data.velocity = instant: the dataset has no /bodies/velocity and /bodies/spin: want them, or "
                        "data.velocity = frames");
    *data = (TrainData){.dataset = dataset,
                        .test = plan->test,
                        .validation = plan->validation,
                        .train = size - plan->test - plan->validation,
                        .instant = plan->instant,
                        .worlds = plan->worlds ? SCENE_WORLD : 0,
                        .no_floor = plan->no_floor,
                        .no_gravity = plan->no_gravity,
                        .off_centre = plan->off_centre,
                        .slots = dataset_max_bodies(dataset)};
    data->per_trajectory = frames_of(data);
    data->test_samples = held_out(plan->test_samples, plan->test, data);
    data->validation_samples = held_out(plan->validation_samples, plan->validation, data);
    measure_scale(data);
    return ERR_NONE;
}

/* ---- Batches. ---- */

void batch_layout(Batch *b, const TrainData *data, int max_sequences, Arena *arena) {
    b->max_sequences = max_sequences;
    b->max_tokens = max_sequences * dataset_max_vertices(data->dataset);
    b->start = ARENA_TAKE(arena, int64_t, max_sequences + 1);
    /* Vertices are put down in fours. */
    b->position = ARENA_TAKE(arena, real, 3 * b->max_tokens + 1);
    b->velocity = ARENA_TAKE(arena, real, 3 * b->max_tokens + 1);
    b->displacement = ARENA_TAKE(arena, real, 3 * b->max_tokens + 1);
    b->body = ARENA_TAKE(arena, real, SCENE_BODY * b->max_tokens);
    b->slot = ARENA_TAKE(arena, int32_t, b->max_tokens);
    b->floor = ARENA_TAKE(arena, real, 4 * max_sequences);
    b->gravity = ARENA_TAKE(arena, real, 3 * max_sequences);
    b->world = ARENA_TAKE(arena, real, SCENE_WORLD * max_sequences);
    b->token_weight = ARENA_TAKE(arena, real, max_sequences);
    b->loss_weight = ARENA_TAKE(arena, real, max_sequences);
    b->gate = ARENA_TAKE(arena, real, max_sequences);
}

int64_t batch_held_out(const TrainData *d) {
    return d->test > d->validation ? d->test : d->validation;
}

int64_t batch_samples(const TrainData *d, const SampleStream *s) {
    const int64_t trajectories[] = {
        [SAMPLES_TRAIN] = s->trajectories, [SAMPLES_VALIDATION] = d->validation, [SAMPLES_TEST] = d->test};
    return trajectories[s->range] * frames_of(d);
}

/* The first trajectory of a range. */
static int64_t start_of(const TrainData *d, SampleRange range) {
    const int64_t starts[] = {
        [SAMPLES_TRAIN] = d->test + d->validation, [SAMPLES_VALIDATION] = d->test, [SAMPLES_TEST] = 0};
    return starts[range];
}

static uint64_t order_stream(int64_t epoch) {
    return rng_stream("order", (uint64_t)epoch);
}

/* Where sample i of a range lies. */
static void place(int64_t *trajectory, int64_t *frame, const TrainData *d, const SampleStream *s, int64_t i) {
    int64_t frames = frames_of(d);
    *trajectory = start_of(d, s->range) + i / frames;
    *frame = 1 + i % frames;
}

/* Where the sample at `position` of a stream lies. */
static void locate(int64_t *trajectory, int64_t *frame, const TrainData *d, const SampleStream *s, int64_t position) {
    int64_t samples = batch_samples(d, s);
    place(trajectory, frame, d, s,
          rng_permuted(position % samples, samples, s->seed, order_stream(position / samples)));
}

static void order_run(SampleOrder *order, const SampleStream *s, int64_t samples, int64_t run) {
    *order = (SampleOrder){.samples = samples, .seed = s->seed, .run = run};
    for (int done = 0, n; done < RNG_RUN; done += n) {
        int64_t position = run * RNG_RUN + done, left = samples - position % samples; /* of the epoch */
        n = left < RNG_RUN - done ? (int)left : RNG_RUN - done;
        rng_permuted_run(order->at + done, position % samples, n, samples, s->seed, order_stream(position / samples));
    }
}

/* The same, with what is at hand of the stream's order. */
static void locate_near(int64_t *trajectory, int64_t *frame, Batch *b, const TrainData *d, const SampleStream *s,
                        int64_t position) {
    int64_t samples = batch_samples(d, s), run = position / RNG_RUN;
    SampleOrder *order = &b->order[run % 2];
    if (order->samples != samples || order->seed != s->seed || order->run != run) order_run(order, s, samples, run);
    place(trajectory, frame, d, s, order->at[position % RNG_RUN]);
}

static void expect(Batch *b, const TrainData *d, const SampleStream *s, int64_t position) {
    int64_t trajectory, frame;
    locate_near(&trajectory, &frame, b, d, s, position);
    dataset_expect(d->dataset, trajectory, (int)frame);
}

/* Samples: as long as making that many takes, and few enough to stay in the nearest cache; and the same of a disk, which works
 * on many requests at once. */
enum { AHEAD = 4, DISK_AHEAD = 64 };

/* Brings near what a sample further on in the stream is made of: where a trajectory is asked for at random, its numbers
 * come from memory, and waiting for them took most of the time of making a batch. */
static void look_ahead(Batch *b, const TrainData *d, const SampleStream *s, int64_t position) {
    int64_t ahead = AHEAD;
    if (!dataset_in_memory(d->dataset)) {
        int64_t step = s->step ? s->step : 1;
        ahead = (DISK_AHEAD + step - 1) / step * step;
    }
    expect(b, d, s, position + ahead);
}

void batch_expect(Batch *b, const TrainData *d, const SampleStream *s, int64_t first, int n) {
    if (!dataset_in_memory(d->dataset)) return;
    for (int i = 0; i < n && i < AHEAD; i++) expect(b, d, s, first + i);
}

const Trajectory *batch_source(int64_t *frame, const TrainData *d, const SampleStream *s, int64_t position) {
    int64_t trajectory;
    locate(&trajectory, frame, d, s, position);
    return dataset_get(d->dataset, trajectory);
}

int64_t batch_trajectory(const TrainData *d, const SampleStream *s, int64_t position) {
    int64_t trajectory, frame;
    locate(&trajectory, &frame, d, s, position);
    return trajectory - start_of(d, s->range);
}

void batch_gravity(double gravity[3], const TrainData *d, const SampleStream *s, int64_t position) {
    int64_t trajectory, frame;
    locate(&trajectory, &frame, d, s, position);
    const Trajectory *tr = dataset_get(d->dataset, trajectory);
    for (int i = 0; i < 3; i++) gravity[i] = (double)tr->gravity[i];
}

/* pose <- motion (pose - origin) */
static void show_pose(Pose *p, const Motion *motion, const double origin[3]) {
    for (int i = 0; i < 3; i++) p->t[i] -= origin[i];
    act_pose(p->r, p->t, motion);
}

/* Vertices of the trajectory about `mean` at a frame, where bodies have the given poses, under a motion that brings them to
 * the unit of the batch. */
static void add_vertices(Batch *b, const TrainData *d, const SampleStream *s, int64_t position, const Trajectory *tr,
                         int64_t frame, const Pose *poses, const double mean[3], const Motion *motion) {
    int64_t at = b->start[b->scenes.seqs.n];
    double raw[DATASET_BODIES][SCENE_BODY];
    int32_t slot[DATASET_BODIES];
    Motion turn = *motion; /* of vectors */
    memset(turn.s, 0, sizeof turn.s);
    rng_permute(slot, tr->bodies, d->slots, s->seed, rng_stream("slots", (uint64_t)position));
    body_raw(raw, tr);
    for (int64_t v = 0; v < tr->vertices;) {
        int body = tr->vertex_body[v];
        Pose now = poses[body], next = pose_at(tr, frame + 1, body), rate = rate_at(d, tr, frame, body, &now);
        real params[SCENE_BODY];
        act_pose(rate.r, rate.t, &turn);
        show_pose(&now, motion, mean);
        show_pose(&next, motion, mean);
        for (int j = 0; j < SCENE_BODY; j++)
            params[j] = (real)((raw[body][j] - d->scale.body_mean[j]) / d->scale.body_sd[j]);
        Columns to_rate = columns_of(&rate), to_now = columns_of(&now), to_next = columns_of(&next);
        for (; v < tr->vertices && tr->vertex_body[v] == body; v++) {
            Vertex y = vertex_at(&to_now, tr->vertex + 3 * v), z = vertex_at(&to_next, tr->vertex + 3 * v);
            vertex_put(b->velocity + 3 * (at + v), vertex_at(&to_rate, tr->vertex + 3 * v));
            vertex_put(b->position + 3 * (at + v), y);
            vertex_put(b->displacement + 3 * (at + v), z - y);
            b->slot[at + v] = slot[body];
            for (int j = 0; j < SCENE_BODY; j++) b->body[SCENE_BODY * (at + v) + j] = params[j];
        }
    }
}

void batch_clear(Batch *b, const TrainData *data) {
    b->start[0] = 0;
    b->scenes = (SceneBatch){.seqs = {.n = 0, .start = b->start},
                             .slots = data->slots,
                             .worlds = data->worlds,
                             .position = b->position,
                             .velocity = b->velocity,
                             .slot = b->slot,
                             .body = b->body,
                             .floor = b->floor,
                             .gravity = b->gravity,
                             .world = b->world};
    b->loss = LOSS_SQUARED;
    b->anchors = NULL;
    b->target = b->displacement;
    b->weight = b->token_weight;
}

/* What sequence q does not tell. */
static void withhold(Batch *b, const TrainData *d, int q) {
    enum { OF_FLOOR = 2 }; /* numbers of the world that come first; the last is the size of gravity */
    real *world = b->world + d->worlds * q;
    if (d->no_floor) memset(b->floor + 4 * q, 0, 4 * sizeof *b->floor);
    if (d->no_gravity) memset(b->gravity + 3 * q, 0, 3 * sizeof *b->gravity);
    for (int i = 0; i < d->worlds; i++)
        if (i < OF_FLOOR ? d->no_floor : d->no_gravity) world[i] = 0;
}

/* The floor about `mean`, in the unit of batches. */
static void floor_of(double plane[4], const Trajectory *tr, const double mean[3], double unit) {
    double n[3] = {tr->floor[0], tr->floor[1], tr->floor[2]};
    double height = n[0] * mean[0] + n[1] * mean[1] + n[2] * mean[2] - tr->floor[3];
    memcpy(plane, n, sizeof n);
    plane[3] = height * unit;
}

void batch_floor(double plane[4], const TrainData *d, const SampleStream *s, int64_t position) {
    int64_t trajectory, frame;
    double mean[3] = {0};
    Pose poses[DATASET_BODIES];
    locate(&trajectory, &frame, d, s, position);
    const Trajectory *tr = dataset_get(d->dataset, trajectory);
    poses_at(poses, tr, frame);
    if (!d->off_centre) mean_vertex(mean, tr, poses);
    floor_of(plane, tr, mean, 1 / d->scale.step);
}

void batch_add(Batch *b, const TrainData *d, const SampleStream *s, int64_t position, const Motion *view,
               double loss_weight) {
    int q = b->scenes.seqs.n;
    CHECK(q < b->max_sequences, "more than %d sequences in a batch", b->max_sequences);
    int64_t trajectory, frame;
    look_ahead(b, d, s, position);
    locate_near(&trajectory, &frame, b, d, s, position);
    const Trajectory *tr = dataset_get(d->dataset, trajectory);
    double unit = 1 / d->scale.step, mean[3] = {0};
    Motion to_unit = motion_scaled(view, unit);
    Pose poses[DATASET_BODIES];
    poses_at(poses, tr, frame);
    if (!d->off_centre) mean_vertex(mean, tr, poses);
    add_vertices(b, d, s, position, tr, frame, poses, mean, &to_unit);

    double plane[4], g[3] = {tr->gravity[0], tr->gravity[1], tr->gravity[2]};
    floor_of(plane, tr, mean, unit);
    act_plane(plane, plane, view);
    act_direction(g, g, view);
    for (int i = 0; i < 4; i++) b->floor[4 * q + i] = (real)plane[i];
    for (int i = 0; i < 3; i++) b->gravity[3 * q + i] = (real)g[i];
    double world[SCENE_WORLD];
    world_raw(world, tr);
    for (int i = 0; i < d->worlds; i++)
        b->world[d->worlds * q + i] = (real)((world[i] - d->scale.world_mean[i]) / d->scale.world_sd[i]);
    withhold(b, d, q);
    b->token_weight[q] = (real)(1 / (double)tr->vertices);
    b->loss_weight[q] = (real)loss_weight;
    b->start[q + 1] = b->start[q] + tr->vertices;
    b->scenes.seqs.n = q + 1;
}

void batch_fill(Batch *b, const TrainData *data, const SampleStream *stream, int64_t first, int n) {
    Motion as_it_is = motion_identity();
    batch_clear(b, data);
    batch_expect(b, data, stream, first, n);
    for (int i = 0; i < n; i++) batch_add(b, data, stream, first + i, &as_it_is, 1);
}
