#include "par/options.h"

#include "base/log.h"
#include "base/shipped.h"
#include "options_entry.h"
#include "par/comm.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Everything that was given fits into fixed memory: some hundred keys of a line each. */
enum { ENTRIES = 1024, POOL = 1 << 18, TABLES = 64, PATH = 1024, NEAR_WORD = 128 };

typedef enum Use {
    USE_NONE,    /* no table has asked for it */
    USE_IGNORED, /* it belongs to another command */
    USE_READ,
} Use;

typedef struct Entry {
    const char *key, *value; /* key as it was given: train.batch or train_batch */
    int line;                /* of the file; 0: on the command line */
    bool bare;               /* -key without a value */
    Use use;
} Entry;

static Entry entries[ENTRIES];
static int n_entries, of_file; /* all, and the first of the file that was read last */
static char pool[POOL];
static size_t pooled;
static char source[PATH] = "command line";

/* Every table that was asked for, to name the nearest key; and those of other commands. */
static KeyTable asked[TABLES], others[TABLES];
static int n_asked, n_others;

/* ---- What was given. ---- */

/* `.` and `_` are one letter. */
static bool letter_same(char a, char b) {
    return a == b || (strchr("._", a) && strchr("._", b));
}

bool entry_same(const char *a, const char *b) {
    for (; *a && *b; a++, b++)
        if (!letter_same(*a, *b)) return false;
    return *a == *b;
}

bool options_named(const char *key, const char *word) {
    const char *name = word + strspn(word, "-");
    size_t n = 0;
    while (name[n] && key[n] && letter_same(name[n], key[n])) n++;
    return n && !name[n] && (!key[n] || key[n] == '.');
}

static const char *keep(const char *text) {
    char *at = pool + pooled;
    memcpy(at, text, strlen(text) + 1);
    pooled += strlen(text) + 1;
    return at;
}

/* Whether a name is that of the group of a key: layout, of layout.dp. */
static bool is_group(const char *name, const char *key) {
    size_t n = strcspn(name, "._");
    return !name[n] && !strncmp(key, name, n) && (key[n] == '.' || key[n] == '_');
}

static bool overlap(const char *a, const char *b) {
    return entry_same(a, b) || is_group(a, b) || is_group(b, a);
}

Err entry_add(const char *key, const char *value, int line) {
    if (n_entries == ENTRIES || pooled + strlen(key) + strlen(value) + 2 > POOL)
        return err_user("%s: want at most %d keys with %d letters in all", source, ENTRIES, POOL);
    for (int i = of_file; line && i < n_entries; i++)
        if (entries[i].line && overlap(entries[i].key, key))
            return err_user("%s:%d: key %s appears twice: want it once (line %d has %s)", source, line, key,
                            entries[i].line, entries[i].key);
    entries[n_entries++] = (Entry){.key = keep(key), .value = keep(value), .line = line};
    return ERR_NONE;
}

/* What was given last, for the key or, where `group` says so, for its group; everything so given counts as used. */
static const Entry *find(const char *key, bool group, Use use) {
    const Entry *last = NULL;
    for (int i = 0; i < n_entries; i++)
        if (entry_same(entries[i].key, key) || (group && *entries[i].value && is_group(entries[i].key, key))) {
            last = &entries[i];
            if (entries[i].use < use) entries[i].use = use;
        }
    return last;
}

static void origin_of(char *text, size_t size, const Entry *entry) {
    if (!entry)
        snprintf(text, size, "default");
    else if (entry->line)
        snprintf(text, size, "%s:%d", source, entry->line);
    else
        snprintf(text, size, "command line");
}

void options_origin(char *text, size_t size, const char *key) {
    origin_of(text, size, find(key, true, USE_NONE)); /* a group that may not be given has been refused */
}

bool options_given(const char *key) {
    return find(key, false, USE_NONE) != NULL;
}

const char *options_source(void) {
    return source;
}

/* ---- Reading the file and the command line. ---- */

