// TEST single n=1,2,3,4
/* Dataset files: what is written is what is read, equal bytes on any number of ranks, foreign files, broken files: as many as the
 * argument says. */
#include "base/rng.h"
#include "check.h"
#include "damage.h"
#include "io/dataset.h"
#include "reader.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { T = 1300, FRAMES = 500, FEW = 3 }; /* blocks of 524 trajectories: two whole ones and a part */

/* Small numbers of everything, different from trajectory to trajectory. */
static void make(void *context, int64_t i, Trajectory *out) {
    static float vertex[3 * 64], pose[FRAMES * 4 * 7], motion[FRAMES * 4 * 6], mass[4], friction[4], restitution[4];
    static int32_t owner[64];
    static uint8_t contact[FRAMES * 4];
    (void)context;
    uint64_t s = rng_stream("test", (uint64_t)i), e = 0;
    int bodies = 1 + (int)rng_below(1, s, e++, 4), vertices = 0;
    for (int b = 0; b < bodies; b++) {
        int n = 1 + (int)rng_below(1, s, e++, 15);
        for (int v = 0; v < n; v++) owner[vertices++] = b;
        mass[b] = (float)rng_uniform(1, s, e++);
        friction[b] = restitution[b] = (float)rng_uniform(1, s, e++);
    }
    for (int v = 0; v < 3 * vertices; v++) vertex[v] = (float)rng_normal(1, s, e++);
    for (int f = 0; f < FRAMES * bodies; f++) {
        double a = (double)(i + f);
        float p[7] = {(float)a, 1, 2, (float)cos(a), 0, (float)sin(a), 0};
        memcpy(pose + 7 * f, p, sizeof p);
        for (int k = 0; k < 6; k++) motion[6 * f + k] = (float)(a * (k + 1));
        contact[f] = (uint8_t)((i + f) % 4);
    }
    *out = (Trajectory){.bodies = bodies,
                        .frames = FRAMES,
                        .vertices = vertices,
                        .vertex = vertex,
                        .vertex_body = owner,
                        .pose = pose,
                        .motion = motion,
                        .contact = contact,
                        .mass = mass,
                        .friction = friction,
                        .restitution = restitution,
                        .floor_friction = 0.25f,
                        .floor_restitution = 0.5f,
                        .floor = {0, 0, 1, -2},
                        .gravity = {0, 0, -10},
                        .frame_rotation = {0, 1, 0, 1, 0, 0, 0, 0, 1},
                        .frame_shift = {1, 2, 3}};
}

static bool same(const Trajectory *a, const Trajectory *b) {
    if (a->bodies != b->bodies || a->frames != b->frames || a->vertices != b->vertices) return false;
    size_t n = (size_t)a->bodies * sizeof(float), v = (size_t)a->vertices;
    return !memcmp(a->vertex, b->vertex, 12 * v) && !memcmp(a->vertex_body, b->vertex_body, 4 * v) &&
           !memcmp(a->pose, b->pose, 7 * n * (size_t)a->frames) &&
           !memcmp(a->motion, b->motion, 6 * n * (size_t)a->frames) &&
           !memcmp(a->contact, b->contact, (size_t)a->bodies * (size_t)a->frames) && !memcmp(a->mass, b->mass, n) &&
           !memcmp(a->friction, b->friction, n) && !memcmp(a->restitution, b->restitution, n) &&
           a->floor_friction == b->floor_friction && a->floor_restitution == b->floor_restitution &&
           !memcmp(a->floor, b->floor, sizeof a->floor) && !memcmp(a->gravity, b->gravity, sizeof a->gravity) &&
           !memcmp(a->frame_rotation, b->frame_rotation, sizeof a->frame_rotation) &&
           !memcmp(a->frame_shift, b->frame_shift, sizeof a->frame_shift);
}

