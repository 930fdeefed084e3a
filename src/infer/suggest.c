#include "infer/suggest.h"

#include "base/arena.h"
#include "base/rng.h"
#include "fit/frontier.h"

#include <math.h>
#include <string.h>

enum { SAMPLES = 800, LENGTHS = 9, CANDIDATES = 60 };

typedef struct Search {
    int64_t m; /* places: lines of the arms, then candidates */
    SurrogatePlace *place;
    Suggestion *candidate;    /* (m) of each place that is one */
    int64_t first;            /* of the candidates */
    int64_t line[TABLE_ARMS]; /* first place of an arm's line; -1: out of reach */
    double *f;                /* (SAMPLES, m) */
    double *best;             /* (arms, SAMPLES) log N* */
    int arms;
} Search;

static bool was_run(const Table *table, int arm, double n, double d) {
    for (int64_t i = 0; i < table->n; i++) {
        const Point *p = &table->at[i];
        if (table_final(table, i, arm) && fabs(log(p->n / n)) < 0.01 && fabs(log(p->d / d)) < 0.1) return true;
    }
    return false;
}

/* Distinct sizes of an arm, each at lengths from the shortest to four times the longest. */
static void add_candidates(Search *s, const Table *table, int arm, const Extent *e, const Cost *price) {
    int64_t start = s->m;
    for (int64_t i = 0; i < table->n; i++) {
        const Point *p = &table->at[i];
        bool known = !table_final(table, i, arm);
        for (int64_t k = start; k < s->m && !known; k++) known = fabs(log(s->place[k].n / p->n)) < 0.01;
        if (known || s->m - start + LENGTHS > CANDIDATES) continue;
        for (int j = 0; j < LENGTHS; j++) {
            double d = e->d_min * pow(4 * e->d_max / e->d_min, (double)j / (LENGTHS - 1));
            if (was_run(table, arm, p->n, d)) continue;
            s->place[s->m] = (SurrogatePlace){.n = p->n, .d = d, .arm = arm};
            s->candidate[s->m++] = (Suggestion){.arm = arm,
                                                .n = p->n,
                                                .d = d,
                                                .width = p->width,
                                                .depth = p->depth,
                                                .heads = p->heads,
                                                .batch = p->batch,
                                                .core_seconds = cost_of(price, p->n, d)};
        }
    }
}

static double moment(const double *x, const double *y, int64_t stride_x, int64_t stride_y) {
    double mx = 0, my = 0, xy = 0;
    for (int r = 0; r < SAMPLES; r++) {
        mx += x[r * stride_x] / SAMPLES;
        my += y[r * stride_y] / SAMPLES;
    }
    for (int r = 0; r < SAMPLES; r++) xy += (x[r * stride_x] - mx) * (y[r * stride_y] - my) / SAMPLES;
    return xy;
}

static void find_minima(Search *s) {
    double value;
    for (int m = 0; m < s->arms; m++)
        for (int r = 0; r < SAMPLES && s->line[m] >= 0; r++)
            frontier_minimum(&s->best[m * SAMPLES + r], &value, s->place + s->line[m], s->f + r * s->m + s->line[m],
                             FRONTIER_SIZES);
}

static double spread(const Search *s) {
    double sum = 0, n = 0;
    for (int m = 0; m < s->arms; m++) {
        if (s->line[m] < 0) continue;
        sum += moment(s->best + m * SAMPLES, s->best + m * SAMPLES, 1, 1);
        n++;
    }
    return n > 0 ? sqrt(sum / n) / log(10) : NAN;
}

/* Variance of log N* that a run at place c is expected to take away, summed over the arms. */
static double gain(const Search *s, int64_t c, double noise) {
    double var = moment(s->f + c, s->f + c, s->m, s->m), sum = 0;
    for (int m = 0; m < s->arms; m++) {
        if (s->line[m] < 0) continue;
        double cov = moment(s->best + m * SAMPLES, s->f + c, 1, s->m);
        sum += cov * cov / (var + noise);
    }
    return sum;
}

