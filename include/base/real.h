/** The floating-point type of a build: float by default, double with `make PRECISION=double`.
 *  Training runs in `real`; statistics, losses that are compared and fits are always double. */
#pragma once

#ifdef EQ_DOUBLE
typedef double real;
#define REAL_NAME "float64"
#define REAL_EPSILON 2.220446049250313e-16
#else
typedef float real;
#define REAL_NAME "float32"
#define REAL_EPSILON 1.1920929e-7f
#endif
