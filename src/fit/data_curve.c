#include "fit/data_curve.h"

#include "base/arena.h"
#include "base/rng.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const double DATA_WITHIN = 1.1;

/* ---- Curves from rows. ---- */

static DataCurve *curve_of(DataCurve *curve, int *curves, const Point *p) {
    for (int i = 0; i < *curves; i++)
        if (curve[i].arm == p->arm && curve[i].n == p->n && curve[i].d == p->d) return &curve[i];
    if (*curves == DATA_CURVES) return NULL;
    curve[*curves] = (DataCurve){.arm = p->arm, .n = p->n, .d = p->d, .noise = NAN};
    return &curve[(*curves)++];
}

/* The index of a training set, made where it belongs; -1: there are too many. */
static int set_of(DataCurve *c, double trajectories, double epochs) {
    int k = 0;
    while (k < c->sets && c->trajectories[k] < trajectories) k++;
    if (k < c->sets && c->trajectories[k] == trajectories) return k;
    if (c->sets == DATA_SETS) return -1;
    size_t behind = (size_t)(c->sets - k);
    memmove(&c->trajectories[k + 1], &c->trajectories[k], behind * sizeof *c->trajectories);
    memmove(&c->epochs[k + 1], &c->epochs[k], behind * sizeof *c->epochs);
    c->trajectories[k] = trajectories;
    c->epochs[k] = epochs;
    c->sets++;
    return k;
}

/* Means over seeds, and what is left around them. */
static void average(DataCurve *c, const Table *table) {
    double square = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t i = 0; i < table->n_limited; i++) {
            const Point *p = &table->limited[i];
            if (p->arm != c->arm || p->n != c->n || p->d != c->d) continue;
            int k = set_of(c, (double)p->dataset, p->epochs);
            if (k < 0) continue;
            double z = log(p->loss);
            if (pass == 0) {
                c->seeds[k]++;
                c->log_loss[k] += (z - c->log_loss[k]) / c->seeds[k];
            } else {
                square += (z - c->log_loss[k]) * (z - c->log_loss[k]);
            }
        }
    for (int k = 0; k < c->sets; k++) c->dof += c->seeds[k] - 1;
    c->noise = c->dof ? sqrt(square / (double)c->dof) : NAN;
}

static void draw_noise(DataCurve *c, uint64_t seed) {
    if (!(c->noise > 0)) return;
    c->draw = MEM_NEW(double, DATA_DRAWS * c->sets);
    uint64_t stream = rng_stream("data curve", (uint64_t)c->d * TABLE_ARMS + (uint64_t)c->arm);
    for (int r = 0; r < DATA_DRAWS; r++)
        for (int k = 0; k < c->sets; k++) {
            uint64_t element = (uint64_t)(r * DATA_SETS + k);
            double z = rng_normal(seed, stream, element);
            c->draw[r * c->sets + k] = c->log_loss[k] + c->noise / sqrt(c->seeds[k]) * z;
        }
}

/* ---- Reading a curve. ---- */

/* More data never hurts: neighbours that say so are pooled. */
static void monotone(double out[DATA_SETS], const double *z, int n) {
    double mean[DATA_SETS];
    int members[DATA_SETS];
    int blocks = 0;
    for (int k = 0; k < n; k++) {
        mean[blocks] = z[k];
        members[blocks++] = 1;
        while (blocks > 1 && mean[blocks - 1] > mean[blocks - 2]) {
            int a = members[blocks - 2];
            int b = members[blocks - 1];
            mean[blocks - 2] = (a * mean[blocks - 2] + b * mean[blocks - 1]) / (a + b);
            members[blocks - 2] = a + b;
            blocks--;
        }
    }
    int k = 0;
    for (int b = 0; b < blocks; b++)
        for (int i = 0; i < members[b]; i++) out[k++] = mean[b];
}

/* The log of the trajectories at which a monotone curve comes down to this log loss; infinite: it does not; that of the
 * smallest set where it begins there. */
