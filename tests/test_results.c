// TEST single n=1,2,4
/* Results files: round trip of cells and gathered files, equal on any number of ranks, full disks, damage, other tools.
 */
#include "base/rng.h"
#include "check.h"
#include "damage.h"
#include "io/commit.h"
#include "io/csv.h"
#include "io/h5.h"
#include "io/results_version.h"
#include "reader.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static Results example(int64_t cells) {
    Results r = {.cells = cells, .study = "quick"};
    r.cell = MEM_NEW(CellRecord, cells + 1);
    r.curve = MEM_NEW(CurvePoint, 5 * cells + 1);
    r.measure = MEM_NEW(MeasureRow, 2 * cells + 1);
    for (int64_t i = 0; i < cells; i++) {
        CellRecord *c = &r.cell[i];
        snprintf(c->id, sizeof c->id, "gatr-w8x2-n%lld", (long long)i);
        strcpy(c->arm, i % 2 ? "gatr" : "transformer");
        strcpy(c->role, "grid");
        c->width = 8 + i;
        c->parameters = 1000 * (i + 1);
        c->samples = (int64_t)1 << 40;
        for (int k = 0; k < CURRENCIES; k++) c->compute[k] = 1e19 / (3 + k);
        c->loss = i == 1 ? NAN : 0.1 + 1.0 / (double)(i + 1);
        c->outcome = i == 1 ? OUTCOME_DIVERGED : OUTCOME_DONE;
        c->attempts = 1;
        c->curve_points = i % 5;
        for (int64_t k = 0; k < c->curve_points; k++)
            r.curve[r.points++] =
                (CurvePoint){.cell = i, .step = 10 * k, .samples = 1e3, .loss = 1.0 / 3, .train_loss = NAN, .lr = 1e-3};
        for (int64_t k = 0; k < i % 3; k++)
            r.measure[r.measures++] = (MeasureRow){.cell = i,
                                                   .step = 10,
                                                   .measure = "equivariance",
                                                   .layer = k - 1,
                                                   .element = "so3",
                                                   .value = 1.0 / 7,
                                                   .se = NAN,
                                                   .samples = 100 + k};
    }
    return r;
}

/* No rows may be at no address. */
static bool same_rows(const void *a, const void *b, size_t bytes) {
    return bytes == 0 || !memcmp(a, b, bytes);
}

static bool same(const Results *a, const Results *b) {
    bool equal =
        a->cells == b->cells && a->points == b->points && a->measures == b->measures && !strcmp(a->study, b->study);
    return equal && same_rows(a->measure, b->measure, (size_t)a->measures * sizeof *a->measure) &&
           same_rows(a->cell, b->cell, (size_t)a->cells * sizeof *a->cell) &&
           same_rows(a->curve, b->curve, (size_t)a->points * sizeof *a->curve);
}

static const char *provenance = "commit = 1234abc\ntrain.batch = 64  # [samples] batch\nno pair here\ncommit = twice\n";

static void reads(const char *path, const Results *want) {
    Results got;
    Err err = results_read(&got, path);
    EXPECT(!err.code, "%s", err.text);
    if (!err.code)
        EXPECT(same(&got, want), "%s: %lld cells, %lld points", path, (long long)got.cells, (long long)got.points);
    results_free(&got);
}

static void cells(void) {
    char name[32];
    snprintf(name, sizeof name, "cell-%d.h5", comm_rank(comm_world()));
    for (int n = 0; n < 6; n += 5) { /* the second replaces the first; the first has no curve */
        Results one = example(n);
        Err err = results_write_cell(test_file(name), &one, provenance, true);
        EXPECT(!err.code, "%s", err.text);
        reads(test_file(name), &one);
        results_free(&one);
    }
}

/* Records of one kind: the second is made from the first without HDF5, here without a wait for the disk, and is the file that
 * HDF5 would have made. */
