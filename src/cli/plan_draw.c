#include "plan_draw.h"

#include "base/log.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { WIDTH = 72, SIZES = 64 };

/* The lengths that a drawing spans, in log D. */
typedef struct Span {
    double low, high;
} Span;

static bool drawn(const Cell *c) {
    return cell_unrun(c) && !strcmp(c->record.role, "grid");
}

static Span span_of(const Grid *grid) {
    Span s = {INFINITY, -INFINITY};
    for (int i = 0; i < grid->n; i++) {
        if (!drawn(&grid->cell[i])) continue;
        double d = log((double)grid->cell[i].record.samples);
        s.low = fmin(s.low, d);
        s.high = fmax(s.high, d);
    }
    return s;
}

static int column_of(const Span *s, double samples) {
    double width = s->high - s->low;
    return width > 0 ? (int)((WIDTH - 1) * (log(samples) - s->low) / width + 0.5) : 0;
}

/* The distinct N of an arm, largest first; returns how many. */
static int sizes_of(int64_t size[SIZES], const Grid *grid, const char *arm) {
    int n = 0;
    for (int i = 0; i < grid->n; i++) {
        const CellRecord *r = &grid->cell[i].record;
        if (!drawn(&grid->cell[i]) || strcmp(r->arm, arm)) continue;
        int at = 0;
        while (at < n && size[at] > r->parameters) at++;
        if ((at < n && size[at] == r->parameters) || n == SIZES) continue;
        memmove(size + at + 1, size + at, (size_t)(n - at) * sizeof *size);
        size[at] = r->parameters;
        n++;
    }
    return n;
}

static void draw_size(const Grid *grid, const char *arm, int64_t parameters, const Span *span) {
    int cells[WIDTH] = {0};
    char row[WIDTH + 1];
    for (int i = 0; i < grid->n; i++) {
        const CellRecord *r = &grid->cell[i].record;
        if (drawn(&grid->cell[i]) && !strcmp(r->arm, arm) && r->parameters == parameters)
            cells[column_of(span, (double)r->samples)]++;
    }
    for (int k = 0; k < WIDTH; k++) {
        row[k] = '.';
        if (cells[k] > 9) row[k] = '+';
        if (cells[k] > 0 && cells[k] <= 9) row[k] = (char)('0' + cells[k]);
    }
    row[WIDTH] = 0;
    log_text("%12lld  %s", (long long)parameters, row);
}

void plan_draw(const Grid *grid) {
    Span span = span_of(grid);
    for (int i = 0; i < grid->n; i++) {
        const char *arm = grid->cell[i].record.arm;
        bool first = drawn(&grid->cell[i]);
        for (int k = 0; k < i && first; k++)
            first = !drawn(&grid->cell[k]) || strcmp(grid->cell[k].record.arm, arm) != 0;
        if (!first) continue;
        int64_t size[SIZES];
        int sizes = sizes_of(size, grid, arm);
        log_text("%s: cells of role grid, N down, log D across", arm);
        for (int k = 0; k < sizes; k++) draw_size(grid, arm, size[k], &span);
        log_text("%12s  %-*.3g%*.3g", "D", WIDTH / 2, exp(span.low), WIDTH - WIDTH / 2, exp(span.high));
    }
}