static void round_trip(const Comm *w) {
    DatasetPlan plan = {
        .trajectories = T, .frames = FRAMES, .frame_time = 0.125, .motion = true, .seed = 7, .settings = "a = 1\n"};
    Err err = dataset_create(test_file("all.h5"), &plan, make, NULL, w);
    EXPECT(!err.code, "%s", err.text);
    err = dataset_create(test_file("all.h5"), &plan, make, NULL, w);
    EXPECT(err.code == EXIT_USER && strstr(err.text, "exists already"), "%d %s", err.code, err.text);
    if (comm_rank(w) == 0) {
        err = dataset_create(test_file("one.h5"), &plan, make, NULL, comm_self());
        EXPECT(!err.code, "%s", err.text);
        size_t n, m;
        char *a = test_read(test_file("all.h5"), &n), *b = test_read(test_file("one.h5"), &m);
        EXPECT(n > 0 && n == m && !memcmp(a, b, n), "%d ranks and one write the same %zu bytes", comm_size(w), n);
        mem_free(a);
        mem_free(b);
    }
    uint64_t digest = 0;
    for (int mode = 0; mode < 2; mode++) {
        Dataset *d;
        err = dataset_open(&d, test_file("all.h5"), w, mode ? 0 : (int64_t)1 << 30);
        EXPECT(!err.code, "%s", err.text);
        if (err.code) return;
        EXPECT(dataset_size(d) == T && dataset_frames(d) == FRAMES && dataset_max_bodies(d) == 4, "sizes");
        EXPECT(dataset_frame_time(d) == 0.125, "frame time");
        EXPECT(mode == 0 || digest == dataset_digest(d, T), "digest");
        digest = dataset_digest(d, T);
        int bad = 0;
        for (int64_t k = 0; k < T; k += mode ? 29 : 1) {
            int64_t i = mode ? T - 1 - k : k;
            Trajectory x = {0};
            make(NULL, i, &x);
            bad += !same(dataset_get(d, i), &x);
        }
        EXPECT(bad == 0, "%d trajectories differ", bad);
        dataset_close(d);
    }
}

/* In front of the library's: one byte of the reading of so many from now on is another. */
static int turned;
typedef int Read(int64_t, int64_t, int64_t, int64_t, int64_t, void *);
int H5Dread(int64_t set, int64_t type, int64_t memory, int64_t file, int64_t transfer, void *out) {
    Read *read;
    *(void **)&read = dlsym(RTLD_NEXT, "H5Dread");
    int rc = read(set, type, memory, file, transfer, out);
    if (turned && --turned == 0) *(char *)out ^= 1;
    return rc;
}

/* What reads back otherwise than it was written, in whatever column, is no dataset. */
static void otherwise(void) {
    DatasetPlan plan = {.trajectories = FEW, .frames = FRAMES, .frame_time = 0.125, .motion = true, .settings = ""};
    for (int column = 1; column <= 9; column += 2) {
        turned = column;
        Err err = dataset_create(test_file("otherwise.h5"), &plan, make, NULL, comm_self());
        EXPECT(err.code == EXIT_RESUME && strstr(err.text, "not what was written"), "%d: %d %s", column, err.code,
               err.text);
        EXPECT(!turned && access(test_file("otherwise.h5"), F_OK), "%d: it is there", column);
    }
}

/* In place of the system's: the ranges of a file that were asked for ahead of use. */
static struct {
    int n;
    int64_t at[16], bytes[16];
} wanted;

int posix_fadvise(int fd, off_t at, off_t bytes, int advice) {
    if (fd < 0 || advice != POSIX_FADV_WILLNEED || wanted.n == 16) return EINVAL;
    wanted.at[wanted.n] = at;
    wanted.bytes[wanted.n++] = bytes;
    return 0;
}

/* What is expected of a file on the disk are the bytes of that trajectory, each column's, of which several may be in chunks of
 * their own; what is in memory is not asked for. */
