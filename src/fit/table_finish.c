/* A table once all of its files are read: what is missing of C, N and D, which rows stay, and what looks odd. */
#include "table_rows.h"

#include "base/arena.h"
#include "fit/cost.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- C, N and D from each other. ---- */

static bool known(double x) {
    return isfinite(x) && x > 0;
}

typedef struct Missing {
    int64_t n, d, c, complete; /* rows of an arm that lack each, and that lack none */
} Missing;

static void count_missing(Missing *missing, const Point *at, int64_t n, int arm) {
    for (int64_t i = 0; i < n; i++) {
        const Point *p = &at[i];
        if (p->arm != arm || !p->final) continue;
        bool c = known(p->c[CURRENCY_NOMINAL]);
        if (known(p->n) + known(p->d) + c < 2) continue; /* a row for a law of one of them */
        missing->n += !known(p->n);
        missing->d += !known(p->d);
        missing->c += !c;
        missing->complete += known(p->n) && known(p->d) && c;
    }
}

enum { OWN_ROWS = 3 }; /* rows with all of N, D and C that an arm's own cost law takes */

typedef enum CostSource { COST_GIVEN, COST_OWN, COST_SIX } CostSource;

/* 6 N D is computed as such, so that nothing is rounded on the way through logarithms. */
static void fill_point(Point *p, const Cost *cost, bool six) {
    double *c = &p->c[CURRENCY_NOMINAL], log_c = log(*c) - cost->log_kappa;
    if (!known(p->n))
        p->n = six ? *c / (6 * p->d) : exp((log_c - cost->nu * log(p->d)) / cost->mu);
    else if (!known(p->d))
        p->d = six ? *c / (6 * p->n) : exp((log_c - cost->mu * log(p->n)) / cost->nu);
    else if (!known(*c))
        *c = six ? 6 * p->n * p->d : cost_of(cost, p->n, p->d);
}

static void fill(Table *table, int arm, const Cost *cost, CostSource source) {
    for (int64_t i = 0; i < table->n; i++)
        if (table->at[i].arm == arm && table->at[i].final) fill_point(&table->at[i], cost, source == COST_SIX);
    for (int64_t i = 0; i < table->n_held; i++)
        if (table->held[i].arm == arm) fill_point(&table->held[i], cost, source == COST_SIX);
}

static void note_filled(Table *table, const Missing *missing, const Cost *cost, CostSource source, int arm) {
    const struct {
        int64_t rows;
        const char *what, *six;
    } told[] = {{missing->n, "N", "N = C / (6 D)"}, {missing->d, "D", "D = C / (6 N)"}, {missing->c, "C", NULL}};
    for (int i = 0; i < (int)(sizeof told / sizeof *told); i++) {
        long long rows = (long long)told[i].rows;
        const char *s = rows == 1 ? "" : "s";
        if (!rows) continue;
        if (source == COST_OWN)
            table_note(table, NULL, "%s in %lld row%s of arm %.60s from its own C = %.4g N^%.4g D^%.4g", told[i].what,
                       rows, s, table->arm[arm], exp(cost->log_kappa), cost->mu, cost->nu);
        else if (source == COST_GIVEN)
            table_note(table, NULL, "%s in %lld row%s from C = %.4g N^%.4g D^%.4g, as given", told[i].what, rows, s,
                       exp(cost->log_kappa), cost->mu, cost->nu);
        else if (told[i].six)
            table_note(table, NULL, "%s in %lld row%s", told[i].six, rows, s);
    }
}

static void forget_compute(Table *table, int arm) {
    for (int64_t i = 0; i < table->n; i++)
        if (table->at[i].arm == arm) table->at[i].c[CURRENCY_NOMINAL] = NAN;
    for (int64_t i = 0; i < table->n_held; i++)
        if (table->held[i].arm == arm) table->held[i].c[CURRENCY_NOMINAL] = NAN;
}

