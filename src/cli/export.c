/* export RESULTS.h5 -csv FOLDER: the tables of a results file, or of one cell's, for programs that read no HDF5. */
#include "commands.h"

#include "base/log.h"
#include "io/results.h"

const KeySpec export_keys[EXPORT_KEYS] = {
    {"csv", KEY_WORD, 0, NULL, 0, 0, NULL, "1", "folder for cells.csv, curves.csv and measures.csv"},
};

static Err export_csv(const char *path, const char *folder) {
    Results results = {0};
    TRY(results_read(&results, path));
    Err err = results_csv(folder, &results);
    if (!err.code)
        log_text("%lld cells, %lld curve points and %lld measures in %s/cells.csv, curves.csv, measures.csv",
                 (long long)results.cells, (long long)results.points, (long long)results.measures, folder);
    results_free(&results);
    return err;
}

Err cmd_export(int argc, char **argv, int *code) {
    (void)code;
    char folder[OPTION_TEXT];
    if (argc < 2 || argv[1][0] == '-')
        return err_user("equiscale export: want a results file, such as runs/quick/results.h5");
    TRY(options_load(NULL, argc - 1, argv + 1));
    TRY(options_read(folder, export_keys, EXPORT_KEYS));
    TRY(command_refuse_study());
    Err err = comm_rank(comm_world()) == 0 ? export_csv(argv[1], folder) : ERR_NONE;
    return comm_agree(comm_world(), err);
}
