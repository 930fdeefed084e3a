#include "io/dataset.h"

#include "base/arena.h"
#include "base/timer.h"
#include "dataset_check.h"
#include "dataset_stream.h"
#include "io/commit.h"
#include "par/shared.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct Dataset {
    Table table;
    char path[COMMIT_PATH];
    int64_t size;
    int frames, max_bodies;
    int64_t max_vertices;
    double frame_time;
    char stated[DATASET_DIGEST]; /* digest of the whole file by its attribute; empty: it states none */
    uint64_t *digest;            /* (size) of each trajectory; 0 where another rank reads it, until all are known */
    bool moves;                  /* some body, from one frame to another */
    int64_t *first[LEVELS];      /* (size+1) rows of BODY and VERTEX before trajectory i */
    void *at[COLUMNS];           /* all of the columns without frames and vertices */
    bool whole;                  /* the rest is in memory too, else that of one trajectory */
    Shared *shared;              /* where all of it is, once on a node; NULL: in memory of this rank */
    float *pose, *vertex;
    float *motion;    /* NULL where the file has none */
    uint8_t *contact; /* likewise */
    int32_t *vertex_body;
    float *scratch; /* poses and velocities of as many bodies as are read at once, as the file has them */
    uint8_t *scratch_contact;
    Trajectory *list;
    Stream stream;  /* of what is read on demand */
    int64_t loaded; /* the trajectory that was read last on demand; -1: none */
    double seconds; /* that reading on demand has taken */
};

static bool streamed(int c) {
    return dataset_schema[c].column.shape[0] == FRAMES || dataset_schema[c].level == VERTEX;
}

static Err read_header(Dataset *d) {
    H5File *f = &d->table.file;
    TRY(table_check_format(f));
    int64_t frames;
    TRY(h5_get_i64(&frames, f, "/", "frames"));
    TRY(h5_get_f64(&d->frame_time, f, "/", "frame_time"));
    if (frames < 3 || frames > 1000000)
        return err_user("%s: attribute frames = %lld: want a whole number in [3, 1000000]", d->path, (long long)frames);
    if (!(d->frame_time > 0 && d->frame_time <= 1e6))
        return err_user("%s: attribute frame_time = %g: want seconds in (0, 1e6]", d->path, d->frame_time);
    d->frames = (int)frames;
    if (!h5_has(f, "/", "digest")) return ERR_NONE;
    char *text;
    TRY(h5_get_text(&text, f, "/", "digest"));
    bool good = strlen(text) == DATASET_DIGEST - 1;
    Err err = good ? ERR_NONE : err_user("%s: attribute digest = %.40s: want 16 digits", d->path, text);
    if (good) memcpy(d->stated, text, DATASET_DIGEST);
    mem_free(text);
    return err;
}

