/* Files as a study has them, each written and read by all ranks: results.h5 of many cells, gathered with parallel HDF5, checked
 * and committed, and read back; a dataset, written in shares and read once on each node. MB/s: bytes of the file over the
 * time of the rank that took longest. In the working folder; what is written is removed. */
#include "bench.h"

#include "base/arena.h"
#include "base/log.h"
#include "io/dataset.h"
#include "io/results.h"
#include "math/stats.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CELLS = 10000, POINTS = 6, MEASURES = 8, TRAJECTORIES = 2000, FRAMES = 96, BODIES = 6, VERTICES = 48 };

static const char results_file[] = "bench-io-results.h5", dataset_file[] = "bench-io-dataset.h5";

static Results many_cells(void) {
    Results r = {.cells = CELLS, .points = CELLS * POINTS, .measures = CELLS * MEASURES, .study = "bench"};
    r.cell = MEM_NEW(CellRecord, r.cells);
    r.curve = MEM_NEW(CurvePoint, r.points);
    r.measure = MEM_NEW(MeasureRow, r.measures);
    for (int64_t i = 0; i < r.cells; i++) {
        snprintf(r.cell[i].id, sizeof r.cell[i].id, "cell-%lld", (long long)i);
        r.cell[i].parameters = r.cell[i].samples = i + 1;
        r.cell[i].loss = 1 / (double)(i + 1);
        r.cell[i].curve_points = POINTS;
    }
    for (int64_t p = 0; p < r.points; p++) r.curve[p] = (CurvePoint){.cell = p / POINTS, .step = p % POINTS};
    for (int64_t m = 0; m < r.measures; m++) r.measure[m] = (MeasureRow){.cell = m / MEASURES, .value = (double)m};
    return r;
}

/* Bodies that fly straight on. */
static void straight(void *context, int64_t i, Trajectory *out) {
    static float vertex[3 * VERTICES], pose[FRAMES * BODIES * 7], one[BODIES];
    static int32_t owner[VERTICES];
    (void)context;
    for (int v = 0; v < VERTICES; v++) owner[v] = v / (VERTICES / BODIES);
    for (int b = 0; b < BODIES; b++) one[b] = 1;
    for (int f = 0; f < FRAMES * BODIES; f++) {
        const float p[7] = {(float)(i + f), 1, 2, 1, 0, 0, 0};
        memcpy(pose + 7 * f, p, sizeof p);
    }
    *out = (Trajectory){.bodies = BODIES,
                        .frames = FRAMES,
                        .vertices = VERTICES,
                        .vertex = vertex,
                        .vertex_body = owner,
                        .pose = pose,
                        .mass = one,
                        .friction = one,
                        .restitution = one,
                        .floor = {0, 0, 1, 0},
                        .gravity = {0, 0, -10},
                        .frame_rotation = {1, 0, 0, 0, 1, 0, 0, 0, 1}};
}

/* What is timed; each leaves or takes a file. right: becomes false where what was read is not what was written. Collective. */
static Err gather(bool *right) {
    (void)right;
    Results r = many_cells();
    Err err = results_gather(results_file, &r, "", comm_world());
    results_free(&r);
    return err;
}

static Err read_results(bool *right) {
    bool root = comm_rank(comm_world()) == 0;
    Results r = {0};
    TRY(comm_agree(comm_world(), root ? results_read(&r, results_file) : ERR_NONE));
    if (root)
        *right = *right && r.cells == CELLS && r.cell[CELLS - 1].parameters == CELLS && r.measures == CELLS * MEASURES;
    results_free(&r);
    return ERR_NONE;
}

static Err write_dataset(bool *right) {
    (void)right;
    const DatasetPlan plan = {.trajectories = TRAJECTORIES, .frames = FRAMES, .frame_time = 0.1, .settings = ""};
    if (comm_rank(comm_world()) == 0) unlink(dataset_file);
    comm_barrier(comm_world());
    return dataset_create(dataset_file, &plan, straight, NULL, comm_world());
}

static Err read_dataset(bool *right) {
    Dataset *d;
    TRY(dataset_open(&d, dataset_file, comm_world(), INT64_MAX));
    *right = *right && dataset_size(d) == TRAJECTORIES &&
             dataset_get(d, TRAJECTORIES - 1)->pose[0] == (float)(TRAJECTORIES - 1);
    dataset_close(d);
    return ERR_NONE;
}

typedef struct Job {
    const char *what, *file;
    Err (*run)(bool *right);
} Job;

static Err time_job(bool *right, Json *json, const Job *job, const BenchOptions *o) {
    double *round = MEM_NEW(double, o->repeat);
    Err err = ERR_NONE;
    for (int i = 0; i < o->repeat && !err.code; i++) {
        comm_barrier(comm_world());
        double start = bench_now(o);
        err = job->run(right);
        round[i] = bench_slowest(o, comm_world(), start);
    }
    double seconds = err.code ? NAN : stats_median(round, o->repeat);
    mem_free(round);
    TRY(err);
    struct stat st = {0};
    stat(job->file, &st);
    double rate = 1e-6 * (double)st.st_size / seconds;
    log_text("%-28s%14lld%12.1f%12.1f", job->what, (long long)st.st_size, seconds * 1e3, rate);
    if (!json) return ERR_NONE;
    json_open_object(json, NULL);
    json_put_text(json, "file", job->what);
    json_put_int(json, "bytes", st.st_size);
    json_put_number(json, "duration_ms", seconds * 1e3);
    json_put_number(json, "mbytes_per_second", rate);
    json_close(json);
    return ERR_NONE;
}

Err bench_io(const BenchOptions *o, int *code) {
    static const Job job[] = {{"results gathered and checked", results_file, gather},
                              {"results read", results_file, read_results},
                              {"dataset written", dataset_file, write_dataset},
                              {"dataset read by each node", dataset_file, read_dataset}};
    double top = 0, ranks = comm_size(comm_world());
    Peak peak = peak_new();
    for (int i = 0; i < o->repeat; i++) top = fmax(top, peak_measure(&peak, o));
    peak_free(&peak);
    Json *json = bench_json_new(o);
    log_text("%d rank%s, %d on this node", comm_size(comm_world()), plural(comm_size(comm_world())), comm_node_ranks());
    log_text("%-28s%14s%12s%12s", "file", "bytes", "ms", "MB/s");
    Err err = ERR_NONE;
    bool right = true;
    for (size_t i = 0; i < sizeof job / sizeof *job && !err.code; i++) err = time_job(&right, json, &job[i], o);
    right = comm_all(comm_world(), right);
    if (comm_rank(comm_world()) == 0) {
        unlink(results_file);
        unlink(dataset_file);
    }
    if (err.code) {
        json_free(json);
        return err;
    }
    const BenchCheck check = {"what was written was read", right};
    const BenchMerit merit = {
        .what = "io", .gflops = ranks * top, .peak = ranks * top, .joules = NAN, .checks = 1, .check = &check};
    return bench_end(json, o, &merit, code);
}
