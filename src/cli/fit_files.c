#include "fit_files.h"

#include "base/arena.h"
#include "infer/analysis.h"
#include "infer/report.h"
#include "io/digest.h"
#include "par/comm.h"
#include "study/arm.h"
#include "study/provenance.h"
#include "study/suggest_study.h"

/* On the root; what the others hold is not written. */
static Err see_inputs(FitInput *input, int files, const char *const *file) {
    Err err = ERR_NONE;
    for (int i = 0; i < files && !err.code; i++) {
        input[i] = (FitInput){.path = file[i]};
        if (comm_rank(comm_world()) == 0) err = digest_file(&input[i].digest, &input[i].bytes, file[i]);
    }
    return comm_agree(comm_world(), err);
}

/* Of what the results files hold, which it takes over: on the root, the others have nothing. */
static Symmetry symmetry_found(Results results) {
    Symmetry symmetry = symmetry_of(results);
    for (int m = 0; m < symmetry.arms; m++) {
        const Arm *arm = arm_find(symmetry.arm[m].arm);
        symmetry.arm[m].exact = arm ? arm_exact(arm) : NULL;
    }
    return symmetry;
}

static Err report(const Analysis *analysis, const Symmetry *symmetry, int files, const FitInput *input) {
    const FitOptions *o = &analysis->options;
    const Comm *world = comm_world();
    const FitSource source = {
        .version = provenance_version(), .compiler = provenance_compiler(), .inputs = files, .input = input};
    report_text(analysis, symmetry);
    if (o->json[0]) TRY(report_json(analysis, symmetry, &source, o->json, world));
    if (o->csv[0]) TRY(report_table(analysis, TABLE_CSV, o->csv, world));
    if (o->latex[0]) TRY(report_table(analysis, TABLE_LATEX, o->latex, world));
    return o->suggest ? suggest_study(analysis, symmetry->results.provenance) : ERR_NONE;
}

Err fit_files(int files, const char *const *file, FitOptions *options) {
    TableOptions rows;
    TRY(fit_rows(&rows, options));
    Table table = table_new();
    Results results = {0};
    rows.results = &results;
    FitInput *input = MEM_NEW(FitInput, files + 1);
    Err err = table_add_files(&table, files, file, &rows, comm_world());
    if (!err.code) err = fit_check_table(options, &table);
    if (!err.code) err = see_inputs(input, files, file);
    Symmetry symmetry = symmetry_found(results);
    if (!err.code) {
        Analysis *analysis = analysis_new(&table, options, comm_world());
        err = report(analysis, &symmetry, files, input);
        analysis_free(analysis);
    }
    symmetry_free(&symmetry);
    mem_free(input);
    table_free(&table);
    return err;
}
