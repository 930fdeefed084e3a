#include "io/dataset.h"

#include "base/arena.h"
#include "io/commit.h"
#include "io/h5.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#define FORMAT "equiscale-dataset-1"

/* ---- The schema. A file is a set of columns at three levels; the bodies of trajectory 0 come first, then those of 1.
 * -- */

enum { TRAJECTORY, BODY, VERTEX, LEVELS };
enum {
    BODIES,
    VERTICES,
    FLOOR_NORMAL,
    FLOOR_OFFSET,
    FLOOR_FRICTION,
    FLOOR_RESTITUTION,
    GRAVITY,
    ROTATION,
    SHIFT,
    MASS,
    FRICTION,
    RESTITUTION,
    POSITION,
    QUATERNION,
    VERTEX_POSITION,
    VERTEX_BODY,
    COLUMNS
};
enum { FRAMES = -1 }; /* stands for the number of frames in a shape */

typedef struct Spec {
    int level;
    double lo, hi; /* what is accepted */
    H5Column column;
} Spec;

static const Spec schema[COLUMNS] = {
    [BODIES] = {TRAJECTORY, 1, 1e6, {"/trajectories/bodies", H5_I32, {0}, "1", "number of bodies", 0}},
    [VERTICES] = {TRAJECTORY, 1, 1e9, {"/trajectories/vertices", H5_I32, {0}, "1", "number of mesh vertices", 0}},
    [FLOOR_NORMAL] =
        {TRAJECTORY,
         -1.001,
         1.001,
         {"/trajectories/floor_normal", H5_F32, {3}, "1", "unit normal n of the floor n.x = c, upward", 0}},
    [FLOOR_OFFSET] = {TRAJECTORY,
                      -1e6,
                      1e6,
                      {"/trajectories/floor_offset", H5_F32, {0}, "m", "c of the floor n.x = c", 0}},
    [FLOOR_FRICTION] = {TRAJECTORY,
                        0,
                        10,
                        {"/trajectories/floor_friction",
                         H5_F32,
                         {0},
                         "1",
                         "friction of the floor; that of a contact is the product of both sides",
                         0}},
    [FLOOR_RESTITUTION] = {TRAJECTORY,
                           0,
                           1,
                           {"/trajectories/floor_restitution",
                            H5_F32,
                            {0},
                            "1",
                            "restitution of the floor; that of a contact is the product of both sides",
                            0}},
    [GRAVITY] = {TRAJECTORY,
                 -1e4,
                 1e4,
                 {"/trajectories/gravity", H5_F32, {3}, "m/s^2", "acceleration of free fall", 0}},
    [ROTATION] = {TRAJECTORY,
                  -1.001,
                  1.001,
                  {"/trajectories/frame_rotation",
                   H5_F64,
                   {3, 3},
                   "1",
                   "R of the recorded pose, world = R canonical + s (canonical: gravity along -z); identity if unknown",
                   0}},
    [SHIFT] = {TRAJECTORY, -1e6, 1e6, {"/trajectories/frame_shift", H5_F64, {3}, "m", "s of the recorded pose", 0}},
    [MASS] = {BODY, 1e-9, 1e9, {"/bodies/mass", H5_F32, {0}, "kg", "mass", 0}},
    [FRICTION] = {BODY, 0, 10, {"/bodies/friction", H5_F32, {0}, "1", "friction", 0}},
    [RESTITUTION] = {BODY, 0, 1, {"/bodies/restitution", H5_F32, {0}, "1", "restitution", 0}},
    [POSITION] =
        {BODY,
         -1e6,
         1e6,
         {"/bodies/position", H5_F32, {FRAMES, 3}, "m", "origin of the body's frame in the world, by frame", 0}},
    [QUATERNION] = {BODY,
                    -1.001,
                    1.001,
                    {"/bodies/quaternion",
                     H5_F32,
                     {FRAMES, 4},
                     "1",
                     "unit quaternion w x y z, the rotation from the body's frame to the world, by frame",
                     0}},
    [VERTEX_POSITION] = {VERTEX,
                         -1e6,
                         1e6,
                         {"/vertices/position", H5_F32, {3}, "m", "mesh vertex in the frame of its body", 0}},
    [VERTEX_BODY] =
        {VERTEX,
         0,
         1e6,
         {"/vertices/body", H5_I32, {0}, "1", "body of the vertex, from 0 in each trajectory, ascending", 0}},
};

