/** Shapes of rigid bodies: what collides, what it weighs and the mesh vertices that stand for it.
 *
 *  Origin at the centre of mass, axis of symmetry along z; lengths in m. Pyramids (3 sides: tetrahedra) and prisms are
 *  convex hulls whose vertices are the mesh; on the round shapes the mesh vertices lie on the surface. Not collective.
 *  Errors: none. */
#pragma once

#include <stdint.h>

typedef enum ShapeKind {
    SHAPE_BOX,
    SHAPE_CYLINDER,
    SHAPE_SPHERE,
    SHAPE_CAPSULE,
    SHAPE_PYRAMID,
    SHAPE_PRISM,
    SHAPE_KINDS
} ShapeKind;

enum { SHAPE_VERTICES = 64, SHAPE_SIDES = 6, HULL_SIDES = 16 };

typedef struct Shape {
    ShapeKind kind;
    double size[3]; /* box: edges; others: radius, height (capsule: of its cylinder), unused */
    int sides;      /* of pyramids and prisms, 3 .. SHAPE_SIDES */
} Shape;

/** A convex hull as faces over vertices: `faces` lists each face as its number of corners and the corners,
 *  counterclockwise seen from outside; (normal, offset) are their planes. */
typedef struct Hull {
    int n_vertices, n_faces;
    double vertex[2 * HULL_SIDES][3];
    double plane[HULL_SIDES + 2][4];
    unsigned faces[2 * (HULL_SIDES + 1) + 5 * HULL_SIDES];
} Hull;

/** A random shape of about `radius` m (of a ball around it); aspect ratios 1/2 to 2. */
Shape shape_draw(double radius, uint64_t seed, uint64_t stream, uint64_t element);

/** Radius of the smallest ball around the origin that holds the shape. */
double shape_radius(const Shape *shape);
/** Radius of the largest ball around the origin inside the shape. */
double shape_inradius(const Shape *shape);
double shape_volume(const Shape *shape);

/** Mesh vertices, about `detail` of them on round shapes (8 .. SHAPE_VERTICES); returns their number. */
int shape_mesh(double vertex[SHAPE_VERTICES][3], const Shape *shape, int detail);

/** Of a pyramid or a prism; of a cylinder as a prism of HULL_SIDES sides and the same volume. */
void shape_hull(Hull *hull, const Shape *shape);

/** Integrals of x_i x_j over the hull, which gives its inertia, and its volume. */
double hull_moments(double second[3][3], const Hull *hull);
