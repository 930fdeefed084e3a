/* What is said of measurements on models: the largest models' means, of the output and of the last layer, correlations with known
 * answers, widths by generator, weights that are the same. */
// TEST single n=1
#include "check.h"
#include "infer/symmetry.h"

enum { CELLS = 12, POINTS = 2 };

static void add(Results *r, int64_t cell, const char *measure, int64_t layer, const char *element, double value) {
    MeasureRow *m = &r->measure[r->measures++];
    *m = (MeasureRow){
        .cell = cell, .step = 10, .layer = layer, .value = value, .se = 0.1, .samples = 64 + (cell < 10 ? cell : 10)};
    strcpy(m->measure, measure);
    strcpy(m->element, element);
}

/* Twelve cells of one arm: invariance grows with -log loss, the probe's accuracy falls with the probe's invariance; larger models
 * correlate less, all are trained for as long. */
static Results made(void) {
    Results r = {.cell = MEM_NEW(CellRecord, CELLS),
                 .curve = MEM_NEW(CurvePoint, CELLS * POINTS),
                 .measure = MEM_NEW(MeasureRow, CELLS * 11)};
    r.cells = CELLS;
    for (int64_t i = 0; i < CELLS; i++) {
        CellRecord *c = &r.cell[i];
        *c = (CellRecord){
            .parameters = 100 * (1 + i / 2), .samples = 1000, .seed = i % 2, .loss = exp(-0.1 * (double)i)};
        strcpy(c->arm, "made");
        strcpy(c->role, "grid");
        strcpy(c->numbers, "rotation_x,weight,class_1,class_2,class_3,class_4");
        add(&r, i, "equivariance", -1, "so3", 9); /* of an earlier step */
        add(&r, i, "equivariance", -1, "so3", (double)i);
        add(&r, i, "invariance", -1, "so3", 0.05 * (double)i);
        add(&r, i, "invariance", 2, "accuracy", 0.3 + 0.01 * (double)(i * i));
        add(&r, i, "invariance", 2, "so3", 1 - 0.05 * (double)i);
        add(&r, i, "correlation", -1, "so3", 1 - 0.01 * (double)(i / 2));
        add(&r, i, "correlation", 0, "so3 fitted", 0.99);
        add(&r, i, "correlation", 1, "so3 fitted", 0.8 + 0.02 * (double)(i % 2));
        add(&r, i, "correlation", 1, "so3 invariance", 0.2);
        add(&r, i, "correlation", 2, "so3 fitted", NAN); /* of too few tokens */
        for (int p = 0; p < POINTS; p++)
            r.curve[r.points++] =
                (CurvePoint){.cell = i, .step = p, .procedure = {(double)(10 * i + p), 7, 0, -1, 1, NAN}};
    }
    return r;
}

static const SymmetryLink *link_of(const Symmetry *s, const char *measure, SymmetryGoal goal) {
    for (int i = 0; i < s->links; i++)
        if (!strcmp(s->link[i].measure, measure) && s->link[i].goal == goal) return &s->link[i];
    return NULL;
}

static void known_answers(void) {
    Symmetry s = symmetry_of(made());
    EXPECT(s.arms == 1 && s.arm[0].n == 600 && s.arm[0].seeds == 2, "%d arms, N %g", s.arms, s.arm[0].n);
    /* Cells 10 and 11 are the largest model: mean 10.5, between seeds .5. */
    EXPECT(fabs(s.arm[0].of[0].value - 10.5) < 1e-12 && fabs(s.arm[0].of[0].se - 0.5) < 1e-12, "%g +- %g",
           s.arm[0].of[0].value, s.arm[0].of[0].se);
    EXPECT(s.arm[0].of[0].samples == 148 && isnan(s.arm[0].of[2].value), "samples, and what was not measured");
    int last = 0;
    while (!symmetry_headline[last].last) last++;
    EXPECT(fabs(s.arm[0].of[last].value - 0.81) < 1e-12, "last layer: %g", s.arm[0].of[last].value);
    EXPECT(s.rows == 3 * CELLS, "%lld rows at outputs, one step of each", (long long)s.rows);

    const SymmetryLink *loss = link_of(&s, "invariance", SYMMETRY_LOSS),
                       *right = link_of(&s, "invariance", SYMMETRY_ACCURACY);
    EXPECT(s.links == 5 && loss && right, "%d links", s.links);
    EXPECT(loss->least == 64 && loss->most == 74, "%lld to %lld samples", (long long)loss->least,
           (long long)loss->most);
    const SymmetryLink *size = link_of(&s, "correlation", SYMMETRY_SIZE);
    EXPECT(size && fabs(size->spearman.value + 1) < 1e-12 && size->pearson.value < -0.9, "with N");
    EXPECT(link_of(&s, "correlation", SYMMETRY_LOSS)->spearman.value < -0.9, "with -log loss");
    EXPECT(isnan(link_of(&s, "correlation", SYMMETRY_SAMPLES)->spearman.value), "one length says nothing of lengths");
    EXPECT(!link_of(&s, "lie", SYMMETRY_LOSS), "of what was not measured");
    EXPECT(fabs(loss->pearson.value - 1) < 1e-12 && fabs(loss->spearman.value - 1) < 1e-12, "%g", loss->pearson.value);
    EXPECT(fabs(right->spearman.value + 1) < 1e-12 && right->pearson.value > -1 + 1e-3, "%g", right->pearson.value);
    EXPECT(right->pearson.interval.lo <= right->pearson.value && right->pearson.interval.hi >= right->pearson.value &&
               right->pearson.interval.hi < -0.8,
           "[%g, %g]", right->pearson.interval.lo, right->pearson.interval.hi);

    EXPECT(s.widths == CELLS, "%lld widths", (long long)s.widths);
    EXPECT(!strcmp(s.width[3].generator, "rotation_x") && s.width[3].width == 31, "%g", s.width[3].width);
    const SymmetrySharing *same = symmetry_sharing(&s, 0);
    EXPECT(s.sharings == CELLS && same && same->cell == 10, "%lld sharings", (long long)s.sharings);
    EXPECT(same && !strcmp(same->classes, "a 0 b"), "%s", same ? same->classes : "none");
    symmetry_free(&s);
}