typedef struct Table {
    H5File file;
    H5Column column[COLUMNS];
    H5Data data[COLUMNS];
} Table;

static void table_shape(Table *t, int frames) {
    for (int c = 0; c < COLUMNS; c++) {
        t->column[c] = schema[c].column;
        if (t->column[c].shape[0] == FRAMES) t->column[c].shape[0] = frames;
    }
}

static void table_close(Table *t) {
    for (int c = 0; c < COLUMNS; c++) h5_column_close(&t->data[c]);
}

static uint64_t hash(uint64_t h, const void *data, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) h = (h ^ ((const unsigned char *)data)[i]) * 1099511628211u;
    return h;
}
static const uint64_t HASH_START = 14695981039346656037u;

/* ---- Reading. ---- */

struct Dataset {
    Table table;
    char path[COMMIT_PATH];
    int64_t size;
    int frames, max_bodies;
    int64_t max_vertices;
    double frame_time;
    uint64_t digest;
    int64_t *first[LEVELS]; /* (size+1) rows of BODY and VERTEX before trajectory i */
    void *at[COLUMNS];      /* all of the columns without frames and vertices */
    bool whole;             /* the rest is in memory too, else that of one trajectory */
    float *pose, *vertex;
    int32_t *vertex_body;
    float *scratch; /* positions and quaternions of as many bodies as are read at once */
    Trajectory *list;
};

static bool streamed(int c) {
    return c == POSITION || c == QUATERNION || schema[c].level == VERTEX;
}

static Err check_range(const Table *t, int c, const void *data, int64_t first, int64_t rows) {
    const H5Column *col = &t->column[c];
    int64_t width = 1;
    for (int i = 0; i < 2 && col->shape[i]; i++) width *= col->shape[i];
    for (int64_t i = 0; i < rows * width; i++) {
        double x = col->type == H5_I32   ? (double)((const int32_t *)data)[i]
                   : col->type == H5_F32 ? (double)((const float *)data)[i]
                                         : ((const double *)data)[i];
        if (!(x >= schema[c].lo && x <= schema[c].hi))
            return err_user("%s: %s: row %lld holds %g: want numbers in [%g, %g]", t->file.path, col->name,
                            (long long)(first + i / width), x, schema[c].lo, schema[c].hi);
    }
    return ERR_NONE;
}

static Err check_unit(const Table *t, int c, const float *data, int64_t first, int64_t n, int width, int64_t per_row) {
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        for (int j = 0; j < width; j++) sum += (double)data[i * width + j] * (double)data[i * width + j];
        if (fabs(sum - 1) > 1e-3)
            return err_user("%s: %s: row %lld has length %g: want unit length", t->file.path, t->column[c].name,
                            (long long)(first + i / per_row), sqrt(sum));
    }
    return ERR_NONE;
}

static Err check_frames(const Dataset *d) {
    const double *r = d->at[ROTATION];
    const float *g = d->at[GRAVITY];
    for (int64_t i = 0; i < d->size; i++, r += 9, g += 3) {
        for (int a = 0; a < 3; a++)
            for (int b = 0; b < 3; b++) {
                double dot = r[3 * a] * r[3 * b] + r[3 * a + 1] * r[3 * b + 1] + r[3 * a + 2] * r[3 * b + 2];
                if (fabs(dot - (a == b)) > 1e-6)
                    return err_user("%s: %s: row %lld is not orthogonal: want a rotation or reflection", d->path,
                                    schema[ROTATION].column.name, (long long)i);
            }
        if (g[0] == 0 && g[1] == 0 && g[2] == 0)
            return err_user("%s: %s: row %lld is zero: want a direction of gravity", d->path,
                            schema[GRAVITY].column.name, (long long)i);
    }
    return check_unit(&d->table, FLOOR_NORMAL, d->at[FLOOR_NORMAL], 0, d->size, 3, 1);
}

