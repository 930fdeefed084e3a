#include "train/act.h"

#include "base/err.h"
#include "base/rng.h"
#include "la/pga.h"

#include <math.h>
#include <string.h>

/* ---- Motions. ---- */

Motion motion_identity(void) {
    return (Motion){.a = {1, 0, 0, 0, 1, 0, 0, 0, 1}, .orthogonal = true};
}

Motion motion_haar(uint64_t seed, uint64_t stream, uint64_t element) {
    Motion m = {.orthogonal = true};
    rng_rotation(m.a, seed, stream, element);
    return m;
}

Motion motion_orthogonal(uint64_t seed, uint64_t stream, uint64_t element) {
    enum { ELEMENTS = 8, ROTATION = 4 }; /* rng elements that are set aside for one, of which a rotation takes four */
    Motion motion = motion_haar(seed, stream, ELEMENTS / ROTATION * element);
    return rng_uniform(seed, stream, ELEMENTS * element + ROTATION) < 0.5 ? motion_mirrored(&motion) : motion;
}

Motion motion_about(const double axis[3], double angle) {
    double length = sqrt(axis[0] * axis[0] + axis[1] * axis[1] + axis[2] * axis[2]);
    double x = axis[0] / length, y = axis[1] / length, z = axis[2] / length;
    double c = cos(angle), s = sin(angle), k = 1 - c;
    return (Motion){.a = {c + k * x * x, k * x * y - s * z, k * x * z + s * y,  /**/
                          k * y * x + s * z, c + k * y * y, k * y * z - s * x,  /**/
                          k * z * x - s * y, k * z * y + s * x, c + k * z * z}, /**/
                    .orthogonal = true};
}

Motion motion_between(const double from[3], const double to[3]) {
    double axis[3], dot = 0, size = 0;
    for (int i = 0; i < 3; i++) {
        int j = (i + 1) % 3, k = (i + 2) % 3;
        axis[i] = from[j] * to[k] - from[k] * to[j];
        dot += from[i] * to[i];
        size += axis[i] * axis[i];
    }
    if (size > 0) return motion_about(axis, atan2(sqrt(size), dot));
    if (dot >= 0) return motion_identity();
    /* Opposite directions: half a turn about any axis across, here the one nearest to a coordinate axis. */
    int least = 0;
    for (int i = 1; i < 3; i++)
        if (fabs(from[i]) < fabs(from[least])) least = i;
    int j = (least + 1) % 3, k = (least + 2) % 3;
    axis[least] = 0, axis[j] = -from[k], axis[k] = from[j];
    return motion_about(axis, acos(-1));
}

Motion motion_mirrored(const Motion *motion) {
    Motion m = *motion;
    for (int i = 0; i < 9; i++) m.a[i] = -m.a[i];
    for (int i = 0; i < 3; i++) m.s[i] = -m.s[i];
    return m;
}

Motion motion_mirror(const double normal[3]) {
    Motion m = motion_identity();
    double square = normal[0] * normal[0] + normal[1] * normal[1] + normal[2] * normal[2];
    for (int i = 0; i < 9; i++) m.a[i] -= 2 * normal[i / 3] * normal[i % 3] / square;
    return m;
}

/* out = x y, 4x4. */
static void multiply(double out[16], const double x[16], const double y[16]) {
    double z[16] = {0};
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 4; k++)
            for (int j = 0; j < 4; j++) z[4 * i + j] += x[4 * i + k] * y[4 * k + j];
    memcpy(out, z, sizeof z);
}

/* Adds f to x[i][j] and sign f to x[j][i]. */
static void add_pair(double x[16], int i, int j, double f, double sign) {
    x[4 * i + j] += f;
    x[4 * j + i] += sign * f;
}

/* t sum_i w[i] G_i as a 4x4 matrix (L, l; 0, 0). */
static void algebra_element(double x[16], const double w[MOTION_GENERATORS], double t) {
    const double half = t * sqrt(0.5), third = t * sqrt(1.0 / 3), sixth = t * sqrt(1.0 / 6);
    memset(x, 0, 16 * sizeof *x);
    for (int i = 0; i < 3; i++) {
        int j = (i + 1) % 3, k = (i + 2) % 3;
        add_pair(x, k, j, half * w[i], -1);
        add_pair(x, k, j, half * w[3 + i], 1);
        x[4 * i + i] += third * w[8];
        x[4 * i + 3] += t * w[9 + i];
    }
    x[0] += half * w[6] + sixth * w[7];
    x[5] += sixth * w[7] - half * w[6];
    x[10] -= 2 * sixth * w[7];
}

