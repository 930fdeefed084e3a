#include "infer/suggest.h"

#include "base/arena.h"
#include "base/rng.h"
#include "fit/frontier.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 800, LENGTHS = 8 };
/* Sizes of an arm that are candidates: some of those that were run, and one beyond each end. */
enum { KNOWN_SIZES = 8, SIZES = KNOWN_SIZES + 2, CANDIDATES = SIZES * LENGTHS };

static const double beyond = 4;    /* factor by which lines reach beyond the sampled sizes and lengths */
static const double next_size = 2; /* factor from the last sampled size to the one beyond it */
static const double sure = 3.5;    /* standard errors of a correlation that counts: there are hundreds of candidates */
static const double sure_fall = 2; /* standard errors of a fall of the spread that counts */
static const double most_draws = 0.5;

typedef struct Search {
    int64_t m; /* places: lines of the arms, then candidates */
    SurrogatePlace *place;
    Suggestion *candidate;    /* (m) of each place that is one */
    bool *taken;              /* (m) chosen or passed over */
    int64_t first;            /* of the candidates */
    int64_t line[TABLE_ARMS]; /* first place of an arm's line; -1: out of reach */
    double *f;                /* (SAMPLES, m) */
    double *best;             /* (arms, SAMPLES) log N* */
    int arms;
    double fresh; /* samples that a run can see without seeing one twice */
} Search;

static bool was_run(const Table *table, int arm, double n, double d) {
    for (int64_t i = 0; i < table->n; i++) {
        const Point *p = &table->at[i];
        if (table_final(table, i, arm) && fabs(log(p->n / n)) < 0.01 && fabs(log(p->d / d)) < 0.1) return true;
    }
    return false;
}

/* Samples of which a run sees none twice; infinite where that is not known, and where runs do see some twice. */
static double fresh_samples(const Table *table) {
    double most = 0;
    for (int64_t i = 0; i < table->n; i++) {
        const Point *p = &table->at[i];
        if (!p->final) continue;
        if (!(p->epochs > 0 && p->epochs <= 1)) return INFINITY;
        most = fmax(most, p->d / p->epochs);
    }
    return most > 0 ? most : INFINITY;
}

/* A size at lengths from the shortest to `beyond` times the longest, or as far as there are samples. */
static void add_size(Search *s, const Table *table, const Suggestion *size, const Extent *e, const Cost *price) {
    double end = fmin(beyond * e->d_max, s->fresh);
    for (int j = 0; j < LENGTHS; j++) {
        double d = e->d_min * pow(end / e->d_min, (double)j / (LENGTHS - 1));
        if (was_run(table, size->arm, size->n, d)) continue;
        s->place[s->m] = (SurrogatePlace){.n = size->n, .d = d, .arm = size->arm};
        s->candidate[s->m] = *size;
        s->candidate[s->m].d = d;
        s->candidate[s->m].core_seconds = cost_of(price, size->n, d);
        s->m++;
    }
}

static int by_size(const void *one, const void *other) {
    double p = ((const Suggestion *)one)->n;
    double q = ((const Suggestion *)other)->n;
    return (p > q) - (p < q);
}

