// TEST n=1
/* Physics against closed forms: free fall, rebound, sliding, collisions, energy; shapes; scenes; a scene goes on from what is
 * recorded of it. */
#include "base/arena.h"
#include "check.h"
#include "sim/scene.h"

static const double upright[4] = {1, 0, 0, 0};

static Shape box(double x, double y, double z) {
    return (Shape){.kind = SHAPE_BOX, .size = {x, y, z}};
}

static Shape ball(double r) {
    return (Shape){.kind = SHAPE_SPHERE, .size = {r}};
}

static BodyState at(double x, double y, double z) {
    BodyState s = {.position = {x, y, z}};
    memcpy(s.quaternion, upright, sizeof upright);
    return s;
}

static void run(World *w, double seconds) {
    for (int i = 0; i < (int)lround(seconds * WORLD_RATE); i++) world_step(w);
}

static void free_fall(void) {
    World *w = world_new(&material_floor, WORLD_GRAVITY);
    Shape s = box(0.4, 0.6, 0.8);
    BodyState b = at(1, 2, 50);
    b.velocity[0] = 3, b.velocity[2] = 4, b.spin[1] = 2;
    world_add(w, &s, &material_metal, &b);
    run(w, 2);
    BodyState e = world_state(w, 0);
    /* The integrator is of first order in the step h: it is g h t / 2 low. */
    EXPECT(fabs(e.position[0] - 7) < 1e-9 && fabs(e.position[1] - 2) < 1e-9, "%g %g", e.position[0], e.position[1]);
    EXPECT(fabs(e.position[2] - (50 + 8 - 20)) < 1.01 * 10 * 2 / 2.0 / WORLD_RATE, "height %g", e.position[2]);
    EXPECT(fabs(e.velocity[2] + 16) < 1e-9 && fabs(e.spin[1] - 2) < 1e-9, "velocity %g", e.velocity[2]);
    world_free(w);
}

/* Dropped from height H above the floor, a body comes back to e^2 H. */
static void rebound(void) {
    const double drop = 3;
    const Material *materials[] = {&material_metal, &material_rubber};
    Shape shapes[] = {ball(0.5),
                      box(1, 0.8, 1),
                      {.kind = SHAPE_CYLINDER, .size = {0.6, 1}},
                      {.kind = SHAPE_PRISM, .size = {0.6, 1}, .sides = 6}};
    for (int m = 0; m < 2; m++)
        for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
            World *w = world_new(&material_floor, WORLD_GRAVITY);
            BodyState b = at(0, 0, 0.5 + drop);
            world_add(w, &shapes[k], materials[m], &b);
            double top = 0, e = materials[m]->restitution * material_floor.restitution;
            bool hit = false;
            for (int i = 0; i < 3 * WORLD_RATE; i++) {
                world_step(w);
                b = world_state(w, 0);
                hit |= b.velocity[2] > 0;
                if (hit) top = fmax(top, b.position[2] - 0.5);
            }
            EXPECT(fabs(top - e * e * drop) < 0.03 * e * e * drop + 0.006, "%s shape %zu: %g of %g m",
                   m ? "rubber" : "metal", k, top, e * e * drop);
            EXPECT(fabs(b.position[2] - 0.5) < 0.002, "at rest at %g", b.position[2]);
            world_free(w);
        }
}

/* A flat box that slides in any direction stops after v^2 / (2 mu g). */
static void sliding(void) {
    const double v = 3;
    const Material *materials[] = {&material_metal, &material_rubber};
    for (int m = 0; m < 2; m++)
        for (int k = 0; k < 4; k++) {
            World *w = world_new(&material_floor, WORLD_GRAVITY);
            Shape s = box(1, 1, 0.2);
            BodyState b = at(0, 0, 0.1);
            double angle = 0.5 * k, mu = materials[m]->friction * material_floor.friction, want = v * v / (2 * mu * 10);
            b.velocity[0] = v * cos(angle), b.velocity[1] = v * sin(angle);
            world_add(w, &s, materials[m], &b);
            run(w, 4);
            b = world_state(w, 0);
            double slid = hypot(b.position[0], b.position[1]);
            EXPECT(fabs(slid - want) < 0.02 * want, "angle %g: %g of %g m", angle, slid, want);
            EXPECT(fabs(atan2(b.position[1], b.position[0]) - angle) < 0.01, "angle %g", angle);
            EXPECT(hypot(b.velocity[0], b.velocity[1]) == 0, "asleep");
            world_free(w);
        }
}

