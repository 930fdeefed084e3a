/* The table of a fit as a paper prints it: CSV with a column for each number, LaTeX with intervals below, in brackets. */
#include "infer/report.h"

#include "base/arena.h"
#include "base/text.h"
#include "io/commit.h"

#include <ctype.h>
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
    if (!a->spec.kind->of_optima) return;
    entry[COEFS + 3].name = "optimum_at_reference"; /* N* or D*, as the arm says */
    entry[COEFS + 3].latex = "optimum";
}

/* A field between quotes where a reader wants them. */
static void csv_text(Text *out, const char *text) {
    if (!strpbrk(text, ",\"\r\n")) {
        text_add(out, "%s", text);
        return;
    }
    text_add(out, "\"");
    for (; *text; text++) {
        if (*text == '"') text_add(out, "\"");
        text_put(out, text, 1);
    }
    text_add(out, "\"");
}

/* Nothing where there is no number. */
static void csv_number(Text *out, double x) {
    if (isfinite(x)) text_add(out, "%.10g", x);
}

static void write_csv(Text *out, const Analysis *a) {
    Entry entry[ENTRIES];
    text_add(out, "arm,rows,status,law,reference_C,reference_currency");
    entries_of(entry, a, &a->arm[0]);
    for (int k = 0; k < ENTRIES; k++) text_add(out, ",%s,%s_low,%s_high", entry[k].name, entry[k].name, entry[k].name);
    text_add(out, "\n");
    for (int m = 0; m < a->arms; m++) {
        const ArmFit *arm = &a->arm[m];
        entries_of(entry, a, arm);
        csv_text(out, a->table->arm[m]);
        text_add(out, ",%lld,", (long long)arm->rows->n);
        csv_text(out, arm->status);
        text_add(out, ",%s,", a->spec.kind->name);
        csv_number(out, a->reference);
        text_add(out, ",%s", a->reference_currency < 0 ? "" : currencies[a->reference_currency].name);
        for (int k = 0; k < ENTRIES; k++) {
            const double x[] = {entry[k].value, entry[k].interval.lo, entry[k].interval.hi};
            for (int i = 0; i < 3; i++) {
                text_add(out, ",");
                csv_number(out, x[i]);
            }
        }
        text_add(out, "\n");
    }
}

/* ---- LaTeX: as many columns beside each other as a page takes, the others below. ---- */

static const double page_width = 345; /* points: the text of an article at 10 points, where a digit takes 5 */
static const double column_gap = 12;  /* between two columns, and half of it at either end */

enum { LATEX_NAME = 20 * TABLE_NAME, LATEX_CELL = 256 };

/* Letters that mean something to LaTeX, or print as another letter in its oldest encoding. */
static void latex_text(char out[LATEX_NAME], const char *text) {
    static const struct {
        char letter;
        const char *word;
    } words[] = {{'\\', "\\textbackslash{}"}, {'~', "\\textasciitilde{}"}, {'^', "\\textasciicircum{}"},
                 {'<', "\\textless{}"},       {'>', "\\textgreater{}"},    {'|', "\\textbar{}"},
                 {'"', "\\symbol{34}"}};
    char *end = out;
    if (*text && strchr("[*", *text)) end = stpcpy(end, "{}"); /* else it belongs to the end of the line before */
    for (; *text; text++) {
        const char *word = NULL;
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (words[i].letter == *text) word = words[i].word;
        if (word) {
            end = stpcpy(end, word);
            continue;
        }
        if (strchr("&%$#_{}", *text)) *end++ = '\\';
        *end++ = *text;
    }
    *end = 0;
}

/* Points that a text takes at 10 points, by classes of letters: seldom less than LaTeX finds. */
static double text_width(const char *text) {
    double width = 0;
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if ((*c & 0xc0) == 0x80) continue;
        if (strchr("fijlrst.,:;!'()[]|/- ", *c))
            width += 4;
        else if (strchr("mwMW%@", *c))
            width += 10.3;
        else
            width += isupper(*c) || strchr("&<>~+=", *c) ? 7.8 : 5.6;
    }
    return width;
}

/* 1.30e+09 as 1.30 \times 10^{9}, and no dot after a whole number; returns its end. */
static char *latex_number(char *out, const char *format, double x) {
    char text[48];
    snprintf(text, sizeof text, format, x);
    char *e = strchr(text, 'e');
    if (!e) {
        size_t n = strlen(text);
        if (text[n - 1] == '.') text[n - 1] = 0;
        return stpcpy(out, x == 0 ? "0" : text);
    }
    *e = 0;
    int power = 0;
    sscanf(e + 1, "%d", &power);
    return out + sprintf(out, "%s\\times 10^{%d}", text, power);
}

static void latex_value(char cell[LATEX_CELL], const Entry *entry) {
    strcpy(cell, "--");
    if (isfinite(entry->value)) strcpy(latex_number(stpcpy(cell, "$"), entry->format, entry->value), "$");
}

/* Nothing where there is none. */
static void latex_interval(char cell[LATEX_CELL], const Entry *entry) {
    cell[0] = 0;
    if (!isfinite(entry->value) || !isfinite(entry->interval.lo) || !isfinite(entry->interval.hi)) return;
    char *end = latex_number(stpcpy(cell, "$["), entry->format, entry->interval.lo);
    strcpy(latex_number(stpcpy(end, ",\\,"), entry->format, entry->interval.hi), "]$");
}

