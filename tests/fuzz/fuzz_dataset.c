/* A dataset, as whoever brings their own trajectories hands it over. */
#include "fuzz_h5.h"

#include "base/arena.h"
#include "io/dataset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    const char *path = fuzz_file(data, bytes);
    char *settings = NULL;
    int64_t trajectories;
    Dataset *dataset;
    fuzz_answer(dataset_settings(&settings, &trajectories, path));
    mem_free(settings);
    Err err = dataset_open(&dataset, path, comm_world(), bytes % 2 ? INT64_MAX : 0);
    fuzz_answer(err);
    if (err.code) return 0;
    for (int64_t i = 0; i < dataset_size(dataset); i++) {
        const Trajectory *t = dataset_get(dataset, i);
        CHECK(t->bodies >= 1 && t->bodies <= DATASET_BODIES, "%d bodies", t->bodies);
        for (int64_t v = 0; v < t->vertices; v++)
            CHECK(t->vertex_body[v] >= 0 && t->vertex_body[v] < t->bodies, "vertex of body %d", t->vertex_body[v]);
    }
    dataset_close(dataset);
    return 0;
}