/* Opens every column, reads the small ones, and checks that the numbers of rows fit together. */
static Err read_tables(Dataset *d) {
    Table *t = &d->table;
    table_shape(t, d->frames, true);
    int64_t rows[LEVELS] = {0};
    for (int c = 0; c < COLUMNS; c++) {
        bool there = true;
        if (dataset_schema[c].optional) TRY(h5_exists(&there, &t->file, t->column[c].name));
        t->lacks[c] = !there;
        if (!there) continue;
        TRY(h5_column_open(&t->data[c], &t->file, &t->column[c]));
        int level = dataset_schema[c].level, lead = level == TRAJECTORY ? BODIES
                                                    : level == BODY     ? MASS
                                                                        : VERTEX_POSITION;
        if (c == lead) rows[level] = t->data[c].rows;
        /* The leading columns are opened before the others of their level. */
        if (t->data[c].rows != rows[level] || rows[level] < 1 || rows[level] > 1000000000000)
            return err_user("%s: %s: has %lld rows: want one or more, as many as %s", d->path, t->column[c].name,
                            (long long)t->data[c].rows, dataset_schema[lead].column.name);
    }
    if (t->lacks[VELOCITY] != t->lacks[SPIN])
        return err_user("%s: %s without %s: want both or neither", d->path,
                        t->column[t->lacks[VELOCITY] ? SPIN : VELOCITY].name,
                        t->column[t->lacks[VELOCITY] ? VELOCITY : SPIN].name);
    d->size = rows[TRAJECTORY];
    for (int c = 0; c < COLUMNS; c++) {
        if (streamed(c)) continue;
        d->at[c] = mem_alloc((size_t)t->data[c].rows * h5_row_bytes(&t->column[c]));
        TRY(h5_read(&t->data[c], d->at[c], 0, t->data[c].rows));
        TRY(dataset_check_range(t, c, d->at[c], 0, t->data[c].rows));
    }
    for (int level = BODY; level < LEVELS; level++) {
        int c = level == BODY ? BODIES : VERTICES;
        const int32_t *count = d->at[c];
        int64_t *first = d->first[level] = MEM_NEW(int64_t, d->size + 1);
        for (int64_t i = 0; i < d->size; i++) first[i + 1] = first[i] + count[i];
        if (first[d->size] != rows[level])
            return err_user("%s: %s: the sum is %lld: want %lld, the rows of %s", d->path, t->column[c].name,
                            (long long)first[d->size], (long long)rows[level],
                            dataset_schema[level == BODY ? MASS : VERTEX_POSITION].column.name);
    }
    for (int64_t i = 0; i < d->size; i++) {
        int32_t b = ((int32_t *)d->at[BODIES])[i], v = ((int32_t *)d->at[VERTICES])[i];
        if (b > d->max_bodies) d->max_bodies = b;
        if (v > d->max_vertices) d->max_vertices = v;
    }
    return dataset_check_frames(t, d->at[ROTATION], d->at[GRAVITY], d->at[FLOOR_NORMAL], d->size);
}

/* The end of a run of trajectories that are read together: one, or more while they are small. */
static int64_t run_end(const Dataset *d, int64_t i) {
    int64_t end = i + 1;
    while (end < d->size && (d->first[BODY][end + 1] - d->first[BODY][i]) * d->frames < 1 << 17) end++;
    return end;
}

/* Bodies in the longest run. */
static int64_t run_bodies(const Dataset *d, int64_t frames) {
    int64_t most = (1 << 17) / frames;
    return most > d->max_bodies ? most : d->max_bodies;
}

/* Where trajectories are loaded to: all of them, or those that are looked at. */
typedef struct Place {
    float *pose, *motion, *vertex;
    uint8_t *contact;
    int32_t *owner;
} Place;

static Place place_at(const Dataset *d, int64_t body, int64_t vertex) {
    int64_t at = body * d->frames;
    return (Place){.pose = d->pose + 7 * at,
                   .motion = d->motion ? d->motion + 6 * at : NULL,
                   .contact = d->contact ? d->contact + at : NULL,
                   .vertex = d->vertex + 3 * vertex,
                   .owner = d->vertex_body + vertex};
}

/* The columns that are not in memory, as the file has them: bodies first, frames of each. */
typedef struct Streams {
    float *position, *quaternion, *velocity, *spin; /* the last three NULL where the file has none */
    uint8_t *contact;
} Streams;

static Streams streams_at(const Dataset *d, int64_t bodies) {
    int64_t all = bodies * d->frames;
    float *position = d->scratch, *quaternion = position + 3 * all, *velocity = quaternion + 4 * all;
    Streams s = {.position = position, .quaternion = quaternion, .contact = d->scratch_contact};
    if (d->motion) {
        s.velocity = velocity;
        s.spin = velocity + 3 * all;
    }
    return s;
}

/* Bodies further on. */
static Streams streams_after(Streams s, int64_t bodies, int frames) {
    int64_t all = bodies * frames;
    s.position += 3 * all;
    s.quaternion += 4 * all;
    if (s.velocity) s.velocity += 3 * all;
    if (s.spin) s.spin += 3 * all;
    if (s.contact) s.contact += all;
    return s;
}

