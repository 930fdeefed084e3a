// TEST single n=1
/* What is said of an allocation, of a prediction and of a law beside other methods, case by case. */
#include "../src/infer/judge.h"
#include "check.h"

/* An arm with models of 1e6 to 1e8 parameters, runs of 1e8 to 1e10 samples, 10 to 1000 of them a parameter, at budgets of 1e15 to
 * 1e18. */
typedef struct Made {
    LawGroup group;
    LawRows rows;
    ArmFit arm;
    FitOptions options;
} Made;

static void make(Made *made, const LawKind *kind) {
    memset(made, 0, sizeof *made);
    made->group.problem.spec.kind = kind;
    made->group.problem.arms = 1;
    made->arm = (ArmFit){.group = &made->group,
                         .rows = &made->rows,
                         .identified = true,
                         .groups_left = INFINITY,
                         .sampled = {1e6, 1e8, 1e8, 1e10},
                         .ratio_lo = 10,
                         .ratio_hi = 1000};
    made->arm.currency[CURRENCY_NOMINAL] = (CurrencyFit){.known = true, .c_min = 1e15, .c_max = 1e18};
    made->options.extrapolation = 10;
}

static BudgetFit budget_of(const Made *made, double n, double d, double c) {
    BudgetFit b = {.at = {.c = c, .n = n, .d = d, .loss = 2}};
    judge_budget(&b, &made->arm, &made->arm.currency[CURRENCY_NOMINAL], &made->options);
    return b;
}

static void budgets(Made *made) {
    const struct {
        double n, d, c;
        BudgetVerdict verdict;
        const char *status;
    } made_up[] = {
        {1e7, 1e9, 6e16, BUDGET_WITHIN, "within the data"},
        {1e6, 1e8, 6e16, BUDGET_WITHIN, "within the data"},
        {3e8, 5e9, 6e16, BUDGET_OUTSIDE, "outside the data: N* is 3 times the largest model"},
        {5e5, 5e8, 6e16, BUDGET_OUTSIDE, "outside the data: N* is 2 times smaller than the smallest model"},
        {1e8, 4e10, 6e16, BUDGET_OUTSIDE, "outside the data: D* is 4 times the longest run"},
        {1e6, 5e7, 6e16, BUDGET_OUTSIDE, "outside the data: D* is 2 times shorter than the shortest run"},
        {2e8, 5e10, 6e16, BUDGET_OUTSIDE, "outside the data: D* is 5 times the longest run"},
        {3e8, 5e9, 3e18, BUDGET_OUTSIDE, "outside the data: N* is 3 times the largest model; C extrapolated 3 times"},
        {1e8, 5e8, 6e16, BUDGET_ONE_SIDED, "one-sided: D/N is 5 here, at least 10 in every run"},
        {1e6, 5e9, 6e16, BUDGET_ONE_SIDED, "one-sided: D/N is 5e+03 here, at most 1e+03 in every run"},
        {1e7, 1e9, 3e18, BUDGET_EXTRAPOLATED, "extrapolated 3 times beyond the data"},
        {1e7, 1e9, 5e14, BUDGET_EXTRAPOLATED, "extrapolated 2 times beyond the data"},
        {1e7, 1e9, 1e19, BUDGET_EXTRAPOLATED, "extrapolated 10 times beyond the data"},
        {1e7, 1e9, 2e19, BUDGET_REFUSED, "refused: 20 times beyond the data, limit 10 (-fit_extrapolate)"},
        {NAN, 1e9, 6e16, BUDGET_NO_OPTIMUM, "no interior optimum"},
        {0, 1e9, 6e16, BUDGET_NO_OPTIMUM, "no interior optimum"},
    };
    for (int i = 0; i < (int)(sizeof made_up / sizeof *made_up); i++) {
        BudgetFit b = budget_of(made, made_up[i].n, made_up[i].d, made_up[i].c);
        bool number = b.verdict > BUDGET_NO_OPTIMUM;
        EXPECT(b.verdict == made_up[i].verdict && !strcmp(b.status, made_up[i].status), "%d: %s", i, b.status);
        EXPECT(b.at.c == made_up[i].c && number == isfinite(b.at.n) && number == isfinite(b.at.loss), "%d: N* %g", i,
               b.at.n);
    }
    made->options.extrapolate = true;
    BudgetFit b = budget_of(made, 1e7, 1e9, 2e19);
    EXPECT(b.verdict == BUDGET_EXTRAPOLATED && b.at.n == 1e7, "%s", b.status);
    made->options.extrapolate = false;
    made->arm.identified = false;
    b = budget_of(made, 1e7, 1e9, 6e16);
    EXPECT(b.verdict == BUDGET_REFUSED && isnan(b.at.n) && strstr(b.status, "not identifiable"), "%s", b.status);
    made->arm.identified = true;
}

