/** The subcommands: one file each. Each gets the arguments after its name: an optional file
 *  first, then `-key value` pairs. Returns the user's error or ERR_NONE; `*code` is the exit code where there is no
 *  error. */
#pragma once

#include "base/err.h"
#include "io/json.h"
#include "par/options.h"

/** Groups of keys that a subcommand may take. */
enum {
    USES_STUDY = 1,  /* every key of a study but those of data, fit and design */
    USES_DATA = 2,   /* data.* */
    USES_FIT = 4,    /* fit.* as a study file may hold them */
    USES_TABLES = 8, /* fit.*, and what `fit` does with its result */
    USES_DESIGN = 16,
    USES_BENCH = 32,
    TAKES_RANKS = 64, /* no keys: it shares its work out over all processes that a launcher started */
};

typedef struct Command {
    const char *name;
    Err (*run)(int argc, char **argv, int *code);
    const char *arguments; /* what follows the name */
    const char *does;      /* one line */
    int uses;
    const KeySpec *own; /* keys of its own */
    int n_own;
    const char *const *idle; /* keys of those groups that do nothing here, up to a NULL; NULL: there are none */
} Command;

extern const Command commands[];
extern const int n_commands;

Err cmd_bench(int argc, char **argv, int *code);
Err cmd_discover(int argc, char **argv, int *code);
Err cmd_export(int argc, char **argv, int *code);
Err cmd_fit(int argc, char **argv, int *code);
Err cmd_generate(int argc, char **argv, int *code);
Err cmd_help(int argc, char **argv, int *code);
Err cmd_keys(int argc, char **argv, int *code);
Err cmd_plan(int argc, char **argv, int *code);
Err cmd_run(int argc, char **argv, int *code);
Err cmd_status(int argc, char **argv, int *code);
Err cmd_verify(int argc, char **argv, int *code);

/** NULL when there is none of that name. */
const Command *command_find(const char *name);

/** The command that the first words name: of `bench step` the benchmark. NULL when there is none. */
const Command *command_named(int words, char **word);

/** A benchmark as a command of its own, NULL when there is none of that name; and the list of all. */
const Command *bench_command(const char *word);
void bench_list(void);

/** Whether a key of its groups does nothing in the command. */
bool command_idles(const Command *command, const char *key);

/** Refuses a key of the command line that does nothing in the command of that name. Call after options_load. */
Err command_refuse_idle(const char *name);

/** options_unknown for a command that reads no study: a key of studies that it has not read is told from one that nobody
 *  knows. */
Err command_refuse_study(void);

/** Usage of one command with its keys, or the list of all where command is NULL. Needs no MPI, as cmd_help and a cmd_keys
 *  without study file do, so that it works where programs may not start it. */
void help_print(const Command *command);

/** What `word`, a key or a section in any spelling, means in a command, NULL: in a study file. False: there is none. */
bool help_print_key(const Command *command, const char *word);

/** Whether keys was given a study file, whose values it then tells. */
bool keys_of_file(int argc, char **argv);

/** Keys of plan and status, of run, of keys, of export, and of discover. */
extern const KeySpec plan_keys[], run_keys[], keys_keys[], export_keys[], discover_keys[];
enum { PLAN_KEYS = 8, STATUS_KEYS = 1, RUN_KEYS = 1, KEYS_KEYS = 1, EXPORT_KEYS = 1, DISCOVER_KEYS = 4 };

/** Whether the file that a key names can be written and is none of the inputs, asked before any work; nothing is asked of an
 *  empty path, nor of `-json -`. Collective. */
Err answer_check(const char *key, const char *path, int inputs, const char *const *input);

/** The same of several, and whether each has a file of its own. */
typedef struct Answer {
    const char *key, *path;
} Answer;
Err answers_check(const Answer *answer, int n, int inputs, const char *const *input);

/** Ends a document: the root writes it to the file of a `json` key, to standard output where that is `-`, nowhere where
 *  it is empty. Frees it. Not collective: the error is the root's. */
Err answer_json(Json *json, const char *path);