/* The exponential of x and its derivative along `step`. Scaling and squaring (Moler and Van Loan 2003, method 3) with a
 * Taylor sum: at norms up to 1/4 the terms left out are below 0.25^13 / 13! = 2e-18. */
static void exponential(double out[16], double along[16], const double x[16], const double step[16]) {
    enum { TERMS = 12 };
    const double largest = 0.25;
    double norm = 0, y[16], dy[16], term[16], dterm[16] = {0}, left[16], right[16];
    for (int i = 0; i < 16; i++) norm += x[i] * x[i];
    norm = sqrt(norm);
    int squarings = norm > largest ? (int)ceil(log2(norm / largest)) : 0;
    for (int i = 0; i < 16; i++) {
        y[i] = ldexp(x[i], -squarings);
        dy[i] = ldexp(step[i], -squarings);
        term[i] = out[i] = i % 5 == 0;
        along[i] = 0;
    }
    for (int n = 1; n <= TERMS; n++) {
        multiply(left, dterm, y);
        multiply(right, term, dy);
        multiply(term, term, y);
        for (int i = 0; i < 16; i++) {
            term[i] /= n;
            dterm[i] = (left[i] + right[i]) / n;
            out[i] += term[i];
            along[i] += dterm[i];
        }
    }
    for (int n = 0; n < squarings; n++) {
        multiply(left, along, out);
        multiply(right, out, along);
        multiply(out, out, out);
        for (int i = 0; i < 16; i++) along[i] = left[i] + right[i];
    }
}

Motion motion_exp(const double w[MOTION_GENERATORS], double t) {
    enum { FIRST_SHEAR = 3, FIRST_SHIFT = 9 };
    const double still[16] = {0};
    double x[16], e[16], along[16];
    Motion m = {.orthogonal = true};
    for (int i = FIRST_SHEAR; i < FIRST_SHIFT; i++) m.orthogonal &= w[i] == 0;
    algebra_element(x, w, t);
    exponential(e, along, x, still);
    for (int i = 0; i < 3; i++) {
        memcpy(m.a + 3 * i, e + 4 * i, 3 * sizeof *m.a);
        m.s[i] = e[4 * i + 3];
    }
    return m;
}

/* d exp(X) along G is B exp(X) with B the integral of exp(sX) G exp(-sX) over s in 0 .. 1. So the sum of field and B is that
 * of G and the same integral of the field with X transposed, which is a derivative of exp(X^T) itself. */
void motion_exp_gradient(double dw[MOTION_GENERATORS], const double w[MOTION_GENERATORS],
                         const double field[MOTION_GENERATORS]) {
    double x[16], transposed[16], minus[16], c[16] = {0}, e[16], along[16], unused[16], integral[16];
    algebra_element(x, w, 1);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            transposed[4 * i + j] = x[4 * j + i];
            minus[4 * i + j] = -x[4 * j + i];
        }
    for (int i = 0; i < 3; i++) {
        memcpy(c + 4 * i, field + 3 * i, 3 * sizeof *c);
        c[4 * i + 3] = field[9 + i];
    }
    exponential(e, along, transposed, c);
    exponential(e, unused, minus, c);
    multiply(integral, along, e);
    for (int g = 0; g < MOTION_GENERATORS; g++) {
        double one[MOTION_GENERATORS] = {0};
        one[g] = 1;
        algebra_element(x, one, 1);
        dw[g] = 0;
        for (int i = 0; i < 16; i++) dw[g] += x[i] * integral[i];
    }
}

Motion motion_product(const Motion *second, const Motion *first) {
    Motion m = *first;
    act_pose(m.a, m.s, second);
    m.orthogonal = first->orthogonal && second->orthogonal;
    return m;
}

