#include "report_pieces.h"

#include "base/log.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

Piece piece(const char *format, double x) {
    Piece p = {"-"};
    if (isfinite(x)) snprintf(p.text, sizeof p.text, format, x);
    return p;
}

Piece piece_interval(const char *format, Interval i) {
    Piece p = {"-"};
    if (isnan(i.lo) || isnan(i.hi)) return p;
    Piece lo = piece(format, i.lo);
    Piece hi = piece(format, i.hi);
    snprintf(p.text, sizeof p.text, "[%.40s, %.40s]", lo.text, hi.text);
    return p;
}

Piece piece_ranged(const char *format, double x, Interval i) {
    Piece p = {"-"};
    if (!isfinite(x)) return p;
    Piece value = piece(format, x);
    Piece range = piece_interval(format, i);
    snprintf(p.text, sizeof p.text, "%.40s %.50s", value.text, range.text);
    return p;
}

Piece piece_count(int64_t n, const char *thing) {
    Piece p;
    snprintf(p.text, sizeof p.text, "%lld %s%s", (long long)n, thing, n == 1 ? "" : "s");
    return p;
}

/* The last of the budgets from i on, step by step, that share its line. */
static int last_alike(const BudgetFit *b, int n, int step, int i) {
    int last = i;
    if (isfinite(b[i].at.loss)) return i;
    while (last + step < n && !strcmp(b[last + step].status, b[i].status)) last += step;
    return last;
}

void report_allocations(const BudgetFit *b, int n, int step) {
    for (int i = step / 2; i < n; i += step) {
        const BudgetFit *k = &b[i];
        int last = last_alike(b, n, step, i);
        if (isfinite(k->at.loss))
            log_text("    %9.3g  %-30s %-30s %-28s %s", k->at.c, piece_ranged("%.3g", k->at.n, k->n).text,
                     piece_ranged("%.3g", k->at.d, k->d).text, piece_ranged("%.5g", k->at.loss, k->loss).text,
                     k->status);
        else
            log_text("    %9.3g  %s%s", k->at.c, last > i ? piece("to %.3g ", b[last].at.c).text : "", k->status);
        i = last;
    }
}

int report_allocation_lines(const BudgetFit *b, int n, int step) {
    int lines = 0;
    for (int i = step / 2; i < n; i += step) {
        i = last_alike(b, n, step, i);
        lines++;
    }
    return lines;
}

void report_estimate(Json *j, const char *key, Estimate e) {
    json_open_object(j, key);
    json_put_number(j, "value", e.value);
    json_put_pair(j, "interval", e.interval.lo, e.interval.hi);
    json_close(j);
}
