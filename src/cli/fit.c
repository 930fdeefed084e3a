/* fit FILE...: laws, allocation and isoFLOP curves of results files and tables. */
#include "commands.h"
#include "suggest.h"

#include "infer/analysis.h"
#include "par/comm.h"
#include "par/options.h"

Err cmd_fit(int argc, char **argv, int *code) {
    (void)code;
    int files = 0;
    while (files + 1 < argc && argv[files + 1][0] != '-') files++;
    if (!files) return err_user("equiscale fit: want results.h5 or CSV files, then -key value pairs");
    FitOptions options;
    TRY(options_load(NULL, argc - files, argv + files));
    TRY(options_read(&options, fit_keys, n_fit_keys));
    TRY(options_unknown());
    TableColumns columns = fit_columns(&options);
    TableFilter filter = fit_filter(&options);
    Table table = table_new();
    Err err = ERR_NONE;
    for (int i = 1; i <= files && !err.code; i++)
        err = table_add_file(&table, argv[i], &columns, &filter, comm_world());
    if (!err.code) {
        Analysis *analysis = analysis_new(&table, &options, comm_world());
        analysis_print(analysis);
        if (options.json[0]) err = analysis_json(analysis, options.json, comm_world());
        if (!err.code && options.suggest) err = suggest_write(analysis);
        analysis_free(analysis);
    }
    table_free(&table);
    return err;
}
