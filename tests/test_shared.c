// TEST double n=1,2
/* Sharing of slots while a model is trained: the model learns, a strong penalty leaves one class, outer steps are paid for, and
 * numbers do not depend on ranks. */
#include "fixture.h"

#include "train/forecast.h"

static TrainJob shared_job(const TrainData *data, OptionRoom *room, const char *text) {
    TrainJob job = fixture_job(&transformer_kind, &procedure_shared, data, 1e-2);
    *room = fixture_keys(&procedure_shared, text);
    job.procedure_options = room;
    return job;
}

static void slots(const TrainData *data) {
    OptionRoom still, strong;
    CurvePoint curve[FIXTURE_POINTS] = {0}, split[FIXTURE_POINTS] = {0};
    CellRecord record = {0}, again = {0};

    TrainJob none =
        shared_job(data, &still,
                   "-shared_pattern slots -shared_every 1000 -shared_lambda 0.05 -shared_rate 0.01 -shared_terms 20 "
                   "-shared_batches 4 -shared_harden 1");
    fixture_train(curve, &record, &none, data, 1, 1);
    double before = curve[record.curve_points - 1].procedure[1], classes = curve[record.curve_points - 1].procedure[0];
    EXPECT(record.outcome == OUTCOME_DONE && record.loss < record.loss_initial, "learns: %g", record.loss);
    EXPECT(classes > 1 && before > 0.1, "%g classes, entropy %g at first", classes, before);

    TrainJob job = shared_job(data, &strong,
                              "-shared_pattern slots -shared_every 1 -shared_lambda 30 -shared_rate 1 -shared_terms 3 "
                              "-shared_batches 2 -shared_harden 1");
    fixture_train(curve, &record, &job, data, 1, 1);
    const double *found = curve[record.curve_points - 1].procedure;
    EXPECT(found[1] < before / 2, "entropy %g, %g at first", found[1], before);
    ModelFlops plain = forecast_flops(&none, &fixture_options, data, 1),
               with = forecast_flops(&job, &fixture_options, data, 1);
    double factor = with.executed / plain.executed, want = (1 + 2 + 6 + 2) / (1 + 46 / 1000.0);
    EXPECT(fabs(factor / want - 1) < 1e-12, "work %g, want %g", factor, want);
    EXPECT(fabs(record.compute[CURRENCY_EXECUTED] / ((double)FIXTURE_STEPS * with.executed) - 1) < 0.2,
           "work of the cell");
    if (comm_size(comm_world()) > 1) {
        fixture_train(split, &again, &job, data, 2, 1);
        for (int i = 0; i < 2; i++) {
            double same = split[again.curve_points - 1].procedure[i];
            EXPECT(fabs(same - found[i]) < 1e-6 * (1 + found[i]), "number %d on two ranks: %g, %g", i, same, found[i]);
        }
        EXPECT(fabs(again.loss / record.loss - 1) < 1e-6, "loss on two ranks: %g, %g", again.loss, record.loss);
    }
}

/* ---- Blocks of 3x3. ---- */

enum { BLOCK = 9, STEPS = 40, ZERO = 1 };

/* Largest difference between the weights of two places of a block that are said to be the same, and largest of a place that is
 * said to be 0, over all blocks of linear_in, beside the largest of all. */
static void block_errors(double *same, double *zero, double *size, const Pass *pass, const double *label) {
    const ModelShape *s = &pass->shape;
    const real *w = pass->model->theta + param_find(&pass->model->table, "linear_in.weight")->offset;
    *same = *zero = *size = 0;
    for (int v = 0; v < MODEL_VECTORS; v++)
        for (int column = 0; column + 3 <= s->width; column += 3) {
            double at[BLOCK];
            for (int i = 0; i < BLOCK; i++) {
                at[i] = (double)w[(s->vector[v] + i / 3) * s->width + column + i % 3];
                *size = fmax(*size, fabs(at[i]));
                if (label[i] < 0) *zero = fmax(*zero, fabs(at[i]));
                for (int k = 0; k < i; k++)
                    if (label[i] == label[k]) *same = fmax(*same, fabs(at[i] - at[k]));
            }
        }
}