/* A law of compute has no N* to lie anywhere, only a loss; one of N has neither. */
static void budgets_without_split(void) {
    Made made;
    make(&made, &law_compute);
    BudgetFit b = budget_of(&made, NAN, NAN, 6e16);
    EXPECT(b.verdict == BUDGET_WITHIN && b.at.loss == 2, "%s", b.status);
    b = budget_of(&made, NAN, NAN, 3e18);
    EXPECT(b.verdict == BUDGET_EXTRAPOLATED, "%s", b.status);
    make(&made, &law_parameters);
    b = (BudgetFit){.at = {.c = 6e16, .n = NAN, .d = NAN, .loss = NAN}};
    judge_budget(&b, &made.arm, &made.arm.currency[CURRENCY_NOMINAL], &made.options);
    EXPECT(b.verdict == BUDGET_NO_OPTIMUM && strstr(b.status, "says nothing of compute"), "%s", b.status);
}

static void expect_prediction(const LawKind *kind, double n, double d, double c, const char *status) {
    Made made;
    make(&made, kind);
    Prediction p = {.n = n, .d = d, .c = c};
    judge_prediction(&p, &made.arm);
    EXPECT(!strcmp(p.status, status) && p.within == !strcmp(status, "within the data"), "%s: %s, want %s", kind->name,
           p.status, status);
}

static void predictions(Made *made) {
    expect_prediction(&law_chinchilla, 1e7, 1e9, 6e16, "within the data");
    expect_prediction(&law_chinchilla, 1e9, 1e9, 6e18, "outside the data: N is 10 times the largest model");
    expect_prediction(&law_chinchilla, 1e7, 1e7, 6e14, "outside the data: D is 10 times shorter than the shortest run");
    /* What the law does not take says nothing. */
    expect_prediction(&law_parameters, 1e7, 1e20, 6e27, "within the data");
    expect_prediction(&law_samples, 1e20, 1e9, 6e29, "within the data");
    expect_prediction(&law_compute, 1e20, 1e20, 6e16, "within the data");
    expect_prediction(&law_compute, 1e7, 1e9, 4e18, "extrapolated 4 times beyond the data");
    expect_prediction(&law_compute, 1e7, 1e9, 2e14, "extrapolated 5 times beyond the data");
    made->arm.identified = false;
    Prediction p = {.n = 1e7, .d = 1e9, .c = 6e16};
    judge_prediction(&p, &made->arm);
    EXPECT(!p.within && !strcmp(p.status, "refused: the law is not identifiable"), "%s", p.status);
    made->arm.identified = true;
}

/* Verdict and status once other methods, the reference and groups have been asked. */
static void references(Made *made) {
    const struct {
        LawVerdict before;
        const char *status;
        BudgetVerdict reference;
        double left;
        bool disagree;
        LawVerdict after;
        const char *want;
    } made_up[] = {
        {LAW_CONVERGED, "converged", BUDGET_WITHIN, INFINITY, false, LAW_CONVERGED, "converged"},
        {LAW_CONVERGED, "converged", BUDGET_WITHIN, INFINITY, true, LAW_REJECTED, "methods disagree"},
        {LAW_AT_BOUND, "E at its bound", BUDGET_WITHIN, INFINITY, true, LAW_AT_BOUND, "E at its bound"},
        {LAW_CONVERGED, "converged", BUDGET_OUTSIDE, INFINITY, false, LAW_CONVERGED, "off"},
        {LAW_CONVERGED, "converged", BUDGET_ONE_SIDED, INFINITY, false, LAW_CONVERGED, "off"},
        {LAW_CONVERGED, "converged", BUDGET_ONE_SIDED, INFINITY, true, LAW_REJECTED, "methods disagree"},
        {LAW_CONVERGED, "converged", BUDGET_EXTRAPOLATED, INFINITY, false, LAW_CONVERGED, "converged"},
        {LAW_CONVERGED, "converged", BUDGET_WITHIN, 2, false, LAW_CONVERGED,
         "5 groups are few: their intervals may be too narrow"},
        {LAW_CONVERGED, "converged", BUDGET_OUTSIDE, 2, false, LAW_CONVERGED,
         "off; 5 groups are few: their intervals may be too narrow"},
    };
    made->rows.groups = 5;
    for (int i = 0; i < (int)(sizeof made_up / sizeof *made_up); i++) {
        ArmFit *arm = &made->arm;
        arm->verdict = made_up[i].before;
        arm->groups_left = made_up[i].left;
        arm->reference = budget_without(1e16, made_up[i].reference, "off");
        strcpy(arm->status, made_up[i].status);
        strcpy(arm->disagreement, made_up[i].disagree ? "methods disagree" : "");
        judge_reference(arm);
        EXPECT(arm->verdict == made_up[i].after && !strcmp(arm->status, made_up[i].want), "%d: verdict %d, %s", i,
               arm->verdict, arm->status);
    }
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    Made *made = MEM_NEW(Made, 1);
    make(made, &law_chinchilla);
    budgets(made);
    budgets_without_split();
    predictions(made);
    references(made);
    mem_free(made);
    return test_end();
}
