/** The law of repeated data (Muennighoff et al. 2023, eq. 5): tokens seen again, and parameters beyond what the unique
 *  tokens would feed, count for less and less:
 *
 *      L = E + A / N'^alpha + B / D'^beta,   D' = U + U R_D* (1 - e^(-R_D / R_D*)),   R_D = D/U - 1
 *      N' = U_N + U_N R_N* (1 - e^(-R_N / R_N*)),   U_N = min(N, N_opt(U)),   R_N = N/U_N - 1
 *
 *  with the base law held; Huber on log residuals. Not collective. */
#pragma once

#include "fit/law.h"

typedef struct RepeatRows {
    int64_t n;
    const double *size, *tokens, *unique, *loss; /* N, D, U, L */
} RepeatRows;

/** Objective at (R_D*, R_N*), and its gradient unless g is NULL. */
double repeat_objective(const RepeatRows *rows, const Law *base, double delta, double rd, double rn, double *g);

/** The minimum reached from a start, which x = (R_D*, R_N*) holds. */
double repeat_fit(double x[2], const RepeatRows *rows, const Law *base, double delta);

/** 1 - sum (L - fit)^2 / sum (L - mean)^2; rd = 0: the plain law. */
double repeat_r2(const RepeatRows *rows, const Law *base, double rd, double rn);