static void condition(Search *s, int64_t c, double noise, uint64_t seed, uint64_t stream) {
    double var = moment(s->f + c, s->f + c, s->m, s->m) + noise, mean = 0;
    double *weight = MEM_NEW(double, s->m);
    for (int64_t i = 0; i < s->m; i++) weight[i] = moment(s->f + i, s->f + c, s->m, s->m) / var;
    for (int r = 0; r < SAMPLES; r++) mean += s->f[r * s->m + c] / SAMPLES;
    for (int r = 0; r < SAMPLES; r++) {
        double seen = s->f[r * s->m + c] + sqrt(noise) * rng_normal(seed, stream, (uint64_t)r) - mean;
        for (int64_t i = 0; i < s->m; i++) s->f[r * s->m + i] -= weight[i] * seen;
    }
    mem_free(weight);
}

static int choose(Suggestion *out, int k, Search *s, double noise, uint64_t seed) {
    int chosen = 0;
    find_minima(s);
    for (; chosen < k; chosen++) {
        int64_t best = -1;
        double most = 0, before = spread(s);
        for (int64_t c = s->first; c < s->m; c++) {
            if (s->candidate[c].core_seconds <= 0) continue; /* taken */
            double score = gain(s, c, noise) / s->candidate[c].core_seconds;
            if (score > most) {
                most = score;
                best = c;
            }
        }
        if (best < 0) break;
        condition(s, best, noise, seed, rng_stream("suggest", (uint64_t)chosen));
        find_minima(s);
        out[chosen] = s->candidate[best];
        s->candidate[best].core_seconds = 0;
        out[chosen].sd_before = before;
        out[chosen].sd_after = spread(s);
    }
    return chosen;
}

int suggest_cells(Suggestion *out, int k, double budget, double *budget_used, const Surrogate *g, const Table *table,
                  uint64_t seed) {
    Search s = {.arms = table->arms};
    int64_t room = (int64_t)table->arms * (FRONTIER_SIZES + CANDIDATES);
    s.place = MEM_NEW(SurrogatePlace, room);
    s.candidate = MEM_NEW(Suggestion, room);
    if (budget <= 0)
        for (int64_t i = 0; i < table->n; i++)
            budget = fmax(budget, table->at[i].final ? table->at[i].c[CURRENCY_NOMINAL] : 0);
    *budget_used = budget;
    bool reach = false;
    for (int m = 0; m < s.arms; m++) {
        Extent e = extent_of(table, m);
        Cost cost = cost_fit(table, m, CURRENCY_NOMINAL);
        e.d_max *= 4;
        int got = frontier_line(s.place + s.m, &cost, budget, &e, m);
        s.line[m] = got ? s.m : -1;
        s.m += got;
        reach |= got > 0;
    }
    s.first = s.m;
    for (int m = 0; m < s.arms; m++) {
        Extent e = extent_of(table, m);
        Cost price = cost_fit(table, m, table->has[CURRENCY_CORE_SECONDS] ? CURRENCY_CORE_SECONDS : CURRENCY_NOMINAL);
        add_candidates(&s, table, m, &e, &price);
    }
    int chosen = 0;
    if (reach) {
        double *mean = MEM_NEW(double, s.m), *cov = MEM_NEW(double, s.m *s.m);
        s.f = MEM_NEW(double, SAMPLES *s.m);
        s.best = MEM_NEW(double, SAMPLES *s.arms);
        surrogate_predict(mean, cov, g, s.place, s.m);
        frontier_sample(s.f, mean, cov, (int)s.m, SAMPLES, seed, rng_stream("suggest posterior", 0));
        chosen = choose(out, k, &s, surrogate_noise(g), seed);
        mem_free(mean);
        mem_free(cov);
        mem_free(s.f);
        mem_free(s.best);
    }
    mem_free(s.place);
    mem_free(s.candidate);
    return chosen;
}
