#include "infer/symmetry.h"
#include "report_pieces.h"

#include "base/arena.h"
#include "base/rng.h"

#include <math.h>
#include <string.h>

enum { OUTPUT = -1 }; /* layer */

const SymmetryHeadline symmetry_headline[SYMMETRY_HEADLINES] = {
    {"equivariance", "so3", "rotation error", false}, {"equivariance", "mirror", "mirror error", false},
    {"twirl", "share", "twirl share", false},         {"mirror", "share", "mirror share", false},
    {"lie", "relative", "Lie derivative", false},     {"correlation", "so3", "correlation", false},
    {"correlation", "", "of last layer", true},       {"invariance", "so3", "invariance", false},
    {"invariance", "accuracy", "probe", false},
};

/* Which correlations over cells are asked for. */
static const struct {
    const char *measure, *element;
    SymmetryGoal goal;
} asked[] = {
    {"invariance", "so3", SYMMETRY_ACCURACY}, {"invariance", "so3", SYMMETRY_LOSS},
    {"correlation", "so3", SYMMETRY_LOSS},    {"correlation", "so3", SYMMETRY_SIZE},
    {"correlation", "so3", SYMMETRY_SAMPLES}, {"lie", "relative", SYMMETRY_LOSS},
    {"lie", "relative", SYMMETRY_SIZE},       {"lie", "relative", SYMMETRY_SAMPLES},
};

static bool same(const char *a, const char *b) {
    return !strcmp(a, b);
}

static bool finished(const CellRecord *cell) {
    return cell->outcome == OUTCOME_DONE && same(cell->role, "grid");
}

/* ---- Rows. ---- */

/* Whether row i is the last that its cell has of this number. Rows of a cell stand together. */
static bool is_last(const Results *r, int64_t i) {
    const MeasureRow *mine = &r->measure[i];
    for (int64_t k = i + 1; k < r->measures && r->measure[k].cell == mine->cell; k++) {
        const MeasureRow *m = &r->measure[k];
        if (m->layer == mine->layer && same(m->measure, mine->measure) && same(m->element, mine->element)) return false;
    }
    return true;
}

/* What was measured on the outputs of finished cells. */
static void take_rows(Symmetry *s) {
    const Results *r = &s->results;
    s->row = MEM_NEW(int64_t, r->measures + 1);
    for (int64_t i = 0; i < r->measures; i++) {
        const MeasureRow *m = &r->measure[i];
        if (m->layer == OUTPUT && finished(&r->cell[m->cell]) && is_last(r, i)) s->row[s->rows++] = i;
    }
}

/* The first row of a cell, or of the next one that has any: rows are ordered by cell. */
static int64_t first_row(const Results *r, int64_t cell) {
    int64_t below = 0, to = r->measures;
    while (below < to) {
        int64_t middle = (below + to) / 2;
        if (r->measure[middle].cell < cell)
            below = middle + 1;
        else
            to = middle;
    }
    return below;
}

/* The last number of a cell: at the output, of what is not measured there on the last layer. NULL: not measured. */
static const MeasureRow *number_of(const Results *r, int64_t cell, const char *measure, const char *element) {
    const MeasureRow *found = NULL;
    for (int64_t i = first_row(r, cell); i < r->measures && r->measure[i].cell == cell; i++) {
        const MeasureRow *m = &r->measure[i];
        if (!same(m->measure, measure) || !same(m->element, element)) continue;
        if (!found || m->layer == OUTPUT || (found->layer != OUTPUT && m->layer >= found->layer)) found = m;
    }
    return found;
}

/* The same on one layer. */
static const MeasureRow *number_at(const Results *r, int64_t cell, const char *measure, const char *element,
                                   int64_t layer) {
    const MeasureRow *found = NULL;
    for (int64_t i = first_row(r, cell); i < r->measures && r->measure[i].cell == cell; i++) {
        const MeasureRow *m = &r->measure[i];
        if (m->layer == layer && same(m->measure, measure) && same(m->element, element)) found = m;
    }
    return found;
}

/* The correlation of what a cell's last layer holds, moved as that layer moves. NULL: not measured, or with too few tokens. */
static const MeasureRow *last_correlation(const Results *r, int64_t cell) {
    const MeasureRow *found = NULL;
    for (int64_t i = first_row(r, cell); i < r->measures && r->measure[i].cell == cell; i++) {
        const MeasureRow *m = &r->measure[i];
        bool moved = same(m->element, "so3 action") || same(m->element, "so3 fitted");
        if (!same(m->measure, "correlation") || !moved || m->layer == OUTPUT || !isfinite(m->value)) continue;
        if (!found || m->layer >= found->layer) found = m;
    }
    return found;
}

