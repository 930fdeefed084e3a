#include "sim/scene.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/rng.h"

#include <math.h>
#include <string.h>

enum { ATTEMPTS = 100, PLACES = 1000 };
static const double DEEPEST = 0.02; /* m: a scene with a deeper contact is drawn again */
static const double MOVED = 10;     /* m: random frames are shifted by up to this along each axis */

/* Draws in sequence: element after element of one stream. */
typedef struct Draws {
    uint64_t seed, stream, next;
} Draws;

static double draw(Draws *d, double lo, double hi) {
    return lo + (hi - lo) * rng_uniform(d->seed, d->stream, d->next++);
}

Scene *scene_new(const SceneOptions *o) {
    Scene *s = MEM_NEW(Scene, 1);
    int64_t bodies = o->bodies_max, vertices = bodies * SHAPE_VERTICES;
    s->vertex = MEM_NEW(float, 3 * vertices);
    s->vertex_body = MEM_NEW(int32_t, vertices);
    s->pose = MEM_NEW(float, 7 * bodies * o->frames);
    s->motion = MEM_NEW(float, 6 * bodies * o->frames);
    s->contact = MEM_NEW(uint8_t, bodies * o->frames);
    s->shape = MEM_NEW(Shape, bodies);
    s->material = MEM_NEW(const Material *, bodies);
    s->mass = MEM_NEW(float, 3 * bodies);
    s->friction = s->mass + bodies;
    s->restitution = s->friction + bodies;
    return s;
}

void scene_free(Scene *s) {
    if (!s) return;
    mem_free(s->vertex);
    mem_free(s->vertex_body);
    mem_free(s->pose);
    mem_free(s->motion);
    mem_free(s->contact);
    mem_free(s->shape);
    mem_free(s->material);
    mem_free(s->mass);
    mem_free(s);
}

static void quaternion_draw(double q[4], Draws *d) {
    double norm = 0;
    for (int i = 0; i < 4; i++) q[i] = rng_normal(d->seed, d->stream, d->next++), norm += q[i] * q[i];
    for (int i = 0; i < 4; i++) q[i] /= sqrt(norm);
}

static void quaternion_product(double out[4], const double a[4], const double b[4]) {
    out[0] = a[0] * b[0] - a[1] * b[1] - a[2] * b[2] - a[3] * b[3];
    out[1] = a[0] * b[1] + a[1] * b[0] + a[2] * b[3] - a[3] * b[2];
    out[2] = a[0] * b[2] - a[1] * b[3] + a[2] * b[0] + a[3] * b[1];
    out[3] = a[0] * b[3] + a[1] * b[2] - a[2] * b[1] + a[3] * b[0];
}

static void quaternion_matrix(double m[9], const double q[4]) {
    double w = q[0], x = q[1], y = q[2], z = q[3];
    const double r[9] = {1 - 2 * (y * y + z * z), 2 * (x * y - w * z),     2 * (x * z + w * y),
                         2 * (x * y + w * z),     1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
                         2 * (x * z - w * y),     2 * (y * z + w * x),     1 - 2 * (x * x + y * y)};
    memcpy(m, r, sizeof r);
}

static void rotate(double out[3], const double r[9], const double x[3]) {
    for (int i = 0; i < 3; i++) out[i] = r[3 * i] * x[0] + r[3 * i + 1] * x[1] + r[3 * i + 2] * x[2];
}

