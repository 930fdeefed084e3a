/** equiscale generate [FILE] [-data_KEY value ...]: the trajectories of a study, into the file that data.path names. */
#include "commands.h"

#include "study/data_make.h"
#include "study/open.h"

Err cmd_generate(int argc, char **argv, int *code) {
    (void)code;
    bool file = argc > 1 && argv[1][0] != '-';
    TRY(file ? study_load(argc, argv) : options_load(NULL, argc, argv));
    DataOptions options;
    TRY(options_read(&options, data_keys, n_data_keys));
    TRY(command_refuse_study());
    TRY(data_check(&options));
    return data_generate(&options, comm_world());
}