static bool is_key(const char *argument) {
    const char *word = argument + strspn(argument, "-");
    return word > argument && word <= argument + 2 && isalpha((unsigned char)*word);
}

/* One `-key value`, `-key=value` or `-key` at argv[*i], which is moved to its last argument. */
static Err add_argument(int argc, char **argv, int *i) {
    char key[NEAR_WORD];
    if (!is_key(argv[*i])) return err_user("command line: %s: want -key value", argv[*i]);
    const char *word = argv[*i] + strspn(argv[*i], "-"), *equals = strchr(word, '=');
    int length = equals ? (int)(equals - word) : (int)strlen(word);
    if (length >= (int)sizeof key) return err_user("command line: %s: want a shorter key", argv[*i]);
    snprintf(key, sizeof key, "%.*s", length, word);
    bool bare = !equals && (*i + 1 >= argc || is_key(argv[*i + 1]));
    const char *value = equals ? equals + 1 : bare ? "true" : argv[++*i];
    TRY(entry_add(key, value, 0));
    entries[n_entries - 1].bare = bare;
    return ERR_NONE;
}

/* A file that is not here may be one that came with the program. Collective. */
static void look_for(char path[PATH], const char *given) {
    const Comm *world = comm_world();
    snprintf(path, PATH, "%s", given);
    if (comm_rank(world) == 0 && given[0] != '/' && access(given, F_OK)) {
        if (shipped_find(path, PATH, given))
            log_line("%s is not in this folder: taken from %s", given, path);
        else
            snprintf(path, PATH, "%s", given);
    }
    comm_bcast(world, path, PATH, 0);
}

Err options_load(const char *path, int argc, char **argv) {
    if (path) {
        look_for(source, path);
        of_file = n_entries;
        TRY(yaml_read(source));
    }
    for (int i = 1; i < argc; i++) TRY(add_argument(argc, argv, &i));
    return ERR_NONE;
}

Err options_only(const char *group) {
    for (int i = of_file; i < n_entries; i++)
        if (entries[i].line && !is_group(group, entries[i].key))
            return err_user("%s:%d: key %s: want keys of %s alone", source, entries[i].line, entries[i].key, group);
    return ERR_NONE;
}

/* ---- Unknown keys. ---- */

static int least(int a, int b) {
    return a < b ? a : b;
}