static void ahead(const Comm *w) {
    enum { I = 700, FLOATS = 3 + 4 + 3 + 3 }; /* of a body and frame */
    for (int mode = 0; mode < 2; mode++) {
        Dataset *d;
        Err err = dataset_open(&d, test_file("all.h5"), w, mode ? 0 : (int64_t)1 << 30);
        EXPECT(!err.code && dataset_in_memory(d) == !mode, "%s", err.text);
        if (err.code) return;
        wanted.n = 0;
        dataset_expect(d, I, 3);
        EXPECT((wanted.n > 0) == mode, "%d ranges", wanted.n);
        EXPECT(dataset_read_seconds(d) == 0, "%g s", dataset_read_seconds(d));
        dataset_get(d, I);
        double once = dataset_read_seconds(d);
        EXPECT((once > 0) == mode, "%g s", once);
        EXPECT(dataset_get(d, I) && dataset_read_seconds(d) == once, "what is there is not read again");
        dataset_close(d);
    }
    Trajectory x = {0};
    make(NULL, I, &x);
    size_t size;
    char *file = test_read(test_file("all.h5"), &size);
    int64_t bytes = 0, frames = x.bodies * FRAMES, seen = 0;
    for (int k = 0; k < wanted.n; k++) {
        bytes += wanted.bytes[k];
        int64_t rows = wanted.bytes[k] / (3 * (int64_t)sizeof(float));
        const float *position = (const float *)(file + wanted.at[k]); /* the first ranges are of positions */
        for (int64_t r = 0; r < rows && seen < frames; r++, seen++)
            EXPECT(!memcmp(position + 3 * r, x.pose + 7 * (seen % FRAMES * x.bodies + seen / FRAMES),
                           3 * sizeof *position),
                   "position %lld", (long long)seen);
    }
    int64_t want = frames * (FLOATS * (int64_t)sizeof(float) + 1) + x.vertices * (3 * (int64_t)sizeof(float) + 4);
    EXPECT(bytes == want, "%lld bytes, want %lld", (long long)bytes, (long long)want);
    mem_free(file);
}

static void refused(const Comm *w, const char *path, const char *text) {
    Dataset *d;
    Err err = dataset_open(&d, path, w, 1 << 30);
    EXPECT(err.code == EXIT_USER && !d && strstr(err.text, path), "want %s: %d %s", text, err.code, err.text);
    EXPECT(strstr(err.text, text) && !strchr(err.text, '\n'), "want %s: %s", text, err.text);
}

/* A file of another maker, plain contiguous float64, after docs/dataset.md; then with one thing wrong at a time. */
static const char *foreign =
    "import sys, h5py, numpy as np\n"
    "path, change = sys.argv[1:]\n"
    "T, F, B = 3, 4, [2, 1, 3]\n"
    "f = h5py.File(path, 'w')\n"
    "f.attrs['format'] = 'equiscale-dataset-1'\n"
    "f.attrs['frames'] = F\n"
    "f.attrs['frame_time'] = 0.1\n"
    "nb = sum(B)\n"
    "t = dict(bodies=np.array(B), vertices=np.array([4, 2, 6]),\n"
    "    floor_normal=np.tile([0, 0.6, 0.8], (T, 1)), floor_offset=np.zeros(T),\n"
    "    floor_friction=np.full(T, 0.3), floor_restitution=np.full(T, 0.5),\n"
    "    gravity=np.tile([0, -6., -8.], (T, 1)), frame_rotation=np.tile(np.eye(3), (T, 1, 1)),\n"
    "    frame_shift=np.zeros((T, 3)))\n"
    "q = np.zeros((nb, F, 4)); q[..., 0] = 1\n"
    "b = dict(mass=np.arange(1., nb + 1), friction=np.ones(nb), restitution=np.ones(nb),\n"
    "    position=np.arange(nb * F * 3.).reshape(nb, F, 3), quaternion=q)\n"
    "v = dict(position=np.ones((12, 3)), body=np.array([0, 0, 1, 1, 0, 0, 0, 1, 1, 2, 2, 2]))\n"
    "exec(change)\n"
    "for name, group in dict(trajectories=t, bodies=b, vertices=v).items():\n"
    "    for key, value in group.items(): f[name + '/' + key] = value\n"
    "f.close()\n";