/* A^-T: the cofactors over the determinant, or A itself where it is orthogonal. */
static void inverse_transpose(double out[9], const Motion *m) {
    const double *a = m->a;
    if (m->orthogonal) {
        memcpy(out, a, sizeof m->a);
        return;
    }
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            int i1 = (i + 1) % 3, i2 = (i + 2) % 3, j1 = (j + 1) % 3, j2 = (j + 2) % 3;
            out[3 * i + j] = a[3 * i1 + j1] * a[3 * i2 + j2] - a[3 * i1 + j2] * a[3 * i2 + j1];
        }
    double determinant = a[0] * out[0] + a[1] * out[1] + a[2] * out[2];
    for (int i = 0; i < 9; i++) out[i] /= determinant;
}

Motion motion_inverse(const Motion *motion) {
    Motion m = {.orthogonal = motion->orthogonal};
    double dual[9];
    inverse_transpose(dual, motion);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            m.a[3 * i + j] = dual[3 * j + i];
            m.s[i] -= dual[3 * j + i] * motion->s[j];
        }
    return m;
}

Motion motion_scaled(const Motion *motion, double unit) {
    Motion m = *motion;
    for (int i = 0; i < 9; i++) m.a[i] *= unit;
    m.orthogonal = motion->orthogonal && unit == 1;
    return m;
}

/* ---- One thing. ---- */

void act_pose(double r[9], double t[3], const Motion *motion) {
    double moved[9] = {0}, at[3];
    memcpy(at, motion->s, sizeof at);
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++) {
            double a = motion->a[3 * i + k];
            at[i] += a * t[k];
            for (int j = 0; j < 3; j++) moved[3 * i + j] += a * r[3 * k + j];
        }
    memcpy(r, moved, sizeof moved);
    memcpy(t, at, sizeof at);
}

static double dot(const double x[3], const double y[3]) {
    return x[0] * y[0] + x[1] * y[1] + x[2] * y[2];
}

static void apply(double out[3], const double a[9], const double v[3]) {
    double x[3];
    for (int i = 0; i < 3; i++) x[i] = dot(a + 3 * i, v);
    memcpy(out, x, sizeof x);
}

void act_vector(double out[3], const double v[3], const Motion *motion) {
    apply(out, motion->a, v);
}

void act_direction(double out[3], const double v[3], const Motion *motion) {
    double x[3];
    apply(x, motion->a, v);
    double size = sqrt(motion->orthogonal ? dot(v, v) : dot(x, x)), scale = size > 0 ? 1 / size : 0;
    for (int i = 0; i < 3; i++) out[i] = x[i] * scale;
}

void act_plane(double out[4], const double plane[4], const Motion *motion) {
    double dual[9], n[3], scale = 1;
    inverse_transpose(dual, motion);
    apply(n, dual, plane);
    if (!motion->orthogonal && dot(n, n) > 0) scale = 1 / sqrt(dot(n, n));
    double height = plane[3] - dot(n, motion->s);
    for (int i = 0; i < 3; i++) out[i] = n[i] * scale;
    out[3] = height * scale;
}

/* ---- Packed scenes. ---- */

void act_layout(MovedScenes *moved, int64_t max_tokens, int max_sequences, Arena *arena) {
    moved->position = ARENA_TAKE(arena, real, 3 * max_tokens);
    moved->velocity = ARENA_TAKE(arena, real, 3 * max_tokens);
    moved->floor = ARENA_TAKE(arena, real, 4 * max_sequences);
    moved->gravity = ARENA_TAKE(arena, real, 3 * max_sequences);
}

static void widen(double *to, const real *from, int n) {
    for (int i = 0; i < n; i++) to[i] = (double)from[i];
}

static void narrow(real *to, const double *from, int n) {
    for (int i = 0; i < n; i++) to[i] = (real)from[i];
}

void act_scene(MovedScenes *to, const SceneBatch *from, const Motion *motion, bool per_sequence) {
    const Packed *seqs = &from->seqs;
    for (int q = 0; q < seqs->n; q++) {
        const Motion *g = motion + (per_sequence ? q : 0);
        double x[4];
        for (int64_t t = seqs->start[q]; t < seqs->start[q + 1]; t++) {
            widen(x, from->position + 3 * t, 3);
            act_vector(x, x, g);
            for (int i = 0; i < 3; i++) to->position[3 * t + i] = (real)(x[i] + g->s[i]);
        }
        widen(x, from->floor + 4 * q, 4);
        act_plane(x, x, g);
        narrow(to->floor + 4 * q, x, 4);
        widen(x, from->gravity + 3 * q, 3);
        act_direction(x, x, g);
        narrow(to->gravity + 3 * q, x, 3);
    }
    act_out(to->velocity, from->velocity, seqs, motion, per_sequence);
    to->scenes = *from;
    to->scenes.position = to->position;
    to->scenes.velocity = to->velocity;
    to->scenes.floor = to->floor;
    to->scenes.gravity = to->gravity;
}