/* Letters to change, add or take away to make one key of the other (Levenshtein); `.` and `_` are the same letter. */
static int distance(const char *a, const char *b) {
    int row[NEAR_WORD], columns = least((int)strlen(b), NEAR_WORD - 1);
    for (int j = 0; j <= columns; j++) row[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= columns; j++) {
            int change = diagonal + !letter_same(a[i - 1], b[j - 1]);
            diagonal = row[j];
            row[j] = least(change, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[columns];
}

const char *options_nearest(const char *key, const KeyTable *tables, int n) {
    const char *best = "";
    int least_far = NEAR_WORD;
    for (int t = 0; t < n; t++)
        for (int k = 0; k < tables[t].n; k++) {
            int far = distance(key, tables[t].specs[k].key);
            if (far < least_far) best = tables[t].specs[k].key;
            least_far = least(far, least_far);
        }
    return best;
}

const char *options_nearest_word(const char *word, const char *const *words) {
    const char *best = "";
    int least_far = NEAR_WORD;
    for (; *words; words++) {
        int far = distance(word, *words);
        if (far < least_far) best = *words;
        least_far = least(far, least_far);
    }
    return best;
}

Err options_refuse(const char *key, const char *reason) {
    const Entry *last = find(key, false, USE_NONE);
    if (!last || last->line) return ERR_NONE;
    return err_user("command line: key %s has no effect: %s", key, reason);
}

Err options_refuse_other(const KeySpec *spec, const char *reason) {
    static WordList value, fallback; /* the largest of all kinds */
    const Entry *last = find(spec->key, false, USE_NONE);
    memset(&value, 0, sizeof value);
    memset(&fallback, 0, sizeof fallback);
    bool other = last && spec->fallback && value_parse(&value, spec, last->value) &&
                 value_parse(&fallback, spec, spec->fallback) && memcmp(&value, &fallback, sizeof value);
    return other ? options_refuse(spec->key, reason) : ERR_NONE;
}

/* Puts a table behind those that are there, once. */
static void put_table(KeyTable *tables, int *n_tables, const KeySpec *specs, int n) {
    for (int t = 0; t < *n_tables; t++)
        if (tables[t].specs == specs) return;
    CHECK(*n_tables < TABLES, "more than %d tables of keys", TABLES);
    tables[(*n_tables)++] = (KeyTable){specs, n, NULL};
}

void options_of_others(const KeySpec *specs, int n) {
    if (n) put_table(others, &n_others, specs, n);
}

static bool of_others(const char *key) {
    bool found = false;
    for (int t = 0; t < n_others; t++)
        for (int k = 0; k < others[t].n; k++) found |= entry_same(others[t].specs[k].key, key);
    return found;
}

/* A key of the section of that name; NULL: there is none. */
static const char *key_of_section(const char *name) {
    for (int t = 0; t < n_asked; t++)
        for (int k = 0; k < asked[t].n; k++)
            if (is_group(name, asked[t].specs[k].key)) return asked[t].specs[k].key;
    return NULL;
}

Err options_unknown(void) {
    for (int i = 0; i < n_entries; i++) {
        const Entry *e = &entries[i];
        char origin[PATH + 16];
        const char *member = e->use == USE_NONE && e->line ? key_of_section(e->key) : NULL;
        bool foreign = e->use == USE_NONE && of_others(e->key);
        if (member && !*e->value) continue;
        origin_of(origin, sizeof origin, e);
        if (member)
            return err_user("%s: %s = %.100s: want keys of this section below it, such as %s", origin, e->key, e->value,
                            member);
        if ((e->use == USE_IGNORED || foreign) && !e->line)
            return err_user("%s: this command does not use key %s: want those that `equiscale COMMAND -h` lists",
                            origin, e->key);
        if (e->use == USE_NONE)
            return err_user(
                "%s: unknown key %s (value %.100s): want one that `equiscale keys` lists; the nearest is %s", origin,
                e->key, e->value, options_nearest(e->key, asked, n_asked));
    }
    return ERR_NONE;
}

/* ---- Values. ---- */

static Err read_one(void *member, const KeySpec *s, Use use) {
    char origin[PATH + 16];
    const Entry *e = find(s->key, s->type == KEY_INT && s->choices, use);
    origin_of(origin, sizeof origin, e);
    if (!e && use == USE_IGNORED) return ERR_NONE;
    if (!e && !s->fallback) return err_user("%s: key %s is missing: want it: %s", source, s->key, s->help);
    if (e && e->bare && s->type != KEY_BOOL)
        return err_user("%s: -%s: want a value after it: %s", origin, e->key, s->help);
    const char *value = e ? e->value : s->fallback;
    return value_parse(member, s, value) ? ERR_NONE : value_wanted(origin, s, value);
}

Err options_read(void *out, const KeySpec *specs, int n) {
    put_table(asked, &n_asked, specs, n);
    for (int i = 0; i < n; i++) TRY(read_one((char *)out + specs[i].offset, &specs[i], USE_READ));
    return ERR_NONE;
}

Err options_put(void *filled, const KeySpec *spec, const char *value, const char *origin) {
    return value_parse((char *)filled + spec->offset, spec, value) ? ERR_NONE : value_wanted(origin, spec, value);
}

Err options_ignore(const KeySpec *specs, int n) {
    put_table(asked, &n_asked, specs, n);
    static WordList any; /* the largest of all kinds */
    for (int i = 0; i < n; i++) TRY(read_one(&any, &specs[i], USE_IGNORED));
    return ERR_NONE;
}