static void write_foreign(const Comm *w, const char *path, const char *change) {
    if (comm_rank(w) == 0) {
        test_write(test_file("foreign.py"), foreign, strlen(foreign));
        char command[1024];
        snprintf(command, sizeof command, "/usr/bin/python3 %s %s \"%s\"", test_file("foreign.py"), path, change);
        EXPECT(system(command) == 0, "%s", command);
    }
    comm_barrier(w);
}

static void others(const Comm *w) {
    static const char *broken[][2] = {
        {"b['mass'][3] = -1", "/bodies/mass: row 3 holds -1"},
        {"b['mass'][3] = np.nan", "/bodies/mass: row 3 holds"},
        {"b['position'][5, 1, 1] = np.inf", "/bodies/position: row 5 holds inf"},
        {"q[4, 3] = 0.5, 0.5, 0, 0", "/bodies/quaternion: row 4"},
        {"b['restitution'][1] = 1.5", "/bodies/restitution: row 1"},
        {"t['floor_normal'][2] = 1, 1, 0", "/trajectories/floor_normal: row 2"},
        {"t['floor_friction'][0] = -0.1", "/trajectories/floor_friction: row 0"},
        {"t['gravity'][1] = 0", "/trajectories/gravity: row 1"},
        {"t['frame_rotation'][1, 0] = 0, 1, 0", "/trajectories/frame_rotation: row 1"},
        {"b['velocity'] = np.zeros((nb, F, 3))", "/bodies/velocity without /bodies/spin"},
        {"b['spin'] = np.zeros((nb, F, 3))", "/bodies/spin without /bodies/velocity"},
        {"b['contact'] = np.full((nb, F), 4)", "/bodies/contact: row 0 holds 4"},
        {"b['contact'] = np.full((nb, F), 300)", "/bodies/contact: row 0 holds 255"},
        {"t['bodies'][0] = 3", "/trajectories/bodies: the sum is 7: want 6"},
        {"t['vertices'][0] = 0", "/trajectories/vertices: row 0 holds 0"},
        {"v['body'][0] = -1", "/vertices/body: row 0"},
        {"v['body'][3] = 0", "/vertices/body: trajectory 0"},
        {"v['position'] = np.ones((12, 2))", "/vertices/position: want the shape (rows, 3)"},
        {"b['quaternion'] = q[:, :3]", "/bodies/quaternion: want the shape (rows, 4, 4)"},
        {"del b['friction']", "/bodies/friction: no such dataset"},
        {"t['floor_offset'] = np.zeros(2)", "/trajectories/floor_offset: has 2 rows"},
        {"t['bodies'] = t['bodies'] + 0.5", "/trajectories/bodies: want whole numbers"},
        {"b['mass'] = np.array([b'x'] * nb)", "/bodies/mass: want numbers"},
        {"b['mass'] = np.zeros(nb, [('a', 'f8'), ('b', 'i4')])", "/bodies/mass: want numbers"},
        {"f.attrs['format'] = 'kubric'", "attribute format"},
        {"f.attrs['format'] = 3", "attribute format"},
        {"f.attrs['frames'] = 2", "attribute frames"},
        {"del f.attrs['frame_time']", "frame_time"},
        {"f.attrs['frame_time'] = -1.0", "attribute frame_time"},
        {"f.attrs['digest'] = '0123'", "attribute digest = 0123: want 16 digits"},
        {"f.attrs['digest'] = '0123456789abcdef'", "attribute digest = 0123456789abcdef: that of the arrays is"},
        {"b['position'][:] = 1", "/bodies/position: nothing moves in any trajectory"},
        {"del b['mass']; f.create_dataset('bodies/mass', (nb,), 'f4')", "/bodies/mass: holds values never written"},
        {"del b['mass']; f.create_dataset('bodies/mass', (nb,), 'f4', chunks=(2,))[2:4] = 1",
         "/bodies/mass: holds values never written: 1 of 3 pieces"},
        {"del b['mass']; f.create_dataset('bodies/mass', (nb,), 'f4', external=[('raw.bin', 0, 24)])",
         "/bodies/mass: an external dataset: want contiguous or chunked"},
        {"m = b.pop('mass'); f['m'] = m; l = h5py.VirtualLayout((nb,), 'f8'); l[:] = h5py.VirtualSource(f['m']); "
         "f.create_virtual_dataset('bodies/mass', l)",
         "/bodies/mass: a virtual dataset: want contiguous or chunked"},
    };
    write_foreign(w, test_file("foreign.h5"), "pass");
    Dataset *d;
    Err err = dataset_open(&d, test_file("foreign.h5"), w, 1 << 20);
    EXPECT(!err.code, "%s", err.text);
    if (!err.code) {
        const Trajectory *x = dataset_get(d, 2);
        EXPECT(x->bodies == 3 && x->vertices == 6 && x->frames == 4 && x->vertex_body[5] == 2, "sizes");
        EXPECT(!dataset_has_motion(d) && !x->motion && !x->contact, "no velocities");
        EXPECT(x->mass[2] == 6 && x->pose[(3 * 3 + 1) * 7 + 1] == (4 * 4 + 3) * 3 + 1, "%g", x->pose[64]);
        dataset_close(d);
    }
    write_foreign(w, test_file("moving.h5"),
                  "b['velocity'] = np.arange(nb * F * 3.).reshape(nb, F, 3); b['spin'] = -b['velocity']");
    err = dataset_open(&d, test_file("moving.h5"), w, 0);
    EXPECT(!err.code && dataset_has_motion(d), "%s", err.text);
    if (!err.code) {
        const float *v = dataset_get(d, 2)->motion + (3 * 3 + 1) * 6; /* frame 3, body 1 */
        EXPECT(v[1] == (4 * 4 + 3) * 3 + 1 && v[4] == -v[1] && !dataset_get(d, 2)->contact, "%g %g", v[1], v[4]);
        wanted.n = 0;
        dataset_expect(d, 2, 1);
        EXPECT(wanted.n == 0, "%d ranges of columns of other types than memory's", wanted.n);
        dataset_close(d);
    }
    /* The example in docs/dataset.md. */
    if (comm_rank(w) == 0) {
        char command[512];
        snprintf(command, sizeof command, "sed -n '/^```python/,/^```/{/^```/d;p}' docs/dataset.md >%s",
                 test_file("doc.py"));
        EXPECT(system(command) == 0, "%s", command);
        snprintf(command, sizeof command, "/usr/bin/python3 %s %s", test_file("doc.py"), test_file("doc.h5"));
        EXPECT(system(command) == 0, "%s", command);
    }
    comm_barrier(w);
    err = dataset_open(&d, test_file("doc.h5"), w, 0);
    EXPECT(!err.code && dataset_size(d) == 2 && dataset_max_vertices(d) == 8, "%s", err.text);
    dataset_close(d);
    /* The text of one message does not depend on ranks: one size is enough for the slow list. */
    for (size_t i = 0; i < sizeof broken / sizeof *broken && comm_size(w) == 2; i++) {
        write_foreign(w, test_file("broken.h5"), broken[i][0]);
        refused(w, test_file("broken.h5"), broken[i][1]);
    }
    refused(w, test_file("none.h5"), "No such file");
}

