/** equiscale COMMAND [FILE] [-key value ...]: starts the libraries, runs one subcommand, prints the user's error. */
#include "commands.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/stop.h"
#include "bench.h"
#include "infer/design.h"
#include "infer/fit_options.h"
#include "la/gemm.h"
#include "par/comm.h"
#include "study/open.h"
#include "study/provenance.h"
#include "surroundings.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What decides only how cells are trained and what is done with them then. */
static const char *const training[] = {"run.checkpoint", "run.limit",          "run.say", "run.watchdog",
                                       "study.fit",      "study.keep_weights", NULL};

const Command commands[] = {
    {"plan", cmd_plan, "STUDY.yaml [-key value ...]",
     "every cell: N, D, FLOP, memory, layout, expected time, here or on a machine that is described",
     USES_STUDY | USES_DATA | USES_DESIGN, plan_keys, PLAN_KEYS, training},
    {"run", cmd_run, "STUDY.yaml [-key value ...]",
     "make the data if absent, train what is left, gather, fit; safe to repeat",
     USES_STUDY | USES_DATA | USES_FIT | TAKES_RANKS, run_keys, RUN_KEYS},
    {"status", cmd_status, "STUDY.yaml [-key value ...]", "what has become of every cell", USES_STUDY | USES_DATA,
     plan_keys, STATUS_KEYS, training},
    {"generate", cmd_generate, "[STUDY.yaml] [-data_KEY value ...]",
     "simulate the trajectories of a study into data.path", USES_DATA | TAKES_RANKS, NULL, 0},
    {"fit", cmd_fit, "FILE... [-key value ...]",
     "laws and allocation of results.h5 or CSV files; -rates results.h5 alone: learning-rate rules", USES_TABLES, NULL,
     0},
    {"verify", cmd_verify, "[TABLE.csv ...]", "tables with published answers: published against obtained", 0, NULL, 0},
    {"export", cmd_export, "RESULTS.h5 -csv FOLDER", "its tables as CSV files: cells, curves, measures", 0, export_keys,
     EXPORT_KEYS},
    {"discover", cmd_discover, "gaussian|sum [-key value ...]",
     "which parameters are the same, learned on tasks where that is known", 0, discover_keys, DISCOVER_KEYS},
    {"bench", cmd_bench, "step|kernels|messages|scaling|io|study [STUDY.yaml] [-key value ...]",
     "speed beside the matrix-product peak", USES_BENCH | TAKES_RANKS, NULL, 0},
    {"keys", cmd_keys, "[KEY | SECTION | STUDY.yaml] [-key value ...]",
     "keys of a study file: meaning, unit, range, default; of a study: values and where they come from", 0, keys_keys,
     KEYS_KEYS},
    {"help", cmd_help, "[COMMAND | KEY]", "this list, what a command takes, or what a key means", 0, NULL, 0},
};
const int n_commands = sizeof commands / sizeof *commands;

const Command *command_find(const char *name) {
    for (int i = 0; i < n_commands; i++)
        if (!strcmp(name, commands[i].name)) return &commands[i];
    return NULL;
}

const Command *command_named(int words, char **word) {
    const Command *command = words > 0 ? command_find(word[0]) : NULL;
    const Command *benchmark = command && command->run == cmd_bench && words > 1 ? bench_command(word[1]) : NULL;
    return benchmark ? benchmark : command;
}

Err command_refuse_idle(const char *name) {
    const char *const *idle = command_find(name)->idle;
    for (int i = 0; idle && idle[i]; i++) TRY(options_refuse(idle[i], "this command trains nothing"));
    return ERR_NONE;
}

Err command_refuse_study(void) {
    TRY(study_options_ignore());
    TRY(options_ignore(fit_keys, study_fit_keys()));
    TRY(options_ignore(design_keys, n_design_keys));
    return options_unknown();
}

/* What may stand anywhere on the command line. */
typedef struct Switches {
    bool help, version, quiet;
    const char *key; /* that stands before -h, without a value: -train_batch -h; NULL: none */
} Switches;

/* `-json -` and `-json=-` make standard output the file, and nothing else may be said there. */
static bool is_json_output(const char *before, const char *word) {
    if (!strcmp(word, "-json=-") || !strcmp(word, "--json=-")) return true;
    return (!strcmp(before, "-json") || !strcmp(before, "--json")) && !strcmp(word, "-");
}

