/** How motions of space act on scenes, on what a model sees and on what it must say.
 *
 *  A motion g: x -> A x + s with A invertible takes
 *      positions p -> A p + s       velocities v -> A v       displacements y -> A y       gravity u -> A u / |A u|
 *      the floor {q : n.q + h = 0}:   n -> A^-T n / |A^-T n|,   h -> (h - (A^-T n).s) / |A^-T n|
 *  and leaves physical parameters and slots as they are. Rotations, mirror images and shifts keep the physics: E(3).
 *  Other motions (shears, stretches) are for procedures that must find out which symmetry there is.
 *
 *  Lengths and shifts are in the unit of the scene's positions. All arithmetic is in double; packed arrays are rounded
 *  once. Not collective. Errors: none. */
#pragma once

#include "base/arena.h"
#include "nn/model.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct Motion {
    double a[9], s[3]; /* x -> a x + s; a by rows */
    bool orthogonal;   /* a^T a = 1: normals move as vectors do, and no length is made anew */
} Motion;

Motion motion_identity(void);

/** A uniform element of SO(3) (Haar measure), s = 0: of rng elements 4*element .. 4*element+3 of the stream. */
Motion motion_haar(uint64_t seed, uint64_t stream, uint64_t element);

/** A uniform element of O(3), s = 0: a rotation as above or, half of the time, its mirror image. Of rng elements
 *  8*element .. 8*element+4 of the stream. */
Motion motion_orthogonal(uint64_t seed, uint64_t stream, uint64_t element);

/** The rotation by `angle` about an axis of any length but 0, right-handed (Rodrigues 1840). */
Motion motion_about(const double axis[3], double angle);

/** The least rotation that takes the direction of one vector to that of another; neither is 0. */
Motion motion_between(const double from[3], const double to[3]);

/** The motion followed by the reflection at the origin, x -> -x: of a uniform rotation a uniform mirror image. */
Motion motion_mirrored(const Motion *motion);

/** The reflection at the plane through the origin with this normal, of any length but 0. */
Motion motion_mirror(const double normal[3]);

/** exp(t sum_i w[i] G_i), the G_i a basis of the affine algebra, each of Frobenius norm 1 as a 4x4 matrix:
 *      0-2 rotations about x, y, z    3-5 shears yz, zx, xy (symmetric)    6, 7 stretches x-y, x+y-2z    8 scale
 *      9-11 shifts along x, y, z
 *  A unit of a rotation's w turns by 1/sqrt(2). */
enum { MOTION_GENERATORS = 12 };
Motion motion_exp(const double w[MOTION_GENERATORS], double t);

/** Gradient by w of a function of the motion exp(sum_i w[i] G_i), from how the function changes as what the motion has
 *  moved is moved on, x -> x + e (M x + m): by e sum_i field[i] times the numbers of M, by rows, and then of m. */
void motion_exp_gradient(double dw[MOTION_GENERATORS], const double w[MOTION_GENERATORS],
                         const double field[MOTION_GENERATORS]);

/** x -> second(first(x)), and the motion that takes everything back. */
Motion motion_product(const Motion *second, const Motion *first);
Motion motion_inverse(const Motion *motion);

/** The same motion of a scene whose lengths are multiplied by `unit` on the way: unit A and s. */
Motion motion_scaled(const Motion *motion, double unit);

/** One thing, in place or from one place to another.
 *  act_pose: a body's pose, world = r body + t. act_plane: unit normal and height of the origin over it, n.q + h = 0.
 *  act_direction: to unit length. Zero, which is nothing, stays zero. */
void act_pose(double r[9], double t[3], const Motion *motion);
void act_vector(double out[3], const double v[3], const Motion *motion);
void act_direction(double out[3], const double v[3], const Motion *motion);
void act_plane(double out[4], const double plane[4], const Motion *motion);

/** A moved copy of a batch of scenes, with arrays of its own for what moves. */
typedef struct MovedScenes {
    SceneBatch scenes;
    real *position, *velocity, *floor, *gravity; /* as in SceneBatch */
} MovedScenes;

/** Room for up to max_tokens tokens in max_sequences scenes. Called twice, to count and to place. */
void act_layout(MovedScenes *moved, int64_t max_tokens, int max_sequences, Arena *arena);

/** to = g from, g = motion[i] for sequence i where per_sequence, motion[0] for all otherwise. What does not move is
 *  shared with `from`, which must outlive it. */
void act_scene(MovedScenes *to, const SceneBatch *from, const Motion *motion, bool per_sequence);

/** The action on displacements, y = A x for (tokens, 3); y may be x. Taken back by the inverse motions. */
void act_out(real *y, const real *x, const Packed *seqs, const Motion *motion, bool per_sequence);

/** The action of orthogonal motions on multivectors (16, tokens, channels) by component planes, as that of their versors
 *  (la/pga.h): a point moves as a point where det A = 1; a mirror image makes its e123 -1. y may be x. */
void act_multivectors(real *y, const real *x, int channels, const Packed *seqs, const Motion *motion,
                      bool per_sequence);
