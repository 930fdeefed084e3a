/* help [COMMAND], COMMAND -h, and keys: what the program says about itself, from the tables that it reads keys by. */
#include "commands.h"

#include "base/arena.h"
#include "base/log.h"
#include "bench.h"
#include "infer/design.h"
#include "infer/fit_options.h"
#include "study/open.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { GROUPS = STUDY_TABLES + 4 };

const KeySpec keys_keys[KEYS_KEYS] = {
    {"json", KEY_WORD, 0, "", 0, 0, NULL, "1", "file for programs; -: standard output"},
};

/* ---- One key. ---- */

static const char *type_name(KeyType type) {
    static const char *const name[] = {"integer", "number",   "boolean", "word",
                                       "choice",  "integers", "numbers", "words"};
    return name[type];
}

/* `name  meaning: choices; unit, range; default`; on the command line dots are underscores. */
static void print_key(const KeySpec *s, bool flag) {
    char name[64], range[64];
    const char *fallback = s->fallback;
    snprintf(name, sizeof name, "%s%s", flag ? "-" : "", s->key);
    for (char *c = name; flag && *c; c++)
        if (*c == '.') *c = '_';
    options_range(range, sizeof range, s);
    if (!fallback) fallback = "none, must be given";
    if (!*fallback) fallback = "empty";
    log_text("  %-32s %s%s%s; unit %s%s%s; default %s", name, s->help, s->choices ? ": " : "",
             s->choices ? s->choices : "", s->unit, *range ? ", " : "", range, fallback);
}

static void json_key_of(Json *j, const KeySpec *s, const void *filled) {
    json_open_object(j, NULL);
    json_put_text(j, "key", s->key);
    json_put_text(j, "type", type_name(s->type));
    json_put_text(j, "unit", s->unit);
    json_put_text(j, "help", s->help);
    if (s->lo < s->hi) json_put_pair(j, "range", s->lo, s->hi);
    if (s->choices) json_put_text(j, "choices", s->choices);
    if (s->fallback) json_put_text(j, "default", s->fallback);
    if (filled) {
        char *value = options_value(filled, s), origin[OPTION_TEXT];
        options_origin(origin, sizeof origin, s->key);
        json_put_text(j, "value", value);
        json_put_text(j, "source", origin);
        mem_free(value);
    }
    json_close(j);
}

/* ---- Groups of keys. ---- */

/* The tables that a command reads, by its `uses`. */
static int groups_of(KeyTable groups[GROUPS], const Command *command) {
    KeyTable study[STUDY_TABLES];
    int n = 0, uses = command->uses, of_study = study_key_tables(study, NULL);
    for (int i = 0; i < of_study; i++) {
        bool data = study[i].specs == data_keys;
        if (uses & (data ? USES_DATA : USES_STUDY)) groups[n++] = study[i];
    }
    if (uses & USES_FIT) groups[n++] = (KeyTable){fit_keys, study_fit_keys(), NULL};
    if (uses & USES_TABLES) groups[n++] = (KeyTable){fit_keys, n_fit_keys, NULL};
    if (uses & USES_DESIGN) groups[n++] = (KeyTable){design_keys, n_design_keys, NULL};
    if (uses & USES_BENCH) groups[n++] = (KeyTable){bench_keys, n_bench_keys, NULL};
    if (command->own) groups[n++] = (KeyTable){command->own, command->n_own, NULL};
    CHECK(n <= GROUPS, "%d tables of keys", n);
    return n;
}

/* Every table that a study file may fill. */
static int study_groups(KeyTable groups[GROUPS], const StudyOptions *study, const FitOptions *fit,
                        const DesignOptions *design) {
    int n = study_key_tables(groups, study);
    groups[n++] = (KeyTable){fit_keys, study_fit_keys(), fit};
    groups[n++] = (KeyTable){design_keys, n_design_keys, design};
    return n;
}

bool command_idles(const Command *command, const char *key) {
    const char *const *idle = command->idle;
    while (idle && *idle && strcmp(*idle, key)) idle++;
    return idle && *idle;
}

void help_print(const Command *command) {
    if (!command) {
        log_text("Usage: equiscale COMMAND [FILE] [-key value ...]\n\nCommands:");
        for (int i = 0; i < n_commands; i++) log_text("  %-10s%s", commands[i].name, commands[i].does);
        log_text(
            "\nOptions:\n"
            "  -h, --help  usage and keys of a command: equiscale run -h; of a key: equiscale help train.batch\n"
            "  --version   version, commit, compiler\n"
            "  -quiet      nothing on standard output; errors are still told\n"
            "\nKeys: -train_batch 8, --train_batch 8, -train.batch 8 and -train_batch=8 are `train: {batch: 8}` of "
            "the file.\n"
            "\nExit codes: 0 done, 2 the user must change something, 75 stopped early and can be resumed, else a "
            "fault.");
        return;
    }
    KeyTable groups[GROUPS];
    int n = groups_of(groups, command);
    log_text("Usage: equiscale %s %s\n\n%s", command->name, command->arguments, command->does);
    if (command == command_find("bench")) bench_list();
    if (n) log_text("\nKeys:");
    for (int g = 0; g < n; g++)
        for (int k = 0; k < groups[g].n; k++)
            if (!command_idles(command, groups[g].specs[k].key)) print_key(&groups[g].specs[k], true);
}