static Err check_format(H5File *f) {
    char *text = NULL;
    Err err = h5_get_text(&text, f, "/", "format");
    bool ours = !err.code && !strcmp(text, FORMAT);
    mem_free(text);
    return ours ? ERR_NONE : err_user("%s: attribute format: not a dataset: want " FORMAT, f->path);
}

static Err read_header(Dataset *d) {
    H5File *f = &d->table.file;
    char *text;
    TRY(check_format(f));
    int64_t frames;
    TRY(h5_get_i64(&frames, f, "/", "frames"));
    TRY(h5_get_f64(&d->frame_time, f, "/", "frame_time"));
    if (frames < 3 || frames > 1000000)
        return err_user("%s: attribute frames = %lld: want a whole number in [3, 1000000]", d->path, (long long)frames);
    if (!(d->frame_time > 0 && d->frame_time <= 1e6))
        return err_user("%s: attribute frame_time = %g: want seconds in (0, 1e6]", d->path, d->frame_time);
    d->frames = (int)frames;
    d->digest = hash(HASH_START, &frames, sizeof frames);
    d->digest = hash(d->digest, &d->frame_time, sizeof d->frame_time);
    if (h5_has(f, "/", "settings")) {
        TRY(h5_get_text(&text, f, "/", "settings"));
        d->digest = hash(d->digest, text, strlen(text));
        mem_free(text);
    }
    return ERR_NONE;
}

/* Opens every column, reads the small ones, and checks that the numbers of rows fit together. */
static Err read_tables(Dataset *d) {
    Table *t = &d->table;
    table_shape(t, d->frames);
    int64_t rows[LEVELS] = {0};
    for (int c = 0; c < COLUMNS; c++) {
        TRY(h5_column_open(&t->data[c], &t->file, &t->column[c]));
        int level = schema[c].level, lead = level == TRAJECTORY ? BODIES : level == BODY ? MASS : VERTEX_POSITION;
        if (c == lead) rows[level] = t->data[c].rows;
        /* The leading columns are opened before the others of their level. */
        if (t->data[c].rows != rows[level] || rows[level] < 1 || rows[level] > 1000000000000)
            return err_user("%s: %s: has %lld rows: want one or more, as many as %s", d->path, t->column[c].name,
                            (long long)t->data[c].rows, schema[lead].column.name);
    }
    d->size = rows[TRAJECTORY];
    for (int c = 0; c < COLUMNS; c++) {
        if (streamed(c)) continue;
        d->at[c] = mem_alloc((size_t)t->data[c].rows * h5_row_bytes(&t->column[c]));
        TRY(h5_read(&t->data[c], d->at[c], 0, t->data[c].rows));
        TRY(check_range(t, c, d->at[c], 0, t->data[c].rows));
    }
    for (int level = BODY; level < LEVELS; level++) {
        int c = level == BODY ? BODIES : VERTICES;
        const int32_t *count = d->at[c];
        int64_t *first = d->first[level] = MEM_NEW(int64_t, d->size + 1);
        for (int64_t i = 0; i < d->size; i++) first[i + 1] = first[i] + count[i];
        if (first[d->size] != rows[level])
            return err_user("%s: %s: the sum is %lld: want %lld, the rows of %s", d->path, t->column[c].name,
                            (long long)first[d->size], (long long)rows[level],
                            schema[level == BODY ? MASS : VERTEX_POSITION].column.name);
        d->digest = hash(d->digest, count, (size_t)d->size * sizeof *count);
    }
    for (int64_t i = 0; i < d->size; i++) {
        int32_t b = ((int32_t *)d->at[BODIES])[i], v = ((int32_t *)d->at[VERTICES])[i];
        if (b > d->max_bodies) d->max_bodies = b;
        if (v > d->max_vertices) d->max_vertices = v;
    }
    return check_frames(d);
}

