#include "folders.h"

#include "base/arena.h"
#include "infer/fit_options.h"
#include "io/commit.h"
#include "par/comm.h"
#include "study/data_make.h"
#include "study/open.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder that is there and can be written, cleared of what dead runs left. */
static Err make_folder(const char *path) {
    if (mkdir(path, 0777) && errno != EEXIST) return commit_error(path, "cannot be made");
    struct stat st;
    if (stat(path, &st)) return commit_error(path, "cannot be looked at");
    if (!S_ISDIR(st.st_mode)) return err_user("%s: not a folder: want study.folder to be one", path);
    if (access(path, R_OK | W_OK | X_OK)) return commit_error(path, "cannot be written");
    commit_sweep(path, NULL);
    return ERR_NONE;
}

/* Folders, and that what is written after training can be named as it will be. */
Err folders_make(const StudyOptions *o) {
    static const char *const inside[] = {"", "/cells", "/weights"}, *const written[] = {"results.h5", "run.json",
                                                                                        "fit.json"};
    char path[1024], temp[COMMIT_PATH];
    Err err = ERR_NONE;
    if (comm_rank(comm_world()) == 0) {
        if (mkdir(o->folder, 0777) && errno != EEXIST) err = commit_error(o->folder, "cannot be made");
        for (int i = 0; i < (o->keep_weights ? 3 : 2) && !err.code; i++) {
            snprintf(path, sizeof path, "%s/%s%s", o->folder, o->name, inside[i]);
            err = make_folder(path);
        }
        snprintf(path, sizeof path, "%s/%s/weights", o->folder, o->name);
        commit_sweep(path, NULL);
        data_sweep(&o->data);
        for (int i = 0; i < 3 && !err.code; i++) {
            snprintf(path, sizeof path, "%s/%s/%s", o->folder, o->name, written[i]);
            err = commit_name(temp, path);
        }
    }
    return comm_agree(comm_world(), err);
}

Err folders_write_used(const StudyOptions *o) {
    FitOptions fit;
    TRY(options_read(&fit, fit_keys, study_fit_keys()));
    Err err = ERR_NONE;
    if (comm_rank(comm_world()) == 0) {
        char path[1024], *yaml = study_options_yaml(o, &fit);
        snprintf(path, sizeof path, "%s/%s/used.yaml", o->folder, o->name);
        err = commit_text(path, yaml, true);
        mem_free(yaml);
    }
    return comm_agree(comm_world(), err);
}
