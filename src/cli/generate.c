/** equiscale generate [FILE] [-data_KEY value ...]: the trajectories of a study, into the file that data.path names. */
#include "commands.h"

#include "par/comm.h"
#include "study/data_make.h"

Err cmd_generate(int argc, char **argv, int *code) {
    (void)code;
    bool file = argc > 1 && argv[1][0] != '-';
    TRY(options_load(file ? argv[1] : NULL, argc - file, argv + file));
    DataOptions options;
    TRY(options_read(&options, data_keys, n_data_keys));
    TRY(data_check(&options));
    if (!file) TRY(options_unknown());
    return data_generate(&options, comm_world());
}