/* The end of a run of trajectories that are read together: one, or more while they are small. */
static int64_t run_end(const Dataset *d, int64_t i) {
    int64_t end = i + 1;
    while (end < d->size && (d->first[BODY][end + 1] - d->first[BODY][i]) * d->frames < 1 << 17) end++;
    return end;
}

/* Bodies in the longest run. */
static int64_t run_bodies(const Dataset *d) {
    int64_t most = (1 << 17) / d->frames;
    return most > d->max_bodies ? most : d->max_bodies;
}

static Err check_owners(const Dataset *d, int64_t i, const int32_t *owner) {
    int64_t vertices = d->first[VERTEX][i + 1] - d->first[VERTEX][i],
            bodies = d->first[BODY][i + 1] - d->first[BODY][i];
    bool good = owner[0] == 0 && owner[vertices - 1] == bodies - 1;
    for (int64_t v = 1; v < vertices && good; v++) good = owner[v] == owner[v - 1] || owner[v] == owner[v - 1] + 1;
    if (good) return ERR_NONE;
    return err_user("%s: %s: trajectory %lld: want 0 to %lld, ascending, each at least once", d->path,
                    schema[VERTEX_BODY].column.name, (long long)i, (long long)bodies - 1);
}

/* Reads and checks trajectories i .. end-1: poses reordered from bodies to frames, vertices, their owners. */
static Err load(Dataset *d, int64_t i, int64_t end, float *pose, float *vertex, int32_t *owner) {
    Table *t = &d->table;
    int64_t b0 = d->first[BODY][i], bodies = d->first[BODY][end] - b0;
    int64_t v0 = d->first[VERTEX][i], vertices = d->first[VERTEX][end] - v0;
    float *position = d->scratch, *quaternion = position + bodies * d->frames * 3;
    TRY(h5_read(&t->data[POSITION], position, b0, bodies));
    TRY(check_range(t, POSITION, position, b0, bodies));
    TRY(h5_read(&t->data[QUATERNION], quaternion, b0, bodies));
    TRY(check_range(t, QUATERNION, quaternion, b0, bodies));
    TRY(check_unit(t, QUATERNION, quaternion, b0, bodies * d->frames, 4, d->frames));
    TRY(h5_read(&t->data[VERTEX_POSITION], vertex, v0, vertices));
    TRY(check_range(t, VERTEX_POSITION, vertex, v0, vertices));
    TRY(h5_read(&t->data[VERTEX_BODY], owner, v0, vertices));
    TRY(check_range(t, VERTEX_BODY, owner, v0, vertices));
    for (; i < end; i++) {
        int64_t n = d->first[BODY][i + 1] - d->first[BODY][i];
        for (int64_t b = 0; b < n; b++)
            for (int f = 0; f < d->frames; f++, position += 3, quaternion += 4) {
                memcpy(pose + (f * n + b) * 7, position, 3 * sizeof *pose);
                memcpy(pose + (f * n + b) * 7 + 3, quaternion, 4 * sizeof *pose);
            }
        pose += n * d->frames * 7;
        TRY(check_owners(d, i, owner));
        owner += d->first[VERTEX][i + 1] - d->first[VERTEX][i];
    }
    return ERR_NONE;
}

