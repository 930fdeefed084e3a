/* fit FILE...: laws, allocation and isoFLOP curves of results files and tables.
 * fit -rates results.h5: the learning-rate rules of a sweep. */
#include "commands.h"
#include "fit_again.h"
#include "fit_files.h"
#include "fit_study.h"

#include "base/arena.h"
#include "infer/fit_options.h"
#include "infer/rates.h"
#include "par/comm.h"
#include "par/options.h"
#include "study/suggest_study.h"

#include <ctype.h>
#include <string.h>

/* ---- Files and keys, in any order. ---- */

/* The key of an argument -fit_e, --fit_e, -fit.e or -fit_e=zero; NULL: it is none, or of no fit. */
static const KeySpec *key_of(const char *argument) {
    const char *word = argument + strspn(argument, "-");
    for (int i = 0; i < n_fit_keys; i++) {
        const char *key = fit_keys[i].key, *c = word;
        while (*c && *key && (*c == *key || (*c == '_' && *key == '.'))) {
            c++;
            key++;
        }
        if ((!*c || *c == '=') && !*key) return &fit_keys[i];
    }
    return NULL;
}

static bool is_key(const char *argument) {
    return argument[0] == '-' && isalpha((unsigned char)argument[strspn(argument, "-")]);
}

/* Whether the argument after a key is its value: that of a switch is true or false, that of others anything. */
static bool takes(const char *key, const char *next) {
    const KeySpec *spec = key_of(key);
    if (is_key(next) || strchr(key, '=')) return false;
    if (spec && spec->type == KEY_BOOL) return !strcmp(next, "true") || !strcmp(next, "false");
    return true;
}

/* Moves the files to `file` and leaves the keys with their values in argv, after the name of the command. */
static int take_files(const char **file, int *argc, char **argv) {
    int files = 0, kept = 1;
    for (int i = 1; i < *argc; i++) {
        if (!is_key(argv[i])) {
            file[files++] = argv[i];
            continue;
        }
        argv[kept++] = argv[i];
        if (i + 1 < *argc && takes(argv[i], argv[i + 1])) argv[kept++] = argv[++i];
    }
    *argc = kept;
    return files;
}

/* ---- The fit. ---- */

/* What the command line leaves alone is that of an earlier fit, or of the study of a results file. Again: NULL, of none. */
static Err fit_arguments(const char **file, int files, int argc, char **argv, const Again *again) {
    FitOptions options;
    TRY(options_load(NULL, argc, argv));
    TRY(options_read(&options, fit_keys, n_fit_keys));
    TRY(command_refuse_study());
    if (again) TRY(again_options(&options, again));
    if (!files)
        return err_user("equiscale fit: want results.h5 or CSV files, with -key value pairs before or after them");
    int results = 0;
    if (comm_rank(comm_world()) == 0)
        for (int i = 0; i < files; i++) results += table_is_results(file[i]);
    comm_bcast(comm_world(), &results, sizeof results, 0);
    if (results && !again) TRY(fit_take_study(&options, files, file));
    TRY(fit_refuse_idle(&options, results < files));
    const Answer answer[] = {{"json", options.json}, {"csv", options.csv}, {"latex", options.latex}};
    TRY(answers_check(answer, sizeof answer / sizeof *answer, files, file));
    /* Cells of a table's sizes are printed only: a study has widths. */
    if (options.suggest && results) TRY(suggest_check(&options));
    return fit_files(files, file, &options);
}

/* The fit of -again, NULL: none. */
static const char *again_path(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        const KeySpec *spec = key_of(argv[i]);
        if (!spec || strcmp(spec->key, "again")) continue;
        const char *equals = strchr(argv[i], '=');
        if (equals) return equals + 1;
        return i + 1 < argc && !is_key(argv[i + 1]) ? argv[i + 1] : NULL;
    }
    return NULL;
}

/* The results file of -rates, which stands alone beside it; NULL: it is not asked for. */
static const char *rates_path(bool *wrong, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i] + strspn(argv[i], "-");
        if (word == argv[i] || strncmp(word, "rates", 5) || (word[5] && word[5] != '=')) continue;
        const char *path = word[5] ? word + 6 : argv[argc - i];
        *wrong = argc != (word[5] ? 2 : 3) || !path || !*path || is_key(path);
        return path ? path : "";
    }
    return NULL;
}

/* The options of an earlier fit, then those given now, which win. */
static Err fit_again(const char *path, int files, int argc, char **argv) {
    Again again;
    if (files) return err_user("equiscale fit -again %s: want no files beside it: it names its own", path);
    Err err = comm_agree(comm_world(), again_read(&again, path));
    if (!err.code) err = fit_arguments(again.file, again.files, argc, argv, &again);
    again_free(&again);
    return err;
}

static Err fit_rates(const char *path) {
    const Comm *world = comm_world();
    RateRule *rule = MEM_NEW(RateRule, RATES_ARMS);
    Results results = {0};
    int rules = 0;
    Err err = comm_agree(world, comm_rank(world) == 0 ? results_read(&results, path) : ERR_NONE);
    if (!err.code) {
        results_bcast(&results, world);
        err = rates_fit(rule, &rules, &results, world);
        if (err.code) err = err_user("%s: %s", path, err.text);
    }
    if (!err.code) rates_print(rule, rules);
    results_free(&results);
    mem_free(rule);
    return err;
}

Err cmd_fit(int argc, char **argv, int *code) {
    (void)code;
    bool wrong;
    const char *rates = rates_path(&wrong, argc, argv);
    if (rates && wrong) return err_user("equiscale fit -rates: want one results file, and nothing else");
    if (rates) return fit_rates(rates);
    const char **file = MEM_NEW(const char *, argc + 1);
    int files = take_files(file, &argc, argv);
    const char *again = again_path(argc, argv);
    Err err = again ? fit_again(again, files, argc, argv) : fit_arguments(file, files, argc, argv, NULL);
    mem_free(file);
    return err;
}