/* Rows whose C no power of N and D gives: isoFLOP curves take their C, allocations that of the power. */
static void note_scatter(Table *table, int arm) {
    const double near = 1.5; /* attention and embeddings, which a power leaves out, stay below */
    Cost cost = cost_fit(table, arm, CURRENCY_NOMINAL);
    double most = 1;
    for (int64_t i = 0; i < table->n; i++) {
        const Point *p = &table->at[i];
        if (p->arm != arm || !p->final || !known(p->c[CURRENCY_NOMINAL])) continue;
        double off = p->c[CURRENCY_NOMINAL] / cost_of(&cost, p->n, p->d);
        most = fmax(most, fmax(off, 1 / off));
    }
    if (most > near)
        table_note(table, NULL,
                   "arm %.60s: C of a row is up to %.3g times off %.3g N^%.3g D^%.3g, the power nearest to its rows, "
                   "which allocations take for C",
                   table->arm[arm], most, exp(cost.log_kappa), cost.mu, cost.nu);
}

/* C that is not that of whole runs in FLOP, of which the unit or the column must be another: far below 6 N D, or in no
 * fixed proportion to it. If nobody named the column, it is not taken. Far above it in proportion D may count samples of
 * many tokens: that is said. */
static void judge_compute(Table *table, bool named, bool unit_given) {
    const double little = 0.01;
    /* Units differ by 1000 at least; where nobody gave one, few samples have more tokens than this. */
    const double much = unit_given ? 300 : 1e5;
    const double fixed = 30; /* largest over least: cost laws of N^1.2 stay below */
    for (int m = 0; m < table->arms; m++) {
        double least = INFINITY;
        double most = 0;
        bool sized = true;
        for (int64_t i = 0; i < table->n; i++) {
            const Point *p = &table->at[i];
            if (p->arm != m || !p->final) continue;
            double ratio = p->c[CURRENCY_NOMINAL] / (6 * p->n * p->d);
            bool recorded = p->dataset != 0; /* by a results file, whose C is what it says */
            sized &= known(p->n) && known(p->d) && !recorded;
            if (!known(ratio)) continue;
            least = fmin(least, ratio);
            most = fmax(most, ratio);
        }
        if (!sized || least > most) continue;
        if (most > little && most < fixed * least) {
            if (least > much)
                table_note(table, NULL,
                           "arm %.60s: C is %.2g to %.2g times 6 N D: in FLOP (-fit_columns_c_unit), and D in samples "
                           "of many tokens?",
                           table->arm[m], least, most);
            note_scatter(table, m);
            continue;
        }
        table_note(table, NULL, "arm %.60s: C is %.2g to %.2g times 6 N D, not the FLOP of whole runs%s", table->arm[m],
                   least, most,
                   named ? " (-fit_columns_c_unit?)"
                         : ", and not taken; -fit_columns_c NAME and -fit_columns_c_unit take it");
        if (!named) forget_compute(table, m);
    }
}

/* No model has less than one parameter: N or D are counted in millions, say, and with them N*, D* and 6 N D. */
static void note_units(Table *table) {
    int64_t small[2] = {0}; /* rows whose N, D is below 1 */
    for (int64_t i = 0; i < table->n; i++) {
        small[0] += table->at[i].n < 1;
        small[1] += table->at[i].d < 1;
    }
    for (int k = 0; k < 2; k++)
        if (small[k])
            table_note(table, NULL,
                       "%s is below 1 in %lld row%s: not in %s? N*, D* and compute then are in units of the columns",
                       k ? "D" : "N", (long long)small[k], small[k] == 1 ? "" : "s", k ? "samples" : "parameters");
}