static void alike(void) {
    char name[2][32];
    for (int i = 0; i < 2; i++) snprintf(name[i], sizeof name[i], "alike%d-%d.h5", i, comm_rank(comm_world()));
    Results one = example(5), other = example(5);
    strcpy(other.cell[3].id, "of another name");
    other.cell[2].loss = 1e-300;
    other.curve[1].lr = NAN;
    strcpy(other.measure[0].element, "mirror");
    results_forget();
    size_t live = mem_live();
    Err err = results_write_cell(test_file(name[0]), &one, provenance, true);
    EXPECT(!err.code && mem_live() > live, "%s", err.text);
    err = results_write_cell(test_file(name[0]), &other, provenance, false);
    EXPECT(!err.code, "%s", err.text);
    reads(test_file(name[0]), &other);
    results_forget();
    EXPECT(mem_live() == live, "%zu bytes not given back", mem_live() - live);
    reads(test_file(name[0]), &other);
    reads(test_file(name[0]), &other);
    results_forget();
    err = results_write_cell(test_file(name[1]), &other, provenance, true);
    EXPECT(!err.code, "%s", err.text);
    size_t p, q;
    char *a = test_read(test_file(name[0]), &p), *b = test_read(test_file(name[1]), &q);
    EXPECT(p > 0 && p == q && !memcmp(a, b, p), "with and without HDF5 the same: %zu %zu", p, q);
    a[p - 1] ^= 1;
    FILE *f = fopen(test_file(name[1]), "w");
    fwrite(a, 1, p, f);
    fclose(f);
    Results got;
    err = results_read(&got, test_file(name[1]));
    EXPECT(err.code && strstr(err.text, "digest"), "damaged: %s", err.text);
    mem_free(a);
    mem_free(b);
    results_free(&one);
    results_free(&other);
}

/* Records of one shape and of equal length that say other things of themselves: each has its own, however it is made and read. */
static void unlike(void) {
    static const char *const study[] = {"quick", "slick", "quick"};
    static const char *const origin[] = {"commit = 1111aaa\n", "commit = 1111aaa\n", "commit = 2222bbb\n"};
    char name[3][32];
    Results one = example(5), got;
    results_forget();
    for (int i = 0; i < 3; i++) {
        snprintf(name[i], sizeof name[i], "unlike%d-%d.h5", i, comm_rank(comm_world()));
        strcpy(one.study, study[i]);
        Err err = results_write_cell(test_file(name[i]), &one, origin[i], true);
        EXPECT(!err.code, "%s", err.text);
    }
    for (int k = 0; k < 6; k++) { /* the second time round from templates of what was read */
        int i = k % 3;
        if (k == 3) results_forget();
        Err err = results_read(&got, test_file(name[i]));
        EXPECT(!err.code && !strcmp(got.study, study[i]) && got.provenance && strstr(got.provenance, origin[i]),
               "%s: %s of %s: %s", name[i], got.study, study[i], got.provenance ? got.provenance : err.text);
        results_free(&got);
    }
    results_forget();
    results_free(&one);
}

static void gathered(const Comm *w) {
    for (int n = 0; n < 40; n += 13) {
        Results all = example(n), none = {0};
        Err err = results_gather(test_file("results.h5"), comm_rank(w) == 0 ? &all : &none, provenance, w);
        EXPECT(!err.code, "%s", err.text);
        reads(test_file("results.h5"), &all);
        if (comm_rank(w) == 0) {
            err = results_gather(test_file("alone.h5"), &all, provenance, comm_self());
            EXPECT(!err.code, "%s", err.text);
            size_t p, q;
            char *a = test_read(test_file("results.h5"), &p), *b = test_read(test_file("alone.h5"), &q);
            EXPECT(p > 0 && p == q && !memcmp(a, b, p), "%d ranks and one write the same: %zu %zu", comm_size(w), p, q);
            mem_free(a);
            mem_free(b);
        }
        comm_barrier(w);
        results_free(&all);
    }
}

static int files_in_folder(void) {
    DIR *d = opendir(test_folder);
    int n = 0;
    while (d && readdir(d)) n++;
    if (d) closedir(d);
    return n;
}