/* Of trajectory i, whose streamed columns, vertices and their owners are where the pointers say. */
static uint64_t digest_of(const Dataset *d, int64_t i, const Streams *s, const float *vertex, const int32_t *owner) {
    const int64_t first[LEVELS] = {i, d->first[BODY][i], d->first[VERTEX][i]};
    const int64_t rows[LEVELS] = {1, d->first[BODY][i + 1] - first[BODY], d->first[VERTEX][i + 1] - first[VERTEX]};
    const void *row[COLUMNS] = {
        [POSITION] = s->position, [QUATERNION] = s->quaternion, [VELOCITY] = s->velocity, [SPIN] = s->spin,
        [CONTACT] = s->contact,   [VERTEX_POSITION] = vertex,   [VERTEX_BODY] = owner};
    for (int c = 0; c < COLUMNS; c++)
        if (!streamed(c))
            row[c] =
                (const char *)d->at[c] + (size_t)first[dataset_schema[c].level] * h5_row_bytes(&d->table.column[c]);
    return table_digest(&d->table, row, rows);
}

/* Whether a body's pose is not the same in all frames. */
static bool body_moves(const float *position, const float *quaternion, int frames) {
    size_t rest = (size_t)(frames - 1) * sizeof(float);
    return memcmp(position, position + 3, 3 * rest) || memcmp(quaternion, quaternion + 4, 4 * rest);
}

/* Elements of `size` bytes, one per body and frame, from bodies to frames: at byte `first` of rows of `row` bytes. */
static void reorder(void *to, const void *from, int64_t bodies, int frames, size_t size, size_t row, size_t first) {
    const char *in = from;
    for (int64_t b = 0; b < bodies; b++)
        for (int64_t f = 0; f < frames; f++, in += size)
            memcpy((char *)to + (f * bodies + b) * (int64_t)row + first, in, size);
}

/* One trajectory of that many bodies. */
static void reorder_all(Place to, const Streams *s, int64_t bodies, int frames) {
    size_t f = sizeof(float);
    reorder(to.pose, s->position, bodies, frames, 3 * f, 7 * f, 0);
    reorder(to.pose, s->quaternion, bodies, frames, 4 * f, 7 * f, 3 * f);
    if (to.motion) {
        reorder(to.motion, s->velocity, bodies, frames, 3 * f, 6 * f, 0);
        reorder(to.motion, s->spin, bodies, frames, 3 * f, 6 * f, 3 * f);
    }
    if (to.contact) reorder(to.contact, s->contact, bodies, frames, 1, 1, 0);
}

/* Rows of a streamed column, and where they go. */
typedef struct Piece {
    int column;
    void *at;
    int64_t first, rows;
} Piece;
enum { PIECES = 7 };

/* Those of trajectories i .. end-1, but of columns that the file lacks; returns how many. */
static int pieces_of(Piece piece[PIECES], const Dataset *d, int64_t i, int64_t end, const Streams *s, Place to) {
    const int64_t *body = d->first[BODY], *vertex = d->first[VERTEX];
    int64_t bodies = body[end] - body[i], vertices = vertex[end] - vertex[i];
    const Piece all[PIECES] = {
        {POSITION, s->position, body[i], bodies},    {QUATERNION, s->quaternion, body[i], bodies},
        {VELOCITY, s->velocity, body[i], bodies},    {SPIN, s->spin, body[i], bodies},
        {CONTACT, s->contact, body[i], bodies},      {VERTEX_POSITION, to.vertex, vertex[i], vertices},
        {VERTEX_BODY, to.owner, vertex[i], vertices}};
    int n = 0;
    for (int k = 0; k < PIECES; k++)
        if (all[k].at) piece[n++] = all[k];
    return n;
}

/* check: by HDF5, which looks at checksums, and whether it is in range. */
static Err read_piece(Dataset *d, const Piece *p, bool check) {
    Table *t = &d->table;
    if (!check) return stream_read(&d->stream, t, p->column, p->at, p->first, p->rows);
    TRY(h5_read(&t->data[p->column], p->at, p->first, p->rows));
    TRY(dataset_check_range(t, p->column, p->at, p->first, p->rows));
    if (p->column != QUATERNION) return ERR_NONE;
    return dataset_check_unit(t, QUATERNION, p->at, p->first, p->rows * d->frames, 4, d->frames);
}