/* The same numbers in other types, chunks and order of writing are the same data; one other number is not. */
static void identity(const Comm *w) {
    static const char *change[] = {
        "pass",
        "b['mass'] = b['mass'].astype('f4'); t['bodies'] = t['bodies'].astype('u1')",
        "m = b.pop('mass'); f.create_dataset('bodies/mass', data=m, chunks=(1,), compression=4, fletcher32=True)",
        "f.attrs['settings'] = 'another = one'; f.attrs['seed'] = 9",
        "b['position'] = b['position'].astype('>f4'); v['position'] = v['position'].astype('i4')",
        "p = b.pop('position').astype('f4'); f.create_dataset('bodies/position', data=p, chunks=(nb, 2, 3))",
        "p = b.pop('position').astype('f4'); "
        "f.create_dataset('bodies/position', data=p, chunks=(2, F, 3), shuffle=True, fletcher32=True)",
        "a = dict(f.attrs); f.close(); f = h5py.File(path, 'w', userblock_size=512); f.attrs.update(a); "
        "b['position'] = b['position'].astype('f4')",
        "b['mass'][5] *= 1.001",
        "b['position'][3, 2, 1] *= 1.001",
        "v['position'][7, 0] *= 1.001",
        "t['floor_offset'][1] = 1e-3",
        "f.attrs['frame_time'] = 0.2",
        "f.attrs['frames'] = F = 3; b['position'] = b['position'][:, :3]; b['quaternion'] = q[:, :3]",
    };
    enum { SAME = 8, CASES = sizeof change / sizeof *change };
    uint64_t digest[CASES];
    for (int i = 0; i < CASES; i++) {
        Dataset *d;
        write_foreign(w, test_file("content.h5"), change[i]);
        Err err = dataset_open(&d, test_file("content.h5"), w, 1 << 20);
        EXPECT(!err.code, "%s: %s", change[i], err.text);
        if (err.code) return;
        digest[i] = dataset_digest(d, 3);
        EXPECT((digest[i] == digest[0]) == (i < SAME), "%s: %016llx", change[i], (unsigned long long)digest[i]);
        dataset_close(d);
        err = dataset_open(&d, test_file("content.h5"), w, 0);
        EXPECT(!err.code, "%s: %s", change[i], err.text);
        if (err.code) return;
        EXPECT(dataset_digest(d, 3) == digest[i], "%s: other numbers when they are read as they are used", change[i]);
        const Trajectory *x = dataset_get(d, 2);
        EXPECT(i >= SAME || x->pose[(3 * 3 + 1) * 7 + 1] == (4 * 4 + 3) * 3 + 1, "%s: %g", change[i], x->pose[64]);
        /* Nothing that was changed lies in the first trajectory, but time and frames. */
        static uint64_t prefix;
        if (i == 0) prefix = dataset_digest(d, 1);
        EXPECT((dataset_digest(d, 1) == prefix) == (i < CASES - 2), "%s: prefix", change[i]);
        dataset_close(d);
    }
}

