/** The terms of the two products of pga.h that are not zero: PLUS(o, l, r) stands for out[o] += x[l]*y[r]. They follow from the
 *  blades (pga_geometric_ref, pga_join_ref), against which the test compares.
 *
 *  One half of the components is closed under a product, that without e0 under the geometric one and that with e0 under the
 *  join, and the product of two of the other half is 0. So a product is three of halves, named by those of x and y: CC adds to
 *  the closed half, CO and OC to the open one. Within each, terms that follow each other add to different sums, of the product
 *  as of its adjoints. */
#pragma once

// clang-format off
#define PGA_WITHOUT_E0(DO) DO(0) DO(2) DO(3) DO(4) DO(8) DO(9) DO(10) DO(14)
#define PGA_WITH_E0(DO) DO(1) DO(5) DO(6) DO(7) DO(11) DO(12) DO(13) DO(15)

/** 3 times 64 terms of the geometric product. */
#define PGA_GEOMETRIC_CC(PLUS, MINUS) \
    PLUS(14, 8, 4) MINUS(8, 3, 2) MINUS(0, 10, 10) PLUS(9, 9, 0) PLUS(4, 2, 9) PLUS(3, 0, 3) PLUS(14, 4, 8) \
    PLUS(10, 14, 2) MINUS(2, 10, 14) MINUS(8, 9, 10) PLUS(9, 2, 4) PLUS(0, 0, 0) MINUS(14, 3, 9) MINUS(3, 8, 2) \
    MINUS(10, 4, 3) MINUS(4, 14, 8) PLUS(2, 9, 4) PLUS(8, 10, 9) MINUS(9, 3, 14) PLUS(14, 2, 10) MINUS(0, 8, 8) \
    PLUS(4, 4, 0) PLUS(2, 0, 2) PLUS(3, 14, 9) PLUS(10, 3, 4) PLUS(8, 2, 3) PLUS(9, 8, 10) MINUS(4, 9, 2) \
    PLUS(14, 0, 14) MINUS(2, 4, 9) PLUS(10, 10, 0) PLUS(0, 3, 3) PLUS(3, 2, 8) PLUS(8, 14, 4) MINUS(4, 8, 14) \
    MINUS(9, 4, 2) PLUS(10, 0, 10) MINUS(0, 9, 9) PLUS(2, 2, 0) PLUS(3, 10, 4) MINUS(9, 14, 3) PLUS(8, 4, 14) \
    PLUS(4, 3, 10) PLUS(10, 9, 8) PLUS(0, 2, 2) PLUS(2, 8, 3) PLUS(14, 14, 0) PLUS(9, 0, 9) MINUS(3, 4, 10) \
    PLUS(10, 2, 14) MINUS(4, 10, 3) MINUS(2, 3, 8) PLUS(8, 8, 0) PLUS(0, 4, 4) PLUS(3, 9, 14) PLUS(14, 10, 2) \
    MINUS(2, 14, 10) PLUS(8, 0, 8) MINUS(10, 8, 9) PLUS(3, 3, 0) MINUS(14, 9, 3) MINUS(0, 14, 14) PLUS(4, 0, 4) \
    MINUS(9, 10, 8)
#define PGA_GEOMETRIC_CO(PLUS, MINUS) \
    MINUS(11, 2, 6) MINUS(1, 10, 13) PLUS(6, 9, 15) PLUS(12, 0, 12) MINUS(7, 4, 1) PLUS(5, 3, 11) MINUS(13, 14, 5) \
    PLUS(15, 8, 7) MINUS(11, 9, 13) PLUS(6, 0, 6) MINUS(7, 2, 12) PLUS(12, 3, 15) PLUS(13, 10, 1) MINUS(1, 4, 7) \
    PLUS(5, 14, 13) MINUS(15, 9, 6) MINUS(6, 8, 5) PLUS(11, 0, 11) MINUS(13, 2, 15) PLUS(5, 4, 12) MINUS(7, 3, 13) \
    PLUS(12, 14, 6) PLUS(15, 10, 5) PLUS(1, 0, 1) MINUS(6, 2, 11) MINUS(11, 4, 15) PLUS(5, 9, 7) MINUS(13, 8, 12) \
    MINUS(7, 10, 6) MINUS(15, 14, 1) MINUS(1, 2, 5) PLUS(6, 4, 13) MINUS(13, 3, 7) MINUS(12, 10, 11) MINUS(7, 8, 15) \
    MINUS(1, 9, 12) PLUS(5, 0, 5) MINUS(15, 2, 13) MINUS(11, 14, 7) PLUS(13, 4, 6) MINUS(6, 3, 1) MINUS(1, 8, 11) \
    MINUS(7, 9, 5) MINUS(5, 10, 15) MINUS(12, 2, 7) PLUS(13, 0, 13) PLUS(15, 3, 12) PLUS(11, 8, 1) PLUS(7, 14, 11) \
    PLUS(12, 4, 5) PLUS(6, 10, 7) PLUS(15, 0, 15) MINUS(1, 3, 6) MINUS(5, 2, 1) PLUS(13, 9, 11) PLUS(12, 8, 13) \
    PLUS(11, 10, 12) PLUS(7, 0, 7) PLUS(1, 14, 15) MINUS(15, 4, 11) PLUS(12, 9, 1) PLUS(5, 8, 6) PLUS(11, 3, 5) \
    MINUS(6, 14, 12)