/* Takes the switches out of the arguments. */
static Switches switches_take(int *argc, char **argv) {
    Switches s = {0};
    int kept = 0;
    for (int i = 0; i < *argc; i++) {
        const char *word = argv[i];
        bool help = !strcmp(word, "-h") || !strcmp(word, "-help") || !strcmp(word, "--help");
        bool version = !strcmp(word, "-version") || !strcmp(word, "--version");
        bool quiet = !strcmp(word, "-quiet") || !strcmp(word, "--quiet");
        if (i > 0 && is_json_output(argv[i - 1], word)) s.quiet = true;
        if (help && kept > 2 && argv[kept - 1][0] == '-') s.key = argv[kept - 1];
        s.help |= help;
        s.version |= version;
        s.quiet |= quiet;
        if (!help && !version && !quiet) argv[kept++] = argv[i];
    }
    *argc = kept;
    argv[kept] = NULL;
    return s;
}

/* Whether a launcher started other ranks too and this is not the first: what is printed before MPI is printed once. */
static bool other_rank(void) {
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *rank = getenv(names[i]);
        if (rank && *rank) return strcmp(rank, "0") != 0;
    }
    return false;
}

/* Help, version and keys need no MPI, which a login node may not start. */
static bool needs_mpi(int argc, char **argv, Switches s) {
    if (s.help || s.version || argc < 2) return false;
    if (!strcmp(argv[1], "keys")) return keys_of_file(argc - 1, argv + 1);
    return command_find(argv[1]) && strcmp(argv[1], "help") != 0;
}

static Err unknown_command(const char *word) {
    const char *names[sizeof commands / sizeof *commands + 1] = {NULL};
    for (int i = 0; i < n_commands; i++) names[i] = commands[i].name;
    return err_user("equiscale: unknown command %.100s: want one of `equiscale help`; the nearest is %s", word,
                    options_nearest_word(word, names));
}

/* Whether what it prints is a log beside what it makes: that of a benchmark is its answer. */
static bool only_logs(const Command *command) {
    return command->uses & TAKES_RANKS && !(command->uses & USES_BENCH);
}

static Err dispatch(int argc, char **argv, Switches s, int *code) {
    const Command *command = argc > 1 ? command_find(argv[1]) : NULL;
    if (s.version) {
        log_text("equiscale %s\n%s", provenance_version(), provenance_compiler());
        return ERR_NONE;
    }
    if (argc > 1 && !command) return unknown_command(argv[1]);
    const Command *named = command_named(argc - 1, argv + 1);
    bool of_key = s.help && s.key && help_print_key(named, s.key);
    if ((s.help && !of_key) || !command) help_print(named);
    if (s.help) return ERR_NONE;
    if (!command) return err_user("equiscale: want a command of the list above");
    if (command->uses & TAKES_RANKS && comm_size(comm_world()) == 1 && comm_launched() > 1)
        return err_user("equiscale %s: the launcher started %d processes and each is alone: want a launcher of the MPI "
                        "that the program was built with (mpiexec, or srun --mpi=pmix)",
                        command->name, comm_launched());
    /* Who reads what they print may be gone before they are done. */
    if (only_logs(command)) signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < n_commands; i++) options_of_others(commands[i].own, commands[i].n_own);
    return command->run(argc - 1, argv + 1, code);
}

/* The answer of a command must not be lost. */
static Err check_output(int argc, char **argv) {
    const Command *command = argc > 1 ? command_find(argv[1]) : NULL;
    if ((command && only_logs(command)) || !log_lost()) return ERR_NONE;
    Err err = err_user("standard output: cannot be written: want it on a disk that has room");
    err.code = EXIT_RESUME;
    return err;
}

int main(int argc, char **argv) {
    surroundings_fill();
    Switches switches = switches_take(&argc, argv);
    bool mpi = needs_mpi(argc, argv, switches), first = !other_rank();
    int code = 0;
    stop_catch(first);
    const Command *command = mpi ? command_find(argv[1]) : NULL;
    Err err = surroundings_check(mpi, command && command->uses & TAKES_RANKS);
    if (err.code) {
        if (first) fprintf(stderr, "%s\n", err.text);
        return err.code;
    }
    if (mpi) {
        comm_start(&argc, &argv);
        gemm_start(comm_world());
        first = comm_rank(comm_world()) == 0;
    } else {
        log_init(first);
    }
    if (switches.quiet) log_quiet();
    err = mpi || first ? dispatch(argc, argv, switches, &code) : ERR_NONE;
    if (!err.code) err = check_output(argc, argv);
    if (err.code && first) fprintf(stderr, "%s\n", err.text);
    stop_patient(true); /* launchers end the others when one is done: that must not change the exit code */
    if (mpi) comm_stop();
    return err.code ? err.code : code;
}