/* What our own file says of itself, and a number that was changed in it since, wherever it is read. */
static void stated(const Comm *w) {
    char command[512];
    if (comm_rank(w) == 0) {
        snprintf(command, sizeof command,
                 "cp %s %s && /usr/bin/python3 -c \"import h5py\n"
                 "f = h5py.File('%s', 'r+'); assert len(f.attrs['digest']) == 16; f['bodies/mass'][9] *= 1.0001\"",
                 test_file("all.h5"), test_file("changed.h5"), test_file("changed.h5"));
        EXPECT(system(command) == 0, "%s", command);
    }
    comm_barrier(w);
    for (int mode = 0; mode < 2; mode++) {
        Dataset *d;
        Err err = dataset_open(&d, test_file("changed.h5"), w, mode ? 0 : 1 << 30);
        EXPECT(err.code == EXIT_USER && strstr(err.text, "changed after it was written"), "%s", err.text);
    }
}

/* A file of few trajectories, few.h5, for what is tried often. On one rank. */
static void make_few(void) {
    DatasetPlan plan = {.trajectories = FEW, .frames = FRAMES, .frame_time = 0.125, .motion = true, .settings = ""};
    remove(test_file("few.h5"));
    Err err = dataset_create(test_file("few.h5"), &plan, make, NULL, comm_self());
    EXPECT(!err.code, "%s", err.text);
}

static Err open_any(const char *path) {
    Dataset *d;
    TRY(dataset_open(&d, path, comm_self(), 0));
    dataset_close(d);
    return ERR_NONE;
}

