#include "sim/shape.h"

#include "base/err.h"
#include "base/rng.h"

#include <math.h>
#include <string.h>

Shape shape_draw(double radius, uint64_t seed, uint64_t stream, uint64_t element) {
    double u[3];
    for (int i = 0; i < 3; i++) u[i] = rng_uniform(seed, stream, element + (uint64_t)i);
    Shape s = {.kind = (ShapeKind)rng_below(seed, stream, element + 3, SHAPE_KINDS)};
    s.sides = 3 + (int)rng_below(seed, stream, element + 4, SHAPE_SIDES - 2);
    /* Built with radius 1 and scaled. */
    for (int i = 0; i < 3; i++) s.size[i] = s.kind == SHAPE_BOX ? exp2(u[i]) : i == 0 ? 1 : exp2(2 * u[1] - 1) * 1.4;
    double scale = radius / shape_radius(&s);
    for (int i = 0; i < 3; i++) s.size[i] *= scale;
    return s;
}

double shape_radius(const Shape *s) {
    double r = s->size[0], h = s->size[1];
    switch (s->kind) {
    case SHAPE_BOX: return sqrt(r * r + h * h + s->size[2] * s->size[2]) / 2;
    case SHAPE_SPHERE: return r;
    case SHAPE_CAPSULE: return r + h / 2;
    case SHAPE_PYRAMID: return fmax(0.75 * h, hypot(r, h / 4));
    default: return hypot(r, h / 2);
    }
}

double shape_inradius(const Shape *s) {
    double r = s->size[0], h = s->size[1], flat = r * cos(M_PI / s->sides);
    switch (s->kind) {
    case SHAPE_BOX: return fmin(r, fmin(h, s->size[2])) / 2;
    case SHAPE_CYLINDER: return fmin(r, h / 2);
    case SHAPE_PYRAMID: return fmin(h / 4, 0.75 * h * flat / hypot(h, flat));
    case SHAPE_PRISM: return fmin(flat, h / 2);
    default: return r;
    }
}

static double polygon_area(const Shape *s) {
    return s->sides / 2.0 * s->size[0] * s->size[0] * sin(2 * M_PI / s->sides);
}

double shape_volume(const Shape *s) {
    double r = s->size[0], h = s->size[1];
    switch (s->kind) {
    case SHAPE_BOX: return r * h * s->size[2];
    case SHAPE_SPHERE: return 4 * M_PI / 3 * r * r * r;
    case SHAPE_CYLINDER: return M_PI * r * r * h;
    case SHAPE_CAPSULE: return M_PI * r * r * (h + 4 * r / 3);
    case SHAPE_PYRAMID: return polygon_area(s) * h / 3;
    case SHAPE_PRISM: return polygon_area(s) * h;
    default: return 0;
    }
}

static int put(double v[][3], int n, double x, double y, double z) {
    v[n][0] = x, v[n][1] = y, v[n][2] = z;
    return n + 1;
}

static int ring(double v[][3], int n, int corners, double r, double z, double turn) {
    for (int i = 0; i < corners; i++) {
        double a = 2 * M_PI * (i + turn) / corners;
        n = put(v, n, r * cos(a), r * sin(a), z);
    }
    return n;
}

static int pyramid_vertices(double v[][3], int sides, double r, double h) {
    return put(v, ring(v, 0, sides, r, -h / 4, 0), 0, 0, 0.75 * h);
}

static int prism_vertices(double v[][3], int sides, double r, double h) {
    return ring(v, ring(v, 0, sides, r, -h / 2, 0), sides, r, h / 2, 0);
}