/* Fewer cells than correlations are given for; none of a cell that diverged. */
static void few(void) {
    Results r = made();
    for (int64_t i = SYMMETRY_LEAST - 1; i < CELLS; i++) r.cell[i].outcome = OUTCOME_DIVERGED;
    Symmetry s = symmetry_of(r);
    EXPECT(s.links == 5 && s.link[0].n == SYMMETRY_LEAST - 1, "%lld cells", (long long)s.link[0].n);
    EXPECT(isnan(s.link[0].pearson.value) && isnan(s.link[1].spearman.interval.lo), "no correlation of so few");
    symmetry_free(&s);
}

/* Scores of an exact arm differ by rounding alone. */
static void exact(void) {
    Results r = made();
    for (int64_t i = 0; i < r.measures; i++)
        if (r.measure[i].layer == -1) r.measure[i].value = 1 - 1e-9 * r.measure[i].value;
    Symmetry s = symmetry_of(r);
    const SymmetryLink *loss = link_of(&s, "invariance", SYMMETRY_LOSS),
                       *right = link_of(&s, "invariance", SYMMETRY_ACCURACY);
    EXPECT(loss && loss->n == CELLS && isnan(loss->spearman.value), "a correlation of rounding");
    EXPECT(right && isfinite(right->spearman.value), "of scores that differ");
    symmetry_free(&s);
}

/* Cells of another purpose than the grid say nothing; the longest training of the largest model stands for its arm; equal values
 * share the mean of their ranks; a number of the output counts before one of a layer; the wider of two errors is given. */
static void chosen(void) {
    Results r = made();
    for (int64_t i = 0; i < CELLS; i++) {
        if (i >= 6) strcpy(r.cell[i].arm, "other");
        if (i % 2) r.cell[i].samples = 2000; /* of both models of a size the second is trained for longer */
    }
    strcpy(r.cell[5].role, "data");
    r.measure[r.measures - 10].value = 77; /* of an earlier step */
    for (int64_t i = 0; i < r.measures; i++) r.measure[i].se = 3;
    add(&r, CELLS - 1, "equivariance", 4, "so3", 55);
    Symmetry s = symmetry_of(r);
    EXPECT(s.arms == 2 && s.arm[0].n == 300 && s.arm[0].d == 1000 && s.arm[0].seeds == 1, "N %g, D %g, %d seeds",
           s.arm[0].n, s.arm[0].d, s.arm[0].seeds);
    EXPECT(s.arm[1].n == 600 && s.arm[1].d == 2000 && s.arm[1].seeds == 1, "N %g, D %g, %d seeds", s.arm[1].n,
           s.arm[1].d, s.arm[1].seeds);
    EXPECT(s.arm[1].of[0].value == 11 && s.arm[1].of[0].se == 3, "%g +- %g", s.arm[1].of[0].value, s.arm[1].of[0].se);
    const SymmetrySharing *last = symmetry_sharing(&s, 1);
    EXPECT(last && last->cell == 11, "classes of cell %lld", last ? (long long)last->cell : -1);
    int all = 0;
    for (int i = 0; i < s.links; i++) all += !*s.link[i].arm;
    EXPECT(all == 5, "%d lines over all arms", all);
    const SymmetryLink *link = NULL;
    for (int i = 0; i < s.links; i++)
        if (!*s.link[i].arm && !strcmp(s.link[i].measure, "correlation") && s.link[i].goal == SYMMETRY_SIZE)
            link = &s.link[i];
    EXPECT(link && link->n == CELLS - 1 && fabs(link->spearman.value + 1) < 1e-12, "%lld cells, rank correlation %g",
           link ? (long long)link->n : -1, link ? link->spearman.value : NAN);
    symmetry_free(&s);
}

static void nothing(void) {
    Symmetry s = symmetry_of((Results){0});
    EXPECT(!s.arms && !s.links && !s.rows && !s.widths, "of nothing");
    symmetry_free(&s);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    known_answers();
    few();
    exact();
    chosen();
    nothing();
    EXPECT(mem_live() == 0, "%zu bytes not given back", mem_live());
    return test_end();
}
