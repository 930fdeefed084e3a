/* A dataset, as whoever brings their own trajectories hands it over. */
#include "fuzz_h5.h"

#include "base/arena.h"
#include "io/dataset.h"

/* Trajectories are read as they are used: those that are kept in memory share it by MPI, which a child process has not. */
static Err open_and_read(const char *path) {
    Dataset *dataset;
    TRY(dataset_open(&dataset, path, comm_self(), 0));
    for (int64_t i = 0; i < dataset_size(dataset); i++) {
        const Trajectory *t = dataset_get(dataset, i);
        reader_want(t->bodies >= 1 && t->bodies <= DATASET_BODIES, "%d bodies", t->bodies);
        for (int64_t v = 0; v < t->vertices; v++)
            reader_want(t->vertex_body[v] >= 0 && t->vertex_body[v] < t->bodies, "vertex of body %d",
                        t->vertex_body[v]);
    }
    dataset_close(dataset);
    return ERR_NONE;
}

Err fuzz_read(const char *path) {
    char *settings = NULL;
    int64_t trajectories;
    TRY(dataset_settings(&settings, &trajectories, path));
    mem_free(settings);
    return open_and_read(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    fuzz_answer(fuzz_child(fuzz_file(data, bytes)));
    return 0;
}
