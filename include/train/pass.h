/** One pass: a model on its process grid with the buffers of a batch; what it predicts, the loss, and its gradient.
 *
 *  Loss of a sequence: mean over vertices of the squared displacement error, in units of the training set's mean
 *  squared displacement (in training another error where batch.loss says so). Loss of a batch: sum over its sequences of loss weight times loss, over the number of samples.
 *  Loss of a held-out set: mean over its samples, each as it is. So 1 is "nothing moves". Sums are in double.
 *  Models predict how far the displacement departs from the velocity, in units of the rms of that. With shape.upright
 *  the model sees each scene under the least rotation that takes gravity to -z, and what it says is turned back: it is
 *  then equivariant under all rotations that tilt the scene, at no FLOP.
 *
 *  One code path for every layout: samples of a batch are split over dp, the model over tp, gradients are summed over
 *  dp block by block while the backward pass still runs. A step's gradient is that of one or of several batches, one
 *  after the other (gradient accumulation), and each goes through the model in pieces that the caches hold (nn/model.h,
 *  model_piece): one sum over dp a step, with the last piece of the last batch.
 *
 *  A pass may be reproducible: gradients and losses are then formed sample by sample and added in one tree (par/fixed_sum.h),
 *  held-out losses in the order of samples, so that every dp gives the same bits. tp stays what it is: its sums are within a
 *  sample. */
#pragma once

#include "par/fixed_sum.h"
#include "train/batch.h"

/** What a procedure asks for beside the gradient of the parameters: that by what moves of the scenes. */
typedef struct InputGradient {
    Tensors in;          /* by the inputs of the model, of one piece */
    SceneGradient scene; /* by the scenes of the batch; targets stay as they are */
} InputGradient;

typedef struct Pass {
    const ModelKind *kind;
    const TrainData *data; /* not owned, nor is the grid */
    const ProcGrid *grid;
    Model *model;
    ModelShape shape; /* complete, inputs and outputs too */
    Batch batch;
    Tensors in, out, dout; /* of one piece */
    MovedScenes shown;     /* what the model sees of it where shape.upright */
    Motion *tilt, *back;   /* (sequences) from the scene to what is shown, and the way back */
    int64_t *piece_start;
    real *prediction;      /* (tokens, 3) displacement in units of scale.step; after pass_gradient the gradient by what
                              the model says */
    double *error;         /* (sequences) loss of each sequence of the last pass_loss or pass_gradient, unweighted */
    double *by_trajectory; /* sums of held-out losses, then numbers of samples */
    InputGradient *inputs; /* where pass_gradient leaves it; not owned; NULL: it is not asked for */
    CommRequest *request;  /* one a gradient block */
    int reported;          /* gradient blocks of the batch that are complete */
    FixedSum *sum;         /* of the gradients of samples; NULL: the pass is not reproducible */
    bool begun;            /* a sample of the step is in it */
    double *sample_loss; /* then: the loss of each sample of a step, or of a held-out range, on the rank that has it */
    Arena arena;
} Pass;

/** A model with parameters from `seed` and room for batches of up to `sequences`. Collective on grid->tp. */
void pass_init(Pass *pass, const ModelKind *kind, const ModelShape *shape, uint64_t seed, int sequences,
               const TrainData *data, const ProcGrid *grid);
void pass_free(Pass *pass);

/** Bytes on one rank that pass_init takes. Not collective. */
int64_t pass_bytes(const ModelKind *kind, const ModelShape *shape, int tp, int sequences, const TrainData *data);

/** From here on the pass is reproducible, for steps of `samples` samples. Its batches must hold all views of a sample. Not
 *  collective. And the bytes that it takes more, on any of dp ranks. */
void pass_reproducible(Pass *pass, int64_t samples);
int64_t pass_reproducible_bytes(const ModelKind *kind, const ModelShape *shape, int dp, int tp, int64_t samples,
                                const TrainData *data);

/** Samples first .. first+count-1 of n that rank r of dp takes: a contiguous run; and the largest such count. Not
 *  collective. */
void pass_share(int *first, int *count, int64_t n, int r, int dp);
int pass_largest_share(int64_t n, int dp);

/** What the model itself says of scenes that fit the batch, in `prediction`: the change of the displacement, in units of
 *  scale.deviation. Collective on grid->tp. */
void pass_forward(Pass *pass, const SceneBatch *scenes);

/** The displacement: velocity plus that change. Collective on grid->tp. */
void pass_predict(Pass *pass, const SceneBatch *scenes);

/** Sum over the sequences of the batch of loss weight times loss, after pass_predict of it. Not collective. */
double pass_loss(Pass *pass);

/** Room for the gradient by the scenes of batches of the pass, of which sizes, kind and shape must be there. The model must
 *  have embed_backward, and its scenes must not be turned upright. Called twice, to count and to place. */
void pass_inputs_layout(InputGradient *inputs, const Pass *pass, Arena *arena);

/** How the loss of a batch changes as sequence q, with its target, is moved on: x -> x + e (M x + m) changes it by e times
 *  the sum of field, times the numbers of M by rows and of m. After pass_gradient with pass->inputs. Not collective. */
void pass_field(double field[MOTION_GENERATORS], const Pass *pass, int q);

/** Gradient of the loss of a step of `samples` samples over all dp, in model->grad: started once, and then that of each
 *  batch of this rank added; `more`: others follow. Where the pass is reproducible a batch is all views of one sample, or
 *  nothing on a rank that has none. With the last batch the gradient is complete. The values returned on all dp ranks
 *  for all batches add up to the loss. pass_gradient does both for one batch, of a pass that is not reproducible.
 *  Collective on grid->tp, with the last batch on grid->cell. */
void pass_gradient_start(Pass *pass);
double pass_gradient_add(Pass *pass, int64_t samples, bool more);
double pass_gradient(Pass *pass, int64_t samples);

/** Mean loss over the first samples of a held-out range, shared out over dp. Unless NULL, `error` receives its standard
 *  error for the choice of trajectories, by bootstrap over them: samples of one trajectory are alike. Every cell of a
 *  study draws the same resamples. Collective on grid->cell. */
double pass_evaluate(Pass *pass, double *error, SampleRange range, int64_t samples);
