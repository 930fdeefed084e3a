#include "study/data_make.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/timer.h"
#include "io/commit.h"
#include "io/dataset.h"
#include "sim/scene.h"

#include <string.h>
#include <unistd.h>

static SceneOptions scene_options(const DataOptions *o) {
    return (SceneOptions){.seed = (uint64_t)o->seed,
                          .frames = (int)o->frames,
                          .frame_rate = (int)o->frame_rate,
                          .bodies_min = (int)o->bodies_min,
                          .bodies_max = (int)o->bodies_max,
                          .vertices = (int)o->vertices,
                          .radius_min = o->radius_min,
                          .radius_max = o->radius_max,
                          .spread = o->spread,
                          .speed = o->speed,
                          .canonical = !strcmp(o->frame, "canonical")};
}

typedef struct Maker {
    SceneOptions options;
    Scene *scene;
    int64_t total, bodies, vertices;
} Maker;

static void make(void *context, int64_t i, Trajectory *out) {
    Maker *m = context;
    Scene *s = m->scene;
    scene_make(s, &m->options, i);
    m->bodies += s->bodies;
    m->vertices += s->vertices;
    if (i % 64 == 0) log_live("trajectory %lld of %lld", (long long)i, (long long)m->total);
    *out = (Trajectory){.bodies = s->bodies,
                        .frames = s->frames,
                        .vertices = s->vertices,
                        .vertex = s->vertex,
                        .vertex_body = s->vertex_body,
                        .pose = s->pose,
                        .motion = s->motion,
                        .contact = s->contact,
                        .mass = s->mass,
                        .friction = s->friction,
                        .restitution = s->restitution,
                        .floor_friction = s->floor_friction,
                        .floor_restitution = s->floor_restitution};
    memcpy(out->floor, s->floor, sizeof out->floor);
    memcpy(out->gravity, s->gravity, sizeof out->gravity);
    memcpy(out->frame_rotation, s->rotation, sizeof out->frame_rotation);
    memcpy(out->frame_shift, s->shift, sizeof out->frame_shift);
}

static char *settings_of(const DataOptions *o) {
    return options_text(o, data_keys + DATA_PLACE, n_data_keys - DATA_PLACE);
}

/* The file that is there: made from other options, or too small? On one rank. */
static Err check_file(const DataOptions *o) {
    char *settings;
    int64_t trajectories;
    TRY(dataset_settings(&settings, &trajectories, o->path));
    KeyDifference d;
    Err err = ERR_NONE;
    if (settings && options_differ(&d, settings, o, data_keys + DATA_PLACE, n_data_keys - DATA_PLACE))
        err = err_user("%s: holds data made with %s = %s, here it is %s: want another data.path or the same options",
                       o->path, d.key, d.there, d.here);
    else if (settings && trajectories < o->trajectories)
        err = err_user("%s: holds %lld trajectories: want data.trajectories = %lld of them, or another data.path",
                       o->path, (long long)trajectories, (long long)o->trajectories);
    mem_free(settings);
    return err;
}

/* Whether there is a file, which must then be of these options. Collective. */
static Err find_file(bool *there, const DataOptions *o, const Comm *comm) {
    int64_t exists = 0;
    Err err = ERR_NONE;
    if (comm_rank(comm) == 0 && access(o->path, F_OK) == 0) {
        exists = 1;
        err = check_file(o);
    }
    comm_max_i64(comm, &exists, 1);
    *there = exists > 0;
    return comm_agree(comm, err);
}

Err data_generate(const DataOptions *o, const Comm *comm) {
    double start = timer_now();
    bool there;
    TRY(comm_agree(comm, comm_rank(comm) == 0 ? commit_folder(o->path) : ERR_NONE));
    TRY(find_file(&there, o, comm)); /* dataset_create says that it exists */
    Maker m = {.options = scene_options(o), .total = o->trajectories};
    m.scene = scene_new(&m.options);
    char *settings = settings_of(o);
    DatasetPlan plan = {.trajectories = o->trajectories,
                        .frames = (int)o->frames,
                        .frame_time = 1.0 / (double)o->frame_rate,
                        .motion = true,
                        .seed = (uint64_t)o->seed,
                        .settings = settings};
    Err err = dataset_create(o->path, &plan, make, &m, comm);
    mem_free(settings);
    scene_free(m.scene);
    TRY(err);
    int64_t sums[2] = {m.bodies, m.vertices};
    comm_sum_i64(comm, sums, 2);
    double n = (double)o->trajectories, seconds = timer_now() - start;
    log_line("%s: %lld trajectories of %.1f bodies and %.1f vertices in %.1f s, %.0f a second and rank", o->path,
             (long long)o->trajectories, (double)sums[0] / n, (double)sums[1] / n, seconds,
             n / seconds / comm_size(comm));
    return ERR_NONE;
}

Err data_make(const DataOptions *o, const Comm *comm) {
    bool there;
    TRY(find_file(&there, o, comm));
    return there ? ERR_NONE : data_generate(o, comm);
}
