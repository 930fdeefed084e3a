// TEST single n=1,2
/* Energy: counters that start again from 0, that are parts of others, that cannot be read; the joules of a cell. */
#include "base/energy.h"
#include "fixture.h"

#include <sys/stat.h>
#include <unistd.h>

static void put(const char *zone, const char *file, double microjoules, const char *text) {
    char path[512], value[64];
    snprintf(path, sizeof path, "%s/%s", energy_folder, zone);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/%s/%s", energy_folder, zone, file);
    snprintf(value, sizeof value, "%.0f\n", microjoules);
    test_write(path, text ? text : value, strlen(text ? text : value));
}

static void make_zone(const char *zone, const char *name) {
    put(zone, "name", 0, name);
    put(zone, "max_energy_range_uj", 100e6, NULL);
    put(zone, "energy_uj", 90e6, NULL);
}

/* Two packages, one with memory; 30 J in all are used, 7 J while nobody counts. */
static void counters(void) {
    static char folder[256];
    snprintf(folder, sizeof folder, "%s/rank%d", test_folder, comm_rank(comm_world()));
    mkdir(folder, 0777);
    energy_folder = folder;
    Energy e = energy_open();
    energy_start(&e);
    energy_stop(&e);
    EXPECT(isnan(e.joules), "no counters: %g", e.joules);

    make_zone("intel-rapl:0", "package-0\n");
    make_zone("intel-rapl:0:0", "core\n");
    make_zone("intel-rapl:0:1", "dram\n");
    make_zone("intel-rapl:1", "package-1\n");
    make_zone("intel-rapl:2", "psys\n");
    make_zone("intel-rapl-mmio:0", "package-0\n");
    e = energy_open();
    EXPECT(e.zones == 3 && e.joules == 0, "%d counters", e.zones);
    energy_start(&e);
    put("intel-rapl:0", "energy_uj", 5e6, NULL); /* 15 J, past the end of its range */
    put("intel-rapl:0:0", "energy_uj", 95e6, NULL);
    energy_stop(&e);
    EXPECT(fabs(e.joules - 15) < 1e-9, "%g J", e.joules);
    put("intel-rapl:0:1", "energy_uj", 97e6, NULL);
    energy_start(&e);
    put("intel-rapl:1", "energy_uj", 98e6, NULL);
    energy_stop(&e);
    EXPECT(fabs(e.joules - 23) < 1e-9, "%g J", e.joules);
    energy_start(&e);
    put("intel-rapl:1", "energy_uj", 0, "damaged\n");
    energy_stop(&e);
    EXPECT(isnan(e.joules), "a counter that cannot be read: %g", e.joules);
}

/* Stands for the processor: 3 J on every node with each step. */
static bool use_energy(void *context, int64_t done, int64_t steps) {
    (void)context, (void)steps;
    comm_barrier(comm_world());
    if (comm_rank(comm_world()) == 0) put("intel-rapl:0", "energy_uj", (double)(30 + 3 * done) * 1e6, NULL);
    comm_barrier(comm_world());
    return false;
}

static void training(const TrainData *data) {
    enum { STEPS = FIXTURE_STEPS, POINTS = 4 };
    static char folder[256];
    const Comm *world = comm_world();
    snprintf(folder, sizeof folder, "%s/node", test_folder);
    energy_folder = folder;
    TrainOptions options = fixture_options;
    options.evaluations = POINTS;
    TrainJob job = fixture_job(&transformer_kind, &procedure_plain, data, 1e-3);
    CurvePoint curve[POINTS];
    CellRecord record = {0};
    ProcGrid grid = procgrid_new(world, comm_size(world), 1);
    train_cell(&record, curve, NULL, &job, &options, data, &grid, &(TrainHooks){0});
    EXPECT(isnan(record.compute[CURRENCY_JOULES]) && record.compute[CURRENCY_CORE_SECONDS] > 0, "no counters: %g J",
           record.compute[CURRENCY_JOULES]);

    if (comm_rank(world) == 0) {
        mkdir(folder, 0777);
        make_zone("intel-rapl:0", "package-0\n");
    }
    use_energy(NULL, 0, STEPS);
    train_cell(&record, curve, NULL, &job, &options, data, &grid, &(TrainHooks){.step = use_energy});
    /* Progress is told before the step's curve point: steps 1, 2, 5, 10 have one. */
    static const double seen[POINTS] = {3, 6, 15, 30};
    for (int p = 0; p < POINTS; p++)
        EXPECT(fabs(curve[p].compute[CURRENCY_JOULES] - seen[p]) < 1e-6, "point %d: %g J", p,
               curve[p].compute[CURRENCY_JOULES]);
    EXPECT(fabs(record.compute[CURRENCY_JOULES] - 30) < 1e-6, "%g J", record.compute[CURRENCY_JOULES]);
    procgrid_free(&grid);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    test_folder_new();
    counters();
    Dataset *dataset = fixture_dataset(argv);
    TrainData data = fixture_data(dataset);
    training(&data);
    dataset_close(dataset);
    return test_end();
}