#define PGA_GEOMETRIC_OC(PLUS, MINUS) \
    MINUS(15, 12, 3) PLUS(13, 5, 14) MINUS(5, 6, 8) PLUS(12, 1, 9) PLUS(11, 15, 4) MINUS(6, 7, 10) MINUS(7, 13, 3) \
    PLUS(1, 5, 2) PLUS(13, 12, 8) MINUS(12, 6, 14) PLUS(15, 15, 0) MINUS(5, 7, 9) PLUS(7, 1, 4) PLUS(11, 5, 3) \
    MINUS(6, 11, 2) MINUS(1, 13, 10) PLUS(12, 12, 0) PLUS(15, 7, 8) PLUS(13, 6, 4) PLUS(7, 5, 9) PLUS(5, 1, 2) \
    MINUS(1, 15, 14) PLUS(11, 11, 0) MINUS(12, 13, 8) MINUS(13, 7, 3) PLUS(15, 5, 10) PLUS(5, 12, 4) PLUS(6, 15, 9) \
    MINUS(7, 11, 14) PLUS(1, 1, 0) MINUS(11, 6, 2) PLUS(12, 5, 4) MINUS(5, 15, 10) PLUS(6, 12, 14) MINUS(13, 11, 9) \
    PLUS(7, 7, 0) PLUS(1, 6, 3) PLUS(15, 13, 2) PLUS(11, 1, 8) PLUS(12, 11, 10) PLUS(5, 5, 0) MINUS(1, 12, 9) \
    PLUS(6, 13, 4) PLUS(13, 15, 2) PLUS(15, 1, 14) PLUS(7, 6, 10) PLUS(5, 11, 3) PLUS(6, 5, 8) PLUS(11, 13, 9) \
    PLUS(1, 7, 4) MINUS(7, 12, 2) PLUS(13, 1, 10) MINUS(12, 15, 3) PLUS(6, 6, 0) MINUS(5, 13, 14) PLUS(15, 11, 4) \
    MINUS(11, 12, 10) MINUS(12, 7, 2) MINUS(7, 15, 8) PLUS(6, 1, 3) PLUS(13, 13, 0) MINUS(15, 6, 9) PLUS(11, 7, 14) \
    MINUS(1, 11, 8)

/** 3 times 27 terms of the join. */
#define PGA_JOIN_CC(PLUS, MINUS) \
    PLUS(1, 12, 6) PLUS(7, 15, 7) MINUS(6, 13, 11) PLUS(5, 11, 12) MINUS(1, 1, 15) PLUS(7, 12, 13) PLUS(6, 15, 6) \
    PLUS(1, 6, 12) PLUS(5, 5, 15) MINUS(13, 15, 13) MINUS(1, 7, 11) MINUS(7, 13, 12) MINUS(12, 12, 15) \
    PLUS(5, 15, 5) PLUS(6, 11, 13) MINUS(13, 13, 15) MINUS(1, 15, 1) MINUS(5, 12, 11) MINUS(11, 11, 15) \
    MINUS(1, 5, 13) MINUS(12, 15, 12) PLUS(7, 7, 15) MINUS(1, 11, 7) MINUS(11, 15, 11) PLUS(6, 6, 15) \
    MINUS(1, 13, 5) PLUS(15, 15, 15)
#define PGA_JOIN_CO(PLUS, MINUS) \
    PLUS(0, 15, 0) MINUS(4, 7, 14) PLUS(3, 13, 8) MINUS(2, 11, 9) PLUS(0, 5, 10) MINUS(4, 15, 4) PLUS(9, 12, 14) \
    PLUS(0, 13, 2) MINUS(3, 11, 10) PLUS(8, 15, 8) MINUS(2, 5, 14) MINUS(0, 6, 9) MINUS(4, 12, 10) MINUS(3, 15, 3) \
    PLUS(10, 13, 14) PLUS(0, 7, 8) MINUS(2, 15, 2) PLUS(4, 13, 9) MINUS(3, 6, 14) PLUS(0, 11, 4) PLUS(10, 15, 10) \
    PLUS(2, 12, 8) PLUS(0, 1, 14) PLUS(9, 15, 9) PLUS(8, 11, 14) MINUS(0, 12, 3) MINUS(14, 15, 14)
#define PGA_JOIN_OC(PLUS, MINUS) \
    MINUS(0, 9, 6) MINUS(4, 4, 15) MINUS(3, 10, 11) PLUS(2, 8, 12) MINUS(10, 14, 13) PLUS(0, 0, 15) MINUS(2, 9, 11) \
    MINUS(4, 10, 12) MINUS(3, 14, 6) PLUS(0, 8, 7) MINUS(2, 2, 15) PLUS(4, 9, 13) MINUS(9, 14, 12) MINUS(0, 4, 11) \
    PLUS(8, 8, 15) MINUS(4, 14, 7) MINUS(0, 2, 13) MINUS(3, 3, 15) MINUS(8, 14, 11) PLUS(0, 10, 5) PLUS(9, 9, 15) \
    PLUS(3, 8, 13) MINUS(0, 14, 1) PLUS(10, 10, 15) MINUS(2, 14, 5) PLUS(0, 3, 12) MINUS(14, 14, 15)
// clang-format on