void act_out(real *y, const real *x, const Packed *seqs, const Motion *motion, bool per_sequence) {
    for (int q = 0; q < seqs->n; q++) {
        const Motion *g = motion + (per_sequence ? q : 0);
        double v[3];
        for (int64_t t = seqs->start[q]; t < seqs->start[q + 1]; t++) {
            widen(v, x + 3 * t, 3);
            act_vector(v, v, g);
            narrow(y + 3 * t, v, 3);
        }
    }
}

/* ---- Multivectors. ---- */

/* The basis vectors e0 .. e3 of each component, ascending, and how many. */
static const struct Blade {
    int grade, vector[4];
} blades[PGA] = {{0, {0}},       {1, {0}},       {1, {1}},       {1, {2}},         {1, {3}},    {2, {0, 1}},
                 {2, {0, 2}},    {2, {0, 3}},    {2, {1, 2}},    {2, {1, 3}},      {2, {2, 3}}, {3, {0, 1, 2}},
                 {3, {0, 1, 3}}, {3, {0, 2, 3}}, {3, {1, 2, 3}}, {4, {0, 1, 2, 3}}};

/* The determinant of the rows and columns of v that two blades of one grade name, by the first row. */
static double minor_of(double v[4][4], const int *row, const int *column, int grade) {
    if (grade == 0) return 1;
    double sum = 0;
    for (int k = 0; k < grade; k++) {
        int others[3];
        for (int i = 0, n = 0; i < grade; i++)
            if (i != k) others[n++] = column[i];
        double term = v[row[0]][column[k]];
        if (term != 0) sum += (k % 2 ? -term : term) * minor_of(v, row + 1, others, grade - 1);
    }
    return sum;
}

/* How a motion acts on multivectors: on vectors, which are planes, e_i -> A e_i - (A e_i . s) e0 and e0 -> e0; on a
 * product of vectors as on its factors, so a matrix of minors. */
static void multivector_matrix(double matrix[PGA][PGA], const Motion *m) {
    CHECK(m->orthogonal, "only orthogonal motions act on multivectors");
    double v[4][4] = {{1}};
    for (int i = 0; i < 3; i++)
        for (int r = 0; r < 3; r++) {
            v[1 + r][1 + i] = m->a[3 * r + i];
            v[0][1 + i] -= m->a[3 * r + i] * m->s[r];
        }
    for (int r = 0; r < PGA; r++)
        for (int c = 0; c < PGA; c++) {
            bool same = blades[r].grade == blades[c].grade;
            matrix[r][c] = same ? minor_of(v, blades[r].vector, blades[c].vector, blades[r].grade) : 0;
        }
}

/* One row of `channels` components at each plane: y = matrix x, of which most entries are 0. */
static void act_row(double *y, const real *x, int64_t plane, int channels, double matrix[PGA][PGA]) {
    memset(y, 0, (size_t)channels * PGA * sizeof *y);
    for (int r = 0; r < PGA; r++)
        for (int c = 0; c < PGA; c++) {
            if (matrix[r][c] == 0) continue;
            for (int i = 0; i < channels; i++) y[r * channels + i] += matrix[r][c] * (double)x[c * plane + i];
        }
}

void act_multivectors(real *y, const real *x, int channels, const Packed *seqs, const Motion *motion,
                      bool per_sequence) {
    enum { AT_ONCE = 64 };
    double matrix[PGA][PGA], row[PGA * AT_ONCE];
    int64_t plane = seqs->start[seqs->n] * channels;
    for (int q = 0; q < seqs->n; q++) {
        if (q == 0 || per_sequence) multivector_matrix(matrix, &motion[q]);
        int64_t first = seqs->start[q] * channels, end = seqs->start[q + 1] * channels;
        for (int64_t at = first; at < end; at += AT_ONCE) {
            int n = end - at < AT_ONCE ? (int)(end - at) : AT_ONCE;
            act_row(row, x + at, plane, n, matrix);
            for (int r = 0; r < PGA; r++) narrow(y + r * plane + at, row + r * n, n);
        }
    }
}
