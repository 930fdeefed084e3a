/* The study file: libyaml takes it apart, every scalar and list becomes an entry. */
#include "options_entry.h"

#include "base/arena.h"
#include "base/file.h"
#include "par/comm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

enum { KEY_TEXT = 128, LIST_TEXT = OPTION_LIST * OPTION_TEXT, DEPTH = 3 };

/* libyaml takes time that grows as the square of nested brackets and of anchors: these bounds keep any file under a second,
 * and are far above what a study has. Aliases can name a map a million times, but each time adds keys, of which there may be few. */
enum { FILE_BYTES = 1 << 18, NESTED = 8, EVENTS = 1 << 14 };

static const char *scalar(yaml_document_t *doc, int node) {
    yaml_node_t *n = yaml_document_get_node(doc, node);
    return n && n->type == YAML_SCALAR_NODE ? (const char *)n->data.scalar.value : NULL;
}

static int line_of(yaml_document_t *doc, int node) {
    return (int)yaml_document_get_node(doc, node)->start_mark.line + 1;
}

static Err add_list(const char *path, yaml_document_t *doc, int node, const char *key, int line) {
    yaml_node_t *list = yaml_document_get_node(doc, node);
    char text[LIST_TEXT] = "";
    size_t used = 0;
    for (yaml_node_item_t *i = list->data.sequence.items.start; i < list->data.sequence.items.top; i++) {
        const char *value = scalar(doc, *i);
        if (!value) return err_user("%s:%d: a list inside a list: want plain values", path, line_of(doc, *i));
        if (strchr(value, ',')) return err_user("%s:%d: %s: want a list entry without comma", path, line, key);
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", used ? "," : "", value);
        if (used >= sizeof text) return err_user("%s:%d: %s: want a shorter list", path, line, key);
    }
    return entry_add(key, text, line);
}

/* Whether a value is what YAML has for nothing: {}, null, ~. */
static bool is_nothing(yaml_document_t *doc, int node) {
    static const char *const null[] = {"~", "null", "Null", "NULL"};
    yaml_node_t *n = yaml_document_get_node(doc, node);
    bool found = n->type == YAML_MAPPING_NODE && n->data.mapping.pairs.start == n->data.mapping.pairs.top;
    bool plain = n->type == YAML_SCALAR_NODE && n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    for (size_t i = 0; plain && i < sizeof null / sizeof *null; i++) found |= !strcmp(scalar(doc, node), null[i]);
    return found;
}

static Err add_map(const char *path, yaml_document_t *doc, int node, const char *prefix, int depth) {
    yaml_node_t *map = yaml_document_get_node(doc, node);
    if (map->type != YAML_MAPPING_NODE || depth > DEPTH)
        return err_user("%s:%d: want lines of the form `key: value`", path, line_of(doc, node));
    for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
        const char *word = scalar(doc, p->key), *value = scalar(doc, p->value);
        int line = line_of(doc, p->key);
        char key[KEY_TEXT];
        if (!word) return err_user("%s:%d: want a plain word as key", path, line);
        if (snprintf(key, sizeof key, "%s%s%s", prefix, *prefix ? "." : "", word) >= (int)sizeof key)
            return err_user("%s:%d: want a shorter key", path, line);
        if (is_nothing(doc, p->value))
            TRY(entry_add(key, "", line));
        else if (value)
            TRY(entry_add(key, value, line));
        else if (yaml_document_get_node(doc, p->value)->type == YAML_SEQUENCE_NODE)
            TRY(add_list(path, doc, p->value, key, line));
        else
            TRY(add_map(path, doc, p->value, key, depth + 1));
    }
    return ERR_NONE;
}

static Err not_yaml(const char *path, const yaml_parser_t *parser) {
    return err_user("%s:%d: not YAML: %s", path, (int)parser->problem_mark.line + 1,
                    parser->problem ? parser->problem : "unreadable");
}

/* What follows the first document must be nothing. */
static Err check_end(const char *path, yaml_parser_t *parser) {
    yaml_document_t doc;
    Err err = ERR_NONE;
    if (!yaml_parser_load(parser, &doc)) return not_yaml(path, parser);
    if (yaml_document_get_root_node(&doc))
        err = err_user("%s:%d: a second document: want one study in a file", path, (int)doc.start_mark.line + 1);
    yaml_document_delete(&doc);
    return err;
}