/* Points that a cell takes at 10 points. */
static double cell_width(const char *cell) {
    static const struct {
        const char *word;
        double width;
    } words[] = {{"\\times ", 12.3}, {"\\ ", 3.4}, {"\\,", 1.7}, {"{", 0},   {"}", 0},   {"$", 0},
                 {"^", 0},           {".", 2.8},   {",", 4.5},   {"[", 2.8}, {"]", 2.8}, {"-", 7.8}};
    enum { WORDS = sizeof words / sizeof *words };
    double width = 0;
    while (*cell) {
        int w = 0;
        while (w < WORDS && strncmp(cell, words[w].word, strlen(words[w].word))) w++;
        width += w < WORDS ? words[w].width : 5.1;
        cell += w < WORDS ? strlen(words[w].word) : 1;
    }
    return width;
}

typedef struct LatexRow {
    char name[LATEX_NAME], value[ENTRIES][LATEX_CELL], interval[ENTRIES][LATEX_CELL];
} LatexRow;

/* What is printed of the arms, and the width of each column. Columns that no arm has a number in are left out. */
typedef struct Latex {
    LatexRow *row;                     /* (arms) */
    double name_width, width[ENTRIES]; /* 0: left out */
} Latex;

static Latex latex_of(const Analysis *a) {
    const double script = 0.82; /* of the width at 10 points that \scriptsize has, rounded up */
    Latex l = {.row = MEM_NEW(LatexRow, a->arms)};
    Entry entry[ENTRIES];
    bool shown[ENTRIES] = {false};
    for (int m = 0; m < a->arms; m++) {
        entries_of(entry, a, &a->arm[m]);
        LatexRow *row = &l.row[m];
        latex_text(row->name, a->table->arm[m]);
        l.name_width = fmax(l.name_width, text_width(a->table->arm[m]));
        for (int k = 0; k < ENTRIES; k++) {
            latex_value(row->value[k], &entry[k]);
            latex_interval(row->interval[k], &entry[k]);
            l.width[k] = fmax(l.width[k], fmax(cell_width(row->value[k]), script * cell_width(row->interval[k])));
            shown[k] |= isfinite(entry[k].value);
        }
    }
    for (int k = 0; k < ENTRIES; k++)
        if (!shown[k]) l.width[k] = 0;
    return l;
}

/* The columns from `first` on that a page takes beside the names; returns the one after them. */
static int latex_columns(const Latex *l, int first) {
    double width = l->name_width + column_gap;
    int columns = 0;
    int k = first;
    for (; k < ENTRIES; k++) {
        if (l->width[k] == 0) continue;
        width += l->width[k] + column_gap;
        if (width > page_width && columns) break;
        columns++;
    }
    return k;
}

static void write_columns(Text *out, const Analysis *a, const Latex *l, int first, int end) {
    Entry entry[ENTRIES];
    entries_of(entry, a, &a->arm[0]);
    text_add(out, "\\noindent\\begin{tabular}{l");
    for (int k = first; k < end; k++)
        if (l->width[k] > 0) text_add(out, "r");
    text_add(out, "}\n\\hline\narm");
    for (int k = first; k < end; k++)
        if (l->width[k] > 0) text_add(out, " & %s", entry[k].latex);
    text_add(out, " \\\\\n\\hline\n");
    for (int m = 0; m < a->arms; m++) {
        const LatexRow *row = &l->row[m];
        bool intervals = false;
        text_add(out, "%s", row->name);
        for (int k = first; k < end; k++) {
            if (l->width[k] > 0) text_add(out, " & %s", row->value[k]);
            intervals |= row->interval[k][0] != 0;
        }
        text_add(out, " \\\\");
        if (first == 0 && a->arm[m].verdict != LAW_CONVERGED) text_add(out, " %% %s", a->arm[m].status);
        text_add(out, "\n");
        if (!intervals) continue;
        for (int k = first; k < end; k++)
            if (l->width[k] > 0) text_add(out, " & \\scriptsize %s", row->interval[k]);
        text_add(out, " \\\\\n");
    }
    text_add(out, "\\hline\n\\end{tabular}\n");
}

static void write_latex(Text *out, const Analysis *a) {
    Latex l = latex_of(a);
    text_add(out, "%% %s; brackets: 95 %% intervals", a->spec.kind->formula);
    if (isfinite(a->reference))
        text_add(out, "; %s: at C = %.3g %s", a->spec.kind->of_optima ? "optimum" : "starred", a->reference,
                 currencies[a->reference_currency].amount);
    text_add(out, "\n");
    for (int first = 0, end; first < ENTRIES; first = end) {
        if (first) text_add(out, "\n\\medskip\n");
        end = latex_columns(&l, first);
        write_columns(out, a, &l, first, end);
    }
    mem_free(l.row);
}

static Err write_table(const Analysis *a, TableForm form, const char *path) {
    Text text = {0};
    if (form == TABLE_CSV)
        write_csv(&text, a);
    else
        write_latex(&text, a);
    Err err = commit_text(path, text.at, true);
    mem_free(text.at);
    return err;
}

Err report_table(const Analysis *a, TableForm form, const char *path, const Comm *comm) {
    return comm_agree(comm, comm_rank(comm) == 0 ? write_table(a, form, path) : ERR_NONE);
}