static double reach(const DataCurve *c, const double *monotone, double log_loss) {
    double last = log(c->trajectories[0]);
    if (monotone[0] <= log_loss) return last;
    for (int k = 1; k < c->sets; k++) {
        double next = log(c->trajectories[k]);
        if (monotone[k] <= log_loss)
            return last + (next - last) * (monotone[k - 1] - log_loss) / (monotone[k - 1] - monotone[k]);
        last = next;
    }
    return INFINITY;
}

/* Trajectories within DATA_WITHIN of the largest set. */
static double needed(const DataCurve *c, const double *log_loss) {
    double z[DATA_SETS];
    monotone(z, log_loss, c->sets);
    return exp(reach(c, z, z[c->sets - 1] + log(DATA_WITHIN)));
}

static void judge(DataCurve *c) {
    double v[DATA_DRAWS];
    int last = c->sets - 1;
    c->need = (Estimate){needed(c, c->log_loss), {NAN, NAN}};
    for (int k = 0; k < c->sets; k++) c->penalty[k] = (Estimate){c->log_loss[k] - c->log_loss[last], {NAN, NAN}};
    for (int k = 0; k < c->sets && c->draw; k++) {
        for (int r = 0; r < DATA_DRAWS; r++) v[r] = c->draw[r * c->sets + k] - c->draw[r * c->sets + last];
        c->penalty[k].interval = stats_interval(v, DATA_DRAWS, (double)c->dof);
    }
    if (c->draw) {
        c->need_draw = MEM_NEW(double, DATA_DRAWS);
        for (int r = 0; r < DATA_DRAWS; r++) v[r] = c->need_draw[r] = needed(c, c->draw + r * c->sets);
        c->need.interval = stats_interval(v, DATA_DRAWS, (double)c->dof);
    }
    if (!c->draw)
        snprintf(c->status, sizeof c->status, "no interval: no set has two seeds");
    else if (c->epochs[last] > 1)
        snprintf(c->status, sizeof c->status, "the largest set is seen %.3g times: it is no measure of enough data",
                 c->epochs[last]);
    else if (c->need.value <= c->trajectories[0])
        snprintf(c->status, sizeof c->status, "fewer than sampled: the smallest set is enough");
    else
        snprintf(c->status, sizeof c->status, "within the data");
}

int data_curves(DataCurve curve[DATA_CURVES], const Table *table, uint64_t seed) {
    int curves = 0, kept = 0;
    for (int m = 0; m < table->arms; m++)
        for (int64_t i = 0; i < table->n_limited; i++) {
            const Point *p = &table->limited[i];
            DataCurve *c = p->arm == m ? curve_of(curve, &curves, p) : NULL;
            if (c) set_of(c, (double)p->dataset, p->epochs);
        }
    for (int i = 0; i < curves; i++) {
        if (curve[i].sets < 2) continue;
        DataCurve *c = &curve[kept++];
        *c = curve[i];
        average(c, table);
        draw_noise(c, seed);
        judge(c);
    }
    for (int i = 1; i < kept; i++) /* by length within an arm */
        for (int k = i; k > 0 && curve[k].arm == curve[k - 1].arm && curve[k].d < curve[k - 1].d; k--) {
            DataCurve c = curve[k];
            curve[k] = curve[k - 1];
            curve[k - 1] = c;
        }
    return kept;
}

void data_curve_free(DataCurve *c) {
    mem_free(c->draw);
    mem_free(c->need_draw);
    c->draw = c->need_draw = NULL;
}

/* ---- Two curves. ---- */

enum { LEVELS = 9 }; /* losses at which two curves are compared */

/* Mean log ratio over the losses that both reach; NaN: none. */
static double log_ratio(const DataCurve *a, const double *za, const DataCurve *b, const double *zb) {
    double ma[DATA_SETS], mb[DATA_SETS];
    monotone(ma, za, a->sets);
    monotone(mb, zb, b->sets);
    double hi = fmin(ma[0], mb[0]);
    double lo = fmax(ma[a->sets - 1], mb[b->sets - 1]);
    double sum = 0;
    if (!(hi > lo)) return NAN;
    for (int i = 0; i < LEVELS; i++) {
        double level = lo + (hi - lo) * (i + 0.5) / LEVELS;
        sum += (reach(b, mb, level) - reach(a, ma, level)) / LEVELS;
    }
    return sum;
}

