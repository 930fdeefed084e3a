#include "train/sharing.h"

#include "base/rng.h"
#include "math/stats.h"

#include <math.h>
#include <string.h>

/* ---- The matrix. ---- */

void sharing_softmax(double *a, const double *z, int k) {
    for (int i = 0; i < k; i++) {
        double most = z[i * k], sum = 0;
        for (int c = 1; c < k; c++) most = fmax(most, z[i * k + c]);
        for (int c = 0; c < k; c++) sum += a[i * k + c] = exp(z[i * k + c] - most);
        for (int c = 0; c < k; c++) a[i * k + c] /= sum;
    }
}

double sharing_penalty(double *da, const double *a, int rows, int k, const SharingPenalty *penalty) {
    static const double tiny = 1e-300; /* of a logarithm that counts for nothing */
    double columns = penalty->mean ? penalty->lambda / rows : penalty->lambda, entropy = penalty->entropy * columns;
    double sum = 0;
    for (int c = 0; c < k; c++) {
        double square = 0;
        for (int i = 0; i < rows; i++) square += a[i * k + c] * a[i * k + c];
        double norm = sqrt(square);
        sum += columns * norm;
        for (int i = 0; i < rows; i++) {
            double p = a[i * k + c], logarithm = log(fmax(p, tiny));
            sum -= entropy * p * logarithm;
            if (norm > 0) da[i * k + c] += columns * p / norm;
            da[i * k + c] -= entropy * (logarithm + 1);
        }
    }
    return sum;
}

void sharing_softmax_backward(double *dz, const double *da, const double *a, int k) {
    for (int i = 0; i < k; i++) {
        double mean = 0;
        for (int c = 0; c < k; c++) mean += a[i * k + c] * da[i * k + c];
        for (int c = 0; c < k; c++) dz[i * k + c] = a[i * k + c] * (da[i * k + c] - mean);
    }
}

/* ---- Partitions. ---- */

int sharing_partition(int *label, const double *a, int k) {
    int name[SHARING_MOST], classes = 0;
    for (int c = 0; c < k; c++) name[c] = -1;
    for (int i = 0; i < k; i++) {
        int best = 0;
        for (int c = 1; c < k; c++)
            if (a[i * k + c] > a[i * k + best]) best = c;
        if (name[best] < 0) name[best] = classes++;
        label[i] = name[best];
    }
    return classes;
}

/* Most agreement of classes 0 .. c-1 of the one with a set of classes of the other, by dynamic programming over sets. */
int sharing_distance(const int *label, const int *other, int k) {
    int best[1 << SHARING_MOST] = {0}, overlap[SHARING_MOST][SHARING_MOST] = {{0}}, classes = 0, others = 0;
    for (int i = 0; i < k; i++) {
        overlap[label[i]][other[i]]++;
        if (label[i] >= classes) classes = label[i] + 1;
        if (other[i] >= others) others = other[i] + 1;
    }
    for (int c = 0; c < classes; c++)
        for (int set = (1 << others) - 1; set > 0; set--) /* a larger set reads smaller ones before they change */
            for (int o = 0; o < others; o++) {
                if (!(set >> o & 1)) continue;
                int with = best[set & ~(1 << o)] + overlap[c][o];
                if (with > best[set]) best[set] = with;
            }
    return k - best[(1 << others) - 1];
}

bool sharing_next(int *label, int k) {
    for (int i = k - 1; i > 0; i--) {
        int most = 0;
        for (int j = 0; j < i; j++)
            if (label[j] > most) most = label[j];
        if (label[i] > most) continue;
        label[i]++;
        for (int j = i + 1; j < k; j++) label[j] = 0;
        return true;
    }
    return false;
}

/* ---- Quadratic losses. ---- */

static void times(double *y, const double *s, const double *x, int k) {
    for (int i = 0; i < k; i++) {
        y[i] = 0;
        for (int j = 0; j < k; j++) y[i] += s[i * k + j] * x[j];
    }
}

static double dot(const double *x, const double *y, int k) {
    double sum = 0;
    for (int i = 0; i < k; i++) sum += x[i] * y[i];
    return sum;
}

double quadratic_at(const Quadratic *q, const double *theta, int k) {
    double s[SHARING_MOST];
    times(s, q->s, theta, k);
    return dot(theta, s, k) / 2 - dot(q->b, theta, k) + q->c;
}