/* Two bodies in empty space: momentum stays, energy does not grow, balls part with e times the speed of approach. */
static void collisions(void) {
    double worst = 0, gain = 0, deepest = 0;
    int hits = 0;
    for (uint64_t k = 0; k < 150; k++) {
        World *w = world_new(&material_floor, 0);
        Shape a = shape_draw(0.5, 1, 1, 10 * k), b = shape_draw(0.6, 1, 2, 10 * k);
        BodyState x = at(-1.5, 0, 50), y = at(1.5, 0.2, 50.1);
        for (int i = 0; i < 4; i++) x.quaternion[i] = 0.5, y.quaternion[i] = i == 2 ? -0.5 : 0.5;
        x.velocity[0] = 3, y.velocity[0] = -3, x.spin[1] = 1;
        if (k == 0) {
            a = ball(0.5), b = ball(0.5);
            x.spin[1] = y.position[1] = 0;
            y.position[2] = 50;
        }
        world_add(w, &a, &material_metal, &x);
        world_add(w, &b, &material_rubber, &y);
        double before[3], after[3], energy = world_energy(w), scale = 3 * (world_mass(w, 0) + world_mass(w, 1));
        world_momentum(before, w);
        for (int i = 0; i < WORLD_RATE; i++) {
            world_step(w);
            gain = fmax(gain, world_energy(w) / energy - 1);
        }
        world_momentum(after, w);
        for (int i = 0; i < 3; i++) worst = fmax(worst, fabs(after[i] - before[i]) / scale);
        x = world_state(w, 0), y = world_state(w, 1);
        hits += x.velocity[0] < 2.9;
        deepest = fmax(deepest, world_depth(w));
        if (k == 0)
            EXPECT(fabs(y.velocity[0] - x.velocity[0] - 6 * 0.3 * 0.7) < 1e-2, "e %g",
                   (y.velocity[0] - x.velocity[0]) / 6);
        EXPECT(!world_failed(w), "solver");
        world_free(w);
    }
    EXPECT(hits > 140, "%d collisions", hits);
    EXPECT(worst < 1e-12 && gain < 1e-9, "momentum %g energy %g", worst, gain);
    EXPECT(deepest < 0.02, "depth %g", deepest);
    printf("measured collisions of any two shapes at 6 m/s: overlap up to %.1f mm\n", 1e3 * deepest);
}

static void shapes(void) {
    for (uint64_t k = 0; k < 60; k++) {
        Shape s = shape_draw(0.5, 3, 1, 10 * k);
        double v[SHAPE_VERTICES][3], r = shape_radius(&s), mean[3] = {0}, moments[3][3];
        EXPECT(fabs(r - 0.5) < 1e-12 && shape_inradius(&s) > 0.08 && shape_inradius(&s) <= r + 1e-12, "radius %g", r);
        int n = shape_mesh(v, &s, 14);
        for (int i = 0; i < n; i++) {
            double d = sqrt(v[i][0] * v[i][0] + v[i][1] * v[i][1] + v[i][2] * v[i][2]);
            EXPECT(d <= r + 1e-12 && d >= shape_inradius(&s) - 1e-12, "kind %d vertex %d at %g of %g", s.kind, i, d, r);
            for (int j = 0; j < 3; j++) mean[j] += v[i][j] / n;
        }
        if (s.kind == SHAPE_BOX || s.kind == SHAPE_PRISM)
            EXPECT(fabs(mean[0]) + fabs(mean[1]) + fabs(mean[2]) < 1e-12, "centred");
        if (s.kind < SHAPE_PYRAMID && s.kind != SHAPE_CYLINDER) continue;
        Hull hull;
        shape_hull(&hull, &s);
        double volume = hull_moments(moments, &hull);
        EXPECT(fabs(volume / shape_volume(&s) - 1) < 1e-12, "kind %d volume %g of %g", s.kind, volume,
               shape_volume(&s));
        for (int f = 0; f < hull.n_faces; f++)
            for (int i = 0; i < hull.n_vertices; i++) {
                const double *p = hull.plane[f], *x = hull.vertex[i];
                EXPECT(p[0] * x[0] + p[1] * x[1] + p[2] * x[2] - p[3] < 1e-12, "kind %d face %d", s.kind, f);
            }
        /* A prism along z of height h: the integral of z^2 is V h^2 / 12; of a pyramid about its centroid, V 3 h^2
         * / 80. */
        double h = s.size[1], want = volume * h * h * (s.kind == SHAPE_PYRAMID ? 3.0 / 80 : 1.0 / 12);
        EXPECT(fabs(moments[2][2] / want - 1) < 1e-12, "moment %g of %g", moments[2][2], want);
    }
}

