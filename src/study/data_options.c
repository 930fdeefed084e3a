#include "study/data_options.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/timer.h"
#include "io/commit.h"
#include "io/dataset.h"
#include "sim/scene.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define AT(member) offsetof(DataOptions, member)

/* The first two say which part of a dataset and where; all others decide the numbers in it. */
enum { NOT_SETTINGS = 2 };
const KeySpec data_keys[] = {
    {"data.path", KEY_WORD, AT(path), "runs/data.h5", 0, 0, NULL, "1", "file of the trajectories, made where absent"},
    {"data.trajectories", KEY_INT, AT(trajectories), "1000", 1, 1e9, NULL, "1", "trajectories in the file"},
    {"data.seed", KEY_INT, AT(seed), "1", 0, 1e15, NULL, "1", "seed of everything random in the scenes"},
    {"data.frames", KEY_INT, AT(frames), "24", 3, 1e5, NULL, "1", "frames of a trajectory, the first at time 0"},
    {"data.frame_rate", KEY_INT, AT(frame_rate), "12", 1, 240, NULL, "Hz", "frames a second, a divisor of 240"},
    {"data.bodies_min", KEY_INT, AT(bodies_min), "3", 1, 64, NULL, "1", "fewest bodies in a scene"},
    {"data.bodies_max", KEY_INT, AT(bodies_max), "10", 1, 64, NULL, "1", "most bodies in a scene"},
    {"data.vertices", KEY_INT, AT(vertices), "12", 8, 64, NULL, "1", "mesh vertices of a round body"},
    {"data.radius_min", KEY_REAL, AT(radius_min), "0.35", 0.1, 10, NULL, "m", "smallest ball around a body"},
    {"data.radius_max", KEY_REAL, AT(radius_max), "0.7", 0.1, 10, NULL, "m", "largest ball around a body"},
    {"data.spread", KEY_REAL, AT(spread), "4", 0.5, 100, NULL, "m",
     "bodies start within this of the middle in x and y, and up to this above the lowest place"},
    {"data.speed", KEY_REAL, AT(speed), "4", 0, 20, NULL, "m/s",
     "bodies are thrown at the middle with a random velocity of up to this added in x and y"},
    {"data.frame", KEY_WORD, AT(frame), "random", 0, 0, "random|canonical", "1",
     "random: each trajectory seen from a rotated and shifted frame of its own; canonical: gravity along -z"},
};
const int n_data_keys = sizeof data_keys / sizeof *data_keys;

Err data_check(const DataOptions *o) {
    if (WORLD_RATE % o->frame_rate)
        return err_user("data.frame_rate = %lld: want a divisor of %d", (long long)o->frame_rate, WORLD_RATE);
    if (o->bodies_min > o->bodies_max)
        return err_user("data.bodies_min = %lld: want at most data.bodies_max = %lld", (long long)o->bodies_min,
                        (long long)o->bodies_max);
    if (o->radius_min > o->radius_max)
        return err_user("data.radius_min = %g: want at most data.radius_max = %g", o->radius_min, o->radius_max);
    /* Placing by chance ends surely while the balls fill a small part of the spawn box. */
    double r = o->radius_max, balls = 4.19 * r * r * r * (double)o->bodies_max;
    double least = cbrt(balls / 0.1 / 4);
    if (o->spread < least)
        return err_user("data.spread = %g: too little room for %lld bodies of radius %g: want at least %.2g", o->spread,
                        (long long)o->bodies_max, r, least);
    return ERR_NONE;
}

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
    return options_text(o, data_keys + NOT_SETTINGS, n_data_keys - NOT_SETTINGS);
}

Err data_generate(const DataOptions *o, const Comm *comm) {
    double start = timer_now();
    TRY(comm_agree(comm, comm_rank(comm) == 0 ? commit_folder(o->path) : ERR_NONE));
    Maker m = {.options = scene_options(o), .total = o->trajectories};
    m.scene = scene_new(&m.options);
    char *settings = settings_of(o);
    DatasetPlan plan = {.trajectories = o->trajectories,
                        .frames = (int)o->frames,
                        .frame_time = 1.0 / (double)o->frame_rate,
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

/* The first line of `a` that `b` has differently. */
static void first_difference(char line[OPTION_TEXT], const char *a, const char *b) {
    while (*a) {
        size_t n = strcspn(a, "\n"), m = strcspn(b, "\n");
        snprintf(line, OPTION_TEXT, "%.*s", (int)n, a);
        if (n != m || strncmp(a, b, n)) return;
        a += n + (a[n] == '\n');
        b += m + (b[m] == '\n');
    }
}

Err data_make(const DataOptions *o, const Comm *comm) {
    int64_t exists = comm_rank(comm) == 0 && access(o->path, F_OK) == 0;
    comm_max_i64(comm, &exists, 1);
    if (!exists) return data_generate(o, comm);
    Err err = ERR_NONE;
    if (comm_rank(comm) == 0) {
        char *has = NULL, *want = settings_of(o), line[OPTION_TEXT] = "";
        int64_t trajectories = 0;
        err = dataset_settings(&has, &trajectories, o->path);
        if (!err.code && has && strcmp(has, want)) {
            first_difference(line, has, want);
            err = err_user("%s: holds data made with %s: want another data.path or the same options", o->path, line);
        } else if (!err.code && trajectories < o->trajectories) {
            err = err_user("%s: holds %lld trajectories: want data.trajectories = %lld of them, or another data.path",
                           o->path, (long long)trajectories, (long long)o->trajectories);
        }
        mem_free(has);
        mem_free(want);
    }
    return comm_agree(comm, err);
}