static void solve_exact(double *v, const double *h, const double *b, int k) {
    static const double ridge = 1e-6;
    double m[SHARING_MOST * SHARING_MOST];
    memcpy(m, h, (size_t)(k * k) * sizeof *m);
    for (int i = 0; i < k; i++) m[i * k + i] += ridge;
    memcpy(v, b, (size_t)k * sizeof *v);
    if (!stats_solve(m, v, k)) memset(v, 0, (size_t)k * sizeof *v);
}

static void solve_cg(double *v, const double *h, const double *b, int k) {
    enum { MOST = 30 };
    static const double tolerance = 1e-4;
    double r[SHARING_MOST], p[SHARING_MOST], hp[SHARING_MOST], rr = dot(b, b, k);
    double enough = tolerance * tolerance * rr;
    memset(v, 0, (size_t)k * sizeof *v);
    memcpy(r, b, (size_t)k * sizeof *r);
    memcpy(p, b, (size_t)k * sizeof *p);
    for (int n = 0; n < MOST && rr > enough; n++) {
        times(hp, h, p, k);
        double step = rr / dot(p, hp, k), before = rr;
        for (int i = 0; i < k; i++) {
            v[i] += step * p[i];
            r[i] -= step * hp[i];
        }
        rr = dot(r, r, k);
        for (int i = 0; i < k; i++) p[i] = r[i] + rr / before * p[i];
    }
}

static void solve_neumann(double *v, const double *h, const double *b, int k, int terms) {
    double term[SHARING_MOST], ht[SHARING_MOST], trace = 0;
    for (int i = 0; i < k; i++) trace += h[i * k + i];
    double alpha = 1 / trace;
    memset(v, 0, (size_t)k * sizeof *v);
    memcpy(term, b, (size_t)k * sizeof *term);
    for (int n = 0; n < terms; n++) {
        times(ht, h, term, k);
        for (int i = 0; i < k; i++) {
            v[i] += alpha * term[i];
            term[i] -= alpha * ht[i];
        }
    }
}

void sharing_solve(double *v, const double *h, const double *b, int k, SharingSolver solver, int terms) {
    if (solver == SHARING_EXACT) solve_exact(v, h, b, k);
    if (solver == SHARING_CG) solve_cg(v, h, b, k);
    if (solver == SHARING_NEUMANN) solve_neumann(v, h, b, k, terms);
}

/* ---- Two levels. ---- */

/* Of psi, half its square, in L_train. Without it a soft A hides that it shares nothing: entries near 0 times huge psi. */
static const double psi_decay = 0.1;

/* A psi, and A^T x. */
static void share(double *theta, const double *a, const double *psi, int k) {
    times(theta, a, psi, k);
}
static void gather(double *y, const double *a, const double *x, int k) {
    memset(y, 0, (size_t)k * sizeof *y);
    for (int i = 0; i < k; i++)
        for (int c = 0; c < k; c++) y[c] += a[i * k + c] * x[i];
}

/* S theta - b */
static void residual(double *r, const Quadratic *q, const double *theta, int k) {
    times(r, q->s, theta, k);
    for (int i = 0; i < k; i++) r[i] -= q->b[i];
}

/* A^T S A */
static void curvature(double *h, const double *s, const double *a, int k) {
    double sa[SHARING_MOST * SHARING_MOST] = {0};
    memset(h, 0, (size_t)(k * k) * sizeof *h);
    for (int i = 0; i < k; i++)
        for (int j = 0; j < k; j++)
            for (int c = 0; c < k; c++) sa[i * k + c] += s[i * k + j] * a[j * k + c];
    for (int i = 0; i < k; i++)
        for (int c = 0; c < k; c++)
            for (int d = 0; d < k; d++) h[c * k + d] += a[i * k + c] * sa[i * k + d];
}

double sharing_objective(double *da, double *psi, const SharingTask *t, const double *a, SharingSolver solver,
                         int terms) {
    int k = t->k;
    double h[SHARING_MOST * SHARING_MOST], right[SHARING_MOST], theta[SHARING_MOST], slope[SHARING_MOST];
    curvature(h, t->train.s, a, k);
    for (int c = 0; c < k; c++) h[c * k + c] += psi_decay;
    gather(right, a, t->train.b, k);
    solve_exact(psi, h, right, k);
    share(theta, a, psi, k);
    double value = quadratic_at(&t->validation, theta, k), unused[SHARING_MOST * SHARING_MOST] = {0};
    if (!da) return value + sharing_penalty(unused, a, k, k, &t->penalty);
    double train[SHARING_MOST], held[SHARING_MOST], v[SHARING_MOST], av[SHARING_MOST], sav[SHARING_MOST];
    residual(held, &t->validation, theta, k);
    residual(train, &t->train, theta, k);
    gather(slope, a, held, k);
    sharing_solve(v, h, slope, k, solver, terms);
    share(av, a, v, k);
    times(sav, t->train.s, av, k);
    for (int i = 0; i < k; i++)
        for (int c = 0; c < k; c++) da[i * k + c] = (held[i] - sav[i]) * psi[c] - train[i] * v[c];
    return value + sharing_penalty(da, a, k, k, &t->penalty);
}