/* Bodies that do not overlap, thrown; false where no place was found. */
static bool populate(World *w, Scene *s, const SceneOptions *o, Draws *d) {
    double at[WORLD_BODIES][4];
    s->bodies = o->bodies_min + (int)rng_below(d->seed, d->stream, d->next++, o->bodies_max - o->bodies_min + 1);
    s->vertices = 0;
    for (int b = 0; b < s->bodies; b++) {
        double r = draw(d, o->radius_min, o->radius_max), mesh[SHAPE_VERTICES][3];
        Shape shape = shape_draw(r, d->seed, d->stream, d->next);
        d->next += 5;
        const Material *m = draw(d, 0, 1) < 0.5 ? &material_metal : &material_rubber;
        BodyState state = {0};
        bool free_place = false;
        for (int tries = 0; !free_place && tries < PLACES; tries++) {
            double *x = state.position;
            for (int k = 0; k < 3; k++) x[k] = draw(d, k < 2 ? -o->spread : 1, k < 2 ? o->spread : 1 + o->spread);
            free_place = true;
            for (int i = 0; i < b && free_place; i++) {
                double dx = x[0] - at[i][0], dy = x[1] - at[i][1], dz = x[2] - at[i][2];
                free_place = dx * dx + dy * dy + dz * dz > (r + at[i][3]) * (r + at[i][3]);
            }
        }
        if (!free_place) return false;
        memcpy(at[b], state.position, sizeof state.position);
        at[b][3] = r;
        quaternion_draw(state.quaternion, d);
        for (int k = 0; k < 2; k++) state.velocity[k] = draw(d, -o->speed, o->speed) - state.position[k];
        world_add(w, &shape, m, &state);
        s->shape[b] = shape;
        s->material[b] = m;
        s->mass[b] = (float)world_mass(w, b);
        s->friction[b] = (float)m->friction;
        s->restitution[b] = (float)m->restitution;
        int n = shape_mesh(mesh, &shape, o->vertices);
        for (int v = 0; v < n; v++, s->vertices++) {
            s->vertex_body[s->vertices] = b;
            for (int k = 0; k < 3; k++) s->vertex[3 * s->vertices + k] = (float)mesh[v][k];
        }
    }
    return true;
}

/* Poses (bodies, 7) and, unless NULL, velocities (bodies, 6) of the present as the scene's frame sees them. */
static void observe(float *pose, float *motion, const Scene *s, const World *w) {
    for (int b = 0; b < s->bodies; b++) {
        BodyState state = world_state(w, b);
        double x[3], q[4], v[3], spin[3];
        rotate(x, s->rotation, state.position);
        rotate(v, s->rotation, state.velocity);
        rotate(spin, s->rotation, state.spin);
        quaternion_product(q, s->turn, state.quaternion);
        for (int k = 0; k < 3; k++) pose[7 * b + k] = (float)(x[k] + s->shift[k]);
        for (int k = 0; k < 4; k++) pose[7 * b + 3 + k] = (float)q[k];
        for (int k = 0; k < 3 && motion; k++) {
            motion[6 * b + k] = (float)v[k];
            motion[6 * b + 3 + k] = (float)spin[k];
        }
    }
}

/* The way back from what is recorded of one body. Only sleep makes a body stand still to the last bit. */
static BodyState restore(const Scene *s, const float pose[7], const float motion[6]) {
    BodyState state = {0};
    const double back[4] = {s->turn[0], -s->turn[1], -s->turn[2], -s->turn[3]};
    const double q[4] = {pose[3], pose[4], pose[5], pose[6]};
    quaternion_product(state.quaternion, back, q);
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++) {
            double r = s->rotation[3 * k + i];
            state.position[i] += r * ((double)pose[k] - s->shift[k]);
            state.velocity[i] += r * (double)motion[k];
            state.spin[i] += r * (double)motion[3 + k];
        }
    state.asleep = true;
    for (int k = 0; k < 6; k++) state.asleep &= motion[k] == 0;
    return state;
}

/* The frame that the scene is seen in. */
static void frame_draw(Scene *s, const SceneOptions *o, int64_t i) {
    double *q = s->turn;
    Draws d = {o->seed, rng_stream("scene frame", (uint64_t)i), 0};
    quaternion_draw(q, &d);
    for (int k = 0; k < 3; k++) s->shift[k] = o->canonical ? 0 : draw(&d, -MOVED, MOVED);
    if (o->canonical) memcpy(q, (double[4]){1, 0, 0, 0}, 4 * sizeof *q);
    quaternion_matrix(s->rotation, q);
    double up[3], height = 0;
    rotate(up, s->rotation, (double[3]){0, 0, 1});
    for (int k = 0; k < 3; k++) {
        s->floor[k] = (float)up[k];
        s->gravity[k] = (float)(-WORLD_GRAVITY * up[k]);
        height += up[k] * s->shift[k];
    }
    s->floor[3] = (float)height;
}