/* Reads trajectories i .. end-1: what has frames reordered from bodies to frames, vertices, their owners; digest receives that
 * of each. check: they were not read before; else their digests tell what has changed since. */
static Err load(Dataset *d, int64_t i, int64_t end, Place to, uint64_t *digest, bool check) {
    Streams s = streams_at(d, d->first[BODY][end] - d->first[BODY][i]);
    Piece piece[PIECES];
    int n = pieces_of(piece, d, i, end, &s, to);
    for (int k = 0; k < n; k++) TRY(read_piece(d, &piece[k], check));
    for (; i < end; i++) {
        int64_t bodies = d->first[BODY][i + 1] - d->first[BODY][i], all = bodies * d->frames;
        int64_t vertices = d->first[VERTEX][i + 1] - d->first[VERTEX][i];
        *digest++ = digest_of(d, i, &s, to.vertex, to.owner);
        for (int64_t b = 0; b < bodies && !d->moves; b++)
            d->moves = body_moves(s.position + 3 * b * d->frames, s.quaternion + 4 * b * d->frames, d->frames);
        reorder_all(to, &s, bodies, d->frames);
        s = streams_after(s, bodies, d->frames);
        if (check) TRY(dataset_check_owners(&d->table, i, to.owner, vertices, bodies));
        to.pose += 7 * all;
        if (to.motion) to.motion += 6 * all;
        if (to.contact) to.contact += all;
        to.vertex += 3 * vertices;
        to.owner += vertices;
    }
    return ERR_NONE;
}

