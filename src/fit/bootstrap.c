#include "fit/bootstrap.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/rng.h"
#include "math/minimise.h"
#include "fit/noise.h"

#include <math.h>
#include <string.h>

/* E as a share of the least loss. Its variable is the logarithm, which has hardly a slope where E is little: what begins there
 * stays there, so that resamples of a fit without E would all have none. They begin at a raised E too. */
static const double LITTLE = 0.1, RAISED = 0.5;

/* Weights of one resample: configurations with replacement, then the seeds of each drawn configuration. */
static void draw_cells(double *w, const LawRows *rows, uint64_t seed, uint64_t stream) {
    uint64_t element = 0;
    memset(w, 0, (size_t)rows->k.n * sizeof *w);
    for (int64_t k = 0; k < rows->configs; k++) {
        int64_t config = rng_below(seed, stream, element++, rows->configs);
        int64_t first = rows->first[config], members = rows->first[config + 1] - first;
        for (int64_t j = 0; j < members; j++) {
            int64_t i = rows->member[first + (members > 1 ? rng_below(seed, stream, element++, members) : 0)];
            w[i] += rows->k.w[i];
        }
    }
}

/* Every rank gets the laws that one of them has found; the others hold zeros. */
static void share(Law *law, int64_t n, const LawKind *kind, const Comm *comm) {
    double *c = MEM_NEW(double, n *LAW_COEFFICIENTS + 1);
    for (int64_t i = 0; i < n; i++) law_centred(c + i * LAW_COEFFICIENTS, &law[i], 0, 0);
    comm_sum_f64(comm, c, n * LAW_COEFFICIENTS);
    for (int64_t i = 0; i < n; i++) {
        const double *k = c + i * LAW_COEFFICIENTS;
        law[i] = (Law){k[LAW_A], k[LAW_B], k[LAW_E], k[LAW_ALPHA], k[LAW_BETA], kind};
    }
    mem_free(c);
}

/* From the fit to the start with little E raised, and the rest as the rows then have it. Returns whether any was little. */
static bool raise_e(double *raised, const LawProblem *problem, const double *fitted, Minimiser *solver) {
    LawProblem p = *problem;
    bool any = false;
    memcpy(raised, fitted, LAW_VARIABLES * sizeof *raised);
    for (int m = 0; m < p.arms; m++) {
        int v = p.slot[m][LAW_E];
        if (v < 0) continue;
        double least_loss = problem->lo[v] - p.spec.kind->coefficient[LAW_E].lo; /* its logarithm */
        if (fitted[v] >= least_loss + log(LITTLE)) continue;
        raised[v] = least_loss + log(RAISED);
        p.lo[v] = raised[v];
        p.hi[v] = raised[v];
        any = true;
    }
    if (any) law_refine(raised, &p, law_zone(&p, NULL), solver);
    return any;
}

Ensemble bootstrap_laws(const LawProblem *problem, const LawFit *fit, BootstrapKind kind, int64_t resamples,
                        uint64_t seed, const Comm *comm) {
    Ensemble out = {.n = resamples, .arms = problem->arms};
    out.law = MEM_NEW(Law, resamples * problem->arms + 1);
    LawProblem p = *problem;
    Noise noise[TABLE_ARMS];
    double *column[TABLE_ARMS][2]; /* of a resample: weights, or log losses and losses */
    for (int m = 0; m < p.arms; m++) {
        int64_t n = p.rows[m].n;
        column[m][0] = MEM_NEW(double, 2 * n + 1);
        column[m][1] = column[m][0] + n;
        for (int64_t i = 0; i < n; i++) column[m][1][i] = 1;
        noise[m] = (Noise){0};
        if (kind == BOOTSTRAP_CELLS) {
            p.rows[m].w = column[m][0];
        } else {
            noise[m] = kind == BOOTSTRAP_GROUPS ? noise_grouped(problem, fit, m)
                                                : noise_of(problem, fit, m, kind == BOOTSTRAP_SCALED);
            p.rows[m].z = column[m][0];
            p.rows[m].loss = column[m][1];
        }
    }
    Minimiser *solver = minimiser_new(p.n, true);
    double zone = law_zone(problem, fit);
    bool on_loss = p.spec.objective == OBJECTIVE_LOSS;
    double raised[LAW_VARIABLES];
    bool twice = raise_e(raised, problem, fit->x, solver);
    for (int64_t b = comm_rank(comm); b < resamples; b += comm_size(comm)) {
        double x[LAW_VARIABLES];
        memcpy(x, fit->x, sizeof x);
        log_progress(b, resamples, "resamples");
        for (int m = 0; m < p.arms; m++) {
            if (kind == BOOTSTRAP_CELLS)
                draw_cells(column[m][0], p.source[m], seed, rng_stream("bootstrap", (uint64_t)b)); /* paired arms */
            else
                noise_draw(column[m][0], on_loss ? column[m][1] : NULL, &noise[m], p.source[m], seed, b, m);
        }
        double least = law_refine(x, &p, zone, solver);
        if (twice) {
            double other[LAW_VARIABLES];
            memcpy(other, raised, sizeof other);
            if (law_refine(other, &p, law_zone(&p, NULL), solver) < least) memcpy(x, other, sizeof x);
        }
        for (int m = 0; m < p.arms; m++) out.law[b * p.arms + m] = law_of(&p, x, m);
    }
    minimiser_free(solver);
    for (int m = 0; m < p.arms; m++) {
        mem_free(column[m][0]);
        noise_free(&noise[m]);
    }
    share(out.law, resamples * p.arms, p.spec.kind, comm);
    return out;
}

void ensemble_free(Ensemble *ensemble) {
    mem_free(ensemble->law);
    *ensemble = (Ensemble){0};
}
