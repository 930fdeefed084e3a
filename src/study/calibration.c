#include "study/calibration.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/kept.h"
#include "base/stop.h"
#include "base/text.h"
#include "base/timer.h"
#include "io/commit.h"
#include "study/provenance.h"

#include <stdio.h>
#include <string.h>

/* The file: the build, then lines `numbers name`. Names hold no line ends. */
enum { LINE = CALIBRATION_NAME + 32 * CALIBRATION_NUMBERS };

static void build(char text[LINE]) {
    snprintf(text, LINE, "equiscale-cost-1 %s %s", provenance_version(), provenance_compiler());
    text[strcspn(text, "\n")] = 0;
}

static bool read_line(Measured *m, const char *line) {
    double *v = m->value;
    int used = 0;
    if (sscanf(line, "%lf %lf %lf %lf %lf %n", &v[0], &v[1], &v[2], &v[3], &v[4], &used) < CALIBRATION_NUMBERS)
        return false;
    snprintf(m->name, sizeof m->name, "%.*s", (int)strcspn(line + used, "\n"), line + used);
    return used > 0 && *m->name;
}

static void add(Calibration *c, const Measured *m) {
    c->at = mem_grow(c->at, (size_t)(c->n + 1) * sizeof *c->at);
    c->at[c->n++] = *m;
}

/* On the root. */
static void read_file(Calibration *c) {
    char path[COMMIT_PATH], line[LINE], want[LINE];
    if (!kept_path(path, sizeof path, "cost")) return;
    FILE *f = file_own(path);
    if (!f) return;
    build(want);
    bool ours = fgets(line, sizeof line, f) && !strncmp(line, want, strlen(want)) && line[strlen(want)] == '\n';
    Measured m;
    while (ours && fgets(line, sizeof line, f))
        if (read_line(&m, line)) add(c, &m);
    fclose(f);
}

void calibration_load(Calibration *c, bool again, const Comm *comm) {
    *c = (Calibration){.loaded = timer_now()};
    if (!again && comm_rank(comm) == 0) read_file(c);
    comm_bcast(comm, &c->n, sizeof c->n, 0);
    if (comm_rank(comm) != 0 && c->n) c->at = MEM_NEW(Measured, c->n);
    comm_bcast(comm, c->at, (size_t)c->n * sizeof *c->at, 0);
}

/* A cache that cannot be written is none. */
void calibration_save(const Calibration *c, const Comm *comm) {
    char path[COMMIT_PATH];
    if (comm_rank(comm) != 0 || !c->changed || !kept_path(path, sizeof path, "cost")) return;
    char head[LINE];
    Text text = {0};
    build(head);
    text_add(&text, "%s\n", head);
    for (int i = 0; i < c->n; i++) {
        const double *v = c->at[i].value;
        text_add(&text, "%.6e %.6e %.6e %.6e %.6e %s\n", v[0], v[1], v[2], v[3], v[4], c->at[i].name);
    }
    if (!commit_text(path, text.at, true).code) stop_once(timer_now() - c->loaded);
    mem_free(text.at);
}

void calibration_free(Calibration *c) {
    mem_free(c->at);
    *c = (Calibration){0};
}

static Measured *find(const Calibration *c, const char *name) {
    for (int i = 0; i < c->n; i++)
        if (!strcmp(c->at[i].name, name)) return &c->at[i];
    return NULL;
}

const double *calibration_get(const Calibration *c, const char *name) {
    const Measured *m = find(c, name);
    return m ? m->value : NULL;
}

void calibration_put(Calibration *c, const char *name, const double value[CALIBRATION_NUMBERS]) {
    Measured m = {0}, *kept = find(c, name);
    snprintf(m.name, sizeof m.name, "%s", name);
    memcpy(m.value, value, sizeof m.value);
    if (kept)
        *kept = m;
    else
        add(c, &m);
    c->changed = true;
}
