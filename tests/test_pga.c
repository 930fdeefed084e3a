// TEST n=1
/* The algebra: fast products against the definition at odd sizes, their adjoints, embeddings, versors. */
#include "check.h"
#include "base/rng.h"
#include "la/flops.h"
#include "la/pga.h"
#include "la/simd.h"

typedef struct Planes {
    int64_t rows, n, ld, plane;
} Planes;

static real *random_planes(Planes z, uint64_t stream) {
    real *x = MEM_NEW(real, PGA * z.plane);
    for (int64_t i = 0; i < PGA * z.plane; i++) x[i] = (real)rng_normal(1, stream, (uint64_t)i);
    return x;
}

static void gather(double *to, const real *x, Planes z, int64_t row, int64_t t) {
    for (int p = 0; p < PGA; p++) to[p] = (double)x[p * z.plane + row * z.ld + t];
}

static double dot(const real *x, const real *y, Planes z) {
    double sum = 0;
    for (int p = 0; p < PGA; p++)
        for (int64_t r = 0; r < z.rows; r++)
            for (int64_t t = 0; t < z.n; t++)
                sum += (double)x[p * z.plane + r * z.ld + t] * (double)y[p * z.plane + r * z.ld + t];
    return sum;
}

static void product(bool join, real *out, const real *x, const real *y, const real *reference, Planes z) {
    if (join)
        pga_join(out, z.plane, x, y, z.plane, reference, z.rows, z.ld, z.n);
    else
        pga_geometric(out, z.plane, x, y, z.plane, z.rows, z.ld, z.n);
}

/* Both products are linear in each factor: the adjoint in x maps dout to dx with <dout, x' y> = <dx, x'> for any x'. */
static void products(bool join, int64_t rows, int64_t n) {
    Planes z = {.rows = rows, .n = n, .ld = vec_padded(n)};
    z.plane = rows * z.ld + 16;
    real *x = random_planes(z, 1), *y = random_planes(z, 2), *other = random_planes(z, 3), *dout = random_planes(z, 4),
         *reference = random_planes(z, 5), *out = random_planes(z, 6), *dx = random_planes(z, 7),
         *dy = random_planes(z, 8), *dreference = MEM_NEW(real, z.ld);
    int64_t before = flops_counted(), each = join ? PGA_JOIN_FLOPS : PGA_GEOMETRIC_FLOPS;
    product(join, out, x, y, reference, z);
    EXPECT(flops_counted() - before == each * rows * n, "count");
    double worst = 0;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t t = 0; t < n; t++) {
            double a[PGA], b[PGA], want[PGA], got[PGA];
            gather(a, x, z, r, t), gather(b, y, z, r, t), gather(got, out, z, r, t);
            (join ? pga_join_ref : pga_geometric_ref)(want, a, b);
            for (int p = 0; p < PGA; p++)
                worst = fmax(worst, fabs(got[p] - want[p] * (join ? (double)reference[t] : 1)));
        }
    EXPECT(worst < 200 * REAL_EPSILON, "join %d, %lld x %lld: %g", join, (long long)rows, (long long)n, worst);
    if (join)
        pga_join_backward(dx, dy, dreference, dout, z.plane, x, y, z.plane, reference, rows, z.ld, n);
    else
        pga_geometric_backward(dx, dy, dout, z.plane, x, y, z.plane, rows, z.ld, n);
    double by_reference = dot(dout, out, z), sum = 0, size = (double)(PGA * rows * n) * 10;
    for (int64_t t = 0; t < n; t++) sum += (double)dreference[t] * (double)reference[t];
    if (join) EXPECT(fabs(sum - by_reference) < size * REAL_EPSILON, "dreference %g", sum - by_reference);
    product(join, out, other, y, reference, z);
    EXPECT(fabs(dot(dout, out, z) - dot(dx, other, z)) < size * REAL_EPSILON, "dx");
    product(join, out, x, other, reference, z);
    EXPECT(fabs(dot(dout, out, z) - dot(dy, other, z)) < size * REAL_EPSILON, "dy");
    mem_free(x), mem_free(y), mem_free(other), mem_free(dout), mem_free(reference), mem_free(out), mem_free(dx);
    mem_free(dy), mem_free(dreference);
}

static void expect_close(const double *a, const double *b, int n, const char *what) {
    for (int i = 0; i < n; i++) EXPECT(fabs(a[i] - b[i]) < 1e-12, "%s: %d: %g %g", what, i, a[i], b[i]);
}

/* Points and planes move with the motions: rotation about z by 90 degrees, translation, reflection in a plane. */
static void motions(void) {
    double x[3] = {1, 2, 3}, turned[3] = {-2, 1, 3}, t[3] = {0.5, -1, 4}, shifted[3] = {1.5, 1, 7};
    double normal[3] = {0, 0, 1}, position[3] = {5, 5, 1}, mirrored[3] = {1, 2, -1}, half = sqrt(0.5), got[3];
    double u[PGA], v[PGA], point[PGA], moved[PGA], want[PGA], plane[PGA];
    pga_point(point, x);
    pga_rotation(u, (double[]){0, 0, half, half});
    pga_versor(moved, u, false, point);
    pga_point(want, turned);
    expect_close(moved, want, PGA, "rotation");
    pga_translation(u, t);
    pga_versor(moved, u, false, point);
    pga_point(want, shifted);
    expect_close(moved, want, PGA, "translation");
    pga_plane(plane, normal, position);
    pga_plane(want, normal, (double[]){0, 0, 5}); /* z = 1 goes to z = 5 */
    pga_versor(moved, u, false, plane);
    expect_close(moved, want, PGA, "plane");
    pga_versor(moved, plane, true, point);
    EXPECT(fabs(moved[14] + 1) < 1e-12, "a reflection turns the sign of a point");
    pga_extract_point(got, moved);
    expect_close(got, mirrored, 3, "reflection");
    pga_dual(v, point);
    pga_dual(moved, v);
    for (int i = 0; i < PGA; i++) want[i] = -point[i];
    expect_close(moved, want, PGA, "the square of the dual is -1 on trivectors");
    EXPECT(pga_inner(point, point) == 1, "the inner product sees no e0");
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    static const int64_t sizes[] = {1, 3, 17, 65};
    for (int join = 0; join < 2; join++)
        for (int i = 0; i < 4; i++) {
            products(join, 1, sizes[i]);
            products(join, sizes[i], 3);
            products(join, 3, sizes[i]);
        }
    motions();
    return test_end();
}
