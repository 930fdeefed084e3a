#include "study/measure.h"

#include <stdio.h>
#include <string.h>

/* -1: there is none of that name. */
static int find(const char *name) {
    for (int m = 0; m < n_measures; m++)
        if (!strcmp(measures[m]->name, name)) return m;
    return -1;
}

Err study_measures(StudyOptions *o) {
    MeasureChoice *choice = &o->chosen;
    choice->common = o->measure;
    for (int i = 0; i < o->measures.n; i++) {
        int m = find(o->measures.at[i]);
        CHECK(m >= 0, "measurement %s is not in the list", o->measures.at[i]); /* options_read has refused it */
        for (int k = 0; k < choice->n; k++)
            if (choice->at[k].measure == measures[m])
                return err_user("%s: study.measures: %s is listed twice: want each once", options_source(),
                                measures[m]->name);
        choice->at[choice->n].measure = measures[m];
        choice->at[choice->n++].options = &o->measure_options[m];
    }
    return ERR_NONE;
}

/* Appends to a text as far as there is room. */
static void append(char *text, size_t size, const char *piece) {
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s", piece);
}

/* Whether a line of a cell has room for the row. */
static bool shown(const MeasureRow *row, int64_t last) {
    if (row->step != last || row->layer >= 0) return false;
    int m = find(row->measure);
    if (m < 0 || !measures[m]->headline[0]) return true;
    for (int i = 0; i < MEASURE_HEADLINES && measures[m]->headline[i]; i++)
        if (!strcmp(measures[m]->headline[i], row->element)) return true;
    return false;
}

void study_measure_text(char *text, size_t size, const MeasureRow *rows, int64_t n) {
    int64_t last = 0;
    const char *measure = "";
    *text = 0;
    for (int64_t i = 0; i < n; i++)
        if (rows[i].step > last) last = rows[i].step;
    for (int64_t i = 0; i < n; i++) {
        const MeasureRow *r = &rows[i];
        char piece[2 * RESULTS_NAME + 32];
        if (!shown(r, last)) continue;
        if (strcmp(measure, r->measure)) {
            snprintf(piece, sizeof piece, "  %s", r->measure);
            append(text, size, piece);
            measure = r->measure;
        }
        snprintf(piece, sizeof piece, " %s %.3g", r->element, r->value);
        append(text, size, piece);
    }
}

void study_measure_provenance(char *text, size_t size, const StudyOptions *o) {
    *text = 0;
    for (int i = 0; i < o->chosen.n; i++) {
        const Measure *m = o->chosen.at[i].measure;
        char line[320];
        snprintf(line, sizeof line, "measured %s = [%s] %s\n", m->name, m->unit, m->description);
        append(text, size, line);
    }
}
