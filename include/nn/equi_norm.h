/** Equivariant normalisation and gating, token by token; no parameters. Not collective. Errors: none. */
#pragma once

#include "nn/equi.h"

enum { EQUI_NORM_STATS = 3 };

/** x += u where u is not NULL, then y = norm(x):
 *      multivectors  y = x / sqrt(max(m, 0.01)), m the channel mean of the inner product of x with itself
 *      scalars       layer norm over channels, biased variance, eps 1e-5
 *  x and u are (16 mv + s) rows in one run; y has its own plane stride. stats (EQUI_NORM_STATS, ld) is for backward. */
void equi_norm_forward(Field y, real *stats, real *x, const real *u, int mv, int s, Columns at);

/** dx (rows in one run) += adjoint of norm applied to dy, given y and stats; none through m where its floor acts. */
void equi_norm_backward(real *dx, Field dy, Field y, const real *stats, int mv, int s, Columns at);

/** y[p] = gelu_tanh(gate) x[p] for the 16 components of each channel. gate (mv, ld) rows; value and slope (mv, ld)
 *  receive the GELU and its derivative. y may be x. */
void equi_gate_forward(Field y, real *value, real *slope, Field x, const real *gate, int mv, Columns at);
/** dx[p] = value dy[p] (dx may be dy) and dgate = slope sum_p x[p] dy[p]. */
void equi_gate_backward(Field dx, real *dgate, Field dy, Field x, const real *value, const real *slope, int mv,
                        Columns at);

/** The definitions, one token in double: x (mv, 16) and (s). */
void equi_norm_ref(double *y_mv, double *y_s, const double *x_mv, const double *x_s, int mv, int s);