static const MeasureRow *headline_of(const Results *r, int64_t cell, const SymmetryHeadline *headline) {
    if (headline->last) return last_correlation(r, cell);
    return number_of(r, cell, headline->measure, headline->element);
}

/* ---- Arms. ---- */

static bool measured(const Results *r, int64_t cell) {
    int64_t i = first_row(r, cell);
    return i < r->measures && r->measure[i].cell == cell;
}

/* Mean over the cells of the arm's largest size and length. */
static SymmetryNumber pooled(const Results *r, const SymmetryArm *arm, const SymmetryHeadline *headline) {
    double sum = 0, squares = 0, variance = 0;
    int64_t n = 0, samples = 0;
    for (int64_t i = 0; i < r->cells; i++) {
        const CellRecord *c = &r->cell[i];
        bool mine =
            finished(c) && same(c->arm, arm->arm) && (double)c->parameters == arm->n && (double)c->samples == arm->d;
        const MeasureRow *m = mine ? headline_of(r, i, headline) : NULL;
        if (!m || !isfinite(m->value)) continue;
        sum += m->value;
        squares += m->value * m->value;
        variance += m->se * m->se;
        samples += m->samples;
        n++;
    }
    if (!n) return (SymmetryNumber){.value = NAN, .se = NAN};
    double mean = sum / (double)n;
    double within = sqrt(variance) / (double)n;
    double between = n > 1 ? sqrt(fmax(squares - (double)n * mean * mean, 0) / (double)(n - 1) / (double)n) : NAN;
    return (SymmetryNumber){.value = mean, .se = fmax(within, between), .samples = samples};
}

static SymmetryArm *arm_of(Symmetry *s, const char *name) {
    for (int m = 0; m < s->arms; m++)
        if (same(s->arm[m].arm, name)) return &s->arm[m];
    s->arm = mem_grow(s->arm, (size_t)(s->arms + 1) * sizeof *s->arm);
    SymmetryArm *arm = &s->arm[s->arms++];
    *arm = (SymmetryArm){0};
    strcpy(arm->arm, name);
    return arm;
}

static void take_arms(Symmetry *s) {
    const Results *r = &s->results;
    for (int64_t i = 0; i < r->cells; i++) {
        const CellRecord *c = &r->cell[i];
        if (!finished(c) || !measured(r, i)) continue;
        SymmetryArm *arm = arm_of(s, c->arm);
        double n = (double)c->parameters, d = (double)c->samples;
        if (n > arm->n || (n == arm->n && d > arm->d)) {
            arm->n = n;
            arm->d = d;
            arm->seeds = 0;
        }
        arm->seeds += n == arm->n && d == arm->d;
    }
    for (int m = 0; m < s->arms; m++)
        for (int h = 0; h < SYMMETRY_HEADLINES; h++) s->arm[m].of[h] = pooled(r, &s->arm[m], &symmetry_headline[h]);
}

/* ---- Do invariance and equivariance go with quality, size and training? ---- */

/* Ranks from 0, equal values share the mean of theirs. `sorted` is scratch. */
static void ranks(double *rank, double *sorted, const double *x, int64_t n) {
    memcpy(sorted, x, (size_t)n * sizeof *x);
    stats_sort(sorted, n);
    for (int64_t i = 0; i < n; i++) {
        int64_t below = 0, to = n;
        while (below < to) { /* how many are smaller */
            int64_t middle = (below + to) / 2;
            if (sorted[middle] < x[i])
                below = middle + 1;
            else
                to = middle;
        }
        int64_t last = below;
        while (last + 1 < n && sorted[last + 1] == x[i]) last++;
        rank[i] = (double)(below + last) / 2;
    }
}

enum { DRAWS = 1000 };

/* Scores that differ by less are the same: what is exact differs by rounding alone, which goes with size. */
static const double SCORE_ROUNDING = 1e-5;

/* Both correlations with intervals from cells drawn with replacement. */
static void correlate(SymmetryLink *link, const double *x, const double *y) {
    int64_t n = link->n;
    link->pearson = link->spearman = (Estimate){NAN, {NAN, NAN}};
    double least = INFINITY, most = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        least = fmin(least, x[i]);
        most = fmax(most, x[i]);
    }
    if (n < SYMMETRY_LEAST || most - least < SCORE_ROUNDING) return;
    double *room = MEM_NEW(double, 5 * n + 2 * DRAWS);
    double *px = room, *py = px + n, *rx = py + n, *ry = rx + n, *sorted = ry + n;
    double *drawn[2] = {sorted + n, sorted + n + DRAWS};
    ranks(rx, sorted, x, n);
    ranks(ry, sorted, y, n);
    link->pearson.value = stats_correlation(x, y, n);
    link->spearman.value = stats_correlation(rx, ry, n);
    for (int d = 0; d < DRAWS; d++) {
        for (int64_t i = 0; i < n; i++) {
            int64_t k = rng_below(1, rng_stream("symmetry", (uint64_t)d), (uint64_t)i, n);
            px[i] = x[k];
            py[i] = y[k];
        }
        ranks(rx, sorted, px, n);
        ranks(ry, sorted, py, n);
        drawn[0][d] = stats_correlation(px, py, n);
        drawn[1][d] = stats_correlation(rx, ry, n);
    }
    if (isfinite(link->pearson.value)) link->pearson.interval = stats_interval(drawn[0], DRAWS, 0);
    if (isfinite(link->spearman.value)) link->spearman.interval = stats_interval(drawn[1], DRAWS, 0);
    mem_free(room);
}

