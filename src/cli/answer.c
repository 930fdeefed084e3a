/* Files for programs that subcommands write beside what they print: -json FILE. */
#include "commands.h"

#include "par/comm.h"

Err answer_json(Json *json, const char *path) {
    Err err = ERR_NONE;
    if (*path && comm_rank(comm_world()) == 0) err = json_commit(json, path);
    json_free(json);
    return err;
}
