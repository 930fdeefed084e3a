/** The subcommands: one file each (plan.c has status too). Each gets the arguments after its name: an optional file
 *  first, then `-key value` pairs. Returns the user's error or ERR_NONE; `*code` is the exit code where there is no
 *  error. */
#pragma once

#include "base/err.h"

typedef struct Command {
    const char *name;
    Err (*run)(int argc, char **argv, int *code);
    const char *usage; /* what follows the name, then what it does */
} Command;

extern const Command commands[];
extern const int n_commands;

Err cmd_bench(int argc, char **argv, int *code);
Err cmd_generate(int argc, char **argv, int *code);
Err cmd_run(int argc, char **argv, int *code);
Err cmd_plan(int argc, char **argv, int *code);
Err cmd_status(int argc, char **argv, int *code);
Err cmd_fit(int argc, char **argv, int *code);
Err cmd_verify(int argc, char **argv, int *code);
