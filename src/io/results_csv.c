/* The tables of a results file as text. */
#include "io/commit.h"
#include "results_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Numbers of one row of a column: each is a column of the text, NAME_0, NAME_1, ... */
static int64_t entries_of(const ResultsField *f) {
    return f->column.shape[0] ? f->column.shape[0] : 1;
}

static void print_csv_names(FILE *file, const ResultsTable *t) {
    for (int k = 0; k < t->n_fields; k++) {
        const char *name = strrchr(t->fields[k].column.name, '/') + 1, *comma = k ? "," : "";
        if (!t->fields[k].column.shape[0]) fprintf(file, "%s%s", comma, name);
        for (int64_t i = 0; i < t->fields[k].column.shape[0]; i++)
            fprintf(file, "%s%s_%" PRId64, i ? "," : comma, name, i);
    }
    fputc('\n', file);
}

/* A text is quoted where it holds what separates; numbers have every digit. */
static void print_csv_text(FILE *file, const char *text) {
    if (!text[strcspn(text, ",\"\n")]) {
        fputs(text, file);
        return;
    }
    fputc('"', file);
    for (const char *c = text; *c; c++) fprintf(file, *c == '"' ? "\"\"" : "%c", *c);
    fputc('"', file);
}

static void print_csv_value(FILE *file, const ResultsField *field, const char *record) {
    const char *member = record + field->offset;
    int64_t whole;
    double x;
    for (int64_t i = 0; i < entries_of(field); i++) {
        if (i) fputc(',', file);
        switch (field->column.type) {
        case H5_TEXT: print_csv_text(file, member); break;
        case H5_I64:
            memcpy(&whole, member + (size_t)i * sizeof whole, sizeof whole);
            fprintf(file, "%" PRId64, whole);
            break;
        case H5_F64:
            memcpy(&x, member + (size_t)i * sizeof x, sizeof x);
            fprintf(file, "%.17g", x);
            break;
        default: CHECK(false, "%s: no records hold this type", field->column.name);
        }
    }
}

static Err write_csv(const char *path, const Results *r, int table) {
    const ResultsTable *t = &results_table[table];
    char temp[COMMIT_PATH];
    TRY(commit_name(temp, path));
    FILE *file = fopen(temp, "w");
    if (!file) return commit_error(path, "cannot be created");
    print_csv_names(file, t);
    for (int64_t i = 0; i < results_rows(r, table); i++)
        for (int k = 0; k < t->n_fields; k++) {
            print_csv_value(file, &t->fields[k], (const char *)results_records(r, table) + (size_t)i * t->record);
            fputc(k + 1 < t->n_fields ? ',' : '\n', file);
        }
    bool failed = ferror(file);
    failed = fclose(file) || failed;
    Err err = failed ? commit_error(path, "cannot be written") : commit_rename(temp, path, true);
    if (failed) unlink(temp);
    return err;
}

Err results_csv(const char *folder, const Results *r) {
    for (int t = 0; t < RESULTS_TABLES; t++) {
        char path[COMMIT_PATH];
        if (snprintf(path, sizeof path, "%s%s.csv", folder, results_table[t].group) >= (int)sizeof path)
            return err_user("%.80s...: want a shorter path", folder);
        if (!t) TRY(commit_folder(path));
        TRY(write_csv(path, r, t));
    }
    return ERR_NONE;
}
