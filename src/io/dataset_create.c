/* Writes datasets in blocks of trajectories whose bounds do not depend on the ranks, so that neither does the file. */
#include "base/arena.h"
#include "base/log.h"
#include "base/stop.h"
#include "base/timer.h"
#include "dataset_table.h"
#include "io/commit.h"
#include "io/dataset.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

typedef struct Block {
    int64_t rows[LEVELS], room[LEVELS];
    void *at[COLUMNS];
} Block;

/* What a rank wrote of a block: to be read back. Of its first trajectory in the file on, digests stand in a list. */
typedef struct Piece {
    int64_t first[LEVELS], rows[LEVELS];
} Piece;

static void make_room(Block *b, const Table *t, const int64_t rows[LEVELS]) {
    for (int level = 0; level < LEVELS; level++) {
        if (rows[level] <= b->room[level]) continue;
        b->room[level] = rows[level] + rows[level] / 2;
        for (int c = 0; c < COLUMNS; c++)
            if (dataset_schema[c].level == level && !t->lacks[c])
                b->at[c] = mem_grow(b->at[c], (size_t)b->room[level] * h5_row_bytes(&t->column[c]));
    }
}

static void put(Block *b, const Table *t, int c, const void *data, int64_t rows) {
    size_t bytes = h5_row_bytes(&t->column[c]);
    memcpy((char *)b->at[c] + (size_t)b->rows[dataset_schema[c].level] * bytes, data, (size_t)rows * bytes);
}

/* The columns that a file may lack, from frames to bodies. */
static void append_motion(Block *b, const Trajectory *x) {
    int64_t at = b->rows[BODY] * x->frames;
    float *velocity = (float *)b->at[VELOCITY] + 3 * at, *spin = (float *)b->at[SPIN] + 3 * at;
    uint8_t *contact = (uint8_t *)b->at[CONTACT] + at;
    for (int body = 0; body < x->bodies; body++)
        for (int f = 0; f < x->frames; f++, velocity += 3, spin += 3, contact++) {
            int64_t from = (int64_t)f * x->bodies + body;
            memcpy(velocity, x->motion + 6 * from, 3 * sizeof *velocity);
            memcpy(spin, x->motion + 6 * from + 3, 3 * sizeof *spin);
            *contact = x->contact[from];
        }
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
    if (!t->lacks[VELOCITY]) append_motion(b, x);
    memcpy(b->rows, rows, sizeof rows);
}

/* Of every trajectory in the block. */
static void block_digests(uint64_t *digest, const Block *b, const Table *t) {
    const void *row[COLUMNS];
    memcpy(row, b->at, sizeof row);
    for (int64_t i = 0; i < b->rows[TRAJECTORY]; i++) {
        const int64_t rows[LEVELS] = {1, ((const int32_t *)b->at[BODIES])[i], ((const int32_t *)b->at[VERTICES])[i]};
        digest[i] = table_digest(t, row, rows);
        for (int c = 0; c < COLUMNS; c++)
            if (row[c])
                row[c] = (const char *)row[c] + (size_t)rows[dataset_schema[c].level] * h5_row_bytes(&t->column[c]);
    }
}

/* digest: of all trajectories of the file; those of this rank are filled in. */
static Err write_block(Table *t, const Block *b, Piece *piece, uint64_t *digest, int64_t total[LEVELS],
                       const Comm *comm) {
    int64_t *all = MEM_NEW(int64_t, LEVELS * comm_size(comm)), bytes = 0;
    comm_allgather(comm, all, NULL, b->rows, sizeof b->rows);
    *piece = (Piece){0};
    memcpy(piece->rows, b->rows, sizeof piece->rows);
    int64_t before[LEVELS];
    memcpy(before, total, sizeof before);
    for (int r = 0; r < comm_size(comm); r++)
        for (int level = 0; level < LEVELS; level++) {
            if (r == comm_rank(comm)) piece->first[level] = total[level];
            total[level] += all[LEVELS * r + level];
        }
    mem_free(all);
    block_digests(digest + piece->first[TRAJECTORY], b, t);
    for (int c = 0; c < COLUMNS; c++)
        if (!t->lacks[c])
            bytes += (total[dataset_schema[c].level] - before[dataset_schema[c].level]) *
                     (int64_t)h5_row_bytes(&t->column[c]);
    TRY(h5_reserve(&t->file, bytes + bytes / 16));
    for (int c = 0; c < COLUMNS; c++) {
        if (t->lacks[c]) continue;
        TRY(h5_extend(&t->data[c], total[dataset_schema[c].level]));
        TRY(h5_write(&t->data[c], b->at[c], piece->first[dataset_schema[c].level], b->rows[dataset_schema[c].level]));
    }
    return ERR_NONE;
}

static Err write_header(Table *t, const DatasetPlan *plan) {
    H5File *f = &t->file;
    TRY(h5_set_text(f, "/", "format", DATASET_FORMAT));
    TRY(h5_set_i64(f, "/", "frames", plan->frames));
    TRY(h5_set_f64(f, "/", "frame_time", plan->frame_time));
    TRY(h5_set_i64(f, "/", "seed", (int64_t)plan->seed));
    TRY(h5_set_text(f, "/", "settings", plan->settings));
    TRY(h5_group(f, "/trajectories"));
    TRY(h5_group(f, "/bodies"));
    TRY(h5_group(f, "/vertices"));
    for (int c = 0; c < COLUMNS; c++)
        if (!t->lacks[c]) TRY(h5_column_create(&t->data[c], f, &t->column[c], 0));
    return ERR_NONE;
}