/* The sizes of an arm's runs, ascending and evenly thinned, and one beyond each end. */
static void add_candidates(Search *s, const Table *table, int arm, const Extent *e, const Cost *price) {
    Suggestion *size = MEM_NEW(Suggestion, table->n + 1);
    int64_t sizes = 0;
    for (int64_t i = 0; i < table->n; i++) {
        const Point *p = &table->at[i];
        if (table_final(table, i, arm))
            size[sizes++] = (Suggestion){.arm = arm,
                                         .n = p->n,
                                         .width = p->width,
                                         .depth = p->depth,
                                         .heads = p->heads,
                                         .scalars = p->scalars,
                                         .fixed = p->fixed};
    }
    qsort(size, (size_t)sizes, sizeof *size, by_size);
    int64_t distinct = 0;
    for (int64_t i = 0; i < sizes; i++)
        if (!distinct || log(size[i].n / size[distinct - 1].n) > 0.01) size[distinct++] = size[i];
    int64_t kept = distinct < KNOWN_SIZES ? distinct : KNOWN_SIZES;
    for (int64_t k = 0; k < kept; k++) {
        int64_t i = kept > 1 ? k * (distinct - 1) / (kept - 1) : 0;
        add_size(s, table, &size[i], e, price);
    }
    Suggestion unseen = {.arm = arm, .unseen = true};
    unseen.n = e->n_max * next_size;
    add_size(s, table, &unseen, e, price);
    unseen.n = e->n_min / next_size;
    add_size(s, table, &unseen, e, price);
    mem_free(size);
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

/* log N* of every sample of an arm; returns how many lie at an end of its line. */
static int find_arm_minima(Search *s, int arm) {
    double value;
    int ends = 0;
    const SurrogatePlace *line = s->place + s->line[arm];
    for (int r = 0; r < SAMPLES; r++) {
        const double *f = s->f + r * s->m + s->line[arm];
        ends += frontier_minimum(&s->best[arm * SAMPLES + r], &value, line, f, FRONTIER_SIZES) != 0;
    }
    return ends;
}

static void find_minima(Search *s) {
    for (int m = 0; m < s->arms; m++)
        if (s->line[m] >= 0) find_arm_minima(s, m);
}

/* Leaves out arms that have no optimum on their line: the spread of its ends says nothing. */
static void drop_ends(Search *s) {
    for (int m = 0; m < s->arms; m++)
        if (s->line[m] >= 0 && find_arm_minima(s, m) > most_draws * SAMPLES) s->line[m] = -1;
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

/* Variance of log N* that a run at place c is expected to take away, summed over the arms, as far as it is more than what
 * as many samples of independent numbers would show. */
static double gain(const Search *s, int64_t c, double noise) {
    double var = moment(s->f + c, s->f + c, s->m, s->m);
    double sum = 0;
    for (int m = 0; m < s->arms; m++) {
        if (s->line[m] < 0) continue;
        const double *best = s->best + m * SAMPLES;
        double cov = moment(best, s->f + c, 1, s->m);
        double by_chance = moment(best, best, 1, 1) * var / SAMPLES;
        if (cov * cov > sure * sure * by_chance) sum += (cov * cov - by_chance) / (var + noise);
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

/* Whether log N* has become less uncertain than it was (`before`, (arms, SAMPLES)), beyond Monte Carlo error. */
static bool has_fallen(const Search *s, const double *before) {
    double change[SAMPLES] = {0};
    for (int m = 0; m < s->arms; m++) {
        if (s->line[m] < 0) continue;
        const double *old = before + m * SAMPLES;
        const double *new = s->best + m *SAMPLES;
        double old_mean = 0;
        double new_mean = 0;
        for (int r = 0; r < SAMPLES; r++) {
            old_mean += old[r] / SAMPLES;
            new_mean += new[r] / SAMPLES;
        }
        for (int r = 0; r < SAMPLES; r++) change[r] += pow(new[r] - new_mean, 2) - pow(old[r] - old_mean, 2);
    }
    double mean = 0;
    for (int r = 0; r < SAMPLES; r++) mean += change[r] / SAMPLES;
    double error = sqrt(moment(change, change, 1, 1) / SAMPLES);
    return mean < -sure_fall * error;
}

/* The place of most gain per core-second; -1: none has any. */
static int64_t most_gain(const Search *s, double noise) {
    int64_t best = -1;
    double most = 0;
    for (int64_t c = s->first; c < s->m; c++) {
        if (s->taken[c]) continue;
        double score = gain(s, c, noise) / s->candidate[c].core_seconds;
        if (score <= most) continue;
        most = score;
        best = c;
    }
    return best;
}

static int choose(Suggestion *out, int k, Search *s, double noise, uint64_t seed) {
    int64_t values = SAMPLES * s->m;
    int64_t minima = (int64_t)SAMPLES * s->arms;
    double *f = MEM_NEW(double, values + minima); /* as they were before a candidate was tried */
    double *best = f + values;
    int chosen = 0;
    for (uint64_t tried = 0; chosen < k; tried++) {
        int64_t c = most_gain(s, noise);
        if (c < 0) break;
        double before = spread(s);
        memcpy(f, s->f, (size_t)values * sizeof *f);
        memcpy(best, s->best, (size_t)minima * sizeof *best);
        condition(s, c, noise, seed, rng_stream("suggest", tried));
        find_minima(s);
        s->taken[c] = true;
        if (has_fallen(s, best)) {
            out[chosen] = s->candidate[c];
            out[chosen].sd_before = before;
            out[chosen].sd_after = spread(s);
            chosen++;
        } else {
            memcpy(s->f, f, (size_t)values * sizeof *f);
            memcpy(s->best, best, (size_t)minima * sizeof *best);
        }
    }
    mem_free(f);
    return chosen;
}

/* Share of samples whose N* of an arm is beyond its largest (+1) or smallest (-1) model. */
static double share_beyond(const Search *s, int arm, const Extent *e, int side) {
    double count = 0;
    for (int r = 0; r < SAMPLES; r++) {
        double log_n = s->best[arm * SAMPLES + r];
        count += side > 0 ? log_n > log(e->n_max) : log_n < log(e->n_min);
    }
    return count / SAMPLES;
}

/* Whether N* of some arm is likely to be outside its sizes: of all arms and sides the likeliest. */
static void look(SuggestOutlook *out, const Search *s, const Table *table) {
    out->view = SUGGEST_INSIDE;
    out->sd = spread(s);
    for (int m = 0; m < s->arms; m++) {
        if (s->line[m] < 0) continue;
        Extent e = extent_of(table, m);
        for (int side = -1; side <= 1; side += 2) {
            double share = share_beyond(s, m, &e, side);
            if (share <= most_draws || share <= out->share) continue;
            out->view = side > 0 ? SUGGEST_LARGER : SUGGEST_SMALLER;
            out->arm = m;
            out->n = side > 0 ? e.n_max : e.n_min;
            out->share = share;
        }
    }
}

/* The middle budget. */
static double middle_budget(const Table *table) {
    double sum = 0;
    int arms = 0;
    for (int m = 0; m < table->arms; m++) {
        double lo = INFINITY;
        double hi = 0;
        for (int64_t i = 0; i < table->n; i++) {
            if (!table_final(table, i, m)) continue;
            lo = fmin(lo, table->at[i].c[CURRENCY_NOMINAL]);
            hi = fmax(hi, table->at[i].c[CURRENCY_NOMINAL]);
        }
        if (!(lo <= hi)) continue;
        sum += 0.5 * (log(lo) + log(hi));
        arms++;
    }
    return exp(sum / arms);
}

/* The places of lines and candidates; false: no arm's line is in reach. */
static bool set_places(Search *s, const Table *table, double budget) {
    bool reach = false;
    for (int m = 0; m < s->arms; m++) {
        Extent e = extent_of(table, m);
        Cost cost = cost_fit(table, m, CURRENCY_NOMINAL);
        Extent wide = {e.n_min / beyond, e.n_max * beyond, e.d_min / beyond, e.d_max * beyond};
        int got = frontier_line(s->place + s->m, &cost, budget, &wide, m);
        s->line[m] = got ? s->m : -1;
        s->m += got;
        reach |= got > 0;
    }
    s->first = s->m;
    for (int m = 0; m < s->arms; m++) {
        Extent e = extent_of(table, m);
        Cost price = cost_fit(table, m, table->has[CURRENCY_CORE_SECONDS] ? CURRENCY_CORE_SECONDS : CURRENCY_NOMINAL);
        add_candidates(s, table, m, &e, &price);
    }
    return reach;
}

int suggest_cells(Suggestion *out, int k, SuggestOutlook *outlook, double budget, const Surrogate *g,
                  const Table *table, uint64_t seed) {
    Search s = {.arms = table->arms, .fresh = fresh_samples(table)};
    int64_t room = (int64_t)table->arms * (FRONTIER_SIZES + CANDIDATES);
    s.place = MEM_NEW(SurrogatePlace, room);
    s.candidate = MEM_NEW(Suggestion, room);
    s.taken = MEM_NEW(bool, room);
    *outlook = (SuggestOutlook){.budget = budget > 0 ? budget : middle_budget(table), .view = SUGGEST_OUT_OF_REACH};
    int chosen = 0;
    if (set_places(&s, table, outlook->budget)) {
        double *mean = MEM_NEW(double, s.m);
        double *cov = MEM_NEW(double, s.m *s.m);
        s.f = MEM_NEW(double, SAMPLES *s.m);
        s.best = MEM_NEW(double, SAMPLES *s.arms);
        surrogate_predict(mean, cov, g, s.place, s.m);
        frontier_sample(s.f, mean, cov, (int)s.m, SAMPLES, seed, rng_stream("suggest posterior", 0));
        find_minima(&s);
        look(outlook, &s, table);
        drop_ends(&s);
        chosen = choose(out, k, &s, surrogate_noise(g), seed);
        mem_free(mean);
        mem_free(cov);
        mem_free(s.f);
        mem_free(s.best);
    }
    mem_free(s.place);
    mem_free(s.candidate);
    mem_free(s.taken);
    return chosen;
}
