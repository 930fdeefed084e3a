/* What a fit says to people: one line per arm, what arms need beside each other, allocations; about PAGE lines whatever
 * the number of arms. What does not fit is said, and stands in the details and in the JSON file. */
#include "infer/answers.h"
#include "infer/report.h"
#include "report_pieces.h"

#include "base/arena.h"
#include "base/log.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    PAGE = 40,   /* lines that a terminal shows at a glance */
    WORDS = 12,  /* in place of a loss */
    NOTES = 5,   /* of what was assumed or looks odd */
    REASONS = 3, /* why there is no multiplier */
    ANSWERS = 4, /* lines beside the answer to a question */
    PREDICTIONS = 12,
    HOLDOUTS = 6
};

/* The lines that are left; with -fit_details there is no end. */
typedef struct Page {
    const Analysis *a;
    bool endless;
    int left;
} Page;

static void line(Page *page, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints a line, or two where it begins with a break. */
static void line(Page *page, const char *format, ...) {
    char text[ANSWER_TEXT + 64];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    page->left -= text[0] == '\n' ? 2 : 1;
    log_text("%s", text);
}

/* How many of n things to show where `most` fit; the rest is told by told_rest. */
static int64_t shown_of(const Page *page, int64_t n, int64_t most) {
    return page->endless || n < most ? n : most;
}

static void told_rest(Page *page, int64_t rest, const char *thing) {
    if (rest) line(page, "  and %s more: -fit_details, -json FILE", piece_count(rest, thing).text);
}

/* ---- What was fitted. ---- */

/* What stood in place of a loss, in one line. */
static void print_words(Page *page) {
    const LeftOut *out = &page->a->table->left_out;
    char words[TABLE_WORDS * (TABLE_WORD + 32)] = "";
    size_t used = 0;
    int64_t rest = 0;
    for (int i = 0; i < TABLE_WORDS && out->word[i].rows; i++) {
        const LossWord *w = &out->word[i];
        if (i < shown_of(page, TABLE_WORDS, WORDS))
            used += (size_t)snprintf(words + used, sizeof words - used, "%s\"%s\", %s", i ? "; " : "", w->word,
                                     piece_count(w->rows, "time").text);
        else
            rest += w->rows;
    }
    if (!*words) return;
    line(page, "    in place of the loss: %s%s", words,
         rest ? piece("; other words, %.0f times (-fit_details, -json FILE)", (double)rest).text : "");
}

static void print_left_out(Page *page) {
    const LeftOut *out = &page->a->table->left_out;
    const struct {
        int64_t n;
        const char *why;
    } reason[] = {{out->keep, "by the keep or drop column, or of weight 0"},
                  {out->range, "C outside the asked-for range"},
                  {out->arm, "arm not asked for"},
                  {out->loss, "no usable loss"},
                  {out->outcome, "cell diverged or failed"},
                  {out->role, "cell not of the grid"},
                  {out->dataset, "cell on a smaller training set"},
                  {out->best, "another row of the same arm, N and D has less loss"}};
    for (int i = 0; i < (int)(sizeof reason / sizeof *reason); i++)
        if (reason[i].n) line(page, "  left out: %s, %s", piece_count(reason[i].n, "row").text, reason[i].why);
    print_words(page);
}

static void print_notes(Page *page) {
    const Table *table = page->a->table;
    int64_t shown = shown_of(page, table->notes, NOTES);
    for (int i = 0; i < shown; i++) {
        const TableNote *n = &table->note[i];
        char where[sizeof n->file + 32] = "";
        if (n->files == 1) snprintf(where, sizeof where, "%s: ", n->file);
        if (n->files > 1) snprintf(where, sizeof where, "%s and %d more: ", n->file, n->files - 1);
        line(page, "  note: %s%s", where, n->text);
    }
    told_rest(page, table->notes - shown, "note");
}

static void print_weights(Page *page) {
    const Table *table = page->a->table;
    double least = INFINITY;
    double most = 0;
    for (int64_t i = 0; i < table->n; i++) {
        least = fmin(least, table->at[i].weight);
        most = fmax(most, table->at[i].weight);
    }
    if (least < most)
        line(page,
             "  weights %.3g to %.3g: the objective takes a row's term times its weight, intervals take its noise "
             "as 1/sqrt(weight)",
             least, most);
}

static void print_head(Page *page) {
    static const char *const e[] = {"", ", E = 0", ", E shared", ", E = "};
    static const char *const exponents[] = {"", ", alpha = beta", ", exponents shared"};
    const Analysis *a = page->a;
    const LawSpec *s = &a->spec;
    line(page, "%s, %s; law %s%s%s%s; %s%s%s", piece_count(a->table->n, "point").text, piece_count(a->arms, "arm").text,
         s->kind->formula, e[s->e], s->e == LAW_E_FIXED ? piece("%g", s->e_value).text : "", exponents[s->exponents],
         objective_words[s->objective], s->objective == OBJECTIVE_HUBER ? piece(", delta %g", s->delta).text : "",
         s->quantile != 0.5 ? piece(", quantile %g", s->quantile).text : "");
    print_weights(page);
    print_left_out(page);
    print_notes(page);
}

/* ---- Arms beside each other. ---- */

/* The field of a name, as wide as the longest. */
static int name_width(const Analysis *a, const char *name) {
    int width = 5;
    for (int m = 0; m < a->arms; m++) width = (int)fmax(width, log_width(a->table->arm[m]));
    return log_field(name, width);
}

/* The exponent that a law is fitted for, and what of it is asked at the reference budget. */
static int headline_of(const char **exponent, const char **answer, const LawKind *kind) {
    *answer = kind->of_optima ? "optimum" : "loss";
    *exponent = kind->axes == LAW_OF_C ? "gamma = alpha [95 %]" : "alpha [95 %]";
    if (!law_splits(kind) && !kind->of_optima) return COEF_ALPHA;
    if (law_splits(kind)) *answer = "N*";
    *exponent = law_splits(kind) ? "a of N* ~ C^a [95 %]" : "exponent a of C [95 %]";
    return COEF_N_EXPONENT;
}

static void print_arms(Page *page) {
    const Analysis *a = page->a;
    const char *exponent, *answer;
    char title[128] = "";
    int c = a->reference_currency;
    int headline = headline_of(&exponent, &answer, a->spec.kind);
    bool splits = law_splits(a->spec.kind);
    if (c >= 0)
        snprintf(title, sizeof title, "%s at %s %s", answer, piece("%.3g", a->reference).text, currencies[c].amount);
    line(page, "%s  %-*s %7s %9s %9s %7s %7s  %-22s %-30s %s", a->data_curves ? "" : "\n", name_width(a, "arm"), "arm",
         "E", "A", "B", "alpha", "beta", exponent, title, "status");
    for (int m = 0; m < a->arms; m++) {
        const ArmFit *arm = &a->arm[m];
        const double *v = arm->value;
        line(page, "  %-*s %7s %9s %9s %7s %7s  %-22s %-30s %s", name_width(a, a->table->arm[m]), a->table->arm[m],
             piece("%.4g", v[COEF_E]).text, piece("%.4g", v[COEF_A]).text, piece("%.4g", v[COEF_B]).text,
             piece("%.4f", v[COEF_ALPHA]).text, piece("%.4f", v[COEF_BETA]).text,
             piece_ranged("%.3f", v[headline], arm->interval[headline]).text,
             splits ? piece_ranged("%.3g", arm->reference.at.n, arm->reference.n).text
                    : piece_ranged("%.5g", arm->reference.at.loss, arm->reference.loss).text,
             arm->status);
    }
}

/* What was measured on the largest models: the columns that any arm has. */
static void print_symmetry(Page *page, const Symmetry *s) {
    char text[ANSWER_TEXT];
    bool has[SYMMETRY_HEADLINES] = {false};
    if (!s->arms) return;
    for (int h = 0; h < SYMMETRY_HEADLINES; h++)
        for (int m = 0; m < s->arms; m++) has[h] |= isfinite(s->arm[m].of[h].value);
    size_t at = 0;
    for (int h = 0; h < SYMMETRY_HEADLINES; h++)
        if (has[h]) at += (size_t)snprintf(text + at, sizeof text - at, "  %-14s", symmetry_headline[h].title);
    line(page, "%s  %-*s %-9s %9s %9s%s", page->a->data_curves ? "" : "\n", name_width(page->a, "symmetry"), "symmetry",
         "exact in", "N", "D", at ? text : "");
    for (int m = 0; m < s->arms; m++) {
        const SymmetryArm *arm = &s->arm[m];
        at = 0;
        for (int h = 0; h < SYMMETRY_HEADLINES; h++)
            if (has[h])
                at += (size_t)snprintf(text + at, sizeof text - at, "  %-14s", piece("%.2g", arm->of[h].value).text);
        line(page, "  %-*s %-9s %9.4g %9.4g%s", name_width(page->a, arm->arm), arm->arm, arm->exact ? arm->exact : "-",
             arm->n, arm->d, at ? text : "");
    }
}

/* Lines that print_sharing takes. */
static int sharing_lines(const Symmetry *s) {
    int found = 0;
    for (int m = 0; m < s->arms; m++) found += symmetry_sharing(s, m) != NULL;
    return found ? found + 1 : 0;
}

/* Which weights the largest model of an arm that shares found to be the same. */
static void print_sharing(Page *page, const Symmetry *s) {
    if (!sharing_lines(s)) return;
    line(page, "  %-*s weights of one letter are the same, 0 is 0 (docs/related.md, f)",
         name_width(page->a, "symmetries found"), "symmetries found");
    for (int m = 0; m < s->arms; m++) {
        const SymmetrySharing *found = symmetry_sharing(s, m);
        if (found) line(page, "  %-*s %s", name_width(page->a, s->arm[m].arm), s->arm[m].arm, found->classes);
    }
}

/* Every arm against the first one. */
static void print_multipliers(Page *page) {
    const Analysis *a = page->a;
    if (!a->comparisons) return;
    char text[512];
    size_t at = (size_t)snprintf(text, sizeof text, "  %-*s", name_width(a, "arm"), "arm");
    for (int c = 0; c < CURRENCIES; c++)
        if (a->table->has[c]) at += (size_t)snprintf(text + at, sizeof text - at, "  %-28s", currencies[c].amount);
    line(page,
         "\n  compute for the same loss as %s by the laws, as a multiple of its compute [95 %%]; p of equal exponents",
         a->table->arm[0]);
    line(page, "%s  p", text);
    for (int i = 0; i < a->comparisons; i++) {
        const Comparison *p = &a->comparison[i];
        if (p->first) continue;
        at = (size_t)snprintf(text, sizeof text, "  %-*s", name_width(a, a->table->arm[p->second]),
                              a->table->arm[p->second]);
        for (int c = 0; c < CURRENCIES; c++) {
            const Multiplier *m = &p->currency[c].mean;
            if (a->table->has[c])
                at += (size_t)snprintf(text + at, sizeof text - at, "  %-28s",
                                       piece_ranged("%.3g", m->value, m->interval).text);
        }
        line(page, "%s  %s", text, piece("%.2g", p->exponents.valid ? p->exponents.p : NAN).text);
    }
}

/* Why arm `second` has no multiplier in a currency; NULL: it has one. */
static const char *reason_of(const Analysis *a, const Comparison *p, int currency) {
    const Difference *d = &p->currency[currency];
    bool missing = !p->first && a->table->has[currency] && !isfinite(d->mean.value);
    return missing ? d->status : NULL;
}

/* Whether an arm before this one, or a currency before this one, has the same reason. */
static bool told_before(const Analysis *a, int comparison, int currency, const char *reason) {
    for (int i = 0; i <= comparison; i++)
        for (int c = 0; c < CURRENCIES; c++) {
            if (i == comparison && c >= currency) break;
            const char *other = reason_of(a, &a->comparison[i], c);
            if (other && !strcmp(other, reason)) return true;
        }
    return false;
}

/* Why a multiplier of the table above is "-": each reason once, with the arms and currencies that it holds for. */
static void print_reasons(Page *page) {
    const Analysis *a = page->a;
    int64_t told = 0;
    int64_t untold = 0;
    for (int i = 0; i < a->comparisons; i++)
        for (int c = 0; c < CURRENCIES; c++) {
            const char *reason = reason_of(a, &a->comparison[i], c);
            if (!reason || told_before(a, i, c, reason)) continue;
            if (told == shown_of(page, told + 1, REASONS)) {
                untold++;
                continue;
            }
            int64_t alike = 0; /* arms */
            for (int k = i; k < a->comparisons; k++) {
                bool same = false;
                for (int o = 0; o < CURRENCIES; o++) {
                    const char *other = reason_of(a, &a->comparison[k], o);
                    same |= other && !strcmp(other, reason);
                }
                alike += same;
            }
            line(page, "    %s%s, %s: %s", a->table->arm[a->comparison[i].second],
                 alike > 1 ? piece(" and %.0f more", (double)alike - 1).text : "", currencies[c].name, reason);
            told++;
        }
    told_rest(page, untold, "reason");
}

/* By how much a multiple at the highest losses that both arms reach is another one than at the lowest, as a log; 0: by no more
 * than intervals say. */
static double change_of(const Difference *d) {
    const double least = 1.25; /* less is no other answer to who should take which arm */
    const Multiplier *low = &d->at[0], *high = &d->at[COMPARE_LOSSES - 1];
    bool apart = low->interval.hi < high->interval.lo || high->interval.hi < low->interval.lo;
    double change = fabs(log(high->value / low->value));
    return apart && change > log(least) ? change : 0;
}

/* The table above has a mean over losses: the multiple that depends most on them is told with its ends, in one line. */
static void print_change(Page *page) {
    const Analysis *a = page->a;
    const Comparison *pair = NULL;
    int currency = 0, found = 0;
    double most = 0;
    for (int i = 0; i < a->comparisons; i++)
        for (int c = 0; c < CURRENCIES; c++) {
            const Comparison *p = &a->comparison[i];
            double change = p->first || !a->table->has[c] ? 0 : change_of(&p->currency[c]);
            found += change > 0;
            if (!(change > most)) continue;
            most = change;
            pair = p;
            currency = c;
        }
    if (!pair) return;
    const Multiplier *at = pair->currency[currency].at, *low = &at[0], *high = &at[COMPARE_LOSSES - 1];
    char more[64] = "";
    if (found > 1) snprintf(more, sizeof more, "; %d more change with it: fit.json", found - 1);
    line(page, "    %.60s, %s: a mean; %s at loss %.4g, %s at %.4g%s", a->table->arm[pair->second],
         currencies[currency].name, piece_ranged("%.3g", high->value, high->interval).text, high->loss,
         piece_ranged("%.3g", low->value, low->interval).text, low->loss, more);
}

static void print_predictions(Page *page) {
    const Analysis *a = page->a;
    if (!a->predictions) return;
    bool of_c = a->spec.kind->axes == LAW_OF_C;
    line(page, "\n  %-*s %9s %9s%s %9s  %s", name_width(a, "arm"), "arm", "N", "D", of_c ? "         C" : "", "loss",
         "by the law [95 %]");
    int64_t shown = shown_of(page, a->predictions, PREDICTIONS);
    for (int64_t i = 0; i < shown; i++) {
        const Prediction *p = &a->prediction[i];
        bool far = isfinite(p->loss) && !p->within;
        line(page, "  %-*s %9s %9s%s%s %9s  %s%s%s%s", name_width(a, a->table->arm[p->arm]), a->table->arm[p->arm],
             piece("%.4g", p->n).text, piece("%.4g", p->d).text, of_c ? " " : "", of_c ? piece("%9.4g", p->c).text : "",
             piece("%.5g", p->observed).text, piece_ranged("%.5g", p->loss, p->interval).text,
             p->held ? "  held out" : "", far ? "  " : "", far ? p->status : "");
    }
    told_rest(page, a->predictions - shown, "prediction");
    int64_t scored = 0;
    int64_t most = shown_of(page, a->arms, HOLDOUTS);
    for (int m = 0; m < a->arms; m++) {
        const Holdout *h = &a->arm[m].holdout;
        if (!h->rows) continue;
        scored++;
        if (scored <= most)
            line(page, "  %s: %s held out: log loss off by %.4f rms, %+.4f on average", a->table->arm[m],
                 piece_count(h->rows, "row").text, h->rms, h->mean);
    }
    told_rest(page, scored > most ? scored - most : 0, "score");
}

/* ---- Allocations. ---- */

static int allocation_lines(const Analysis *a, int currency, int step) {
    int lines = 0;
    for (int m = 0; m < a->arms; m++) {
        const CurrencyFit *k = &a->arm[m].currency[currency];
        lines += (a->arms > 1) + report_allocation_lines(k->budget, k->budgets, step);
    }
    return lines;
}

static int most_budgets(const Analysis *a, int currency) {
    int budgets = 0;
    for (int m = 0; m < a->arms; m++) budgets = (int)fmax(budgets, a->arm[m].currency[currency].budgets);
    return budgets;
}

/* One budget of every `step`. */
static void print_allocations(Page *page, int currency, int step) {
    const Analysis *a = page->a;
    line(page, "\n  allocation in %s%s", currencies[currency].amount,
         step > 1 ? piece(" (one budget of %.0f; all: -fit_details, -json FILE)", step).text : "");
    line(page, "    %9s  %-30s %-30s %-28s %s", "C", "N* [95 %]", "D* [95 %]",
         a->spec.kind->of_optima ? "optimum [95 %]" : "loss [95 %]", "status");
    for (int m = 0; m < a->arms; m++) {
        const CurrencyFit *k = &a->arm[m].currency[currency];
        if (a->arms > 1) line(page, "   %s", a->table->arm[m]);
        report_allocations(k->budget, k->budgets, step);
    }
}

/* Those asked for, in whichever currency; false: there are none. */
static bool print_asked(Page *page) {
    const Analysis *a = page->a;
    bool asked = false;
    for (int c = 0; c < CURRENCIES; c++) {
        if (!a->options.budgets[c].n || !most_budgets(a, c)) continue;
        print_allocations(page, c, 1);
        asked = true;
    }
    return asked;
}

/* As many powers of ten as fit, in the currency in which arms are put beside each other. */
static void print_answers(Page *page) {
    const Analysis *a = page->a;
    int c = a->reference_currency;
    if (print_asked(page) || c < 0) return;
    const int around = 5; /* lines of title, header and end, with their breaks */
    int budgets = most_budgets(a, c), step = 1;
    while (step < budgets && allocation_lines(a, c, step) > page->left - around) step++;
    if (allocation_lines(a, c, step) <= page->left - around) {
        print_allocations(page, c, step);
        return;
    }
    if (a->data_curves) return; /* the answers above say what matters of them, the last line where the rest is */
    line(page, "\n  allocations of %s at up to %s each: -fit_details, -json FILE, or -fit_budgets C",
         piece_count(a->arms, "arm").text, piece_count(budgets, "budget").text);
}

static void print_answer(Page *page, const Answer *answer) {
    line(page, "\n%s", answer->question);
    if (*answer->sentence) line(page, "  %s", answer->sentence);
    int64_t shown = shown_of(page, answer->lines, ANSWERS);
    for (int i = 0; i < shown; i++) line(page, "    %s", answer->line[i]);
}

/* The questions come first where a study asked them: where it trained on several training sets. */
static void print_questions(Page *page) {
    const Analysis *a = page->a;
    if (!a->data_curves) return;
    Answer *answer = MEM_NEW(Answer, QUESTIONS);
    answers_of(answer, a);
    for (int q = 0; q < QUESTIONS; q++) print_answer(page, &answer[q]);
    answers_limits(answer, a);
    print_answer(page, answer);
    line(page, "%s", "");
    mem_free(answer);
}

void report_text(const Analysis *a, const Symmetry *symmetry) {
    Page page = {.a = a, .endless = a->options.details, .left = PAGE};
    print_questions(&page);
    print_head(&page);
    print_arms(&page);
    if (!a->data_curves || a->options.details) {
        print_multipliers(&page);
        print_reasons(&page);
        print_change(&page);
    }
    if (a->options.details || page.left > symmetry->arms + 1 + sharing_lines(symmetry)) {
        print_symmetry(&page, symmetry);
        print_sharing(&page, symmetry);
    }
    print_predictions(&page);
    if (a->options.details) {
        report_details(a);
        return;
    }
    print_answers(&page);
    log_text("  all else: -fit_details, or -json FILE");
}