static bool opens(yaml_event_type_t type) {
    return type == YAML_SEQUENCE_START_EVENT || type == YAML_MAPPING_START_EVENT;
}

static bool closes(yaml_event_type_t type) {
    return type == YAML_SEQUENCE_END_EVENT || type == YAML_MAPPING_END_EVENT;
}

/* One piece of the text against the bounds; depth: of nested lists and maps, so far. */
static Err check_event(const char *path, const yaml_event_t *event, int *depth) {
    int line = (int)event->start_mark.line + 1;
    *depth += opens(event->type) - closes(event->type);
    if (*depth > NESTED) return err_user("%s:%d: nested too deep: want `key: value` or lists of values", path, line);
    if (event->type == YAML_SCALAR_EVENT && memchr(event->data.scalar.value, 0, event->data.scalar.length))
        return err_user("%s:%d: a NUL byte in a value: want text", path, line);
    return ERR_NONE;
}

/* Before anything is built of it: the text piece by piece, up to the first that is too much. */
static Err check_bounds(const char *path, yaml_parser_t *parser) {
    int depth = 0, events = 0;
    for (bool more = true; more;) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event)) return not_yaml(path, parser);
        Err err = check_event(path, &event, &depth);
        if (!err.code && ++events > EVENTS) err = err_user("%s: want at most %d words", path, EVENTS);
        more = event.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
        TRY(err);
    }
    return ERR_NONE;
}

static Err build(const char *path, yaml_parser_t *parser) {
    yaml_document_t doc;
    if (!yaml_parser_load(parser, &doc)) return not_yaml(path, parser);
    Err err = ERR_NONE;
    if (yaml_document_get_root_node(&doc))
        err = add_map(path, &doc, 1, "", 0);
    else
        err = err_user("%s: the file is empty: want a study", path);
    yaml_document_delete(&doc);
    return err.code ? err : check_end(path, parser);
}

/* `step` of a parser at the start of the text. */
static Err with_parser(Err (*step)(const char *, yaml_parser_t *), const char *path, const char *text, size_t bytes) {
    yaml_parser_t parser;
    CHECK(yaml_parser_initialize(&parser), "no memory for a YAML parser");
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, bytes);
    Err err = step(path, &parser);
    yaml_parser_delete(&parser);
    return err;
}

Err yaml_parse(const char *path, const char *text, size_t bytes) {
    TRY(with_parser(check_bounds, path, text, bytes));
    return with_parser(build, path, text, bytes);
}

/* All of an open file up to the first byte that is too much, in memory that grows with it. */
static void read_text(char **text, size_t *bytes, FILE *f) {
    enum { FIRST_BYTES = 1 << 12 };
    size_t room = FIRST_BYTES, got;
    *text = mem_alloc(room);
    *bytes = 0;
    while ((got = fread(*text + *bytes, 1, room - *bytes, f)) > 0) {
        *bytes += got;
        if (*bytes == room && room <= FILE_BYTES) room *= 2;
        *text = mem_grow(*text, room);
    }
}

/* The file, which mem_free gives back. */
static Err read_file(char **text, size_t *bytes, const char *path) {
    TRY(file_check(path, "a readable study file"));
    FILE *f = fopen(path, "rb");
    if (!f) return err_user("%s: %s: want a readable study file", path, strerror(errno));
    read_text(text, bytes, f);
    bool failed = ferror(f);
    fclose(f);
    if (failed) return err_user("%s: %s: want a readable study file", path, strerror(errno));
    if (*bytes > FILE_BYTES) return err_user("%s: want a study file of at most %d KiB", path, FILE_BYTES / 1024);
    return ERR_NONE;
}

/* The same on every rank, read by the root alone. */
static Err read_whole(char **text, size_t *bytes, const char *path) {
    const Comm *w = comm_world();
    *text = NULL;
    Err err = comm_agree(w, comm_rank(w) == 0 ? read_file(text, bytes, path) : ERR_NONE);
    if (err.code) {
        mem_free(*text);
        return err;
    }
    comm_bcast(w, bytes, sizeof *bytes, 0);
    if (!*text) *text = mem_alloc(*bytes + 1);
    comm_bcast(w, *text, *bytes, 0);
    return ERR_NONE;
}

Err yaml_read(const char *path) {
    char *text;
    size_t bytes;
    TRY(read_whole(&text, &bytes, path));
    Err err = yaml_parse(path, text, bytes);
    mem_free(text);
    return err;
}