/* What a score is held against; `probe`: the cell's, if it has one. */
static double held_against(const CellRecord *c, SymmetryGoal goal, const MeasureRow *probe) {
    switch (goal) {
    case SYMMETRY_ACCURACY: return probe ? probe->value : NAN;
    case SYMMETRY_LOSS: return -log(c->loss);
    case SYMMETRY_SIZE: return log((double)c->parameters);
    case SYMMETRY_SAMPLES: return log((double)c->samples);
    case SYMMETRY_GOALS: break;
    }
    return NAN;
}

/* One line over the cells of an arm; arm "": of all. None where nothing was measured. */
static void add_link(Symmetry *s, const char *arm, SymmetryLink link) {
    const Results *r = &s->results;
    double *x = MEM_NEW(double, 2 * r->cells + 1), *y = x + r->cells;
    strcpy(link.arm, arm);
    for (int64_t i = 0; i < r->cells; i++) {
        const CellRecord *c = &r->cell[i];
        if (!finished(c) || (*arm && !same(c->arm, arm))) continue;
        /* A probe's invariance stands with its accuracy, on the layer that it reads. */
        const MeasureRow *probe = number_of(r, i, "invariance", "accuracy");
        int64_t layer = link.goal == SYMMETRY_ACCURACY && probe ? probe->layer : OUTPUT;
        const MeasureRow *score = number_at(r, i, link.measure, link.element, layer);
        double other = held_against(c, link.goal, probe);
        if (!score || !isfinite(score->value) || !isfinite(other)) continue;
        x[link.n] = score->value;
        y[link.n] = other;
        if (!link.n || score->samples < link.least) link.least = score->samples;
        if (score->samples > link.most) link.most = score->samples;
        link.n++;
    }
    if (link.n) {
        correlate(&link, x, y);
        s->link = mem_grow(s->link, (size_t)(s->links + 1) * sizeof *s->link);
        s->link[s->links++] = link;
    }
    mem_free(x);
}

static void take_links(Symmetry *s) {
    for (int k = 0; k < (int)(sizeof asked / sizeof *asked); k++) {
        SymmetryLink link = {.measure = asked[k].measure, .element = asked[k].element, .goal = asked[k].goal};
        for (int m = 0; m < s->arms; m++) add_link(s, s->arm[m].arm, link);
        if (s->arms > 1) add_link(s, "", link);
    }
}

/* ---- What training found. ---- */

/* Whether a procedure's number is the width of a generator of motions, by its name. */
static bool is_generator(const char *name) {
    static const char *const kind[] = {"rotation_", "shear_", "stretch_", "shift_", "scale"};
    for (int k = 0; k < (int)(sizeof kind / sizeof *kind); k++)
        if (!strncmp(name, kind[k], strlen(kind[k]))) return true;
    return false;
}

static void add_width(Symmetry *s, int64_t cell, const char *generator, double width) {
    s->width = mem_grow(s->width, (size_t)(s->widths + 1) * sizeof *s->width);
    SymmetryWidth *w = &s->width[s->widths++];
    *w = (SymmetryWidth){.cell = cell, .width = width};
    strncat(w->generator, generator, sizeof w->generator - 1);
}

/* The class of a cell's next weight: counted from 0, or below it of weights that are 0. */
static void add_class(Symmetry *s, int64_t cell, double number) {
    if (!s->sharings || s->sharing[s->sharings - 1].cell != cell) {
        s->sharing = mem_grow(s->sharing, (size_t)(s->sharings + 1) * sizeof *s->sharing);
        s->sharing[s->sharings++] = (SymmetrySharing){.cell = cell};
    }
    char *classes = s->sharing[s->sharings - 1].classes;
    const char letter[] = {number < 0 ? '0' : (char)('a' + (int)number), 0};
    if (*classes) strcat(classes, " ");
    strcat(classes, letter);
}

