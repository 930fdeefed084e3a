#include "sequence.h"

#include "base/arena.h"
#include "base/rng.h"
#include "math/stats.h"

#include <math.h>

/* Standard deviations beyond which neighbours count as alike: the level is 5 %, since drawing sequences whole costs little
 * where they are not. */
static const double alike = 1.645;

/* Is the sum of products of neighbours larger than by chance? Independent errors less their means have products of
 * -variance / rows on average; their signs alone are by chance. */
static bool neighbours_alike(const Sequences *s, const double *unit) {
    double sum = 0;
    double signs = 0;
    double square = 0;
    double dof = 0;
    double taken = 0;
    for (int64_t g = 0; g < s->n; g++) {
        int64_t rows = s->first[g + 1] - s->first[g];
        dof += (double)(rows - 1);
        taken += (double)(rows - 1) / (double)rows;
        for (int64_t k = s->first[g]; k < s->first[g + 1]; k++) {
            double own = unit[s->row[k]];
            double product = k > s->first[g] ? unit[s->row[k - 1]] * own : 0;
            square += own * own;
            sum += product;
            signs += product * product;
        }
    }
    return signs > 0 && sum + taken * square / dof > alike * sqrt(signs);
}

Sequences sequences_of(const LawRows *rows, const double *unit) {
    Sequences s = {.first = MEM_NEW(int64_t, rows->groups + 2), .row = MEM_NEW(int64_t, rows->n + 1)};
    double *group = MEM_NEW(double, rows->n + 1);
    for (int64_t i = 0; i < rows->n; i++) group[i] = (double)rows->group[i];
    int64_t *order = law_rows_order(group, rows->length, rows->n);
    int64_t kept = 0;
    for (int64_t i = 0; i < rows->n; i++) {
        bool continues = i > 0 && group[order[i]] == group[order[i - 1]];
        bool continued = i + 1 < rows->n && group[order[i]] == group[order[i + 1]];
        if (!continues && !continued) continue;
        if (!continues) s.first[s.n++] = kept;
        s.row[kept++] = order[i];
    }
    s.first[s.n] = kept;
    mem_free(order);
    mem_free(group);
    if (!neighbours_alike(&s, unit)) sequences_free(&s);
    return s;
}

void sequences_free(Sequences *s) {
    mem_free(s->first);
    mem_free(s->row);
    *s = (Sequences){0};
}

void sequences_draw(double *out, const Sequences *s, const double *unit, uint64_t seed, uint64_t stream) {
    double dof = fmax((double)(s->n - 1), 1);
    double scale = sqrt((double)s->n / stats_chi2_quantile(rng_uniform(seed, stream, 2 * (uint64_t)s->n), dof));
    for (int64_t g = 0; g < s->n; g++) {
        int64_t from = rng_below(seed, stream, 2 * (uint64_t)g, s->n);
        double sign = rng_below(seed, stream, 2 * (uint64_t)g + 1, 2) ? scale : -scale;
        int64_t length = s->first[g + 1] - s->first[g];
        int64_t other = s->first[from + 1] - s->first[from];
        for (int64_t k = 0; k < length; k++)
            out[s->row[s->first[g] + k]] = sign * unit[s->row[s->first[from] + k * other / length]];
    }
}
