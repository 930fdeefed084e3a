/** The E(3)-equivariant linear map of multivectors and scalars, Brehmer et al. 2023, arXiv 2305.18415, eq. 3:
 *      out_mv[j] = sum_i sum_a weight[j,i,a] M_a in_mv[i] + <s2mvs.weight s + s2mvs.bias>_0
 *      out_s     = mvs2s.weight <in_mv>_0 + mvs2s.bias + s2s.weight s
 *  M_0..M_4 select a grade, M_5..M_8 multiply grade 0..3 by e0 from the left; each is divided by the root of the number
 *  of components it carries. By component planes this is one product of channel matrices per plane, or the sum of two.
 *
 *  Weights are stored [basis][out][in]. Tensor parallelism: the caller splits axes; a tensor that is absent here
 *  (offset -1) adds nothing, so that scalars and biases enter once. Not collective. Errors: none. */
#pragma once

#include "nn/equi.h"
#include "nn/param.h"

enum { EQUI_BASIS = 9, EQUI_ALL_PLANES = 0xffff };

typedef struct EquiLinear {
    int in_mv, in_s, out_mv, out_s;           /* channels of this rank */
    int64_t weight, basis;                    /* first element, and elements between basis maps */
    int64_t s2mv, mv_bias, mv2s, s_bias, s2s; /* first elements of the other tensors; -1: absent */
    unsigned planes; /* output components that anyone reads, as bits, whole groups of equi_linear.c */
} EquiLinear;

/** How the tensors of a map are cut. Scalar inputs may be whole on every rank while multivector inputs are split: then
 *  what comes from scalars, and the biases, is split by outputs (scalar_out_*), each rank adding its own part. */
typedef struct EquiAxes {
    Axis in_mv, in_s, out_mv, out_s;
    Axis scalar_out_mv, scalar_out_s;
    bool partial; /* replicated, gradients summed over tp */
} EquiAxes;

/** Initialisation, as in the reference: bounds are multiplied by `gain`, the multivector bias is centred on `bias`. */
typedef struct EquiInit {
    double gain, bias;
} EquiInit;

/** Appends the tensors NAME.weight, .s2mvs.weight, .s2mvs.bias and, with scalar outputs, .mvs2s.weight, .mvs2s.bias,
 *  .s2s.weight. */
EquiLinear equi_linear_params(ParamTable *table, int block, const EquiAxes *axes, EquiInit init, const char *name);

/** The map onto output channels mv .. mv+n_mv and s .. s+n_s alone. */
EquiLinear equi_linear_rows(const EquiLinear *map, int mv, int n_mv, int s, int n_s);

/** out = map(in) + beta out. */
void equi_linear_forward(Field out, const EquiLinear *map, const real *theta, Field in, Columns at, real beta);

/** dmv = sum over maps, which share one input, of their adjoints + beta dmv; dmv.s is not looked at. A map with fewer
 *  inputs than another reads the first ones. */
void equi_linear_backward_mv(Field dmv, const EquiLinear *maps, const Field *dout, int n_maps, const real *theta,
                             Columns at, real beta);
/** The same for the scalar inputs, ds (in_s, ld). */
void equi_linear_backward_s(real *ds, const EquiLinear *maps, const Field *dout, int n_maps, const real *theta,
                            Columns at, real beta);

/** Adds the gradients of the tensors to grad. */
void equi_linear_backward_weight(real *grad, const EquiLinear *map, Field dout, Field in, Columns at);

/** Executed FLOP per token of one product: forward, input gradient and weight gradient cost the same. */
int64_t equi_linear_flops(const EquiLinear *map);

/** Nominal FLOP per token of forward and backward, as the reference computes it: 6 per entry of the dense matrices. */
double equi_linear_nominal(int in_mv, int in_s, int out_mv, int out_s);

/** The same map by the definition, one token at a time, in double: what tests compare with. */
void equi_linear_ref(double *out_mv, double *out_s, const EquiLinear *map, const real *theta, const double *in_mv,
                     const double *in_s);