/* From the last point of each finished cell's learning curve. */
static void take_found(Symmetry *s) {
    const Results *r = &s->results;
    for (int64_t p = 0; p < r->points; p++) {
        const CurvePoint *q = &r->curve[p];
        bool last = p + 1 == r->points || r->curve[p + 1].cell != q->cell;
        if (!last || !finished(&r->cell[q->cell])) continue;
        char names[RESULTS_NUMBERS], *rest = NULL;
        strcpy(names, r->cell[q->cell].numbers);
        char *name = strtok_r(names, ",", &rest);
        for (int k = 0; name && k < CURVE_NUMBERS; k++, name = strtok_r(NULL, ",", &rest)) {
            double number = q->procedure[k];
            if (!isfinite(number)) continue;
            if (is_generator(name)) add_width(s, q->cell, name, number);
            if (!strncmp(name, "class_", strlen("class_"))) add_class(s, q->cell, number);
        }
    }
}

const SymmetrySharing *symmetry_sharing(const Symmetry *s, int arm) {
    const SymmetryArm *a = &s->arm[arm];
    for (int64_t i = 0; i < s->sharings; i++) {
        const CellRecord *c = &s->results.cell[s->sharing[i].cell];
        if (same(c->arm, a->arm) && (double)c->parameters == a->n && (double)c->samples == a->d) return &s->sharing[i];
    }
    return NULL;
}

/* ---- The whole of it. ---- */

Symmetry symmetry_of(Results results) {
    Symmetry s = {.results = results};
    take_rows(&s);
    take_arms(&s);
    take_links(&s);
    take_found(&s);
    return s;
}

void symmetry_free(Symmetry *s) {
    results_free(&s->results);
    mem_free(s->arm);
    mem_free(s->link);
    mem_free(s->row);
    mem_free(s->width);
    mem_free(s->sharing);
    *s = (Symmetry){0};
}

/* ---- For programs. ---- */

static void put_row(Json *j, const Results *r, const MeasureRow *m) {
    const CellRecord *c = &r->cell[m->cell];
    json_open_object(j, NULL);
    json_put_text(j, "arm", c->arm);
    json_put_text(j, "cell", c->id);
    json_put_text(j, "measure", m->measure);
    json_put_text(j, "element", m->element);
    json_put_number(j, "value", m->value);
    json_put_number(j, "se", m->se);
    json_put_int(j, "samples", m->samples);
    json_close(j);
}

/* The correlations of effective invariance, or those of the other measures. */
static void put_links(Json *j, const Symmetry *s, const char *key, bool invariance) {
    static const char *const goal[SYMMETRY_GOALS] = {"accuracy", "-log loss", "N", "D"};
    json_open_array(j, key);
    for (int i = 0; i < s->links; i++) {
        const SymmetryLink *link = &s->link[i];
        if (same(link->measure, "invariance") != invariance) continue;
        json_open_object(j, NULL);
        json_put_text(j, "arm", *link->arm ? link->arm : "all");
        json_put_text(j, "measure", link->measure);
        json_put_text(j, "with", goal[link->goal]);
        json_put_int(j, "n", link->n);
        json_open_array(j, "samples");
        json_put_int(j, NULL, link->least);
        json_put_int(j, NULL, link->most);
        json_close(j);
        report_estimate(j, "pearson", link->pearson);
        report_estimate(j, "spearman", link->spearman);
        json_close(j);
    }
    json_close(j);
}

void symmetry_json(Json *j, const Symmetry *s) {
    const Results *r = &s->results;
    json_open_array(j, "symmetry");
    for (int64_t i = 0; i < s->rows; i++) put_row(j, r, &r->measure[s->row[i]]);
    json_close(j);
    json_open_array(j, "exact");
    for (int m = 0; m < s->arms; m++) {
        json_open_object(j, NULL);
        json_put_text(j, "arm", s->arm[m].arm);
        json_put_text(j, "exact", s->arm[m].exact ? s->arm[m].exact : "unknown");
        json_close(j);
    }
    json_close(j);
    put_links(j, s, "invariance", true);
    put_links(j, s, "trends", false);
    json_open_array(j, "widths");
    for (int64_t i = 0; i < s->widths; i++) {
        const SymmetryWidth *w = &s->width[i];
        json_open_object(j, NULL);
        json_put_text(j, "arm", r->cell[w->cell].arm);
        json_put_text(j, "cell", r->cell[w->cell].id);
        json_put_int(j, "seed", r->cell[w->cell].seed);
        json_put_text(j, "generator", w->generator);
        json_put_number(j, "width", w->width);
        json_close(j);
    }
    json_close(j);
    json_open_array(j, "sharing");
    for (int64_t i = 0; i < s->sharings; i++) {
        const CellRecord *c = &r->cell[s->sharing[i].cell];
        json_open_object(j, NULL);
        json_put_text(j, "arm", c->arm);
        json_put_text(j, "cell", c->id);
        json_put_int(j, "seed", c->seed);
        json_put_text(j, "classes", s->sharing[i].classes);
        json_close(j);
    }
    json_close(j);
}
