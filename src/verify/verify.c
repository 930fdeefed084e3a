#include "verify/verify_case.h"

#include "base/log.h"
#include "base/rng.h"
#include "io/csv.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- Lines. ---- */

enum { WHAT = 96 };

static void line(const Verify *v, const char *what, double published, double obtained, const char *tolerance,
                 const char *verdict) {
    log_text("  %-50s %-12s %16.11g %16.11g %9s  %s", what, v->by, published, obtained, tolerance, verdict);
}

static void judged(Verify *v, const char *what, double published, double obtained, const char *tolerance, bool fine) {
    line(v, what, published, obtained, tolerance, fine ? "PASSED" : "FAILED");
    *(fine ? &v->passed : &v->failed) += 1;
}

#define FORMAT(text, what)                                                                                             \
    char text[WHAT];                                                                                                   \
    va_list args;                                                                                                      \
    va_start(args, what);                                                                                              \
    vsnprintf(text, sizeof text, what, args);                                                                          \
    va_end(args)

void verify_heading(Verify *v, const char *by, const char *title, ...) {
    FORMAT(text, title);
    v->by = by;
    log_text("\n%s", text);
    log_text("  %-50s %-12s %16s %16s %9s", "", "by", "published", "obtained", "tolerance");
}

void verify_close(Verify *v, double published, double obtained, double tolerance, const char *what, ...) {
    FORMAT(text, what);
    char shown[16];
    snprintf(shown, sizeof shown, "%.1e", tolerance);
    judged(v, text, published, obtained, tolerance > 0 ? shown : "exact", fabs(obtained - published) <= tolerance);
}

void verify_at_most(Verify *v, double published, double obtained, const char *what, ...) {
    FORMAT(text, what);
    judged(v, text, published, obtained, "at most", obtained <= published * (1 + 1e-6));
}

void verify_inform(Verify *v, double published, double obtained, const char *what, ...) {
    FORMAT(text, what);
    line(v, text, published, obtained, "none", "not judged");
}

/* ---- One fit of a table. ---- */

Err case_open(Case *c, const CaseRows *rows, LawSpec spec, LawStarts starts, const Comm *comm) {
    TableColumns columns = {
        .n = "N", .d = "D", .loss = rows->loss ? rows->loss : "loss", .keep = rows->keep, .arm = rows->arm_column};
    TableFilter filter = {.n_arms = rows->arm ? 1 : 0, .arms = &rows->arm, .c_max = rows->c_max};
    c->table = table_new();
    Err err = table_add_file(&c->table, rows->path, &columns, &filter, comm);
    if (err.code) {
        table_free(&c->table);
        return err;
    }
    c->rows = law_rows(&c->table, 0, LAW_OF_N_AND_D);
    c->problem = law_problem(&c->rows, 1, &spec);
    law_fit(&c->fit, &c->problem, starts, comm);
    c->law = c->fit.law[0];
    return ERR_NONE;
}

void case_close(Case *c) {
    law_rows_free(&c->rows);
    table_free(&c->table);
}

double case_objective(const Case *c, const Law *law) {
    double x[LAW_VARIABLES], g[LAW_VARIABLES];
    law_variables(x, &c->problem, 0, law);
    return law_objective((void *)&c->problem, x, g, NULL);
}

/* ---- Made up here. ---- */

void verify_synthetic(Verify *v, const Comm *comm) {
    const Law truth = {.kind = &law_chinchilla, .a = 6, .b = 7.5, .e = 0.5, .alpha = 0.34, .beta = 0.38};
    verify_heading(v, "made up here", "synthetic law, 8 x 8 runs, no noise");
    Table t = table_new();
    table_arm(&t, "synthetic");
    for (int i = 0; i < 64; i++) {
        double n = 1e7 * pow(2, i / 8), d = 1e9 * pow(2, i % 8);
        table_add(&t, (Point){.n = n,
                              .d = d,
                              .c = {6 * n * d, NAN, NAN},
                              .loss = law_loss(&truth, n, d),
                              .weight = 1,
                              .cell = i,
                              .final = true});
    }
    static const char *const name[] = {"Huber", "least squares on log loss", "least squares on loss"};
    LawRows rows = law_rows(&t, 0, LAW_OF_N_AND_D);
    for (int objective = 0; objective < 3; objective++) {
        LawSpec spec = {.kind = &law_chinchilla, .objective = objective, .delta = 1e-3};
        LawProblem p = law_problem(&rows, 1, &spec);
        LawFit fit;
        law_fit(&fit, &p, LAW_STARTS_FEW, comm);
        verify_close(v, truth.alpha, fit.law[0].alpha, 1e-6, "alpha, %s", name[objective]);
        verify_close(v, truth.beta, fit.law[0].beta, 1e-6, "beta, %s", name[objective]);
        verify_close(v, exp(truth.e), exp(fit.law[0].e), 1e-6, "E, %s", name[objective]);
    }
    law_rows_free(&rows);
    table_free(&t);
}