/* A limit on the size of files stands for a full disk: the old file stays, nothing is left over. */
static void full_disk(const Comm *w) {
    Results all = example(39), old = example(13);
    Err err = results_gather(test_file("full.h5"), &old, provenance, w);
    EXPECT(!err.code, "%s", err.text);
    char name[32];
    snprintf(name, sizeof name, "full-%d.h5", comm_rank(w));
    int before = files_in_folder();
    comm_barrier(w);
    struct rlimit usual, small;
    getrlimit(RLIMIT_FSIZE, &usual);
    small = usual;
    small.rlim_cur = 8192;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    err = results_gather(test_file("full.h5"), &all, provenance, w);
    EXPECT(err.code == EXIT_RESUME && strstr(err.text, "full.h5"), "%d %s", err.code, err.text);
    err = results_write_cell(test_file(name), &all, provenance, true);
    EXPECT(err.code == EXIT_RESUME && strstr(err.text, name), "%d %s", err.code, err.text);
    EXPECT(!commit_flush(test_file(".")).code && commit_flush(test_file("no/such")).code == EXIT_USER, "flush");
    err = results_write_cell(test_file("no/such.h5"), &all, provenance, true);
    EXPECT(err.code == EXIT_USER && strstr(err.text, "no/such.h5"), "%d %s", err.code, err.text);
    setrlimit(RLIMIT_FSIZE, &usual);
    comm_barrier(w);
    EXPECT(files_in_folder() == before, "files left over");
    reads(test_file("full.h5"), &old);
    results_free(&all);
    results_free(&old);
}

/* A byte that changes in memory once the file of it is complete: the file then reads back otherwise than what it is compared with, its
 * own checksums being right. */
static char *turning;

