#include "infer/answers.h"

#include "infer/drift.h"
#include "report_pieces.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const double ANSWER_SAME = 0.1;
const char *const split_verdict[] = {"not decided", "differ", "do not differ"};

static void say(char text[ANSWER_TEXT], const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends to a text. */
static void say(char text[ANSWER_TEXT], const char *format, ...) {
    size_t used = strlen(text);
    va_list args;
    va_start(args, format);
    vsnprintf(text + used, ANSWER_TEXT - used, format, args);
    va_end(args);
}

/* A new line beside the sentence. */
static char *new_line(Answer *answer) {
    return answer->line[answer->lines < ANSWER_LINES ? answer->lines++ : ANSWER_LINES - 1];
}

static Piece ranged(const char *format, Estimate e) {
    return piece_ranged(format, e.value, e.interval);
}

/* ---- Data. ---- */

/* The curve of an arm with the longest training; NULL: none. */
static const DataCurve *longest(const Analysis *a, int arm) {
    const DataCurve *found = NULL;
    for (int i = 0; i < a->data_curves; i++)
        if (a->data[i].arm == arm) found = &a->data[i];
    return found;
}

/* The curve of the arm that needs the fewest trajectories. */
static const DataCurve *least(const Analysis *a) {
    const DataCurve *found = NULL;
    for (int m = 0; m < a->arms; m++) {
        const DataCurve *c = longest(a, m);
        if (c && (!found || c->need.value < found->need.value)) found = c;
    }
    return found;
}

/* One line of an arm: what it needs, and how far its penalty stays with the best arm's. */
static void data_line(char *text, const Analysis *a, const DataCurve *c, const DataCurve *best) {
    int last = c->sets - 1;
    say(text, "%s (N %.0f, %.0f samples): %s trajectories for %.0f %% over the loss with %.0f", a->table->arm[c->arm],
        c->n, c->d, ranged("%.3g", c->need).text, 100 * (DATA_WITHIN - 1), c->trajectories[last]);
    if (c->need.value <= c->trajectories[0]) say(text, " or fewer");
    if (c == best) {
        say(text, ", the fewest");
        return;
    }
    DataClosing closing = data_closing(c, best);
    const char *name = a->table->arm[best->arm];
    say(text, ", %s times %s's; ", ranged("%.3g", closing.need).text, name);
    if (isnan(closing.excess.interval.hi))
        say(text, "no seeds repeat that would tell whether small sets cost it more than %s", name);
    else if (isnan(closing.epochs))
        say(text, "already with %.0f it may lose over %.0f %% more to the smaller set than %s does",
            c->trajectories[last - 1], 100 * (DATA_WITHIN - 1), name);
    else
        say(text, "loses at most %.0f %% more to small sets than %s does up to %.3g epochs%s", 100 * (DATA_WITHIN - 1),
            name, closing.epochs, closing.all ? ", all that were tried" : "");
}

static void answer_data(Answer *answer, const Analysis *a) {
    const DataCurve *best = least(a);
    if (!best) {
        say(answer->sentence, "Not asked: no arm was trained on several training sets (study.datasets).");
        return;
    }
    const DataCurve *first = NULL;
    for (int m = a->arms - 1; m >= 0; m--) first = longest(a, m) ? longest(a, m) : first;
    say(answer->sentence, "For the same loss");
    for (int m = 0; m < a->arms; m++) {
        const DataCurve *c = longest(a, m);
        if (c) data_line(new_line(answer), a, c, best);
        if (!c || c == first) continue;
        DataRatio r = data_ratio(first, c);
        if (isfinite(r.ratio.value))
            say(answer->sentence, " %s needs %s times", a->table->arm[m], ranged("%.2g", r.ratio).text);
        else if (isfinite(r.bound))
            say(answer->sentence, " %s needs %s than %.2g times", a->table->arm[m], r.bound < 1 ? "less" : "more",
                r.bound);
        else
            say(answer->sentence, " %s needs an unknown multiple of", a->table->arm[m]);
        say(answer->sentence, m + 1 < a->arms ? "," : "");
    }
    if (a->arms > 1) say(answer->sentence, " the trajectories of %s.", a->table->arm[first->arm]);
    if (a->arms == 1) say(answer->sentence, " there is no other arm to compare with.");
}

/* ---- Which method decides. ---- */

Method answer_method(const Analysis *a, const Comparison *pair, int currency) {
    bool laws = a->arm[pair->first].verdict == LAW_CONVERGED && a->arm[pair->second].verdict == LAW_CONVERGED;
    const Contrast *by = pair->contrast[currency];
    for (int k = laws ? METHOD_LAW : METHOD_ISOFLOP; k < METHODS; k++)
        if (by[k].known && isfinite(by[k].a.interval.lo) && isfinite(by[k].a.interval.hi)) return (Method)k;
    return METHODS;
}

SplitVerdict answer_split(const Contrast *c) {
    Interval i = c->a.interval;
    if (i.lo > 0 || i.hi < 0) return SPLIT_DIFFERS;
    if (i.lo >= -ANSWER_SAME && i.hi <= ANSWER_SAME) return SPLIT_SAME;
    return SPLIT_UNDECIDED;
}

/* ---- Compute. ---- */

/* How an arm's best loss falls, by the law or, where that is rejected, by isoFLOP curves. */
static void compute_line(char *text, const Analysis *a, int m) {
    const ArmFit *arm = &a->arm[m];
    const CurrencyFit *c = &arm->currency[a->reference_currency];
    const PowerLaw *iso = &c->isoflop.loss;
    bool law = arm->verdict == LAW_CONVERGED;
    say(text, "%s: best loss ~ C^-gamma, gamma = ", a->table->arm[m]);
    if (law)
        say(text, "%s by the law, lack of fit p = %s", piece_ranged("%.3f", c->gamma, c->gamma_interval).text,
            piece("%.2g", arm->goodness.p).text);
    bool curves = !law && isfinite(iso->interval.lo);
    if (curves) {
        Interval turned = {-iso->interval.hi, -iso->interval.lo};
        say(text, "%s by isoFLOP minima, lack of fit of the power law p = %s",
            piece_ranged("%.3f", -iso->exponent, turned).text, piece("%.2g", iso->misfit).text);
    }
    if (!law) say(text, "%s law: %s", curves ? ";" : "-;", arm->status);
}

/* "0.3 [0.2, 0.4] times", a bound, or that nothing is known. */
static Piece multiple(const Contrast *c) {
    Piece p = {"an unknown multiple of"};
    if (c && isfinite(c->multiplier.value))
        snprintf(p.text, sizeof p.text, "%.80s times", ranged("%.3g", c->multiplier).text);
    else if (c && isfinite(c->bound))
        snprintf(p.text, sizeof p.text, "%s than %.2g times", c->bound < 1 ? "less" : "more", c->bound);
    return p;
}

/* Compute for the same loss, in every currency that is known. */
static void multiplier_line(char *text, const Analysis *a, const Comparison *pair) {
    say(text, "%s for the loss of %s:", a->table->arm[pair->second], a->table->arm[pair->first]);
    for (int c = 0; c < CURRENCIES; c++) {
        if (!a->table->has[c]) continue;
        Method by = answer_method(a, pair, c);
        say(text, "  %s the %s", multiple(by == METHODS ? NULL : &pair->contrast[c][by]).text, currencies[c].amount);
    }
}

static void answer_compute(Answer *answer, const Analysis *a) {
    int c = a->reference_currency;
    for (int m = 0; m < a->arms; m++) compute_line(new_line(answer), a, m);
    if (a->arms == 1) {
        say(answer->sentence, "%.400s.", answer->line[0]);
        return;
    }
    say(answer->sentence, "For the same loss, each at its best split,");
    for (int i = 0; i < a->comparisons; i++) {
        const Comparison *pair = &a->comparison[i];
        if (pair->first) continue;
        multiplier_line(new_line(answer), a, pair);
        Method by = answer_method(a, pair, c);
        const char *name = a->table->arm[pair->second];
        say(answer->sentence, "%s %s needs %s", i ? "," : "", name,
            multiple(by == METHODS ? NULL : &pair->contrast[c][by]).text);
    }
    say(answer->sentence, " the %s of %s.", currencies[c].amount, a->table->arm[0]);
}

/* ---- Allocation. ---- */

/* Core-hours that the runs of two arms took; NaN: not known. */
static double core_hours(const Analysis *a, const Comparison *pair) {
    double sum = 0;
    for (int64_t i = 0; i < a->table->n; i++) {
        const Point *p = &a->table->at[i];
        if (p->final && (p->arm == pair->first || p->arm == pair->second)) sum += p->c[CURRENCY_CORE_SECONDS];
    }
    return sum / 3600;
}

/* What more of the same grid would bring the interval down to ANSWER_SAME on either side. */
static void say_needed(char *text, const Analysis *a, const Comparison *pair, const Contrast *by) {
    double half = 0.5 * (by->a.interval.hi - by->a.interval.lo);
    double more = half * half / (ANSWER_SAME * ANSWER_SAME) - 1;
    int64_t cells = a->rows[pair->first].n + a->rows[pair->second].n;
    if (!(more > 0)) {
        say(text, "; the interval is narrow enough, and holds both 0 and %.2g", ANSWER_SAME);
        return;
    }
    say(text, "; about %.0f more cells like these", ceil(more * (double)cells));
    if (isfinite(core_hours(a, pair))) say(text, " (%.2g core-hours)", more * core_hours(a, pair));
    say(text, " would tell a difference of %.2g", ANSWER_SAME);
}

/* The other methods that give an interval and find no such difference. */
static void say_unconfirmed(char *text, const Contrast by[METHODS], Method decides) {
    int named = 0;
    for (int k = 0; k < METHODS; k++) {
        const Contrast *c = &by[k];
        bool shown = answer_split(c) == SPLIT_DIFFERS && c->a.value * by[decides].a.value > 0;
        if (k == (int)decides || !c->known || !isfinite(c->a.interval.lo) || shown) continue;
        say(text, "%s %s", named++ ? " or" : "; not shown by", method_name[k]);
    }
}

/* Differences of a by every method; of b, and ratios of N*, by the one that decides. */
static void allocation_line(char *text, const Analysis *a, const Comparison *pair, Method decides) {
    const Contrast *by = pair->contrast[a->reference_currency];
    say(text, "%s - %s: a", a->table->arm[pair->second], a->table->arm[pair->first]);
    for (int k = 0; k < METHODS; k++)
        say(text, "%s %s %s", k ? "," : "", ranged("%+.3f", by[k].a).text, method_name[k]);
    if (decides == METHODS) return;
    const Contrast *c = &by[decides];
    say(text, "; by %s b %s, N* x", method_name[decides], ranged("%+.3f", c->b).text);
    for (int k = 0; k < CONTRAST_BUDGETS; k++) say(text, "%s %s", k ? "," : "", ranged("%.2g", c->n_ratio[k]).text);
    say(text, " at C = %.2g, %.2g, %.2g", c->budget[0], c->budget[1], c->budget[2]);
}

static void answer_allocation(Answer *answer, const Analysis *a) {
    char *text = answer->sentence;
    int c = a->reference_currency;
    if (a->arms == 1) {
        say(text, "%s: N* ~ C^%s by the law, C^%s by isoFLOP curves, in %s.", a->table->arm[0],
            piece_ranged("%.3f", a->arm[0].currency[c].a, a->arm[0].currency[c].a_interval).text,
            piece_ranged("%.3f", a->arm[0].currency[c].isoflop.n.exponent, a->arm[0].currency[c].isoflop.n.interval)
                .text,
            currencies[c].amount);
        return;
    }
    for (int i = 0; i < a->comparisons; i++) {
        const Comparison *pair = &a->comparison[i];
        if (pair->first) continue;
        const char *first = a->table->arm[pair->first], *second = a->table->arm[pair->second];
        Method by = answer_method(a, pair, c);
        say(text, "%s%s and %s: ", i ? " " : "", first, second);
        if (by == METHODS) {
            say(text, "not decided, no method gives an interval.");
        } else {
            const Contrast *k = &pair->contrast[c][by];
            SplitVerdict verdict = answer_split(k);
            double most = fmax(fabs(k->a.interval.lo), fabs(k->a.interval.hi));
            say(text, "exponents a %s", split_verdict[verdict]);
            if (verdict == SPLIT_SAME) say(text, " by more than %.2g", most);
            say(text, ", %s by %s", ranged("%+.3f", k->a).text, method_name[by]);
            if (verdict == SPLIT_UNDECIDED) say_needed(text, a, pair, k);
            if (verdict == SPLIT_DIFFERS) say_unconfirmed(text, pair->contrast[c], by);
            say(text, ".");
        }
        allocation_line(new_line(answer), a, pair, by);
    }
}

/* ---- Limits. ---- */

/* How steady N* ~ C^a is: by the vertices of the lower and of the upper budgets. */
static void say_drift(char *text, const IsoFlop *iso) {
    const IsoHalves *h = &iso->halves;
    if (!isfinite(h->c)) return;
    say(text, ", a %s below and %s above C = %.2g: %s", ranged("%.2f", h->lower).text, ranged("%.2f", h->upper).text,
        h->c, drift_word[drift_verdict(h->change.interval)]);
    if (iso->n.misfit < LACK_LIMIT) say(text, ", and no one line (p = %s)", piece("%.2g", iso->n.misfit).text);
}

/* The same by the law, fitted to either half of the budgets. */
static void say_drift_of_law(char *text, const Drift *d) {
    if (!isfinite(d->c)) return;
    say(text, "; by the law a %s below and %s above C = %.2g: %s", ranged("%.2f", d->lower).text,
        ranged("%.2f", d->upper).text, d->c, drift_word[d->verdict]);
}

void answers_limits(Answer *answer, const Analysis *a) {
    int c = a->reference_currency;
    *answer = (Answer){.question = "Limits of this study", .figure = ""};
    for (int m = 0; m < a->arms; m++) {
        const ArmFit *arm = &a->arm[m];
        char *text = new_line(answer);
        say(text, "%s: law %s", a->table->arm[m], arm->status);
        if (c >= 0) {
            const IsoFlop *iso = &arm->currency[c].isoflop;
            say(text, "; %d of %d isoFLOP curves have their least loss inside the sampled sizes", iso->ok, iso->curves);
            say_drift(text, iso);
            say_drift_of_law(text, &arm->drift);
        }
        if (isfinite(arm->seed_noise)) say(text, "; noise between seeds %.1f %%", 100 * arm->seed_noise);
    }
}

void answers_of(Answer answer[QUESTIONS], const Analysis *a) {
    memset(answer, 0, QUESTIONS * sizeof *answer);
    answer[QUESTION_DATA].question = "Data: does a built-in symmetry save training data?";
    answer[QUESTION_DATA].figure = "loss-data";
    answer[QUESTION_COMPUTE].question = "Compute: how does the best loss fall, and what does the same loss cost?";
    answer[QUESTION_COMPUTE].figure = "loss-compute";
    answer[QUESTION_ALLOCATION].question = "Allocation: does the best split between model and training differ?";
    answer[QUESTION_ALLOCATION].figure = "allocation";
    answer_data(&answer[QUESTION_DATA], a);
    if (a->reference_currency < 0) {
        say(answer[QUESTION_COMPUTE].sentence, "Not answered: no compute is known.");
        say(answer[QUESTION_ALLOCATION].sentence, "Not answered: no compute is known.");
        return;
    }
    answer_compute(&answer[QUESTION_COMPUTE], a);
    answer_allocation(&answer[QUESTION_ALLOCATION], a);
}
