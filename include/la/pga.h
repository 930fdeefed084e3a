/** The projective geometric algebra G(3,0,1) of points, lines, planes and motions in space.
 *
 *  Components: 1, e0, e1, e2, e3, e01, e02, e03, e12, e13, e23, e012, e013, e023, e123, e0123; e0 squares to 0, the
 *  others to 1. A plane is a vector, a point a trivector (Dorst & De Keninck 2022, "A guided tour to the plane-based
 *  geometric algebra PGA"); conventions are those of the Geometric Algebra Transformer, Brehmer et al. 2023, arXiv
 *  2305.18415.
 *
 *  Single multivectors, for embedding and tests, are double[16]. The kernels work on planes: component p of channel c
 *  at token t is x[p*plane + c*ld + t], with ld a multiple of LANES (la/simd.h) and at least n; they read and write
 *  whole vectors, so what stands between n and the next multiple is overwritten. Not collective. Errors: none. */
#pragma once

#include "base/real.h"

#include <stdbool.h>
#include <stdint.h>

enum { PGA = 16, PGA_GEOMETRIC_FLOPS = 2 * 192, PGA_JOIN_FLOPS = 2 * 81 };

/** Components that count in the inner product (those without e0), by ascending index. */
enum { PGA_INNER = 8 };
extern const int pga_inner_components[PGA_INNER];

/** out = x y for `rows` channels and n tokens. Counts PGA_GEOMETRIC_FLOPS per product. */
void pga_geometric(real *out, int64_t out_plane, const real *x, const real *y, int64_t plane, int64_t rows, int64_t ld,
                   int64_t n);
/** Writes dx and dy, in the layout of x and y. Counts twice as much. */
void pga_geometric_backward(real *dx, real *dy, const real *dout, int64_t out_plane, const real *x, const real *y,
                            int64_t plane, int64_t rows, int64_t ld, int64_t n);

/** out = reference[t] dual(dual(x) ^ dual(y)); reference (ld) is the e123 component of the join reference of each
 *  token. Counts PGA_JOIN_FLOPS per join. */
void pga_join(real *out, int64_t out_plane, const real *x, const real *y, int64_t plane, const real *reference,
              int64_t rows, int64_t ld, int64_t n);
/** Writes dx and dy, and adds to dreference (ld) where it is not NULL. Counts twice as much, or three times. */
void pga_join_backward(real *dx, real *dy, real *dreference, const real *dout, int64_t out_plane, const real *x,
                       const real *y, int64_t plane, const real *reference, int64_t rows, int64_t ld, int64_t n);

/** One multivector, from the definition of the blades: products, the dual and the inner product. */
void pga_geometric_ref(double *out, const double *x, const double *y);
void pga_join_ref(double *out, const double *x, const double *y);
void pga_dual(double *out, const double *x);
double pga_inner(const double *x, const double *y);

/** Embeddings. A point has e123 weight 1; a direction is a point at infinity, weight 0. */
void pga_point(double *out, const double *xyz);
void pga_direction(double *out, const double *xyz);
void pga_plane(double *out, const double *normal, const double *position);
void pga_translation(double *out, const double *t);
void pga_rotation(double *out, const double *ijkw); /* unit quaternion */

/** Coordinates of a trivector: divided by its weight, or by 0.001 where the weight is not above that in magnitude. */
void pga_extract_point(double *xyz, const double *x);

/** out = u x u^-1, on the grade involution of x where u is odd. */
void pga_versor(double *out, const double *u, bool odd, const double *x);
