// TEST single n=1,2,4
/* Generated datasets: equal bytes on any number of ranks, each trajectory its canonical one moved by its recorded pose
 * (until impacts amplify rounding), smaller ones prefixes of larger ones, and what the options refuse. */
#include "check.h"
#include "io/dataset.h"
#include "study/data_make.h"

static DataOptions options(const char *name, const char *frame) {
    DataOptions o;
    Err err = options_read(&o, data_keys, n_data_keys);
    EXPECT(!err.code, "%s", err.text);
    snprintf(o.path, sizeof o.path, "%.60s/deep/er/%.40s", test_folder, name);
    snprintf(o.frame, sizeof o.frame, "%s", frame);
    o.trajectories = 7;
    o.frames = 20;
    return o;
}

static void rotate(double out[3], const double r[9], const double x[3]) {
    for (int i = 0; i < 3; i++) out[i] = r[3 * i] * x[0] + r[3 * i + 1] * x[1] + r[3 * i + 2] * x[2];
}

/* Where a vertex is in the world. */
static void place(double out[3], const Trajectory *t, int frame, int64_t vertex) {
    const float *p = t->pose + 7 * (frame * t->bodies + t->vertex_body[vertex]), *v = t->vertex + 3 * vertex;
    double w = p[3], q[3] = {p[4], p[5], p[6]}, x[3] = {v[0], v[1], v[2]}, c[3], d[3];
    /* x + 2 w (q x x) + 2 q x (q x x) */
    for (int i = 0; i < 3; i++) c[i] = q[(i + 1) % 3] * x[(i + 2) % 3] - q[(i + 2) % 3] * x[(i + 1) % 3];
    for (int i = 0; i < 3; i++) d[i] = q[(i + 1) % 3] * c[(i + 2) % 3] - q[(i + 2) % 3] * c[(i + 1) % 3];
    for (int i = 0; i < 3; i++) out[i] = p[i] + x[i] + 2 * w * c[i] + 2 * d[i];
}

static void moved(const Comm *w) {
    DataOptions seen = options("random.h5", "random"), canonical = options("canonical.h5", "canonical");
    Dataset *a, *b;
    Err err = data_make(&seen, w);
    EXPECT(!err.code, "%s", err.text);
    err = data_make(&canonical, w);
    EXPECT(!err.code, "%s", err.text);
    err = dataset_open(&a, seen.path, w, 0);
    EXPECT(!err.code, "%s", err.text);
    err = dataset_open(&b, canonical.path, w, 1 << 30);
    EXPECT(!err.code, "%s", err.text);
    double worst = 0, lowest = 1, parted = 0, moved = 0;
    int bodies[2] = {99, 0};
    for (int i = 0; i < 7; i++) {
        const Trajectory *x = dataset_get(a, i), *y = dataset_get(b, i);
        const double *r = x->frame_rotation;
        EXPECT(x->bodies == y->bodies && x->vertices == y->vertices, "sizes of %d", i);
        EXPECT(y->frame_rotation[0] == 1 && y->frame_rotation[1] == 0 && y->frame_shift[2] == 0, "canonical");
        EXPECT(i == 0 || memcmp(r, dataset_get(b, 0)->frame_rotation, 72), "a frame of its own");
        EXPECT(y->gravity[2] == -10 && y->floor[2] == 1 && y->floor[3] == 0, "gravity along -z");
        bodies[0] = x->bodies < bodies[0] ? x->bodies : bodies[0];
        bodies[1] = x->bodies > bodies[1] ? x->bodies : bodies[1];
        double up[3], dot = 0;
        rotate(up, r, (double[3]){0, 0, 1});
        for (int k = 0; k < 3; k++) {
            worst = fmax(worst, fabs(up[k] - (double)x->floor[k]));
            worst = fmax(worst, fabs(up[k] + (double)x->gravity[k] / 10));
            dot += up[k] * x->frame_shift[k];
        }
        worst = fmax(worst, fabs(dot - (double)x->floor[3]) / 10);
        bool touched = false; /* impacts amplify the rounding of recorded frames */
        for (int f = 0; f < 20; f++) {
            for (int k = 0; k < x->bodies && f > 0; k++) touched |= x->contact[(f - 1) * x->bodies + k] > 0;
            for (int64_t v = 0; v < x->vertices; v++) {
                double p[3], q[3], m[3];
                place(p, x, f, v);
                place(q, y, f, v);
                rotate(m, r, q);
                lowest = fmin(lowest, q[2]);
                for (int k = 0; k < 3; k++) {
                    double apart = fabs(m[k] + x->frame_shift[k] - p[k]);
                    if (!touched) worst = fmax(worst, apart / 10);
                    parted += apart * apart;
                    moved += q[k] * q[k];
                }
            }
        }
    }
    EXPECT(worst < 2e-6, "moved by the recorded pose to %g of 10 m", worst);
    EXPECT(parted < 1e-2 * moved, "after impacts to %g", sqrt(parted / moved));
    EXPECT(bodies[0] < bodies[1] && bodies[0] >= 3 && bodies[1] <= 10, "%d to %d bodies", bodies[0], bodies[1]);
    EXPECT(lowest > -0.02, "a vertex %g m below the floor", -lowest);
    if (comm_rank(w) == 0) printf("measured pose: %.1e of 10 m\n", worst);
    dataset_close(a);
    dataset_close(b);
}