static void describe(const Dataset *d, Trajectory *t, int64_t i, const float *pose, const float *vertex,
                     const int32_t *owner) {
    int64_t b = d->first[BODY][i];
    const float *const *at = (const float *const *)d->at;
    *t = (Trajectory){.bodies = ((int32_t *)d->at[BODIES])[i],
                      .frames = d->frames,
                      .vertices = ((int32_t *)d->at[VERTICES])[i],
                      .vertex = vertex,
                      .vertex_body = owner,
                      .pose = pose,
                      .mass = at[MASS] + b,
                      .friction = at[FRICTION] + b,
                      .restitution = at[RESTITUTION] + b,
                      .floor_friction = at[FLOOR_FRICTION][i],
                      .floor_restitution = at[FLOOR_RESTITUTION][i]};
    memcpy(t->floor, at[FLOOR_NORMAL] + 3 * i, 3 * sizeof *t->floor);
    t->floor[3] = at[FLOOR_OFFSET][i];
    memcpy(t->gravity, at[GRAVITY] + 3 * i, sizeof t->gravity);
    memcpy(t->frame_rotation, (double *)d->at[ROTATION] + 9 * i, sizeof t->frame_rotation);
    memcpy(t->frame_shift, (double *)d->at[SHIFT] + 3 * i, sizeof t->frame_shift);
}

/* All of it into memory, or a look at this rank's share. */
static Err read_motion(Dataset *d, const Comm *comm, int64_t memory) {
    int64_t bodies = d->first[BODY][d->size], vertices = d->first[VERTEX][d->size];
    double bytes = (double)bodies * d->frames * 28 + (double)vertices * 16 + (double)d->size * sizeof(Trajectory);
    d->whole = bytes <= (double)memory;
    int64_t from = 0, to = d->size, room = run_bodies(d), points = 0;
    if (!d->whole) {
        from = d->size * comm_rank(comm) / comm_size(comm);
        to = d->size * (comm_rank(comm) + 1) / comm_size(comm);
        points = d->max_vertices;
        for (int64_t i = from; i < to; i = run_end(d, i)) {
            int64_t n = d->first[VERTEX][run_end(d, i)] - d->first[VERTEX][i];
            if (n > points) points = n;
        }
    }
    d->scratch = MEM_NEW(float, room * d->frames * 7);
    d->pose = MEM_NEW(float, (d->whole ? bodies : room) * d->frames * 7);
    d->vertex = MEM_NEW(float, (d->whole ? vertices : points) * 3);
    d->vertex_body = MEM_NEW(int32_t, d->whole ? vertices : points);
    d->list = MEM_NEW(Trajectory, d->whole ? d->size : 1);
    for (int64_t i = from, end; i < to; i = end) {
        end = run_end(d, i);
        if (end > to) end = to;
        int64_t b = d->whole ? d->first[BODY][i] : 0, v = d->whole ? d->first[VERTEX][i] : 0;
        TRY(load(d, i, end, d->pose + b * d->frames * 7, d->vertex + v * 3, d->vertex_body + v));
    }
    for (int64_t i = 0; d->whole && i < d->size; i++) {
        int64_t b = d->first[BODY][i], v = d->first[VERTEX][i];
        describe(d, &d->list[i], i, d->pose + b * d->frames * 7, d->vertex + v * 3, d->vertex_body + v);
    }
    return ERR_NONE;
}

static Err open_checked(Dataset *d, const Comm *comm, int64_t memory) {
    TRY(h5_open(&d->table.file, d->path));
    TRY(read_header(d));
    TRY(read_tables(d));
    return read_motion(d, comm, memory);
}

Err dataset_open(Dataset **dataset, const char *path, const Comm *comm, int64_t memory) {
    Dataset *d = MEM_NEW(Dataset, 1);
    *dataset = NULL;
    Err err = strlen(path) < sizeof d->path ? ERR_NONE : err_user("%.80s...: want a shorter path", path);
    if (!err.code) {
        memcpy(d->path, path, strlen(path));
        err = open_checked(d, comm, memory);
    }
    err = comm_agree(comm, err);
    if (err.code || d->whole) {
        table_close(&d->table);
        h5_close(&d->table.file);
        mem_free(d->scratch);
        d->scratch = NULL;
    }
    if (err.code)
        dataset_close(d);
    else
        *dataset = d;
    return err;
}