static SceneOptions options(void) {
    return (SceneOptions){.seed = 5,
                          .frames = 60,
                          .frame_rate = 12,
                          .bodies_min = 3,
                          .bodies_max = 10,
                          .vertices = 12,
                          .radius_min = 0.35,
                          .radius_max = 0.7,
                          .spread = 4,
                          .speed = 4,
                          .canonical = true};
}

static double speed_between(const Scene *s, int frame, int body) {
    const float *p = s->pose + 7 * (frame * s->bodies + body), *q = p - 7 * s->bodies;
    double d = 0;
    for (int k = 0; k < 3; k++) d += ((double)p[k] - (double)q[k]) * ((double)p[k] - (double)q[k]);
    return sqrt(d) * 12;
}

static void scenes(void) {
    SceneOptions o = options();
    Scene *s = scene_new(&o);
    double deepest = 0;
    int bodies = 0, resting = 0, moving = 0, fewest = 99, most = 0, redrawn = 0;
    for (int i = 0; i < 20; i++) {
        scene_make(s, &o, i);
        deepest = fmax(deepest, s->depth);
        redrawn += s->attempts - 1;
        if (s->bodies < fewest) fewest = s->bodies;
        if (s->bodies > most) most = s->bodies;
        for (int b = 0; b < s->bodies; b++, bodies++) {
            resting += speed_between(s, o.frames - 1, b) < 0.05;
            moving += speed_between(s, 1, b) > 0.5;
            for (int f = 0; f < o.frames; f++) {
                const float *p = s->pose + 7 * (f * s->bodies + b);
                EXPECT(p[2] > 0.05f && p[2] < 6, "scene %d body %d frame %d at height %g", i, b, f, p[2]);
            }
        }
    }
    EXPECT(fewest == 3 && most == 10 && moving > 0.9 * bodies, "%d to %d bodies", fewest, most);
    EXPECT(resting > 0.4 * bodies, "%d of %d at rest", resting, bodies);
    EXPECT(deepest < 0.02 && redrawn < 2, "depth %g, %d drawn again", deepest, redrawn);
    printf("measured scenes: overlap up to %.1f mm, %d of %d bodies at rest after 5 s\n", 1e3 * deepest, resting,
           bodies);

    /* A scene is a function of its number, whatever came before. */
    Scene *again = scene_new(&o);
    scene_make(again, &o, 7);
    scene_make(s, &o, 7);
    scene_make(again, &o, 3);
    scene_make(again, &o, 7);
    size_t bytes = 28 * (size_t)(s->bodies * s->frames);
    EXPECT(s->bodies == again->bodies && !memcmp(s->pose, again->pose, bytes), "scene 7 again");
    scene_free(again);

    /* Fewer frames are a prefix. */
    SceneOptions fewer = o;
    fewer.frames = 30;
    again = scene_new(&fewer);
    scene_make(again, &fewer, 7);
    EXPECT(!memcmp(s->pose, again->pose, bytes / 2), "prefix");
    scene_free(again);
    scene_free(s);
}

/* Energy in a crowded scene, from step to step. */
static void energy(void) {
    World *w = world_new(&material_floor, WORLD_GRAVITY);
    for (int i = 0; i < 12; i++) {
        Shape s = shape_draw(0.6, 9, 1, 10 * (uint64_t)i);
        BodyState b = at(1.3 * (i % 3), 1.3 * (i / 3 % 2), 1 + 1.5 * (i / 6));
        b.velocity[i % 2] = i % 4 < 2 ? 3 : -3;
        b.spin[i % 3] = 5;
        world_add(w, &s, i % 2 ? &material_metal : &material_rubber, &b);
    }
    double start = world_energy(w), last = start, gain = 0;
    for (int i = 0; i < 5 * WORLD_RATE; i++) {
        world_step(w);
        double now = world_energy(w);
        gain = fmax(gain, (now - last) / start);
        last = now;
    }
    EXPECT(gain < 1e-3 && last < 0.4 * start && !world_failed(w), "gain %g, left %g", gain, last / start);
    printf("measured energy: largest gain in a step %.1e of the whole, %.2f left after 5 s\n", gain, last / start);
    world_free(w);
}

