#include "study/data_make.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/stop.h"
#include "base/timer.h"
#include "io/commit.h"
#include "io/dataset.h"
#include "sim/scene.h"
#include "study/claim.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
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

/* Whether there is a file, which must then be of these options. On one rank. */
static Err look_for_file(bool *there, const DataOptions *o) {
    struct stat link;
    TRY(commit_exists(there, o->path));
    if (*there) return check_file(o);
    if (lstat(o->path, &link)) return ERR_NONE;
    return err_user("%s: a link that leads nowhere: want a file, or another data.path", o->path);
}

/* The same. Collective. */
static Err find_file(bool *there, const DataOptions *o, const Comm *comm) {
    *there = false;
    Err err = comm_rank(comm) == 0 ? look_for_file(there, o) : ERR_NONE;
    comm_bcast(comm, there, sizeof *there, 0);
    return comm_agree(comm, err);
}

static Err generate(const DataOptions *o, const Comm *comm) {
    double start = timer_now();
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

void data_sweep(const DataOptions *o) {
    char folder[COMMIT_PATH];
    const char *name = strrchr(o->path, '/');
    snprintf(folder, sizeof folder, "%.*s", name ? (int)(name - o->path) + 1 : 1, name ? o->path : ".");
    commit_sweep(folder, name ? name + 1 : o->path);
}

/* Takes the claim on the file, or waits until another run has made it: then there is one. On the root. */
static Err claim_file(bool *taken, Claim *claim, const DataOptions *o) {
    char mark[COMMIT_PATH];
    TRY(commit_folder(o->path));
    data_sweep(o);
    if (snprintf(mark, sizeof mark, "%s.making", o->path) >= (int)sizeof mark)
        return err_user("%.80s...: want a shorter path", o->path);
    const int often = 600; /* s: a log file shows that the job lives */
    for (int waited = 0;; waited++) {
        bool there;
        TRY(claim_take(taken, claim, mark, false));
        Err err = commit_exists(&there, o->path);
        if (*taken && (there || err.code)) {
            claim_release(claim);
            *taken = false;
        }
        if (there || *taken || err.code) return err;
        if (stop_asked()) {
            err = err_user("%s: %s, and another run still makes it: the same command goes on", o->path, stop_reason());
            err.code = EXIT_RESUME;
            return err;
        }
        if (waited % often == 0) log_line("%s: another run makes it: waiting", o->path);
        sleep(1);
    }
}

/* Makes the file, or finds the one that another run has made meanwhile. Collective. */
static Err make_once(const DataOptions *o, const Comm *comm) {
    bool root = comm_rank(comm) == 0, taken = false, there;
    Claim claim;
    TRY(comm_agree(comm, root ? claim_file(&taken, &claim, o) : ERR_NONE));
    comm_bcast(comm, &taken, sizeof taken, 0);
    if (!taken) return find_file(&there, o, comm);
    double start = timer_now();
    Err err = generate(o, comm);
    stop_once(timer_now() - start);
    if (root) claim_release(&claim);
    return err;
}

Err data_generate(const DataOptions *o, const Comm *comm) {
    bool there;
    TRY(find_file(&there, o, comm));
    return there ? err_user("%s: exists already: want the name of a new file", o->path) : make_once(o, comm);
}

Err data_make(const DataOptions *o, const Comm *comm) {
    bool there;
    TRY(find_file(&there, o, comm));
    if (there) return ERR_NONE;
    if (o->generate == DATA_NEVER)
        return err_user("%s: no such file, and data.generate = never: want a file of trajectories", o->path);
    return make_once(o, comm);
}
