/* The table of a fit as a paper prints it: CSV with a column for each number, LaTeX with intervals in brackets. */
#include "infer/report.h"

#include "io/commit.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* A number with its interval, and how it is written. */
typedef struct Entry {
    const char *name, *latex, *format; /* format: of LaTeX, with all digits that count, zeros too */
    double value;
    Interval interval;
} Entry;

enum { ENTRIES = 11 };

/* What a row holds: coefficients, exponents in the reference currency, and the best split of the reference budget. */
static void entries_of(Entry entry[ENTRIES], const Analysis *a, const ArmFit *arm) {
    static const char *const latex[COEFS] = {"$E$", "$A$", "$B$", "$\\alpha$", "$\\beta$", "$a$", "$b$"};
    const Interval none = {NAN, NAN};
    const CurrencyFit *c = a->reference_currency < 0 ? NULL : &arm->currency[a->reference_currency];
    for (int k = 0; k < COEFS; k++)
        entry[k] = (Entry){coef_name[k], latex[k], k < COEF_ALPHA ? "%#.4g" : "%.3f", arm->value[k], arm->interval[k]};
    entry[COEFS] = (Entry){"gamma", "$\\gamma$", "%.3f", c ? c->gamma : NAN, c ? c->gamma_interval : none};
    const BudgetFit *b = &arm->reference;
    entry[COEFS + 1] = (Entry){"N_at_reference", "$N^*$", "%#.3g", b->at.n, b->n};
    entry[COEFS + 2] = (Entry){"D_at_reference", "$D^*$", "%#.3g", b->at.d, b->d};
    entry[COEFS + 3] = (Entry){"loss_at_reference", "$L^*$", "%#.4g", b->at.loss, b->loss};
}

/* A field between quotes where a reader wants them. */
static void csv_text(FILE *f, const char *text) {
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, f);
        return;
    }
    fputc('"', f);
    for (; *text; text++) {
        if (*text == '"') fputc('"', f);
        fputc(*text, f);
    }
    fputc('"', f);
}

/* Nothing where there is no number. */
static void csv_number(FILE *f, double x) {
    if (isfinite(x)) fprintf(f, "%.10g", x);
}

static void write_csv(FILE *f, const Analysis *a) {
    Entry entry[ENTRIES];
    fputs("arm,rows,status,law,reference_C", f);
    entries_of(entry, a, &a->arm[0]);
    for (int k = 0; k < ENTRIES; k++) fprintf(f, ",%s,%s_low,%s_high", entry[k].name, entry[k].name, entry[k].name);
    fputs("\n", f);
    for (int m = 0; m < a->arms; m++) {
        const ArmFit *arm = &a->arm[m];
        entries_of(entry, a, arm);
        csv_text(f, a->table->arm[m]);
        fprintf(f, ",%lld,", (long long)arm->rows->n);
        csv_text(f, arm->status);
        fprintf(f, ",%s,", a->spec.kind->name);
        csv_number(f, a->reference);
        for (int k = 0; k < ENTRIES; k++) {
            const double x[] = {entry[k].value, entry[k].interval.lo, entry[k].interval.hi};
            for (int i = 0; i < 3; i++) {
                fputc(',', f);
                csv_number(f, x[i]);
            }
        }
        fputs("\n", f);
    }
}

/* Letters that mean something to LaTeX, or print as another letter in its oldest encoding. */
static void latex_text(FILE *f, const char *text) {
    static const struct {
        char letter;
        const char *word;
    } words[] = {{'\\', "\\textbackslash{}"}, {'~', "\\textasciitilde{}"}, {'^', "\\textasciicircum{}"},
                 {'<', "\\textless{}"},       {'>', "\\textgreater{}"},    {'|', "\\textbar{}"},
                 {'"', "\\symbol{34}"}};
    if (*text && strchr("[*", *text)) fputs("{}", f); /* else it belongs to the end of the line before */
    for (; *text; text++) {
        const char *word = NULL;
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (words[i].letter == *text) word = words[i].word;
        if (word) {
            fputs(word, f);
            continue;
        }
        if (strchr("&%$#_{}", *text)) fputc('\\', f);
        fputc(*text, f);
    }
}

/* 1.30e+09 as 1.30 \times 10^{9}, and no dot after a whole number. */
static void latex_number(FILE *f, const char *format, double x) {
    char text[48];
    snprintf(text, sizeof text, format, x);
    char *e = strchr(text, 'e');
    if (!e) {
        size_t n = strlen(text);
        if (text[n - 1] == '.') text[n - 1] = 0;
        fputs(x == 0 ? "0" : text, f);
        return;
    }
    *e = 0;
    int power = 0;
    sscanf(e + 1, "%d", &power);
    fprintf(f, "%s\\times 10^{%d}", text, power);
}

static void latex_entry(FILE *f, const Entry *entry) {
    if (!isfinite(entry->value)) {
        fputs(" & --", f);
        return;
    }
    fputs(" & $", f);
    latex_number(f, entry->format, entry->value);
    if (isfinite(entry->interval.lo) && isfinite(entry->interval.hi)) {
        fputs("\\ [", f);
        latex_number(f, entry->format, entry->interval.lo);
        fputs(",\\,", f);
        latex_number(f, entry->format, entry->interval.hi);
        fputs("]", f);
    }
    fputs("$", f);
}

/* Columns that no arm has a number in are left out. */
static void write_latex(FILE *f, const Analysis *a) {
    Entry entry[ENTRIES];
    bool shown[ENTRIES] = {false};
    for (int m = 0; m < a->arms; m++) {
        entries_of(entry, a, &a->arm[m]);
        for (int k = 0; k < ENTRIES; k++) shown[k] |= isfinite(entry[k].value);
    }
    fprintf(f, "%% %s; brackets: 95 %% intervals", a->spec.kind->formula);
    if (isfinite(a->reference))
        fprintf(f, "; starred: at C = %.3g %s", a->reference, currencies[a->reference_currency].amount);
    fputs("\n\\begin{tabular}{l", f);
    for (int k = 0; k < ENTRIES; k++)
        if (shown[k]) fputc('r', f);
    fputs("}\n\\hline\narm", f);
    for (int k = 0; k < ENTRIES; k++)
        if (shown[k]) fprintf(f, " & %s", entry[k].latex);
    fputs(" \\\\\n\\hline\n", f);
    for (int m = 0; m < a->arms; m++) {
        entries_of(entry, a, &a->arm[m]);
        latex_text(f, a->table->arm[m]);
        for (int k = 0; k < ENTRIES; k++)
            if (shown[k]) latex_entry(f, &entry[k]);
        fputs(" \\\\", f);
        if (a->arm[m].verdict != LAW_CONVERGED) fprintf(f, " %% %s", a->arm[m].status);
        fputs("\n", f);
    }
    fputs("\\hline\n\\end{tabular}\n", f);
}

static Err write_table(const Analysis *a, TableForm form, const char *path) {
    char temp[COMMIT_PATH];
    TRY(commit_name(temp, path));
    FILE *f = fopen(temp, "w");
    if (!f) return err_user("%s: %s: want a path that can be written", path, strerror(errno));
    if (form == TABLE_CSV)
        write_csv(f, a);
    else
        write_latex(f, a);
    if (!fclose(f)) return commit_rename(temp, path, true);
    Err err = commit_error(path, "writing");
    remove(temp);
    return err;
}

Err report_table(const Analysis *a, TableForm form, const char *path, const Comm *comm) {
    return comm_agree(comm, comm_rank(comm) == 0 ? write_table(a, form, path) : ERR_NONE);
}
