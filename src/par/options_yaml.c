/* The study file: libyaml takes it apart, every scalar and list becomes an entry. */
#include "options_entry.h"

#include "base/arena.h"
#include "par/comm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

enum { FILE_BYTES = 1 << 20, KEY_TEXT = 128, LIST_TEXT = OPTION_LIST * OPTION_TEXT, DEPTH = 3 };

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
        if (value)
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

static Err parse(const char *path, const char *text, size_t bytes) {
    yaml_parser_t parser;
    yaml_document_t doc;
    Err err = ERR_NONE;
    CHECK(yaml_parser_initialize(&parser), "no memory for a YAML parser");
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, bytes);
    if (!yaml_parser_load(&parser, &doc)) {
        err = not_yaml(path, &parser);
    } else {
        if (yaml_document_get_root_node(&doc))
            err = add_map(path, &doc, 1, "", 0);
        else
            err = err_user("%s: the file is empty: want a study", path);
        yaml_document_delete(&doc);
        if (!err.code) err = check_end(path, &parser);
    }
    yaml_parser_delete(&parser);
    return err;
}

/* The whole file on every rank, read by the root alone. */
static Err read_whole(const char *path, char **text, size_t *bytes) {
    const Comm *w = comm_world();
    Err err = ERR_NONE;
    long size = 0;
    *text = NULL;
    if (comm_rank(w) == 0) {
        FILE *f = fopen(path, "rb");
        if (!f) {
            err = err_user("%s: %s: want a readable study file", path, strerror(errno));
        } else {
            if (fseek(f, 0, SEEK_END) || (size = ftell(f)) < 0 || size > FILE_BYTES || fseek(f, 0, SEEK_SET))
                err = err_user("%s: want a study file of at most 1 MiB", path);
            if (!err.code) {
                *text = mem_alloc((size_t)size + 1);
                if (fread(*text, 1, (size_t)size, f) != (size_t)size)
                    err = err_user("%s: want a readable study file", path);
            }
            fclose(f);
        }
    }
    err = comm_agree(w, err);
    if (err.code) {
        mem_free(*text);
        return err;
    }
    *bytes = (size_t)size;
    comm_bcast(w, bytes, sizeof *bytes, 0);
    if (!*text) *text = mem_alloc(*bytes + 1);
    comm_bcast(w, *text, *bytes, 0);
    return ERR_NONE;
}

Err yaml_read(const char *path) {
    char *text;
    size_t bytes;
    TRY(read_whole(path, &text, &bytes));
    Err err = parse(path, text, bytes);
    mem_free(text);
    return err;
}