/* Whether the smallest set of `ahead` has less loss than the largest of `other`: by more than the noise between seeds, where
 * that is known. */
static bool is_ahead(const DataCurve *ahead, const DataCurve *other) {
    int last = other->sets - 1;
    if (!ahead->draw || !other->draw) return ahead->log_loss[0] < other->log_loss[last];
    double v[DATA_DRAWS];
    for (int r = 0; r < DATA_DRAWS; r++) v[r] = ahead->draw[r * ahead->sets] - other->draw[r * other->sets + last];
    return stats_interval(v, DATA_DRAWS, (double)(ahead->dof < other->dof ? ahead->dof : other->dof)).hi < 0;
}

DataRatio data_ratio(const DataCurve *a, const DataCurve *b) {
    DataRatio out = {{exp(log_ratio(a, a->log_loss, b, b->log_loss)), {NAN, NAN}}, NAN};
    double v[DATA_DRAWS];
    int64_t dof = a->dof < b->dof ? a->dof : b->dof;
    bool drawn = a->draw && b->draw;
    if (isnan(out.ratio.value)) {
        if (is_ahead(b, a)) out.bound = b->trajectories[0] / a->trajectories[a->sets - 1];
        if (is_ahead(a, b)) out.bound = b->trajectories[b->sets - 1] / a->trajectories[0];
        return out;
    }
    for (int r = 0; r < DATA_DRAWS && drawn; r++)
        v[r] = exp(log_ratio(a, a->draw + r * a->sets, b, b->draw + r * b->sets));
    if (drawn) out.ratio.interval = stats_interval(v, DATA_DRAWS, (double)dof);
    return out;
}

/* The excess of a's penalty over the reference's at a set of each. */
static Estimate excess(const DataCurve *a, int k, const DataCurve *reference, int l) {
    Estimate out = {a->penalty[k].value - reference->penalty[l].value, {NAN, NAN}};
    if (!a->draw || !reference->draw) return out;
    double v[DATA_DRAWS];
    int64_t dof = a->dof < reference->dof ? a->dof : reference->dof;
    for (int r = 0; r < DATA_DRAWS; r++) {
        const double *za = a->draw + r * a->sets;
        const double *zr = reference->draw + r * reference->sets;
        v[r] = za[k] - za[a->sets - 1] - zr[l] + zr[reference->sets - 1];
    }
    out.interval = stats_interval(v, DATA_DRAWS, (double)dof);
    return out;
}

DataClosing data_closing(const DataCurve *a, const DataCurve *reference) {
    DataClosing out = {.epochs = NAN, .trajectories = NAN, .all = true, .excess = {NAN, {NAN, NAN}}};
    out.need = (Estimate){a->need.value / reference->need.value, {NAN, NAN}};
    double v[DATA_DRAWS];
    bool drawn = a->draw && reference->draw;
    for (int r = 0; r < DATA_DRAWS && drawn; r++) v[r] = a->need_draw[r] / reference->need_draw[r];
    if (drawn)
        out.need.interval = stats_interval(v, DATA_DRAWS, (double)(a->dof < reference->dof ? a->dof : reference->dof));
    bool passing = true;
    for (int k = a->sets - 2; k >= 0; k--) {
        int l = 0;
        while (l < reference->sets && reference->trajectories[l] != a->trajectories[k]) l++;
        if (l == reference->sets) continue;
        out.excess = excess(a, k, reference, l);
        passing = passing && out.excess.interval.hi <= log(DATA_WITHIN);
        out.all = passing;
        if (!passing) continue;
        out.epochs = a->epochs[k];
        out.trajectories = a->trajectories[k];
    }
    return out;
}
