/** equiscale plan FILE: every cell with its size, work, layout, memory and expected time, before anything runs: of this job, of
 *  another number of ranks (-ranks) or of a machine that a file describes (-machine); with -left of what is not finished; with
 *  -deadline what must go so that the rest ends in time, with -design what the grid will tell about the exponents (design.* keys:
 *  the assumed law and noise). */
#include "commands.h"
#include "plan_draw.h"
#include "plan_tell.h"

#include "base/arena.h"
#include "base/log.h"
#include "infer/design.h"
#include "infer/fit_options.h"

#include <string.h>

typedef struct PlanOptions {
    char json[OPTION_TEXT], csv[OPTION_TEXT], machine[OPTION_TEXT];
    int64_t ranks;
    double deadline; /* hours */
    bool design, calibrate, left;
} PlanOptions;

/* `status` takes the first only. */
const KeySpec plan_keys[PLAN_KEYS] = {
    {"json", KEY_WORD, offsetof(PlanOptions, json), "", 0, 0, NULL, "1", "file for programs; -: standard output"},
    {"csv", KEY_WORD, offsetof(PlanOptions, csv), "", 0, 0, NULL, "1", "file with a row for each cell"},
    {"ranks", KEY_INT, offsetof(PlanOptions, ranks), "0", 0, 1 << 24, NULL, "ranks",
     "plan for a job of so many ranks; 0: for this one"},
    {"machine", KEY_WORD, offsetof(PlanOptions, machine), "", 0, 0, NULL, "1",
     "file that describes the machine, such as input/machines/archer2.yaml; empty: this one, measured"},
    {"deadline", KEY_REAL, offsetof(PlanOptions, deadline), "0", 0, 1e6, NULL, "hours",
     "say which cells to drop so that the rest ends by then; 0: none"},
    {"calibrate", KEY_BOOL, offsetof(PlanOptions, calibrate), "false", 0, 0, NULL, "1",
     "measure this machine again, whatever is kept of it"},
    {"left", KEY_BOOL, offsetof(PlanOptions, left), "false", 0, 0, NULL, "1",
     "plan what earlier runs of the study have not finished, instead of all of it"},
    {"design", KEY_BOOL, offsetof(PlanOptions, design), "false", 0, 0, NULL, "1",
     "tell what the grid will tell about the exponents, under the law that design.* assumes or takes from runs"},
};

/* The grid cells of each arm, to the simulated refits. Collective. */
static Err judge_design(const Study *s, const DesignOptions *design) {
    const WordList *names = &s->options.arms;
    DesignArm *arm = MEM_NEW(DesignArm, names->n);
    double *columns = MEM_NEW(double, 3 * names->n * s->grid.n);
    for (int a = 0; a < names->n; a++) {
        double *n = columns + (int64_t)3 * a * s->grid.n, *d = n + s->grid.n, *c = d + s->grid.n;
        arm[a] = (DesignArm){.name = names->at[a], .n = n, .d = d, .c = c};
        for (int i = 0; i < s->grid.n; i++) {
            const Cell *cell = &s->grid.cell[i];
            if (strcmp(cell->record.arm, names->at[a]) || strcmp(cell->record.role, "grid")) continue;
            int64_t k = arm[a].cells++;
            n[k] = (double)cell->record.parameters;
            d[k] = (double)cell->record.samples;
            c[k] = cell->flop_executed;
        }
    }
    Err err = design_report(arm, names->n, design, comm_world());
    mem_free(columns);
    mem_free(arm);
    return err;
}

/* Which cells must go; on every rank. */
static Deadline meet(const Study *s, const StudyPlan *p, double hours) {
    const double hour = 3600;
    Deadline d = {.hours = hours, .drop = MEM_NEW(bool, p->n + 1)};
    d.dropped = plan_drop(d.drop, &d.makespan, p, s->grid.kinds, hours * hour);
    return d;
}

/* Simulated refits are those that the study asks for, where design.* says nothing else. */
static Err design_as_study(DesignOptions *design) {
    FitOptions fit;
    TRY(options_read(&fit, fit_keys, study_fit_keys()));
    if (!options_given("design.objective")) design->objective = fit.objective;
    if (!options_given("design.e") && fit.e == LAW_E_ZERO) design->e = 0;
    return ERR_NONE;
}

/* All that is asked for beside the table. Collective. */
static Err tell(const Study *s, const StudyPlan *p, const PlanOptions *o, const DesignOptions *design) {
    const Comm *world = comm_world();
    Deadline deadline = {0};
    bool root = comm_rank(world) == 0;
    if (o->deadline > 0) deadline = meet(s, p, o->deadline);
    if (o->deadline > 0) plan_print_deadline(s, p, &deadline);
    Err err = ERR_NONE;
    if (*o->json && root) err = answer_json(plan_json(s, p, deadline.drop ? &deadline : NULL), o->json);
    if (*o->csv && root && !err.code) err = plan_csv(s, p, o->csv);
    mem_free(deadline.drop);
    TRY(comm_agree(world, err));
    return o->design ? judge_design(s, design) : ERR_NONE;
}

Err cmd_plan(int argc, char **argv, int *code) {
    (void)code;
    PlanOptions options;
    DesignOptions design;
    Study s;
    StudyPlan p;
    TRY(study_load(argc, argv));
    TRY(command_refuse_idle(argv[0]));
    TRY(options_read(&options, plan_keys, PLAN_KEYS));
    TRY(options_read(&design, design_keys, n_design_keys));
    for (int i = 0; i < n_design_keys && !options.design; i++)
        TRY(options_refuse(design_keys[i].key, "want -design beside it"));
    if (*options.machine && !options.ranks)
        return err_user("command line: machine = %s: want -ranks, how many of it the job has", options.machine);
    if (*options.machine) TRY(options_refuse("calibrate", "nothing is measured of a machine that a file describes"));
    const char *const read[] = {argv[1], options.machine};
    const Answer answer[] = {{"json", options.json}, {"csv", options.csv}};
    TRY(answers_check(answer, sizeof answer / sizeof *answer, *options.machine ? 2 : 1, read));
    TRY(study_options_read(&s.options));
    TRY(study_open(&s, false));
    const PlanTarget target = {options.machine, (int)options.ranks, options.calibrate};
    Err err = options.design ? design_as_study(&design) : ERR_NONE;
    if (!err.code && options.left) err = grid_scan(&s.grid, &s.options, comm_world(), false);
    if (!err.code) err = plan_make(&p, &s.grid, &s.options, &s.data, &target);
    if (!err.code) {
        plan_print(&s, &p);
        err = tell(&s, &p, &options, &design);
        plan_free(&p);
    }
    study_close(&s);
    return err;
}