/* Trajectories of a block. */
static int64_t block_length(int frames) {
    int64_t n = (1 << 18) / frames;
    return n < 1 ? 1 : n > 4096 ? 4096 : n;
}

/* Whether there is room for the trajectories that are left, as if they were like those that have been written. Collective. */
static Err check_room(const Table *t, int64_t written, const DatasetPlan *plan, const Comm *comm) {
    double each = (double)t->file.reserved / (double)written;
    long long rest = (long long)(each * (double)(plan->trajectories - written));
    return comm_agree(comm, comm_rank(comm) == 0 ? commit_room(t->file.path, rest, "the rest of the trajectories")
                                                 : ERR_NONE);
}

/* Whether the job's time is enough for the trajectories that are left: none would be kept otherwise. Collective. */
static Err check_time(double each, int64_t rest, const Comm *comm) {
    const double margin = 1.2;
    double needed = margin * each * (double)rest, left = stop_left();
    Err err = ERR_NONE;
    if (comm_rank(comm) == 0 && needed > left)
        err = err_user(
            "the %lld trajectories that are left to simulate take %.0f s, and %s comes in %.0f s: want more time, "
            "or more ranks",
            (long long)rest, needed, stop_reason(), fmax(left, 0));
    return comm_agree(comm, err);
}

static Err write_all(Table *t, Block *b, Piece *pieces, uint64_t *digest, const DatasetPlan *plan, DatasetMake *make,
                     void *context, const Comm *comm) {
    TRY(h5_reserve(&t->file, COLUMNS * (1 << 16))); /* the last chunk of each, and indices */
    TRY(write_header(t, plan));
    const double often = 600; /* s: a log file shows that the job lives */
    double start = timer_now(), told = start;
    int64_t total[LEVELS] = {0}, length = block_length(plan->frames);
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
        TRY(write_block(t, b, pieces++, digest, total, comm));
        if (timer_now() - told > often) {
            told = timer_now();
            log_line("%lld of %lld trajectories are simulated", (long long)(at + n), (long long)plan->trajectories);
        }
        if (at > 0 || n == plan->trajectories) continue;
        TRY(check_room(t, n, plan, comm));
        TRY(check_time((timer_now() - start) / (double)n, plan->trajectories - n, comm));
    }
    comm_sum_i64(comm, (int64_t *)digest, plan->trajectories);
    char text[DATASET_DIGEST];
    dataset_digest_text(text, table_combine(digest, plan->trajectories, plan->frames, plan->frame_time));
    return h5_set_text(&t->file, "/", "digest", text);
}

/* Each rank reads back what it wrote. */
static Err verify(const char *temp, Block *b, const Piece *pieces, int64_t n, const uint64_t *digest,
                  const DatasetPlan *plan) {
    Table t = {0};
    uint64_t *found = MEM_NEW(uint64_t, block_length(plan->frames));
    table_shape(&t, plan->frames, plan->motion);
    Err err = h5_open(&t.file, temp);
    for (int c = 0; c < COLUMNS && !err.code; c++)
        if (!t.lacks[c]) err = h5_column_open(&t.data[c], &t.file, &t.column[c]);
    for (int64_t i = 0; i < n && !err.code; i++) {
        const Piece *p = &pieces[i];
        make_room(b, &t, p->rows);
        memcpy(b->rows, p->rows, sizeof b->rows);
        for (int c = 0; c < COLUMNS && !err.code; c++) {
            int level = dataset_schema[c].level;
            if (t.lacks[c]) continue;
            if (p->first[level] + p->rows[level] > t.data[c].rows)
                err = err_user("%s: %s: rows are missing", temp, t.column[c].name);
            else
                err = h5_read(&t.data[c], b->at[c], p->first[level], p->rows[level]);
        }
        if (err.code) break;
        block_digests(found, b, &t);
        if (memcmp(found, digest + p->first[TRAJECTORY], (size_t)p->rows[TRAJECTORY] * sizeof *found))
            err = err_user("%s: not what was written", temp);
    }
    mem_free(found);
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
    int64_t n = (plan->trajectories + block_length(plan->frames) - 1) / block_length(plan->frames);
    Piece *pieces = MEM_NEW(Piece, n);
    uint64_t *digest = MEM_NEW(uint64_t, plan->trajectories);
    table_shape(&t, plan->frames, plan->motion);
    err = h5_create(&t.file, temp, comm);
    if (!err.code) {
        err = write_all(&t, &b, pieces, digest, plan, make, context, comm);
        table_close(&t);
        Err closed = h5_close(&t.file);
        if (!err.code) err = closed;
        if (!err.code) err = comm_agree(comm, verify(temp, &b, pieces, n, digest, plan));
        if (comm_rank(comm) == 0) {
            if (err.code)
                unlink(temp);
            else
                err = commit_rename(temp, path, false);
        }
        err = comm_agree(comm, err);
    }
    for (int c = 0; c < COLUMNS; c++) mem_free(b.at[c]);
    mem_free(digest);
    mem_free(pieces);
    return err;
}