/* Where vertex v of the scene is under poses (bodies, 7). */
static void place(double out[3], const Scene *s, const float *poses, int v) {
    const float *p = poses + 7 * s->vertex_body[v], *at = s->vertex + 3 * v;
    double w = p[3], q[3] = {p[4], p[5], p[6]}, x[3] = {at[0], at[1], at[2]}, c[3], d[3];
    /* x + 2 w (q x x) + 2 q x (q x x) */
    for (int i = 0; i < 3; i++) c[i] = q[(i + 1) % 3] * x[(i + 2) % 3] - q[(i + 2) % 3] * x[(i + 1) % 3];
    for (int i = 0; i < 3; i++) d[i] = q[(i + 1) % 3] * c[(i + 2) % 3] - q[(i + 2) % 3] * c[(i + 1) % 3];
    for (int i = 0; i < 3; i++) out[i] = p[i] + x[i] + 2 * w * c[i] + 2 * d[i];
}

/* Mean over the scene's vertices of the squared distance between two sets of poses. */
static double distance2(const Scene *s, const float *a, const float *b) {
    double sum = 0, x[3], y[3];
    for (int v = 0; v < s->vertices; v++) {
        place(x, s, a, v);
        place(y, s, b, v);
        for (int k = 0; k < 3; k++) sum += (x[k] - y[k]) * (x[k] - y[k]) / s->vertices;
    }
    return sum;
}

/* What is recorded of a frame determines the next: the simulator, started from it, finds it again. Two frames do not. */
static void restart(void) {
    SceneOptions o = options();
    o.canonical = false;
    o.frames = 24;
    o.bodies_max = 5;
    Scene *s = scene_new(&o);
    float *pose = MEM_NEW(float, 7 * o.bodies_max), *motion = MEM_NEW(float, 6 * o.bodies_max);
    double moved = 0, recorded = 0, worst = 0, differences = 0;
    int contacts[4] = {0}, impacts = 0, unexplained = 0;
    for (int i = 0; i < 100; i++) {
        scene_make(s, &o, i);
        for (int f = 1; f + 1 < o.frames; f++) {
            const float *now = s->pose + 7 * (int64_t)f * s->bodies, *next = now + 7 * s->bodies;
            const float *velocity = s->motion + 6 * (int64_t)f * s->bodies;
            moved += distance2(s, now, next);
            scene_replay(pose, s, &o, f, velocity);
            double error = distance2(s, pose, next);
            recorded += error;
            worst = fmax(worst, error);
            scene_differences(motion, s, &o, f);
            scene_replay(pose, s, &o, f, motion);
            differences += distance2(s, pose, next);
            for (int b = 0; b < s->bodies; b++) {
                int bits = s->contact[f * s->bodies + b];
                contacts[bits]++;
                /* Free fall keeps velocities; anything else needs a contact. */
                double change = 0;
                for (int k = 0; k < 3; k++) {
                    const float *v = velocity + 6 * b;
                    double fall = (double)s->gravity[k] / o.frame_rate;
                    change += pow((double)v[6 * s->bodies + k] - (double)v[k] - fall, 2);
                }
                impacts += change > 1e-4;
                unexplained += change > 1e-4 && !bits;
            }
        }
    }
    EXPECT(worst == 0, "restarted from what is recorded: loss %g", recorded / moved);
    EXPECT(differences / moved > 1e-3, "restarted from two frames: loss %g", differences / moved);
    EXPECT(unexplained == 0 && impacts > 1000, "%d of %d impacts without a contact", unexplained, impacts);
    EXPECT(contacts[0] > 1000 && contacts[1] > 1000 && contacts[2] > 50 && contacts[3] > 50,
           "contacts: none %d, floor %d, body %d, both %d", contacts[0], contacts[1], contacts[2], contacts[3]);
    printf("measured restart of the simulator: loss %g from what is recorded, %.4f from two frames\n", recorded / moved,
           differences / moved);
    scene_free(s);
    mem_free(pose);
    mem_free(motion);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    free_fall();
    rebound();
    sliding();
    collisions();
    shapes();
    scenes();
    restart();
    energy();
    return test_end();
}
