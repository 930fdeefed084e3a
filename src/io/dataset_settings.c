/* What a generator has recorded of a dataset, without reading its arrays. */
#include "dataset_table.h"

#include "base/arena.h"
#include "io/dataset.h"

typedef struct Settings {
    const char *path;
    char *text;
    int64_t trajectories;
} Settings;

static Err read_settings(void *context) {
    Settings *s = context;
    Table t = {0};
    table_shape(&t, 1, false);
    Err err = h5_open(&t.file, s->path);
    if (!err.code) err = table_check_format(&t.file);
    if (!err.code) err = h5_column_open(&t.data[BODIES], &t.file, &t.column[BODIES]);
    if (!err.code && h5_has(&t.file, "/", "settings")) err = h5_get_text(&s->text, &t.file, "/", "settings");
    s->trajectories = t.data[BODIES].rows;
    table_close(&t);
    h5_close(&t.file);
    return err;
}

Err dataset_settings(char **settings, int64_t *trajectories, const char *path) {
    Settings s = {.path = path};
    TRY(h5_rehearse(read_settings, &s));
    Err err = read_settings(&s);
    *settings = s.text;
    *trajectories = s.trajectories;
    return err;
}
