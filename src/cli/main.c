/** equiscale COMMAND [FILE] [-key value ...]: starts the libraries, runs one subcommand, prints the user's error. */
#include "commands.h"

#include "base/log.h"
#include "la/gemm.h"
#include "par/comm.h"

#include <stdio.h>
#include <string.h>

static Err usage(int argc, char **argv, int *code);

const Command commands[] = {
    {"bench", cmd_bench, "step|kernels [-model M -width W ... -json FILE]: speed beside the matrix-product peak"},
    {"help", usage, "this list"},
    {"generate", cmd_generate, "[FILE] [-data_KEY value ...]  simulate the trajectories of a study into data.path"},
    {"fit", cmd_fit, "FILE... [-json OUT] [-fit_... value]   laws and allocation of results.h5 or CSV files"},
};
const int n_commands = sizeof commands / sizeof *commands;

static Err usage(int argc, char **argv, int *code) {
    (void)argc, (void)argv, (void)code;
    log_text("usage: equiscale COMMAND [FILE] [-key value ...]\n");
    for (int i = 0; i < n_commands; i++) log_text("  %-10s%s", commands[i].name, commands[i].usage);
    return ERR_NONE;
}

static Err dispatch(int argc, char **argv, int *code) {
    if (argc < 2) {
        usage(0, NULL, code);
        return err_user("equiscale: want a command of the list above");
    }
    for (int i = 0; i < n_commands; i++)
        if (!strcmp(argv[1], commands[i].name)) return commands[i].run(argc - 1, argv + 1, code);
    return err_user("equiscale: unknown command %s: want one of `equiscale help`", argv[1]);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    gemm_start(comm_world());
    int code = 0;
    Err err = dispatch(argc, argv, &code);
    if (err.code && comm_rank(comm_world()) == 0) fprintf(stderr, "%s\n", err.text);
    comm_stop();
    return err.code ? err.code : code;
}