/* A frame on: what the simulator makes of poses (bodies, 7) and velocities (bodies, 6). Velocities and contacts are
 * returned unless NULL. The world is a new one, so that nothing but what is recorded counts. */
static bool follow(float *pose, float *motion, uint8_t *contact, Scene *s, const SceneOptions *o,
                   const float *from_pose, const float *from_motion) {
    World *w = world_new(&material_floor, WORLD_GRAVITY);
    for (int b = 0; b < s->bodies; b++) {
        BodyState state = restore(s, from_pose + 7 * b, from_motion + 6 * b);
        world_add(w, &s->shape[b], s->material[b], &state);
    }
    for (int k = 0; k < WORLD_RATE / o->frame_rate; k++) world_step(w);
    observe(pose, motion, s, w);
    for (int b = 0; b < s->bodies && contact; b++) contact[b] = (uint8_t)world_contacts(w, b);
    s->depth = fmax(s->depth, world_depth(w));
    bool good = !world_failed(w);
    world_free(w);
    return good;
}

static bool simulate(Scene *s, const SceneOptions *o, Draws *d) {
    World *w = world_new(&material_floor, WORLD_GRAVITY);
    bool good = populate(w, s, o, d);
    if (good) observe(s->pose, s->motion, s, w);
    world_free(w);
    s->depth = 0;
    for (int64_t f = 1; f < o->frames && good; f++) {
        int64_t at = f * s->bodies, before = at - s->bodies;
        good = follow(s->pose + 7 * at, s->motion + 6 * at, s->contact + before, s, o, s->pose + 7 * before,
                      s->motion + 6 * before);
        good &= s->depth < DEEPEST;
    }
    memset(s->contact + (int64_t)(o->frames - 1) * s->bodies, 0, (size_t)s->bodies);
    return good;
}

void scene_make(Scene *s, const SceneOptions *o, int64_t i) {
    s->frames = o->frames;
    s->floor_friction = (float)material_floor.friction;
    s->floor_restitution = (float)material_floor.restitution;
    frame_draw(s, o, i);
    Draws d = {o->seed, rng_stream("scene", (uint64_t)i), 0};
    s->attempts = 1;
    while (!simulate(s, o, &d))
        CHECK(++s->attempts < ATTEMPTS, "scene %lld: no good motion in %d attempts", (long long)i, ATTEMPTS);
}

void scene_replay(float *pose, const Scene *s, const SceneOptions *o, int frame, const float *motion) {
    Scene scratch = *s; /* its depth alone is written */
    follow(pose, NULL, NULL, &scratch, o, s->pose + 7 * (int64_t)frame * s->bodies, motion);
}

void scene_differences(float *motion, const Scene *s, const SceneOptions *o, int frame) {
    const float *now = s->pose + 7 * (int64_t)frame * s->bodies, *before = now - 7 * s->bodies;
    for (int b = 0; b < s->bodies; b++, now += 7, before += 7, motion += 6) {
        const double q[4] = {now[3], now[4], now[5], now[6]}, back[4] = {before[3], -before[4], -before[5], -before[6]};
        double between[4];
        quaternion_product(between, q, back);
        double sign = between[0] < 0 ? -1 : 1; /* the shorter way */
        double size = sqrt(between[1] * between[1] + between[2] * between[2] + between[3] * between[3]);
        double speed = size > 0 ? sign * o->frame_rate * 2 * atan2(size, fabs(between[0])) / size : 0;
        for (int k = 0; k < 3; k++) {
            motion[k] = (now[k] - before[k]) * (float)o->frame_rate;
            motion[3 + k] = (float)(speed * between[1 + k]);
        }
    }
}
