#include "dataset_table.h"

#include "base/arena.h"
#include "io/dataset.h"

#include <string.h>
#include <xxhash.h>

/* A line or two a column; the formatter would make it seven. */
// clang-format off
const Spec dataset_schema[COLUMNS] = {
    [BODIES] = {TRAJECTORY, 1, DATASET_BODIES, {"/trajectories/bodies", H5_I32, {0}, "1", "number of bodies", 0}},
    [VERTICES] = {TRAJECTORY, 1, 1e9, {"/trajectories/vertices", H5_I32, {0}, "1", "number of mesh vertices", 0}},
    [FLOOR_NORMAL] = {TRAJECTORY, -1.001, 1.001, {"/trajectories/floor_normal", H5_F32, {3}, "1",
        "unit normal n of the floor n.x = c, upward", 0}},
    [FLOOR_OFFSET] = {TRAJECTORY, -1e6, 1e6, {"/trajectories/floor_offset", H5_F32, {0}, "m",
        "c of the floor n.x = c", 0}},
    [FLOOR_FRICTION] = {TRAJECTORY, 0, 10, {"/trajectories/floor_friction", H5_F32, {0}, "1",
        "friction of the floor; that of a contact is the product of both sides", 0}},
    [FLOOR_RESTITUTION] = {TRAJECTORY, 0, 1, {"/trajectories/floor_restitution", H5_F32, {0}, "1",
        "restitution of the floor; that of a contact is the product of both sides", 0}},
    [GRAVITY] = {TRAJECTORY, -1e4, 1e4, {"/trajectories/gravity", H5_F32, {3}, "m/s^2",
        "acceleration of free fall", 0}},
    [ROTATION] = {TRAJECTORY, -1.001, 1.001, {"/trajectories/frame_rotation", H5_F64, {3, 3}, "1",
        "R of the recorded pose, world = R canonical + s (canonical: gravity along -z); identity if unknown", 0}},
    [SHIFT] = {TRAJECTORY, -1e6, 1e6, {"/trajectories/frame_shift", H5_F64, {3}, "m", "s of the recorded pose", 0}},
    [MASS] = {BODY, 1e-9, 1e9, {"/bodies/mass", H5_F32, {0}, "kg", "mass", 0}},
    [FRICTION] = {BODY, 0, 10, {"/bodies/friction", H5_F32, {0}, "1", "friction", 0}},
    [RESTITUTION] = {BODY, 0, 1, {"/bodies/restitution", H5_F32, {0}, "1", "restitution", 0}},
    [POSITION] = {BODY, -1e6, 1e6, {"/bodies/position", H5_F32, {FRAMES, 3}, "m",
        "origin of the body's frame in the world, by frame", 0}},
    [QUATERNION] = {BODY, -1.001, 1.001, {"/bodies/quaternion", H5_F32, {FRAMES, 4}, "1",
        "unit quaternion w x y z, the rotation from the body's frame to the world, by frame", 0}},
    [VELOCITY] = {BODY, -1e6, 1e6, {"/bodies/velocity", H5_F32, {FRAMES, 3}, "m/s",
        "velocity of the origin of the body's frame in the world, by frame", 0}, true},
    [SPIN] = {BODY, -1e6, 1e6, {"/bodies/spin", H5_F32, {FRAMES, 3}, "rad/s",
        "angular velocity in the world, by frame", 0}, true},
    [CONTACT] = {BODY, 0, 3, {"/bodies/contact", H5_U8, {FRAMES}, "1",
        "what the body touches until the next frame: bit 0 the floor, bit 1 a body; 0 at the last frame", 0}, true},
    [VERTEX_POSITION] = {VERTEX, -1e6, 1e6, {"/vertices/position", H5_F32, {3}, "m",
        "mesh vertex in the frame of its body", 0}},
    [VERTEX_BODY] = {VERTEX, 0, DATASET_BODIES - 1, {"/vertices/body", H5_I32, {0}, "1",
        "body of the vertex, from 0 in each trajectory, ascending", 0}},
};
// clang-format on

void table_shape(Table *t, int frames, bool motion) {
    for (int c = 0; c < COLUMNS; c++) {
        t->column[c] = dataset_schema[c].column;
        t->lacks[c] = dataset_schema[c].optional && !motion;
        if (t->column[c].shape[0] == FRAMES) t->column[c].shape[0] = frames;
    }
}

Err table_check_format(H5File *f) {
    char *text = NULL;
    Err err = h5_get_text(&text, f, "/", "format");
    bool ours = !err.code && !strcmp(text, DATASET_FORMAT);
    mem_free(text);
    return ours ? ERR_NONE : err_user("%s: attribute format: not a dataset: want " DATASET_FORMAT, f->path);
}

void table_close(Table *t) {
    for (int c = 0; c < COLUMNS; c++) h5_column_close(&t->data[c]);
}

uint64_t table_digest(const Table *t, const void *const row[COLUMNS], const int64_t rows[LEVELS]) {
    uint64_t part[COLUMNS];
    size_t parts = 0;
    for (int c = 0; c < COLUMNS; c++)
        if (!t->lacks[c])
            part[parts++] = XXH3_64bits(row[c], (size_t)rows[dataset_schema[c].level] * h5_row_bytes(&t->column[c]));
    return XXH3_64bits(part, parts * sizeof *part);
}

uint64_t table_combine(const uint64_t *digest, int64_t n, int64_t frames, double frame_time) {
    uint64_t part[3] = {XXH3_64bits(digest, (size_t)n * sizeof *digest), (uint64_t)frames, 0};
    memcpy(&part[2], &frame_time, sizeof frame_time);
    return XXH3_64bits(part, sizeof part);
}