/* In front of the library's: a file that was written is then opened for reading. */
int open(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
    va_end(more);
    if (turning && (flags & O_ACCMODE) == O_RDONLY && strstr(path, "turning")) {
        *turning ^= 1;
        turning = NULL;
    }
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

/* A value of any table that is not in the file as it was given keeps the file from taking the place of the old one. */
static void otherwise(void) {
    Results all = example(13), old = example(5);
    Err err = results_gather(test_file("turning.h5"), &old, provenance, comm_self());
    EXPECT(!err.code, "%s", err.text);
    int before = files_in_folder();
    char *byte[] = {all.cell[12].id, (char *)&all.cell[12].loss, (char *)&all.curve[all.points - 1].loss,
                    (char *)&all.measure[all.measures - 1].value};
    for (size_t i = 0; i < sizeof byte / sizeof *byte; i++) {
        turning = byte[i];
        err = results_gather(test_file("turning.h5"), &all, provenance, comm_self());
        EXPECT(err.code == EXIT_RESUME && strstr(err.text, "not what was written"), "%zu: %d %s", i, err.code,
               err.text);
        EXPECT(!turning && files_in_folder() == before, "%zu: files left over", i);
    }
    reads(test_file("turning.h5"), &old);
    results_free(&all);
    results_free(&old);
}

/* A file from before the table of measures and the columns that came later: no rows, and the stated fallback. */
static void earlier(void) {
    char command[512];
    Results all = example(13), got;
    Err err = results_gather(test_file("earlier.h5"), &all, provenance, comm_self());
    EXPECT(!err.code, "%s", err.text);
    snprintf(
        command, sizeof command,
        "/usr/bin/python3 -c \"import h5py\n"
        "f = h5py.File('%s', 'r+')\n"
        "del f['measures'], f['cells/core_seconds'], f['curves/core_seconds'], f['curves/procedure']\n"
        "for k in 'scalars multi_query increase fixed epochs data swept flop_attention loss_error numbers'.split():\n"
        "    del f['cells/' + k]\"",
        test_file("earlier.h5"));
    EXPECT(system(command) == 0, "%s", command);
    for (int64_t i = 0; i < all.cells; i++) {
        CellRecord *c = &all.cell[i];
        c->compute[CURRENCY_CORE_SECONDS] = c->epochs = c->swept = c->flop_attention = c->loss_error = NAN;
        c->scalars = c->multi_query = c->increase = -1;
        c->fixed = 0;
    }
    for (int64_t p = 0; p < all.points; p++) {
        all.curve[p].compute[CURRENCY_CORE_SECONDS] = NAN;
        for (int k = 0; k < CURVE_NUMBERS; k++) all.curve[p].procedure[k] = NAN;
    }
    all.measures = 0;
    err = results_read(&got, test_file("earlier.h5"));
    EXPECT(!err.code && same(&got, &all), "%s", err.text);
    results_free(&got);
    results_free(&all);
}

/* A whole record of a later version of the format is no damage. */
static void later(void) {
    char command[512], format[RESULTS_ID] = "";
    const char *path = test_file("later.h5");
    Results all = example(1), got;
    Err err = results_write_cell(path, &all, provenance, true);
    EXPECT(!err.code && !results_of_other_version(format, path), "%s", err.text);
    snprintf(command, sizeof command,
             "/usr/bin/python3 -c \"import h5py\n"
             "f = h5py.File('%s', 'r+')\n"
             "f.attrs['format'] = 'equiscale-results-22'\"",
             path);
    EXPECT(system(command) == 0, "%s", command);
    EXPECT(!results_of_other_version(format, path), "its seal is not that of what it holds");
    size_t bytes;
    char *image = test_read(path, &bytes);
    h5_seal(image, bytes);
    test_write(path, image, bytes);
    err = results_read(&got, path);
    EXPECT(err.code == EXIT_USER, "read as if it were of this version");
    EXPECT(results_of_other_version(format, path) && !strcmp(format, "equiscale-results-22"), "%s", format);
    mem_free(image);
    results_free(&all);
}

/* Rows of two files one after the other, their curves and measures pointing at the right cells. */
static void appended(const Comm *w) {
    Results all = {0}, five = example(5);
    if (comm_rank(w) == 0) {
        results_append(&all, &five);
        results_append(&all, &five);
    }
    results_bcast(&all, w);
    EXPECT(all.cells == 10 && all.points == 2 * five.points && all.measures == 2 * five.measures, "sizes");
    for (int64_t p = 0; p < all.points; p++)
        EXPECT(all.curve[p].cell == five.curve[p % five.points].cell + p / five.points * 5, "point %lld", (long long)p);
    for (int64_t m = 0; m < all.measures; m++)
        EXPECT(all.measure[m].cell == five.measure[m % five.measures].cell + m / five.measures * 5 &&
                   all.measure[m].value == 1.0 / 7,
               "measure %lld", (long long)m);
    results_free(&five);
    results_free(&all);
}

/* A column of a table as text, by its name; -1: there is none. */
static int column_of(const Csv *csv, const char *name) {
    for (int i = 0; i < csv->columns; i++)
        if (!strcmp(csv->name[i], name)) return i;
    return -1;
}

/* The rows of a table as text, of which `check` sees each. */
typedef void CheckRow(const Csv *csv, const Results *want, int64_t row);

static void check_table(const char *name, const Results *want, int64_t rows, CheckRow *check) {
    Csv csv;
    bool more = true;
    int64_t n = 0;
    Err err = csv_open(&csv, test_file(name));
    for (;;) {
        if (!err.code) err = csv_next(&csv, &more);
        if (err.code || !more) break;
        if (n < rows) check(&csv, want, n);
        n++;
    }
    EXPECT(!err.code && n == rows, "%s: %lld rows of %lld: %s", name, (long long)n, (long long)rows, err.text);
    csv_close(&csv);
}

static bool same_number(const char *text, double x) {
    return isnan(x) ? !strcmp(text, "nan") : strtod(text, NULL) == x;
}

static void check_cell(const Csv *csv, const Results *want, int64_t row) {
    const CellRecord *c = &want->cell[row];
    int arm = column_of(csv, "arm"), loss = column_of(csv, "loss"), width = column_of(csv, "width");
    int samples = column_of(csv, "samples");
    CHECK(arm >= 0 && loss >= 0 && width >= 0 && samples >= 0, "columns of cells.csv");
    EXPECT(!strcmp(csv->field[arm], c->arm) && same_number(csv->field[loss], c->loss) &&
               atoll(csv->field[width]) == c->width && atoll(csv->field[samples]) == c->samples,
           "row %lld: %s %s %s", (long long)row, csv->field[arm], csv->field[loss], csv->field[width]);
}

static void check_point(const Csv *csv, const Results *want, int64_t row) {
    const CurvePoint *p = &want->curve[row];
    int first = column_of(csv, "procedure_0"), cell = column_of(csv, "cell");
    CHECK(first >= 0 && cell >= 0, "columns of curves.csv");
    EXPECT(atoll(csv->field[cell]) == p->cell, "row %lld: cell %s", (long long)row, csv->field[cell]);
    for (int k = 0; k < CURVE_NUMBERS; k++)
        EXPECT(same_number(csv->field[first + k], p->procedure[k]), "number %d of row %lld: %s", k, (long long)row,
               csv->field[first + k]);
}

/* Every digit of the numbers, and texts whatever is in them. */
static void exported(void) {
    static const char *const arm[] = {"a,b", "say \"c\"", "\"", "d", "e\"\",f"};
    Results all = example(5);
    for (int64_t i = 0; i < all.cells; i++) snprintf(all.cell[i].arm, sizeof all.cell[i].arm, "%s", arm[i]);
    for (int64_t p = 0; p < all.points; p++)
        for (int k = 0; k < CURVE_NUMBERS; k++) all.curve[p].procedure[k] = 1.0 / (double)(3 + p + 100 * k);
    Err err = results_csv(test_file("tables"), &all);
    EXPECT(!err.code, "%s", err.text);
    check_table("tables/cells.csv", &all, all.cells, check_cell);
    check_table("tables/curves.csv", &all, all.points, check_point);
    results_free(&all);
}

/* What is damaged: the record of a cell, which its seal protects, or a file without a seal, which HDF5 gets to see. */
static void make_good(const Results *r, bool sealed) {
    const char *path = test_file("good.h5");
    Err err = sealed ? results_write_cell(path, r, provenance, true) : results_gather(path, r, provenance, comm_self());
    EXPECT(!err.code, "%s", err.text);
}

static Results undamaged;

static Err read_same(const char *path) {
    Results got;
    TRY(results_read(&got, path));
    reader_want(same(&got, &undamaged), "%s: other values than were written", path);
    results_free(&got);
    return ERR_NONE;
}

static Err read_any(const char *path) {
    Results got;
    TRY(results_read(&got, path));
    results_free(&got);
    return ERR_NONE;
}

/* The first ones as the program does it, with a child process for each that HDF5 gets to see; one child reads all others. */
static Err read_bad(Reader *reader, int i) {
    enum { WHOLE = 20 };
    const char *path = test_file("bad.h5");
    return i < WHOLE ? reader->read(path) : reader_ask(reader, path);
}

static void damage(int trials, bool sealed) {
    Err err;
    Reader reader = {.read = read_same};
    undamaged = example(5);
    make_good(&undamaged, sealed);
    size_t bytes;
    char *good = test_read(test_file("good.h5"), &bytes), *bad = mem_alloc(bytes);
    EXPECT(bytes > 0, "%zu bytes", bytes);
    int refused = 0, unharmed = 0;
    for (int i = 0; i < trials; i++) {
        memcpy(bad, good, bytes);
        size_t size = damage_medium((unsigned char *)bad, bytes, i);
        test_write(test_file("bad.h5"), bad, size);
        err = read_bad(&reader, i);
        refused += err.code == EXIT_USER && strstr(err.text, "bad.h5") && !strchr(err.text, '\n');
        unharmed += !err.code;
    }
    reader_end(&reader);
    EXPECT(refused + unharmed == trials && refused > trials / 2, "%d refused, %d unharmed", refused, unharmed);
    EXPECT(!sealed || unharmed == 0, "%d damaged records were taken", unharmed);
    printf("measured %d of %d damaged %s refused, %d unharmed\n", refused, trials, sealed ? "records" : "files",
           unharmed);
    mem_free(good);
    mem_free(bad);
    results_free(&undamaged);
    err = read_any(test_file("none.h5"));
    EXPECT(err.code == EXIT_USER && strstr(err.text, "No such file"), "%s", err.text);
}

/* Headers with right checksums and wrong contents: refused or read, never the end of the program. */
static void repaired(int trials) {
    Reader reader = {.read = read_any};
    Results one = example(5);
    make_good(&one, false);
    size_t bytes;
    char *good = test_read(test_file("good.h5"), &bytes), *bad = mem_alloc(bytes);
    int refused = 0, signals = 0;
    for (int i = 0; i < trials; i++) {
        memcpy(bad, good, bytes);
        int headers = damage_repaired((unsigned char *)bad, bytes, rng_stream("repaired", (uint64_t)i));
        EXPECT(headers > 40, "%d headers", headers);
        test_write(test_file("bad.h5"), bad, bytes);
        Err err = read_bad(&reader, i);
        EXPECT(!err.code || (err.code == EXIT_USER && strstr(err.text, "bad.h5")), "%d %s", err.code, err.text);
        refused += err.code == EXIT_USER;
        signals += strstr(err.text, "ends in signal") != NULL;
    }
    reader_end(&reader);
    EXPECT(refused > trials / 8, "%d refused", refused);
    printf("measured %d of %d files with repaired headers refused, %d after a crash in a child process\n", refused,
           trials, signals);
    mem_free(good);
    mem_free(bad);
    results_free(&one);
}

static Err crash(void *context) {
    (void)context;
    raise(SIGSEGV);
    return ERR_NONE;
}

static Err killed(void *context) {
    (void)context;
    raise(SIGKILL);
    return ERR_NONE;
}

/* A child that crashes tells of its file; one that somebody killed does not. */
static void rehearsals(void) {
    Err err = h5_rehearse(crash, NULL);
    EXPECT(err.code == EXIT_USER && strstr(err.text, "damaged"), "%s", err.text);
    err = h5_rehearse(killed, NULL);
    EXPECT(err.code == EXIT_RESUME && !strstr(err.text, "damaged"), "%s", err.text);
}

/* Changes that h5py can make to a good file, and what they are told. */
static void hostile(void) {
    static const char *change[][2] = {
        {"n = np.zeros(40, 'i8') + 5; del c['width']; c['width'] = n", "/cells/width: shapes of the columns differ"},
        {"del c['id']; c.create_dataset('id', (720000000,), 'S96', chunks=(8192,))",
         "/cells/id: holds values never written"},
        {"del c['seed']; c.create_dataset('seed', (5,), 'i8')", "/cells/seed: holds values never written"},
        {"l = h5py.VirtualLayout((5,), 'i8'); l[:] = h5py.VirtualSource(f['cells/width']); del c['depth']; "
         "c.create_virtual_dataset('depth', l)",
         "/cells/depth: a virtual dataset: want contiguous or chunked"},
        {"del c['tokens']; c.create_dataset('tokens', (5,), 'i8', external=[('raw.bin', 0, 40)])",
         "/cells/tokens: an external dataset: want contiguous or chunked"},
        {"c['loss'][0] = 5", "/cells/loss: its digest is "},
        {"c['parameters'][2] = 0; del c['parameters'].attrs['digest']",
         "/cells/parameters: parameters of row 2 = 0: want a positive number"},
        {"c['samples'][0] = -1; del c['samples'].attrs['digest']",
         "/cells/samples: samples of row 0 = -1: want a positive number"},
        {"c['outcome'][0] = 3; del c['outcome'].attrs['digest']", "/cells/outcome: row 0 holds 3: want 0, 1 or 2"},
        {"c['curve_points'][4] = 5; del c['curve_points'].attrs['digest']", "/cells/curve_points: row 4 holds 5"},
        {"c['curve_points'][4] = 3; del c['curve_points'].attrs['digest']",
         "/cells/curve_points: the sum is 9: want 10"},
        {"p = f['curves/cell']; p[0] = 4; del p.attrs['digest']", "/curves/cell: row 0 holds 4: want 1"},
        {"p = f['curves/procedure'][:]; del f['curves/procedure']; f['curves/procedure'] = np.hstack([p, p])",
         "/curves/procedure: want the shape (rows, "},
        {"n = c['width'][:]; del c['width']; c['width'] = n + 0.5", "/cells/width: want whole numbers"},
        {"n = c['id'][:]; del c['id']; c['id'] = n.astype('S200')", "/cells/id: want fixed-length text"},
        {"del f['curves/loss']", "/curves/loss: no such dataset"},
        {"m = f['measures/cell']; m[0] = 5; del m.attrs['digest']", "/measures/cell: row 0 holds 5"},
        {"del f['measures/value']", "/measures/value: no such dataset"},
    };
    for (size_t i = 0; i < sizeof change / sizeof *change; i++) {
        Results one = example(5), got;
        Err err = results_gather(test_file("hostile.h5"), &one, provenance, comm_self());
        EXPECT(!err.code, "%s", err.text);
        char command[1024];
        snprintf(command, sizeof command,
                 "/usr/bin/python3 -c \"import h5py, numpy as np\nf = h5py.File('%s', 'r+'); c = f['cells']\n%s\"",
                 test_file("hostile.h5"), change[i][0]);
        EXPECT(system(command) == 0, "%s", command);
        err = results_read(&got, test_file("hostile.h5"));
        EXPECT(err.code == EXIT_USER && strstr(err.text, change[i][1]), "want %s: %s", change[i][1], err.text);
        results_free(&got);
        results_free(&one);
    }
    Results got;
    Err err = results_read(&got, test_folder);
    EXPECT(err.code == EXIT_USER && strstr(err.text, "a folder"), "%s", err.text);
    EXPECT(mkfifo(test_file("pipe.h5"), 0600) == 0, "pipe");
    err = results_read(&got, test_file("pipe.h5"));
    EXPECT(err.code == EXIT_USER && strstr(err.text, "a pipe"), "%s", err.text);
}

static void tools(void) {
    char command[1024];
    snprintf(command, sizeof command,
             "/usr/bin/python3 -c \"import h5py, math\n"
             "f = h5py.File('%s')\n"
             "c = f['cells']\n"
             "assert c['id'][3] == b'gatr-w8x2-n3' and c['width'][3] == 11 and math.isnan(c['loss'][1])\n"
             "assert c['flop_nominal'].attrs['unit'] == b'FLOP' and c['samples'].attrs['description']\n"
             "n = c.attrs['currencies'].decode().split(',')\n"
             "assert n[0] == 'flop_nominal' and f['curves'].attrs['currencies'].decode().split(',') == n\n"
             "assert all(c[k].attrs['currency'] and c[k].attrs['title'] and k in f['curves'] for k in n)\n"
             "assert f['measures/measure'][0] == b'equivariance' and f['measures/se'].attrs['description']\n"
             "assert f['provenance'].attrs['commit'] == b'1234abc'\n"
             "assert len(f['curves/step']) == c['curve_points'][:].sum()\"",
             test_file("results.h5"));
    EXPECT(system(command) == 0, "h5py");
    snprintf(command, sizeof command, "h5dump -d /curves/loss %s | grep -q 0.333333", test_file("results.h5"));
    if (system("command -v h5dump >/dev/null") == 0) EXPECT(system(command) == 0, "h5dump");
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    const Comm *w = comm_world();
    test_folder_new();
    cells();
    alike();
    unlike();
    gathered(w);
    full_disk(w);
    appended(w);
    if (comm_rank(w) == 0) otherwise();
    if (comm_rank(w) == 0) earlier();
    if (comm_rank(w) == 0) later();
    if (comm_size(w) == 1) {
        damage(test_trials(argc, argv, 300), false);
        damage(test_trials(argc, argv, 300), true);
        repaired(test_trials(argc, argv, 80));
        rehearsals();
        hostile();
        exported();
    }
    if (comm_rank(w) == 0) tools();
    results_forget();
    return test_end();
}