/* Makes place i share with nothing but the column that is 0. */
static void plant_zero(ProcedureRun *run, int i) {
    enum { COLUMNS = BLOCK + 1 };
    double *state = MEM_NEW(double, procedure_state(run, NULL));
    procedure_state(run, state); /* Z stands first */
    for (int c = 0; c < COLUMNS; c++) state[i * COLUMNS + c] = c == BLOCK ? 20 : 0;
    procedure_restore(run, state);
    mem_free(state);
}

/* The penalty makes one partition of all blocks, whose weights are then equal, or 0 where they share the column that is 0;
 * what linear_in reads beside vectors is nobody's. */
static void blocks(const TrainData *data) {
    static const OptimSettings settings = {.beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-8, .max_grad_norm = 1};
    OptionRoom room;
    TrainJob job =
        shared_job(data, &room,
                   "-shared_pattern blocks -shared_every 1 -shared_lambda 0.02 -shared_rate 0.3 -shared_terms 1 "
                   "-shared_batches 1 -shared_harden 1");
    ProcGrid alone = procgrid_new(comm_self(), 1, 1);
    SampleStream stream = {SAMPLES_TRAIN, job.dataset, job.seed};
    Pass pass;
    ProcedureRun run;
    pass_init(&pass, job.kind, &job.shape, job.seed, 4, data, &alone);
    procedure_start(&run, job.procedure, &room, &stream, &pass);
    plant_zero(&run, ZERO);
    Optim *optim = optim_new(&pass.model->table, &alone, false);
    double number[CURVE_NUMBERS], same, zero, size;
    for (int64_t k = 0; k < STEPS; k++) {
        procedure_fill(&run, &pass.batch, 4 * k, 4);
        procedure_gradient(&run, &pass, 4);
        optim_step(optim, pass.model->theta, pass.model->grad, job.lr, &settings);
        procedure_after_step(&run, &pass);
    }
    procedure_numbers(&run, number);
    block_errors(&same, &zero, &size, &pass, number + 2);
    EXPECT(number[0] > 1 && number[0] < BLOCK && number[1] < 0.05, "%g classes, entropy %g", number[0], number[1]);
    EXPECT(number[2 + ZERO] == -1, "what shares with 0 is class %g", number[2 + ZERO]);
    for (int i = 0; i < BLOCK; i++)
        EXPECT(number[2 + i] >= -1 && number[2 + i] < number[0], "class of place %d: %g", i, number[2 + i]);
    EXPECT(isnan(number[2 + BLOCK]), "the parameter that is 0 is not shown");
    EXPECT(same < 0.02 * size && zero < 0.02 * size, "off by %g and %g of %g", same, zero, size);
    EXPECT(!strcmp(procedure_shared.mark(&room), "blocks"), "cells say so");

    int64_t numbers = procedure_state(&run, NULL);
    double *kept = MEM_NEW(double, numbers), again[CURVE_NUMBERS];
    ProcedureRun other;
    procedure_state(&run, kept);
    procedure_start(&other, job.procedure, &room, &stream, &pass);
    procedure_restore(&other, kept);
    procedure_numbers(&other, again);
    for (int i = 0; i < 2 + BLOCK; i++)
        EXPECT(again[i] == number[i], "restored number %d: %g, %g", i, again[i], number[i]);
    mem_free(kept);
    procedure_end(&other);
    optim_free(optim);
    procedure_end(&run);
    pass_free(&pass);
    procgrid_free(&alone);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    test_folder_new();
    Dataset *dataset = fixture_dataset(argv);
    TrainData data = fixture_data(dataset);
    slots(&data);
    blocks(&data);
    dataset_close(dataset);
    return test_end();
}