/* Each arm by its own cost law where it has one; the others alike. */
static void fill_table(Table *table, const TableOptions *options) {
    bool given = options->cost[0] > 0;
    CostSource source = given ? COST_GIVEN : COST_SIX;
    Cost cost = {.log_kappa = log(6), .mu = 1, .nu = 1};
    if (given) cost = (Cost){.log_kappa = log(options->cost[0]), .mu = options->cost[1], .nu = options->cost[2]};
    Missing all = {0};
    for (int m = 0; m < table->arms; m++) {
        Missing missing = {0};
        count_missing(&missing, table->at, table->n, m);
        int64_t complete = missing.complete;
        count_missing(&missing, table->held, table->n_held, m);
        if (!missing.n && !missing.d && !missing.c) continue;
        if (!given && complete >= OWN_ROWS) {
            Cost own = cost_fit(table, m, CURRENCY_NOMINAL);
            fill(table, m, &own, COST_OWN);
            note_filled(table, &missing, &own, COST_OWN, m);
            continue;
        }
        fill(table, m, &cost, source);
        table->assumed_6nd |= source == COST_SIX;
        all.n += missing.n;
        all.d += missing.d;
        all.c += missing.c;
    }
    note_filled(table, &all, &cost, source, 0);
}

/* ---- Which rows stay. ---- */

static void keep_rows(Table *table, const bool *stays) {
    int64_t n = 0;
    for (int64_t i = 0; i < table->n; i++)
        if (stays[i]) table->at[n++] = table->at[i];
    table->n = n;
}

static void apply_range(Table *table, const TableFilter *filter, bool *stays) {
    for (int64_t i = 0; i < table->n; i++) {
        const Point *p = &table->at[i];
        stays[i] = !p->final || table_wants_compute(filter, p->c[CURRENCY_NOMINAL]);
        table->left_out.range += !stays[i];
    }
    keep_rows(table, stays);
}

static double or_zero(double x) {
    return known(x) ? x : 0;
}

/* C where it tells rows apart, since N or D is not known. */
static double lone_compute(const Point *p) {
    return known(p->n) && known(p->d) ? 0 : or_zero(p->c[CURRENCY_NOMINAL]);
}

/* Finished rows in the order of arm, N, D, dataset, seed, group, loss: rows that repeat stand together, the best first. */
static int compare(const void *one, const void *other) {
    const Point *p = *(const Point *const *)one, *q = *(const Point *const *)other;
    const double a[] = {p->arm,          or_zero(p->n),    or_zero(p->d), lone_compute(p), (double)p->dataset,
                        (double)p->seed, (double)p->group, p->loss};
    const double b[] = {q->arm,          or_zero(q->n),    or_zero(q->d), lone_compute(q), (double)q->dataset,
                        (double)q->seed, (double)q->group, q->loss};
    for (int i = 0; i < (int)(sizeof a / sizeof *a); i++)
        if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
    if (p == q) return 0;
    return p < q ? -1 : 1;
}

static bool same_size(const Point *p, const Point *q) {
    return p->arm == q->arm && or_zero(p->n) == or_zero(q->n) && or_zero(p->d) == or_zero(q->d) &&
           lone_compute(p) == lone_compute(q);
}

static int64_t order_rows(const Point **row, const Table *table) {
    int64_t n = 0;
    for (int64_t i = 0; i < table->n; i++)
        if (table->at[i].final) row[n++] = &table->at[i];
    qsort(row, (size_t)n, sizeof *row, compare);
    return n;
}

/* Leaves the least loss of each arm, N and D. */
static void apply_best(Table *table, const Point **row, int64_t n, bool *stays) {
    for (int64_t i = 0; i < table->n; i++) stays[i] = true;
    const Point *best = NULL;
    for (int64_t i = 0; i < n; i++) {
        if (!best || !same_size(best, row[i])) {
            best = row[i];
            continue;
        }
        const Point *worse = row[i];
        if (worse->loss < best->loss) {
            worse = best;
            best = row[i];
        }
        stays[worse - table->at] = false;
        table->left_out.best++;
    }
    keep_rows(table, stays);
}