void dataset_close(Dataset *d) {
    if (!d) return;
    table_close(&d->table);
    h5_close(&d->table.file);
    for (int c = 0; c < COLUMNS; c++) mem_free(d->at[c]);
    for (int level = 0; level < LEVELS; level++) mem_free(d->first[level]);
    mem_free(d->pose);
    mem_free(d->vertex);
    mem_free(d->vertex_body);
    mem_free(d->scratch);
    mem_free(d->list);
    mem_free(d);
}

int64_t dataset_size(const Dataset *d) {
    return d->size;
}

int dataset_frames(const Dataset *d) {
    return d->frames;
}

double dataset_frame_time(const Dataset *d) {
    return d->frame_time;
}

int dataset_max_bodies(const Dataset *d) {
    return d->max_bodies;
}

int64_t dataset_max_vertices(const Dataset *d) {
    return d->max_vertices;
}

uint64_t dataset_digest(const Dataset *d) {
    return d->digest;
}

const Trajectory *dataset_get(Dataset *d, int64_t i) {
    CHECK(i >= 0 && i < d->size, "trajectory %lld of %lld", (long long)i, (long long)d->size);
    if (d->whole) return &d->list[i];
    Err err = load(d, i, i + 1, d->pose, d->vertex, d->vertex_body);
    CHECK(!err.code, "%s", err.text);
    describe(d, d->list, i, d->pose, d->vertex, d->vertex_body);
    return d->list;
}

Err dataset_settings(char **settings, int64_t *trajectories, const char *path) {
    Table t = {0};
    *settings = NULL;
    table_shape(&t, 1);
    Err err = h5_open(&t.file, path);
    if (!err.code) err = check_format(&t.file);
    if (!err.code) err = h5_column_open(&t.data[BODIES], &t.file, &t.column[BODIES]);
    if (!err.code && h5_has(&t.file, "/", "settings")) err = h5_get_text(settings, &t.file, "/", "settings");
    *trajectories = t.data[BODIES].rows;
    table_close(&t);
    h5_close(&t.file);
    return err;
}

/* ---- Writing: blocks of trajectories whose bounds do not depend on the ranks, so that neither does the file. ---- */

typedef struct Block {
    int64_t rows[LEVELS], room[LEVELS];
    void *at[COLUMNS];
} Block;

/* What a rank wrote of a block: to be read back. */
typedef struct Piece {
    int64_t first[LEVELS], rows[LEVELS];
    uint64_t hash;
} Piece;

static void make_room(Block *b, const Table *t, const int64_t rows[LEVELS]) {
    for (int level = 0; level < LEVELS; level++) {
        if (rows[level] <= b->room[level]) continue;
        b->room[level] = rows[level] + rows[level] / 2;
        for (int c = 0; c < COLUMNS; c++)
            if (schema[c].level == level)
                b->at[c] = mem_grow(b->at[c], (size_t)b->room[level] * h5_row_bytes(&t->column[c]));
    }
}

static void put(Block *b, const Table *t, int c, const void *data, int64_t rows) {
    size_t bytes = h5_row_bytes(&t->column[c]);
    memcpy((char *)b->at[c] + (size_t)b->rows[schema[c].level] * bytes, data, (size_t)rows * bytes);
}

