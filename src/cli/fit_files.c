#include "fit_files.h"

#include "infer/analysis.h"
#include "infer/report.h"
#include "par/comm.h"
#include "study/suggest_study.h"

Err fit_files(int files, const char *const *file, FitOptions *options) {
    TableOptions rows;
    TRY(fit_rows(&rows, options));
    Table table = table_new();
    Err err = table_add_files(&table, files, file, &rows, comm_world());
    if (!err.code) {
        Analysis *analysis = analysis_new(&table, options, comm_world());
        report_text(analysis);
        if (options->json[0]) err = report_json(analysis, options->json, comm_world());
        if (!err.code && options->suggest) err = suggest_study(analysis);
        analysis_free(analysis);
    }
    table_free(&table);
    return err;
}
