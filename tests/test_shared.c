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

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    test_folder_new();
    Dataset *dataset = fixture_dataset(argv);
    TrainData data = fixture_data(dataset);
    OptionRoom still, strong;
    CurvePoint curve[FIXTURE_POINTS] = {0}, split[FIXTURE_POINTS] = {0};
    CellRecord record = {0}, again = {0};

    TrainJob none = shared_job(&data, &still, "-shared_every 1000 -shared_lambda 0.05 -shared_rate 0.01");
    fixture_train(curve, &record, &none, &data, 1, 1);
    double before = curve[record.curve_points - 1].procedure[1], classes = curve[record.curve_points - 1].procedure[0];
    EXPECT(record.outcome == OUTCOME_DONE && record.loss < record.loss_initial, "learns: %g", record.loss);
    EXPECT(classes > 1 && before > 0.1, "%g classes, entropy %g at first", classes, before);

    TrainJob job = shared_job(&data, &strong, "-shared_every 1 -shared_lambda 30 -shared_rate 1 -shared_terms 3");
    fixture_train(curve, &record, &job, &data, 1, 1);
    const double *found = curve[record.curve_points - 1].procedure;
    EXPECT(found[1] < before / 2, "entropy %g, %g at first", found[1], before);
    ModelFlops plain = forecast_flops(&none, &fixture_options, &data, 1),
               with = forecast_flops(&job, &fixture_options, &data, 1);
    double factor = with.executed / plain.executed, want = (1 + 1 + 6 + 2) / (1 + 43 / 1000.0);
    EXPECT(fabs(factor / want - 1) < 1e-12, "work %g, want %g", factor, want);
    EXPECT(fabs(record.compute[CURRENCY_EXECUTED] / ((double)FIXTURE_STEPS * with.executed) - 1) < 0.2,
           "work of the cell");
    if (comm_size(comm_world()) > 1) {
        fixture_train(split, &again, &job, &data, 2, 1);
        for (int i = 0; i < 2; i++) {
            double same = split[again.curve_points - 1].procedure[i];
            EXPECT(fabs(same - found[i]) < 1e-6 * (1 + found[i]), "number %d on two ranks: %g, %g", i, same, found[i]);
        }
        EXPECT(fabs(again.loss / record.loss - 1) < 1e-6, "loss on two ranks: %g, %g", again.loss, record.loss);
    }
    dataset_close(dataset);
    return test_end();
}
