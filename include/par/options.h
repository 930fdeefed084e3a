/** Options: a YAML study file and the command line, read into structs by tables.
 *
 *  A module describes its keys once, in an array of KeySpec; options_read fills its struct from it, options_text
 *  prints the resolved values. The key `train.batch` is `train: {batch: 64}` in the file and `-train_batch 64` on the
 *  command line, which wins; `--train_batch 64`, `-train.batch 64` and `-train_batch=64` are the same. An error about a
 *  value names the file and line, or the command line, that it came from.
 *
 *  All functions give the same on every rank; options_load is collective on the world. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OPTION_TEXT = 256, OPTION_LIST = 64 };

typedef enum KeyType {
    /* int64_t; with `choices`, also one of these words, which stand for 0, 1, ..., and which may be given to the whole group of
     * the key: `layout: auto` for layout.dp and layout.tp */
    KEY_INT,
    KEY_REAL,   /* double */
    KEY_BOOL,   /* bool; true or false */
    KEY_WORD,   /* char[OPTION_TEXT]; with `choices`, one of them */
    KEY_CHOICE, /* an enum: which of the `choices` it is, from 0 */
    KEY_INTS,   /* IntList */
    KEY_REALS,  /* RealList */
    KEY_WORDS,  /* WordList; with `choices`, each one of them */
} KeyType;

typedef struct IntList {
    int n;
    int64_t at[OPTION_LIST];
} IntList;
typedef struct RealList {
    int n;
    double at[OPTION_LIST];
} RealList;
typedef struct WordList {
    int n;
    char at[OPTION_LIST][OPTION_TEXT];
} WordList;

typedef struct KeySpec {
    const char *key; /* dotted, as in the file */
    KeyType type;
    size_t offset;        /* of the member in the struct that options_read fills */
    const char *fallback; /* default, as text; NULL: the key must be given; lists as "1,2,3", "" is an empty list */
    double lo, hi;        /* inclusive range of numbers (of list entries); lo == hi: any */
    const char *choices;  /* words allowed, "a|b|c", or NULL; of a KEY_CHOICE in the order of its enum */
    const char *unit;     /* "1" when it has none */
    const char *help;     /* meaning, one line */
    const char *before;   /* what a record from before the key means, where that is not the default; else NULL */
} KeySpec;

/** Room for a struct of options whose type only its owner knows: that of a training procedure, of a measurement. */
enum { OPTION_ROOM = 4096 };
typedef union OptionRoom {
    char bytes[OPTION_ROOM];
    double number; /* it starts where a double may */
} OptionRoom;

/** A table of keys with the struct that it fills; `filled` is NULL where only the keys matter. */
typedef struct KeyTable {
    const KeySpec *specs;
    int n;
    const void *filled;
} KeyTable;

/** Reads the study file (NULL: none) and then the command line (argv[0] is skipped; every argument must belong to a
 *  `-key value` pair, `-key` alone is true). A relative path that is not here is looked for among the files that came
 *  with the program, which is said. Refuses malformed YAML, a second document, nested lists and keys given twice in
 *  either spelling, with file and line. A second call adds to the first; what was given last wins. */
Err options_load(const char *path, int argc, char **argv);

/** Refuses a key of the file that was read last that is not of this group, such as machine, with file and line. */
Err options_only(const char *group);

/** What errors about several keys name: the study file, or the command line where there is none. Not collective. */
const char *options_source(void);

/** Fills the struct at `out`. Errors name key, value and what is wanted. */
Err options_read(void *out, const KeySpec *specs, int n);

/** Keys that a study file may hold but this command does not use: their values are checked, options_unknown lets them
 *  pass in the file, and refuses them on the command line. */
Err options_ignore(const KeySpec *specs, int n);

/** Keys of other commands: options_unknown tells them from those that nobody knows. */
void options_of_others(const KeySpec *specs, int n);

/** An error when the file or the command line holds a key that no options_read asked for: it says where, and names the
 *  nearest key of a table that was read or ignored. A section without keys is none. Call after the last options_read. */
Err options_unknown(void);

/** An error when the command line gives a key that was read and has no effect, for that reason. */
Err options_refuse(const char *key, const char *reason);

/** The same, where the value is another than the default. */
Err options_refuse_other(const KeySpec *spec, const char *reason);

/** Whether a word names a key or its section, with dots or underscores, and with or without dashes before it. */
bool options_named(const char *key, const char *word);

/** The key of the tables that takes the fewest changed letters to come to. Not collective. */
const char *options_nearest(const char *key, const KeyTable *tables, int n);

/** The word that takes the fewest changed letters to come to; words up to a NULL. Not collective. */
const char *options_nearest_word(const char *word, const char *const *words);

/** Where a key's value comes from: `input/quick.yaml:12`, `command line` or `default`. */
void options_origin(char *text, size_t size, const char *key);

/** One value of a filled struct, as a record of `origin` has it. Errors name that, key and value. */
Err options_put(void *filled, const KeySpec *spec, const char *value, const char *origin);

/** Whether the study file or the command line gives the key by its own name. */
bool options_given(const char *key);

/** `key = value` lines of a filled struct, for provenance; mem_free the result. */
char *options_text(const void *filled, const KeySpec *specs, int n);

/** The value of one key of a filled struct as it stands in a study file: 4, [1, 2], "a b"; mem_free the result. */
char *options_value(const void *filled, const KeySpec *spec);

/** A study file that gives every key of the tables the value it has; mem_free the result. */
char *options_yaml(const KeyTable *tables, int n);

/** `in [1, 16777216]`; empty where any number will do. Not collective. */
void options_range(char *text, size_t size, const KeySpec *spec);

/** Word i of choices "a|b|c"; not collective. */
void options_choice(char *word, size_t size, const char *choices, int i);

/** A key whose value is another one in a record than here. */
typedef struct KeyDifference {
    const char *key;
    char there[OPTION_TEXT], here[OPTION_TEXT];
} KeyDifference;

/** The first of the keys that has another value in `record`, lines as options_text writes them among others, than in the
 *  filled struct; false: there is none. A key that the record lacks came later, and had the value `before` there, or
 *  else its default. So the default of a new key is what was done before it, or its row says what was. Not collective. */
bool options_differ(KeyDifference *difference, const char *record, const void *filled, const KeySpec *specs, int n);

/** Fills the struct from a record; a key that it lacks has the value that options_differ gives it. Errors name origin and key. Not
 *  collective. */
Err options_recorded(void *filled, const KeySpec *specs, int n, const char *record, const char *origin);

/** The value of a name in a record, mem_free it; NULL: not there. Not collective. */
char *record_value(const char *record, const char *name);