/* A of a partition; of no sharing where label is NULL. */
static void hard(double *a, const int *label, int k) {
    for (int i = 0; i < k; i++)
        for (int c = 0; c < k; c++) a[i * k + c] = label ? label[i] == c : i == c;
}

/* A of Z at a temperature: the colder, the harder. */
static void cooled(double *a, const double *z, double temperature, int k) {
    double y[SHARING_MOST * SHARING_MOST];
    for (int i = 0; i < k * k; i++) y[i] = z[i] / temperature;
    sharing_softmax(a, y, k);
}

int sharing_learn(int *label, const SharingTask *t, uint64_t seed) {
    enum { STARTS = 10, STEPS = 1000 };
    static const double rate = 0.02, decay = 0.99, epsilon = 1e-8;
    static const double coldest = 0.01; /* at 0.1 and above some rows still mix two values, and are put to either */
    int k = t->k, classes = 0;
    double least = INFINITY, z[SHARING_MOST * SHARING_MOST], a[SHARING_MOST * SHARING_MOST], psi[SHARING_MOST];
    for (int start = 0; start < STARTS; start++) {
        double square[SHARING_MOST * SHARING_MOST] = {0}, da[SHARING_MOST * SHARING_MOST],
                                     dz[SHARING_MOST * SHARING_MOST];
        uint64_t stream = rng_stream("sharing", (uint64_t)start);
        for (int i = 0; i < k * k; i++) z[i] = rng_normal(seed, stream, (uint64_t)i);
        for (int n = 0; n < STEPS; n++) {
            cooled(a, z, pow(coldest, (double)n / STEPS), k);
            sharing_objective(da, psi, t, a, SHARING_EXACT, 0);
            sharing_softmax_backward(dz, da, a, k); /* by Z / temperature: RMSprop does not see the scale */
            for (int i = 0; i < k * k; i++) {
                square[i] = decay * square[i] + (1 - decay) * dz[i] * dz[i];
                z[i] -= rate * dz[i] / (sqrt(square[i]) + epsilon);
            }
        }
        int found[SHARING_MOST];
        sharing_softmax(a, z, k);
        int n = sharing_partition(found, a, k);
        hard(a, found, k);
        double value = sharing_objective(NULL, psi, t, a, SHARING_EXACT, 0);
        if (value >= least) continue;
        least = value;
        classes = n;
        memcpy(label, found, (size_t)k * sizeof *label);
    }
    return classes;
}

/* ---- Partitions and their losses. ---- */

void sharing_refit(double *theta, const SharingTask *t, const int *label, double train_weight,
                   double validation_weight) {
    int k = t->k;
    double a[SHARING_MOST * SHARING_MOST], h[SHARING_MOST * SHARING_MOST], s[SHARING_MOST * SHARING_MOST];
    double b[SHARING_MOST], right[SHARING_MOST], psi[SHARING_MOST];
    for (int i = 0; i < k * k; i++) s[i] = train_weight * t->train.s[i] + validation_weight * t->validation.s[i];
    for (int i = 0; i < k; i++) b[i] = train_weight * t->train.b[i] + validation_weight * t->validation.b[i];
    hard(a, label, k);
    curvature(h, s, a, k);
    gather(right, a, b, k);
    solve_exact(psi, h, right, k);
    share(theta, a, psi, k);
}

int sharing_brute_force(int *label, const SharingTask *t) {
    int k = t->k, at[SHARING_MOST] = {0}, classes = 0;
    double least = INFINITY, psi[SHARING_MOST], a[SHARING_MOST * SHARING_MOST];
    do {
        hard(a, at, k);
        double value = sharing_objective(NULL, psi, t, a, SHARING_EXACT, 0);
        if (value >= least) continue;
        least = value;
        memcpy(label, at, (size_t)k * sizeof *label);
    } while (sharing_next(at, k));
    for (int i = 0; i < k; i++)
        if (label[i] >= classes) classes = label[i] + 1;
    return classes;
}