/* ---- Which table a file is. ---- */

/* A table with published answers, by its content: the names of its columns, its rows, and a digest of all fields. */
typedef struct Known {
    const char *name, *sources, *columns;
    int64_t rows;
    uint64_t digest;
    Err (*run)(Verify *v, const char *path, const Comm *comm);
} Known;

static const Known known[] = {
    {"chinchilla",
     "Hoffmann et al. 2022, Fig. 4; fits by Epoch (Besiroglu et al. 2024, arXiv 2404.10102) and Open-Athena",
     "N,D,C,loss,keep", 245, 0x44c847ed8eb03681, verify_chinchilla},
    {"gemstones", "McLeish et al. 2025, arXiv 2502.06857", "subset,run,N,width,depth,D,loss", 1640, 0xc9bc10432b1a3e20,
     verify_gemstones},
    {"gadre_overtraining", "Gadre et al. 2024, arXiv 2403.08540",
     "name,dataset,arch,mult,N,N_noemb,D,loss_c4_val,c4_lo95,c4_hi95,loss_openlm,fit", 104, 0x246f2df041294fc5,
     verify_gadre},
    {"muennighoff_datablations", "Muennighoff et al. 2023, arXiv 2305.16264", "name,N,D,U,loss,fit182,fit62", 296,
     0x5872fbe55d12e472, verify_muennighoff}};
enum { KNOWN = sizeof known / sizeof *known, HEADER = 512 };

typedef struct Content {
    char columns[HEADER]; /* names with commas between them */
    int64_t rows;
    uint64_t digest;
} Content;

static Err content_of(Content *content, const char *path) {
    Csv csv;
    bool more = true;
    Err err = csv_open(&csv, path);
    size_t used = 0;
    for (int i = 0; !err.code && i < csv.columns && used < HEADER; i++)
        used += (size_t)snprintf(content->columns + used, HEADER - used, "%s%s", i ? "," : "", csv.name[i]);
    while (!err.code && more) {
        err = csv_next(&csv, &more);
        if (err.code || !more) break;
        content->rows++;
        for (int i = 0; i < csv.columns; i++) content->digest = rng_stream(csv.field[i], content->digest);
    }
    csv_close(&csv);
    return err;
}

/* The table that a file is; an error that says what it is instead. */
static Err recognise(int *which, const char *path) {
    Content content = {0};
    TRY(content_of(&content, path));
    for (int i = 0; i < KNOWN; i++) {
        const Known *k = &known[i];
        if (strcmp(content.columns, k->columns)) continue;
        *which = i;
        if (content.rows == k->rows && content.digest == k->digest) return ERR_NONE;
        return err_user("%s: has the columns of %s and other rows (%lld, digest %016llx): no published answers for it",
                        path, k->name, (long long)content.rows, (unsigned long long)content.digest);
    }
    return err_user(
        "%s: no published answers for columns %.200s: want the table chinchilla, gemstones, gadre_overtraining "
        "or muennighoff_datablations",
        path, content.columns);
}

Err verify_file(Verify *v, const char *path, const Comm *comm) {
    int which = 0;
    Err err = ERR_NONE;
    if (comm_rank(comm) == 0) err = recognise(&which, path);
    TRY(comm_agree(comm, err));
    comm_bcast(comm, &which, sizeof which, 0);
    log_text("\n%s: %s", path, known[which].sources);
    log_text("(SciPy: minima that others found with SciPy on the same rows)");
    return known[which].run(v, path, comm);
}