int shape_mesh(double v[SHAPE_VERTICES][3], const Shape *s, int detail) {
    double r = s->size[0], h = s->size[1];
    int n = 0;
    CHECK(detail >= 8 && detail <= SHAPE_VERTICES, "%d vertices", detail);
    switch (s->kind) {
    case SHAPE_BOX:
        for (int i = 0; i < 8; i++)
            n = put(v, n, (i & 1 ? r : -r) / 2, (i & 2 ? h : -h) / 2, (i & 4 ? s->size[2] : -s->size[2]) / 2);
        return n;
    case SHAPE_SPHERE:
        /* Fibonacci's lattice on the sphere, Gonzalez 2010. */
        for (int i = 0; i < detail; i++) {
            double z = 1 - (2 * i + 1.0) / detail, a = i * M_PI * (3 - sqrt(5)), w = sqrt(1 - z * z);
            n = put(v, n, r * w * cos(a), r * w * sin(a), r * z);
        }
        return n;
    case SHAPE_CYLINDER: n = ring(v, n, detail / 2, r, -h / 2, 0); return ring(v, n, detail / 2, r, h / 2, 0.5);
    case SHAPE_CAPSULE:
        n = put(v, n, 0, 0, -h / 2 - r);
        n = ring(v, n, detail / 2 - 1, r, -h / 2, 0);
        n = ring(v, n, detail / 2 - 1, r, h / 2, 0.5);
        return put(v, n, 0, 0, h / 2 + r);
    case SHAPE_PYRAMID: n = ring(v, n, s->sides, r, -h / 4, 0); return put(v, n, 0, 0, 0.75 * h);
    case SHAPE_PRISM: n = ring(v, n, s->sides, r, -h / 2, 0); return ring(v, n, s->sides, r, h / 2, 0);
    default: CHECK(false, "shape %d", s->kind);
    }
}

void shape_hull(Hull *hull, const Shape *s) {
    bool prism = s->kind != SHAPE_PYRAMID;
    int k = s->kind == SHAPE_CYLINDER ? HULL_SIDES : s->sides;
    double r = s->size[0], h = s->size[1];
    unsigned *f = hull->faces;
    CHECK(s->kind >= SHAPE_PYRAMID || s->kind == SHAPE_CYLINDER, "shape %d is no hull", s->kind);
    if (s->kind == SHAPE_CYLINDER) r *= sqrt(M_PI / (k / 2.0 * sin(2 * M_PI / k)));
    hull->n_vertices = prism ? prism_vertices(hull->vertex, k, r, h) : pyramid_vertices(hull->vertex, k, r, h);
    hull->n_faces = k + 1 + prism;
    *f++ = (unsigned)k;
    for (int i = k - 1; i >= 0; i--) *f++ = (unsigned)i;
    for (int i = 0; i < k; i++) {
        int j = (i + 1) % k;
        *f++ = prism ? 4 : 3;
        *f++ = (unsigned)i;
        *f++ = (unsigned)j;
        *f++ = (unsigned)(prism ? k + j : k);
        if (prism) *f++ = (unsigned)(k + i);
    }
    if (prism) *f++ = (unsigned)k;
    for (int i = 0; i < k && prism; i++) *f++ = (unsigned)(k + i);

    f = hull->faces;
    for (int i = 0; i < hull->n_faces; f += *f + 1, i++) {
        const double *a = hull->vertex[f[1]], *b = hull->vertex[f[2]], *c = hull->vertex[f[3]];
        double x[3], y[3], m[3], length = 0, offset = 0;
        for (int j = 0; j < 3; j++) x[j] = b[j] - a[j], y[j] = c[j] - a[j];
        for (int j = 0; j < 3; j++) {
            m[j] = x[(j + 1) % 3] * y[(j + 2) % 3] - x[(j + 2) % 3] * y[(j + 1) % 3];
            length += m[j] * m[j];
        }
        for (int j = 0; j < 3; j++) hull->plane[i][j] = m[j] / sqrt(length), offset += hull->plane[i][j] * a[j];
        hull->plane[i][3] = offset;
    }
}

double hull_moments(double second[3][3], const Hull *hull) {
    /* A sum over tetrahedra from the origin to the triangles of every face: with corners a, b, c and volume V,
     * the integral of x_i x_j is V/20 (s_i s_j + a_i a_j + b_i b_j + c_i c_j), s = a + b + c. */
    double volume = 0;
    const unsigned *f = hull->faces;
    memset(second, 0, 9 * sizeof(double));
    for (int i = 0; i < hull->n_faces; f += *f + 1, i++)
        for (unsigned t = 2; t < *f; t++) {
            const double *a = hull->vertex[f[1]], *b = hull->vertex[f[t]], *c = hull->vertex[f[t + 1]];
            double det = a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0]) +
                         a[2] * (b[0] * c[1] - b[1] * c[0]);
            volume += det / 6;
            for (int p = 0; p < 3; p++)
                for (int q = 0; q < 3; q++)
                    second[p][q] +=
                        det / 120 *
                        ((a[p] + b[p] + c[p]) * (a[q] + b[q] + c[q]) + a[p] * a[q] + b[p] * b[q] + c[p] * c[q]);
        }
    return volume;
}