/* Rows that nothing tells from another one: a sweep of something else, or a file's rows given twice. */
static void note_repeats(Table *table, const Point *const *row, int64_t n) {
    int64_t repeated = 0, sizes = 0, equal = 0;
    for (int64_t first = 0, next; first < n; first = next) {
        const Point *p = row[first];
        for (next = first + 1; next < n; next++) {
            const Point *q = row[next];
            if (!same_size(p, q) || p->dataset != q->dataset || p->seed != q->seed || p->group != q->group) break;
            equal += row[next - 1]->loss == q->loss;
        }
        if (next - first == 1) continue;
        repeated += next - first;
        sizes++;
    }
    if (repeated)
        table_note(table, NULL,
                   "%lld rows repeat %lld (N, D) and no seed tells them apart: if they are a sweep of something else, "
                   "-fit_best true keeps the least loss of each%s%s",
                   (long long)repeated, (long long)sizes,
                   table->text ? "; if seeds differ, name their column (-fit_columns_seed)" : "",
                   table->text && table->arms == 1 ? "; if arms do, theirs (-fit_columns_arm)" : "");
    if (equal)
        table_note(table, NULL, "%lld row%s the N, D and loss of another row: twice in the files?", (long long)equal,
                   equal == 1 ? " has" : "s have");
}

/* ---- All of it. ---- */

/* Weights from standard errors: their mean in an arm is 1, as without them. */
static void scale_weights(Table *table) {
    double sum[TABLE_ARMS] = {0};
    int64_t rows[TABLE_ARMS] = {0};
    for (int64_t i = 0; i < table->n; i++) {
        sum[table->at[i].arm] += table->at[i].weight;
        rows[table->at[i].arm]++;
    }
    for (int64_t i = 0; i < table->n; i++)
        table->at[i].weight *= (double)rows[table->at[i].arm] / sum[table->at[i].arm];
}

/* Arms of which no row is left are none. */
static Err drop_arms(Table *table) {
    int64_t rows[TABLE_ARMS] = {0};
    int index[TABLE_ARMS], arms = 0;
    for (int64_t i = 0; i < table->n; i++) rows[table->at[i].arm] += table->at[i].final;
    for (int64_t i = 0; i < table->n_held; i++) {
        int m = table->held[i].arm;
        if (!rows[m]) return err_user("arm %s: all of its rows are held out: want some to fit", table->arm[m]);
    }
    for (int m = 0; m < table->arms; m++) {
        index[m] = arms;
        if (!rows[m]) continue;
        if (arms != m) memcpy(table->arm[arms], table->arm[m], TABLE_NAME);
        arms++;
    }
    if (!arms) return err_user("fit.c_min, fit.c_max: no row is left to fit: want a range that rows lie in");
    table->arms = arms;
    for (int64_t i = 0; i < table->n; i++) table->at[i].arm = index[table->at[i].arm];
    for (int64_t i = 0; i < table->n_held; i++) table->held[i].arm = index[table->held[i].arm];
    int64_t kept = 0;
    for (int64_t i = 0; i < table->n_limited; i++) {
        Point p = table->limited[i];
        if (!rows[p.arm]) continue;
        p.arm = index[p.arm];
        table->limited[kept++] = p;
    }
    table->n_limited = kept;
    return ERR_NONE;
}

static void see_currencies(Table *table) {
    for (int c = 0; c < CURRENCIES; c++) {
        table->has[c] = true;
        for (int64_t i = 0; i < table->n; i++) table->has[c] &= known(table->at[i].c[c]);
    }
}

Err table_finish(Table *table, const TableOptions *options) {
    const char *c = options->columns.c[CURRENCY_NOMINAL];
    if (options->axes == LAW_OF_N_AND_D) judge_compute(table, c && *c, options->columns.unit > 0);
    fill_table(table, options);
    note_units(table);
    bool *stays = MEM_NEW(bool, table->n + 1);
    const Point **row = MEM_NEW(const Point *, table->n + 1);
    apply_range(table, &options->filter, stays);
    int64_t n = order_rows(row, table);
    if (options->best)
        apply_best(table, row, n, stays);
    else
        note_repeats(table, row, n);
    mem_free(row);
    mem_free(stays);
    const char *error = options->columns.error;
    if (error && *error && strcmp(error, "none")) scale_weights(table);
    see_currencies(table);
    return drop_arms(table);
}