static void append(Block *b, const Table *t, const Trajectory *x) {
    const int64_t more[LEVELS] = {1, x->bodies, x->vertices};
    int64_t rows[LEVELS];
    for (int level = 0; level < LEVELS; level++) rows[level] = b->rows[level] + more[level];
    make_room(b, t, rows);
    int32_t bodies = x->bodies, vertices = (int32_t)x->vertices;
    put(b, t, BODIES, &bodies, 1);
    put(b, t, VERTICES, &vertices, 1);
    put(b, t, FLOOR_NORMAL, x->floor, 1);
    put(b, t, FLOOR_OFFSET, x->floor + 3, 1);
    put(b, t, FLOOR_FRICTION, &x->floor_friction, 1);
    put(b, t, FLOOR_RESTITUTION, &x->floor_restitution, 1);
    put(b, t, GRAVITY, x->gravity, 1);
    put(b, t, ROTATION, x->frame_rotation, 1);
    put(b, t, SHIFT, x->frame_shift, 1);
    put(b, t, MASS, x->mass, x->bodies);
    put(b, t, FRICTION, x->friction, x->bodies);
    put(b, t, RESTITUTION, x->restitution, x->bodies);
    put(b, t, VERTEX_POSITION, x->vertex, x->vertices);
    put(b, t, VERTEX_BODY, x->vertex_body, x->vertices);
    float *position = (float *)b->at[POSITION] + b->rows[BODY] * x->frames * 3;
    float *quaternion = (float *)b->at[QUATERNION] + b->rows[BODY] * x->frames * 4;
    for (int body = 0; body < x->bodies; body++)
        for (int f = 0; f < x->frames; f++, position += 3, quaternion += 4) {
            const float *pose = x->pose + ((int64_t)f * x->bodies + body) * 7;
            memcpy(position, pose, 3 * sizeof *pose);
            memcpy(quaternion, pose + 3, 4 * sizeof *pose);
        }
    memcpy(b->rows, rows, sizeof rows);
}

static uint64_t block_hash(const Block *b, const Table *t) {
    uint64_t h = HASH_START;
    for (int c = 0; c < COLUMNS; c++)
        h = hash(h, b->at[c], (size_t)b->rows[schema[c].level] * h5_row_bytes(&t->column[c]));
    return h;
}

static Err write_block(Table *t, const Block *b, Piece *piece, int64_t total[LEVELS], const Comm *comm) {
    int64_t *all = MEM_NEW(int64_t, LEVELS * comm_size(comm)), bytes = 0;
    comm_allgather(comm, all, NULL, b->rows, sizeof b->rows);
    *piece = (Piece){.hash = block_hash(b, t)};
    memcpy(piece->rows, b->rows, sizeof piece->rows);
    int64_t before[LEVELS];
    memcpy(before, total, sizeof before);
    for (int r = 0; r < comm_size(comm); r++)
        for (int level = 0; level < LEVELS; level++) {
            if (r == comm_rank(comm)) piece->first[level] = total[level];
            total[level] += all[LEVELS * r + level];
        }
    mem_free(all);
    for (int c = 0; c < COLUMNS; c++)
        bytes += (total[schema[c].level] - before[schema[c].level]) * (int64_t)h5_row_bytes(&t->column[c]);
    TRY(h5_reserve(&t->file, bytes + bytes / 16));
    for (int c = 0; c < COLUMNS; c++) {
        TRY(h5_extend(&t->data[c], total[schema[c].level]));
        TRY(h5_write(&t->data[c], b->at[c], piece->first[schema[c].level], b->rows[schema[c].level]));
    }
    return ERR_NONE;
}

static Err write_header(Table *t, const DatasetPlan *plan) {
    H5File *f = &t->file;
    TRY(h5_set_text(f, "/", "format", FORMAT));
    TRY(h5_set_i64(f, "/", "frames", plan->frames));
    TRY(h5_set_f64(f, "/", "frame_time", plan->frame_time));
    TRY(h5_set_i64(f, "/", "seed", (int64_t)plan->seed));
    TRY(h5_set_text(f, "/", "settings", plan->settings));
    TRY(h5_group(f, "/trajectories"));
    TRY(h5_group(f, "/bodies"));
    TRY(h5_group(f, "/vertices"));
    for (int c = 0; c < COLUMNS; c++) TRY(h5_column_create(&t->data[c], f, &t->column[c], 0));
    return ERR_NONE;
}

static int64_t block_length(const DatasetPlan *plan) {
    int64_t n = (1 << 18) / plan->frames;
    return n < 1 ? 1 : n > 4096 ? 4096 : n;
}