static void describe(const Dataset *d, Trajectory *t, int64_t i, Place here) {
    int64_t b = d->first[BODY][i];
    const float *const *at = (const float *const *)d->at;
    *t = (Trajectory){.bodies = ((int32_t *)d->at[BODIES])[i],
                      .frames = d->frames,
                      .vertices = ((int32_t *)d->at[VERTICES])[i],
                      .vertex = here.vertex,
                      .vertex_body = here.owner,
                      .pose = here.pose,
                      .motion = here.motion,
                      .contact = here.contact,
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

/* Bytes of so many poses, vertices with their owners, and trajectories. */
static double motion_bytes(const Dataset *d, double poses, double vertices, double trajectories) {
    const Table *t = &d->table;
    double pose = (t->lacks[VELOCITY] ? 7 : 13) * sizeof(float) + (t->lacks[CONTACT] ? 0 : sizeof(uint8_t));
    return poses * pose + vertices * (3 * sizeof(float) + sizeof(int32_t)) + trajectories * sizeof(Trajectory);
}

int64_t dataset_bytes(const Dataset *d, int64_t trajectories, int64_t frames, int64_t memory) {
    double times = (double)trajectories / (double)d->size, columns = 0;
    double bodies = (double)d->first[BODY][d->size], vertices = (double)d->first[VERTEX][d->size];
    for (int c = 0; c < COLUMNS; c++) {
        int level = dataset_schema[c].level;
        double rows = (double)(level == TRAJECTORY ? d->size : d->first[level][d->size]);
        if (!streamed(c)) columns += rows * (double)h5_row_bytes(&d->table.column[c]);
    }
    columns += 3.0 * sizeof(int64_t) * (double)d->size; /* first, digest */
    double whole = times * motion_bytes(d, bodies * (double)frames, vertices, (double)d->size);
    double list = times * (double)d->size * sizeof(Trajectory);
    double part = d->shared ? list + (whole - list) / shared_ranks(d->shared) : whole;
    double run = (double)run_bodies(d, frames), poses = 2 * run * (double)frames; /* as read, and by frame */
    double run_bytes = motion_bytes(d, poses, run * vertices / bodies, 1);
    return (int64_t)sizeof *d + (int64_t)(times * columns + (whole <= (double)memory ? part : run_bytes));
}

/* Trajectories that this rank reads: all into memory, unless another rank of the node does, or a share to look at. */
static void share_of(int64_t *from, int64_t *to, const Dataset *d, const Comm *comm) {
    bool reads = !d->shared || comm_rank(shared_node(d->shared)) == 0;
    *from = d->whole ? 0 : d->size * comm_rank(comm) / comm_size(comm);
    *to = d->whole ? d->size : d->size * (comm_rank(comm) + 1) / comm_size(comm);
    if (!reads) *to = *from;
}

/* Poses, velocities, contacts and vertices of all trajectories, in this order at `memory`; the bytes that they take. */
static int64_t place_whole(Dataset *d, char *memory) {
    enum { BOUNDARY = 64 };
    int64_t poses = d->first[BODY][d->size] * d->frames, vertices = d->first[VERTEX][d->size], at = 0;
    const Table *t = &d->table;
    int64_t bytes[] = {poses * 7 * (int64_t)sizeof(float), t->lacks[VELOCITY] ? 0 : poses * 6 * (int64_t)sizeof(float),
                       t->lacks[CONTACT] ? 0 : poses, vertices * 3 * (int64_t)sizeof(float),
                       vertices * (int64_t)sizeof(int32_t)};
    void *place[5];
    for (int i = 0; i < 5; i++) {
        place[i] = memory && bytes[i] ? memory + at : NULL;
        at += (bytes[i] + BOUNDARY - 1) / BOUNDARY * BOUNDARY;
    }
    d->pose = place[0];
    d->motion = place[1];
    d->contact = place[2];
    d->vertex = place[3];
    d->vertex_body = place[4];
    return at;
}

/* Room for what read_motion reads. */
static void make_room(Dataset *d, int64_t from, int64_t to) {
    int64_t bodies = d->first[BODY][d->size], vertices = d->first[VERTEX][d->size];
    int64_t room = run_bodies(d, d->frames), points = d->max_vertices;
    for (int64_t i = from; !d->whole && i < to; i = run_end(d, i)) {
        int64_t n = d->first[VERTEX][run_end(d, i)] - d->first[VERTEX][i];
        if (n > points) points = n;
    }
    int64_t kept = (d->whole ? bodies : room) * d->frames;
    const Table *t = &d->table;
    d->scratch = MEM_NEW(float, room * d->frames * (t->lacks[VELOCITY] ? 7 : 13));
    d->scratch_contact = t->lacks[CONTACT] ? NULL : MEM_NEW(uint8_t, room * d->frames);
    d->list = MEM_NEW(Trajectory, d->whole ? d->size : 1);
    if (d->shared) {
        place_whole(d, shared_at(d->shared));
        return;
    }
    d->pose = MEM_NEW(float, kept * 7);
    d->motion = t->lacks[VELOCITY] ? NULL : MEM_NEW(float, kept * 6);
    d->contact = t->lacks[CONTACT] ? NULL : MEM_NEW(uint8_t, kept);
    d->vertex = MEM_NEW(float, (d->whole ? vertices : points) * 3);
    d->vertex_body = MEM_NEW(int32_t, d->whole ? vertices : points);
}

/* Whether all of it goes into memory, and where. Collective. */
static void choose_place(Dataset *d, const Comm *comm, int64_t memory) {
    double poses = (double)(d->first[BODY][d->size] * d->frames), vertices = (double)d->first[VERTEX][d->size];
    d->whole = motion_bytes(d, poses, vertices, (double)d->size) <= (double)memory;
    d->digest = MEM_NEW(uint64_t, d->size);
    if (d->whole) d->shared = shared_new(comm, place_whole(d, NULL), SHARED_DATASET);
}

/* All of it into memory, or a look at this rank's share; brief: at both ends of that. */
static Err read_motion(Dataset *d, const Comm *comm, bool brief) {
    int64_t from, to;
    share_of(&from, &to, d, comm);
    make_room(d, from, to);
    for (int64_t i = from, end; i < to; i = end) {
        end = run_end(d, i);
        if (end > to) end = to;
        if (brief && i > from && end < to) continue;
        int64_t b = d->whole ? d->first[BODY][i] : 0, v = d->whole ? d->first[VERTEX][i] : 0;
        TRY(load(d, i, end, place_at(d, b, v), d->digest + i, true));
    }
    for (int64_t i = 0; d->whole && i < d->size; i++) {
        int64_t b = d->first[BODY][i], v = d->first[VERTEX][i];
        describe(d, &d->list[i], i, place_at(d, b, v));
    }
    return ERR_NONE;
}

static Err open_tables(Dataset *d) {
    TRY(h5_open(&d->table.file, d->path));
    TRY(read_header(d));
    return read_tables(d);
}

/* Collective. */
static Err open_checked(Dataset *d, const Comm *comm, int64_t memory) {
    TRY(comm_agree(comm, open_tables(d)));
    choose_place(d, comm, memory);
    return comm_agree(comm, read_motion(d, comm, false));
}

/* What the leader of the node has read is everybody's. Collective. */
static void share_content(Dataset *d) {
    if (!d->shared) return;
    comm_bcast(shared_node(d->shared), d->digest, (size_t)d->size * sizeof *d->digest, 0);
    shared_ready(d->shared);
}

/* The digests of all ranks, and whether the file is what it says. Collective. */
static Err check_content(Dataset *d, const Comm *comm) {
    int64_t moves = d->moves;
    comm_max_i64(comm, &moves, 1);
    if (!d->whole) comm_sum_i64(comm, (int64_t *)d->digest, d->size);
    if (!moves)
        return err_user("%s: %s: nothing moves in any trajectory: want data of motion", d->path,
                        dataset_schema[POSITION].column.name);
    char found[DATASET_DIGEST];
    dataset_digest_text(found, dataset_digest(d, d->size));
    if (!*d->stated || !strcmp(d->stated, found)) return ERR_NONE;
    return err_user(
        "%s: attribute digest = %s: that of the arrays is %s: changed after it was written; want the file as "
        "it was made, or without that attribute",
        d->path, d->stated, found);
}

/* Larger files are rehearsed at both ends only. */
#define REHEARSED_BYTES 1e9

/* Read on demand, in a process of its own. */
static Err rehearsal(void *context) {
    Dataset *d = context;
    struct stat st;
    bool brief = !stat(d->path, &st) && (double)st.st_size > REHEARSED_BYTES;
    TRY(open_tables(d));
    choose_place(d, comm_self(), 0);
    return read_motion(d, comm_self(), brief);
}

Err dataset_open(Dataset **dataset, const char *path, const Comm *comm, int64_t memory) {
    Dataset *d = MEM_NEW(Dataset, 1);
    *dataset = NULL;
    d->stream.fd = -1;
    d->loaded = -1;
    Err err = strlen(path) < sizeof d->path ? ERR_NONE : err_user("%.80s...: want a shorter path", path);
    if (!err.code) {
        memcpy(d->path, path, strlen(path));
        if (comm_rank(comm) == 0) err = h5_rehearse(rehearsal, d);
    }
    err = comm_agree(comm, err);
    if (!err.code) err = open_checked(d, comm, memory);
    if (!err.code) share_content(d);
    if (!err.code) err = check_content(d, comm);
    if (!err.code && !d->whole) d->stream = stream_open(&d->table, d->path);
    if (err.code || d->whole) {
        table_close(&d->table);
        h5_close(&d->table.file);
        mem_free(d->scratch);
        mem_free(d->scratch_contact);
        d->scratch = NULL;
        d->scratch_contact = NULL;
    }
    if (err.code)
        dataset_close(d);
    else
        *dataset = d;
    return err;
}

void dataset_close(Dataset *d) {
    if (!d) return;
    stream_close(&d->stream);
    table_close(&d->table);
    h5_close(&d->table.file);
    for (int c = 0; c < COLUMNS; c++) mem_free(d->at[c]);
    for (int level = 0; level < LEVELS; level++) mem_free(d->first[level]);
    if (!d->shared) {
        mem_free(d->pose);
        mem_free(d->motion);
        mem_free(d->contact);
        mem_free(d->vertex);
        mem_free(d->vertex_body);
    }
    shared_free(d->shared);
    mem_free(d->scratch);
    mem_free(d->scratch_contact);
    mem_free(d->list);
    mem_free(d->digest);
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

bool dataset_has_motion(const Dataset *d) {
    return d->motion;
}

int dataset_max_bodies(const Dataset *d) {
    return d->max_bodies;
}

int64_t dataset_max_vertices(const Dataset *d) {
    return d->max_vertices;
}

bool dataset_in_memory(const Dataset *d) {
    return d->whole;
}

double dataset_read_seconds(const Dataset *d) {
    return d->seconds;
}

uint64_t dataset_digest(const Dataset *d, int64_t n) {
    CHECK(n >= 0 && n <= d->size, "%lld trajectories of %lld", (long long)n, (long long)d->size);
    return table_combine(d->digest, n, d->frames, d->frame_time);
}

void dataset_digest_text(char text[DATASET_DIGEST], uint64_t digest) {
    snprintf(text, DATASET_DIGEST, "%016" PRIx64, digest);
}

/* Fetches so many bytes from `first` on into the caches. */
static void fetch(const void *first, size_t bytes) {
    enum { LINE = 64 }; /* bytes of a cache line */
    const char *p = first;
    for (size_t i = 0; i < bytes; i += LINE) __builtin_prefetch(p + i);
    __builtin_prefetch(p + bytes - 1);
}

static void expect_in_memory(const Dataset *d, int64_t i, int frame) {
    int64_t b = d->first[BODY][i], bodies = d->first[BODY][i + 1] - b;
    int64_t v = d->first[VERTEX][i], vertices = d->first[VERTEX][i + 1] - v;
    Place here = place_at(d, b, v);
    const float *const *at = (const float *const *)d->at;
    fetch(&d->list[i], sizeof d->list[i]);
    fetch(here.pose + 7 * frame * bodies, (size_t)(2 * 7 * bodies) * sizeof *here.pose);
    if (here.motion) fetch(here.motion + 6 * frame * bodies, (size_t)(6 * bodies) * sizeof *here.motion);
    fetch(here.vertex, (size_t)(3 * vertices) * sizeof *here.vertex);
    fetch(here.owner, (size_t)vertices * sizeof *here.owner);
    fetch(at[MASS] + b, (size_t)bodies * sizeof **at);
    fetch(at[FRICTION] + b, (size_t)bodies * sizeof **at);
    fetch(at[RESTITUTION] + b, (size_t)bodies * sizeof **at);
}

void dataset_expect(const Dataset *d, int64_t i, int frame) {
    if (d->whole) {
        expect_in_memory(d, i, frame);
        return;
    }
    Streams s = streams_at(d, d->first[BODY][i + 1] - d->first[BODY][i]);
    Piece piece[PIECES];
    int n = pieces_of(piece, d, i, i + 1, &s, place_at(d, 0, 0));
    for (int k = 0; k < n; k++) stream_expect(&d->stream, &d->table, piece[k].column, piece[k].first, piece[k].rows);
}

const Trajectory *dataset_get(Dataset *d, int64_t i) {
    CHECK(i >= 0 && i < d->size, "trajectory %lld of %lld", (long long)i, (long long)d->size);
    if (d->whole) return &d->list[i];
    if (i == d->loaded) return d->list;
    double begin = timer_now();
    uint64_t digest = 0;
    Err err = load(d, i, i + 1, place_at(d, 0, 0), &digest, false);
    CHECK(!err.code, "%s", err.text);
    CHECK(digest == d->digest[i], "%s: trajectory %lld has changed while in use", d->path, (long long)i);
    describe(d, d->list, i, place_at(d, 0, 0));
    d->loaded = i;
    d->seconds += timer_now() - begin;
    return d->list;
}
