/** equiscale COMMAND [FILE] [-key value ...]: starts the libraries, runs one subcommand, prints the user's error. */
#include "commands.h"

#include "base/arena.h"
#include "base/log.h"
#include "la/gemm.h"
#include "par/comm.h"
#include "study/options.h"

#include <stdio.h>
#include <string.h>

static Err usage(int argc, char **argv, int *code);
static Err keys(int argc, char **argv, int *code);

const Command commands[] = {
    {"bench", cmd_bench, "step|kernels [-model M -width W ... -json FILE]: speed beside the matrix-product peak"},
    {"help", usage, "this list"},
    {"keys", keys, "every key of a study file: meaning, unit, range, default"},
    {"fit", cmd_fit, "FILE... [-json OUT] [-fit_... value]   laws and allocation of results.h5 or CSV files"},
    {"verify", cmd_verify, "[FILE...]   tables with published answers: published against obtained, PASSED or FAILED"},
    {"plan", cmd_plan,
     "STUDY.yaml [-design]  every cell: N, D, FLOP, memory, layout, expected time; what the grid will tell"},
    {"run", cmd_run, "STUDY.yaml  make the data if absent, train what is left, gather, fit; safe to repeat"},
    {"status", cmd_status, "STUDY.yaml  what has become of every cell"},
    {"generate", cmd_generate, "[FILE] [-data_KEY value ...]  simulate the trajectories of a study into data.path"},
};
const int n_commands = sizeof commands / sizeof *commands;

static Err usage(int argc, char **argv, int *code) {
    (void)argc, (void)argv, (void)code;
    log_text("usage: equiscale COMMAND [FILE] [-key value ...]\n");
    for (int i = 0; i < n_commands; i++) log_text("  %-10s%s", commands[i].name, commands[i].usage);
    return ERR_NONE;
}

static Err keys(int argc, char **argv, int *code) {
    (void)argc, (void)argv, (void)code;
    char *text = study_options_help();
    log_text(
        "keys of a study file; train.batch is `train: {batch: 32}` in it and -train_batch 32 on the command line\n\n%s",
        text);
    mem_free(text);
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
