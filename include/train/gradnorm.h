/** Weights of several losses, so that none is learned faster than the others: GradNorm, Chen et al. 2018, arXiv
 *  1711.02257, with the sign of the gradient of sum_k |G_k - T_k| as its reproductions step it:
 *      G_k = w_k |grad_W L_k|    r_k = (L_k / L_k(0)) / mean_j (L_j / L_j(0))    T_k = mean_j(G_j) r_k^gamma, held fixed
 *      w_k <- max(w_k - rate sign(G_k - T_k) |grad_W L_k|, 1e-3),   then all are scaled so that they sum to their number
 *  W: the parameters where the losses part last. Not collective. Errors: none. */
#pragma once

typedef struct GradNorm {
    int n;               /* losses */
    const double *first; /* (n) L_k(0), of the first step */
    double gamma, rate;
} GradNorm;

/** One step on `weight` (n) from the losses (n) and the norms (n) of their gradients by W. Where a norm or a loss is not
 *  finite, or the norms are all 0, the weights stay. */
void gradnorm_step(double *weight, const GradNorm *g, const double *loss, const double *norm);
