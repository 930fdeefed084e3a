/* Files for programs that subcommands write beside what they print: -json FILE and the like. */
#include "commands.h"

#include "io/commit.h"
#include "par/comm.h"

#include <string.h>
#include <sys/stat.h>

static bool same_file(const char *one, const char *other) {
    struct stat a, b;
    if (!strcmp(one, other)) return true;
    return !stat(one, &a) && !stat(other, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static Err check_file(const char *key, const char *path, int inputs, const char *const *input) {
    bool output = !strcmp(path, "-");
    if (output && !strcmp(key, "json")) return ERR_NONE;
    if (output) return err_user("command line: %s = -: want a file", key);
    for (int i = 0; i < inputs; i++)
        if (same_file(path, input[i]))
            return err_user("command line: %s = %s: want another file than what is read", key, path);
    /* A file would take the place of the link, of /dev/stdout too, and not of what it leads to. */
    struct stat link;
    if (!lstat(path, &link) && S_ISLNK(link.st_mode))
        return err_user("command line: %s = %s: a link: want the name of a file%s", key, path,
                        strcmp(key, "json") ? "" : ", or - for standard output");
    return commit_check(path);
}

Err answer_check(const char *key, const char *path, int inputs, const char *const *input) {
    bool here = *path && comm_rank(comm_world()) == 0;
    return comm_agree(comm_world(), here ? check_file(key, path, inputs, input) : ERR_NONE);
}

Err answers_check(const Answer *answer, int n, int inputs, const char *const *input) {
    for (int i = 0; i < n; i++) {
        TRY(answer_check(answer[i].key, answer[i].path, inputs, input));
        for (int k = 0; k < i; k++)
            if (*answer[i].path && !strcmp(answer[i].path, answer[k].path))
                return err_user("command line: %s = %s: want another file than that of %s", answer[i].key,
                                answer[i].path, answer[k].key);
    }
    return ERR_NONE;
}

Err answer_json(Json *json, const char *path) {
    Err err = ERR_NONE;
    if (*path && comm_rank(comm_world()) == 0) err = json_commit(json, path);
    json_free(json);
    return err;
}