static void equal(const Comm *w) {
    if (comm_rank(w) == 0) {
        DataOptions o = options("alone.h5", "random");
        Err err = data_generate(&o, comm_self());
        EXPECT(!err.code, "%s", err.text);
        char command[512];
        snprintf(command, sizeof command, "cmp %s/deep/er/random.h5 %s", test_folder, o.path);
        EXPECT(system(command) == 0, "%s", command);
    }
    comm_barrier(w);
}

static void prefix(const Comm *w) {
    DataOptions fewer = options("fewer.h5", "random"), all = options("random.h5", "random");
    fewer.trajectories = 4;
    Dataset *a, *b;
    Err err = data_generate(&fewer, w);
    EXPECT(!err.code, "%s", err.text);
    err = dataset_open(&a, fewer.path, w, 1 << 30);
    EXPECT(!err.code, "%s", err.text);
    err = dataset_open(&b, all.path, w, 1 << 30);
    EXPECT(!err.code, "%s", err.text);
    EXPECT(dataset_size(a) == 4 && dataset_size(b) == 7 && dataset_digest(a, 4) == dataset_digest(b, 4), "sizes");
    for (int i = 0; i < 4; i++) {
        const Trajectory *x = dataset_get(a, i), *y = dataset_get(b, i);
        EXPECT(x->bodies == y->bodies && !memcmp(x->pose, y->pose, 560 * (size_t)x->bodies), "trajectory %d", i);
    }
    dataset_close(a);
    dataset_close(b);
}

static void refused(const Comm *w) {
    DataOptions o = options("random.h5", "random");
    Err err = data_make(&o, w);
    EXPECT(!err.code, "it is there: %s", err.text);
    o.trajectories = 8;
    err = data_make(&o, w);
    EXPECT(err.code == EXIT_USER && strstr(err.text, "holds 7 trajectories"), "%s", err.text);
    o.trajectories = 5;
    err = data_make(&o, w);
    EXPECT(!err.code, "more than enough: %s", err.text);
    o.speed = 3;
    err = data_make(&o, w);
    EXPECT(err.code == EXIT_USER && strstr(err.text, "data.speed = 4"), "%s", err.text);
    err = data_generate(&o, w);
    EXPECT(err.code == EXIT_USER && strstr(err.text, "data.speed = 4, here it is 3"), "%s", err.text);
    o.speed = 4;
    err = data_generate(&o, w);
    EXPECT(err.code == EXIT_USER && strstr(err.text, "exists already"), "%s", err.text);

    o = options("x.h5", "random");
    EXPECT(!data_check(&o).code, "%s", data_check(&o).text);
    o.frame_rate = 7;
    EXPECT(strstr(data_check(&o).text, "data.frame_rate = 7: want a divisor of 240"), "%s", data_check(&o).text);
    o = options("x.h5", "random");
    o.bodies_min = 11;
    EXPECT(strstr(data_check(&o).text, "data.bodies_min = 11"), "%s", data_check(&o).text);
    o.bodies_min = 3, o.radius_min = 0.8;
    EXPECT(strstr(data_check(&o).text, "data.radius_min = 0.8"), "%s", data_check(&o).text);
    o.radius_min = 0.3, o.spread = 1;
    EXPECT(strstr(data_check(&o).text, "data.spread = 1"), "%s", data_check(&o).text);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    const Comm *w = comm_world();
    test_folder_new();
    moved(w);
    equal(w);
    prefix(w);
    refused(w);
    return test_end();
}