static bool holds_few(Dataset *d) {
    bool equal = dataset_size(d) == FEW;
    for (int64_t k = 0; k < FEW && equal; k++) {
        Trajectory x = {0};
        make(NULL, k, &x);
        equal = same(dataset_get(d, k), &x);
    }
    return equal;
}

static Err open_same(const char *path) {
    Dataset *d;
    TRY(dataset_open(&d, path, comm_self(), 0));
    bool equal = holds_few(d);
    dataset_close(d);
    reader_want(equal, "%s: other values than were written", path);
    return ERR_NONE;
}

/* The first ones as the program does it, with a child process for each; one child reads all others. There trajectories are
 * read as they are used: those that are kept in memory share it by MPI, which a child has not. */
static Err open_bad(Reader *reader, int i) {
    enum { WHOLE = 10 };
    const char *path = test_file("bad.h5");
    if (i >= WHOLE) return reader_ask(reader, path);
    Dataset *d;
    TRY(dataset_open(&d, path, comm_self(), 1 << 30));
    EXPECT(reader->read != open_same || holds_few(d), "%s: other values than were written", path);
    dataset_close(d);
    return ERR_NONE;
}

/* Headers with right checksums and wrong contents: refused or read, never the end of the program. */
static void repaired(int trials) {
    Reader reader = {.read = open_any};
    size_t bytes;
    make_few();
    char *good = test_read(test_file("few.h5"), &bytes), *bad = mem_alloc(bytes);
    int refused = 0, signals = 0;
    for (int i = 0; i < trials; i++) {
        memcpy(bad, good, bytes);
        int headers = damage_repaired((unsigned char *)bad, bytes, rng_stream("repaired", (uint64_t)i));
        EXPECT(headers > 16, "%d headers", headers);
        test_write(test_file("bad.h5"), bad, bytes);
        Err err = open_bad(&reader, i);
        EXPECT(!err.code || (err.code == EXIT_USER && strstr(err.text, "bad.h5")), "%d %s", err.code, err.text);
        refused += err.code == EXIT_USER;
        signals += strstr(err.text, "ends in signal") != NULL;
    }
    reader_end(&reader);
    EXPECT(refused > trials / 4, "%d refused", refused);
    printf("measured %d of %d files with repaired headers refused, %d after a crash in a child process\n", refused,
           trials, signals);
    mem_free(good);
    mem_free(bad);
}

/* Flipped, overwritten and cut files give an error or, where nothing that counts was hit, the same numbers. */
static void damage(int trials) {
    Reader reader = {.read = open_same};
    size_t bytes;
    make_few();
    char *good = test_read(test_file("few.h5"), &bytes), *bad = mem_alloc(bytes);
    int refused = 0, unharmed = 0;
    for (int i = 0; i < trials; i++) {
        memcpy(bad, good, bytes);
        size_t size = damage_medium((unsigned char *)bad, bytes, i);
        test_write(test_file("bad.h5"), bad, size);
        Err err = open_bad(&reader, i);
        refused += err.code == EXIT_USER && strstr(err.text, "bad.h5") && !strchr(err.text, '\n');
        unharmed += !err.code;
    }
    reader_end(&reader);
    EXPECT(refused + unharmed == trials && refused > trials / 2, "%d refused, %d unharmed", refused, unharmed);
    printf("measured %d of %d damaged files refused, %d unharmed\n", refused, trials, unharmed);
    mem_free(good);
    mem_free(bad);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    const Comm *w = comm_world();
    test_folder_new();
    round_trip(w);
    ahead(w);
    if (comm_rank(w) == 0) otherwise();
    others(w);
    stated(w);
    if (comm_size(w) < 3) identity(w);
    int hit = test_trials(argc, argv, 40), mended = test_trials(argc, argv, 30);
    if (comm_size(w) == 1 && hit) damage(hit);
    if (comm_size(w) == 1 && mended) repaired(mended);
    return test_end();
}