bool help_print_key(const Command *command, const char *word) {
    KeyTable groups[GROUPS];
    int n = command ? groups_of(groups, command) : study_groups(groups, NULL, NULL, NULL);
    bool found = false;
    for (int g = 0; g < n; g++)
        for (int k = 0; k < groups[g].n; k++) {
            const char *key = groups[g].specs[k].key;
            if (!options_named(key, word) || (command && command_idles(command, key))) continue;
            print_key(&groups[g].specs[k], command != NULL);
            found = true;
        }
    return found;
}

Err cmd_help(int argc, char **argv, int *code) {
    (void)code;
    const Command *command = argc > 1 ? command_named(argc - 1, argv + 1) : NULL;
    if (argc > 1 && !command) {
        if (help_print_key(NULL, argv[1])) return ERR_NONE;
        return err_user("equiscale help %s: want a command of `equiscale help`, or a key of `equiscale keys`", argv[1]);
    }
    int words = command && command != command_find(argv[1]) ? 3 : 2; /* help, and the command's */
    if (argc > words) {
        const char *key = argv[words];
        if (help_print_key(command, key)) return ERR_NONE;
        return err_user("equiscale help %s %s: want a key that `equiscale %s -h` lists", command->name, key,
                        command->name);
    }
    help_print(command);
    return ERR_NONE;
}

/* ---- keys: all, a section, one, or those of a study with its values. ---- */

static int count_wanted(const char *want) {
    KeyTable groups[GROUPS];
    int n = study_groups(groups, NULL, NULL, NULL), count = 0;
    for (int g = 0; g < n; g++)
        for (int k = 0; k < groups[g].n; k++) count += options_named(groups[g].specs[k].key, want);
    return count;
}

/* A word that is no key is a file where it is there, or looks like a path of one: else a key that nobody knows. */
bool keys_of_file(int argc, char **argv) {
    if (argc < 2 || argv[1][0] == '-' || count_wanted(argv[1])) return false;
    return strchr(argv[1], '/') || strstr(argv[1], ".yaml") || !access(argv[1], F_OK);
}

static void print_value(const KeySpec *s, const void *filled) {
    char *value = options_value(filled, s), origin[OPTION_TEXT];
    options_origin(origin, sizeof origin, s->key);
    log_text("  %-32s %-40s  %s", s->key, value, origin);
    mem_free(value);
}

static Err print_keys(const KeyTable *groups, int n, const char *want, const char *json) {
    Json *j = json_new();
    json_open_array(j, "keys");
    for (int g = 0; g < n; g++)
        for (int k = 0; k < groups[g].n; k++) {
            const KeySpec *s = &groups[g].specs[k];
            if (*want && !options_named(s->key, want)) continue;
            if (groups[g].filled)
                print_value(s, groups[g].filled);
            else
                print_key(s, false);
            json_key_of(j, s, groups[g].filled);
        }
    json_close(j);
    return answer_json(j, json);
}

Err cmd_keys(int argc, char **argv, int *code) {
    (void)code;
    char json[OPTION_TEXT];
    KeyTable groups[GROUPS];
    if (keys_of_file(argc, argv)) {
        StudyOptions study;
        FitOptions fit;
        DesignOptions design;
        TRY(study_load(argc, argv));
        TRY(options_read(&fit, fit_keys, study_fit_keys()));
        TRY(options_read(&design, design_keys, n_design_keys));
        TRY(options_read(json, keys_keys, KEYS_KEYS));
        TRY(study_options_read(&study));
        TRY(answer_check("json", json, 1, (const char *const[]){argv[1]}));
        int n = study_groups(groups, &study, &fit, &design);
        return print_keys(groups, n, "", json);
    }
    bool named = argc > 1 && (argv[1][0] != '-' || count_wanted(argv[1]));
    TRY(options_load(NULL, argc - named, argv + named));
    TRY(options_read(json, keys_keys, KEYS_KEYS));
    TRY(command_refuse_study());
    TRY(answer_check("json", json, 0, NULL));
    int n = study_groups(groups, NULL, NULL, NULL);
    if (named && !count_wanted(argv[1]))
        return err_user("equiscale keys %s: want a key or a section that `equiscale keys` lists, or a study file; the "
                        "nearest key is %s",
                        argv[1], options_nearest(argv[1], groups, n));
    if (!named)
        log_text("keys of a study file; train.batch is `train: {batch: 32}` in it and -train_batch 32 on the command "
                 "line\n");
    return print_keys(groups, n, named ? argv[1] : "", json);
}