static Err write_all(Table *t, Block *b, Piece *pieces, const DatasetPlan *plan, DatasetMake *make, void *context,
                     const Comm *comm) {
    TRY(h5_reserve(&t->file, COLUMNS * (1 << 16))); /* the last chunk of each, and indices */
    TRY(write_header(t, plan));
    int64_t total[LEVELS] = {0}, length = block_length(plan);
    for (int64_t at = 0; at < plan->trajectories; at += length) {
        int64_t n = plan->trajectories - at < length ? plan->trajectories - at : length;
        int64_t from = n * comm_rank(comm) / comm_size(comm), to = n * (comm_rank(comm) + 1) / comm_size(comm);
        memset(b->rows, 0, sizeof b->rows);
        for (int64_t i = at + from; i < at + to; i++) {
            Trajectory x = {0};
            make(context, i, &x);
            CHECK(x.frames == plan->frames, "trajectory %lld has %d frames", (long long)i, x.frames);
            append(b, t, &x);
        }
        TRY(write_block(t, b, pieces++, total, comm));
    }
    return ERR_NONE;
}

/* Each rank reads back what it wrote. */
static Err verify(const char *temp, Block *b, const Piece *pieces, int64_t n, int frames) {
    Table t = {0};
    table_shape(&t, frames);
    Err err = h5_open(&t.file, temp);
    for (int c = 0; c < COLUMNS && !err.code; c++) err = h5_column_open(&t.data[c], &t.file, &t.column[c]);
    for (int64_t i = 0; i < n && !err.code; i++) {
        const Piece *p = &pieces[i];
        make_room(b, &t, p->rows);
        memcpy(b->rows, p->rows, sizeof b->rows);
        for (int c = 0; c < COLUMNS && !err.code; c++) {
            int level = schema[c].level;
            if (p->first[level] + p->rows[level] > t.data[c].rows)
                err = err_user("%s: %s: rows are missing", temp, t.column[c].name);
            else
                err = h5_read(&t.data[c], b->at[c], p->first[level], p->rows[level]);
        }
        if (!err.code && block_hash(b, &t) != p->hash) err = err_user("%s: not what was written", temp);
    }
    table_close(&t);
    h5_close(&t.file);
    if (err.code) err.code = EXIT_RESUME;
    return err;
}

Err dataset_create(const char *path, const DatasetPlan *plan, DatasetMake *make, void *context, const Comm *comm) {
    CHECK(plan->trajectories >= 1 && plan->frames >= 3, "%lld trajectories of %d frames", (long long)plan->trajectories,
          plan->frames);
    char temp[COMMIT_PATH] = "";
    Err err = ERR_NONE;
    if (comm_rank(comm) == 0) {
        err = commit_name(temp, path);
        if (!err.code && access(path, F_OK) == 0)
            err = err_user("%s: exists already: want the name of a new file", path);
    }
    TRY(comm_agree(comm, err));
    comm_bcast(comm, temp, sizeof temp, 0);

    Table t = {0};
    Block b = {0};
    int64_t n = (plan->trajectories + block_length(plan) - 1) / block_length(plan);
    Piece *pieces = MEM_NEW(Piece, n);
    table_shape(&t, plan->frames);
    err = h5_create(&t.file, temp, comm);
    if (!err.code) {
        err = write_all(&t, &b, pieces, plan, make, context, comm);
        table_close(&t);
        Err closed = h5_close(&t.file);
        if (!err.code) err = closed;
        if (!err.code) err = comm_agree(comm, verify(temp, &b, pieces, n, plan->frames));
        if (comm_rank(comm) == 0) {
            if (err.code)
                unlink(temp);
            else
                err = commit_rename(temp, path, false);
        }
        err = comm_agree(comm, err);
    }
    for (int c = 0; c < COLUMNS; c++) mem_free(b.at[c]);
    mem_free(pieces);
    return err;
}
