#include "math/minimise.h"

#include "base/arena.h"
#include "base/err.h"

#include <math.h>
#include <petsctao.h>
#include <string.h>

#define PETSC_CALL(call) CHECK((call) == 0, "PETSc")

struct Minimiser {
    int n;
    Tao tao;
    Vec x, lo, hi;
    Mat h; /* NULL: BLMVM */
    MinFunction *function;
    void *context;
    /* The last point that was looked at, with its value, gradient and Hessian (NULL: BLMVM). TAO asks for the Hessian after
     * the value, and nearly every point is kept, while both together cost hardly more than the value. */
    double *at, *slope, *curve; /* (n), (n), (n, n) */
    double f;
};

static void look(Minimiser *m, const double *x) {
    if (!memcmp(m->at, x, (size_t)m->n * sizeof *x)) return;
    memcpy(m->at, x, (size_t)m->n * sizeof *x);
    m->f = m->function(m->context, x, m->slope, m->curve);
}

static PetscErrorCode value(Tao tao, Vec xv, PetscReal *f, Vec gv, void *ctx) {
    (void)tao;
    Minimiser *m = ctx;
    const double *x;
    double *g;
    VecGetArrayRead(xv, &x);
    VecGetArray(gv, &g);
    look(m, x);
    *f = isfinite(m->f) ? m->f : PETSC_INFINITY;
    memcpy(g, m->slope, (size_t)m->n * sizeof *g);
    VecRestoreArray(gv, &g);
    VecRestoreArrayRead(xv, &x);
    return 0;
}

static PetscErrorCode hessian(Tao tao, Vec xv, Mat h, Mat p, void *ctx) {
    (void)tao, (void)p;
    Minimiser *m = ctx;
    const double *x;
    double *hx;
    VecGetArrayRead(xv, &x);
    MatDenseGetArray(h, &hx);
    look(m, x);
    memcpy(hx, m->curve, (size_t)(m->n * m->n) * sizeof *hx);
    MatDenseRestoreArray(h, &hx);
    VecRestoreArrayRead(xv, &x);
    return 0;
}

void minimiser_renew(Minimiser *m) {
    PETSC_CALL(TaoDestroy(&m->tao));
    PETSC_CALL(TaoCreate(PETSC_COMM_SELF, &m->tao));
    PETSC_CALL(TaoSetType(m->tao, m->h ? TAOBNLS : TAOBLMVM));
    PETSC_CALL(TaoSetObjectiveAndGradient(m->tao, NULL, value, m));
    if (m->h) {
        KSP ksp;
        PC pc;
        PETSC_CALL(TaoSetHessian(m->tao, m->h, m->h, hessian, m));
        PETSC_CALL(TaoGetKSP(m->tao, &ksp));
        PETSC_CALL(KSPGetPC(ksp, &pc));
        PETSC_CALL(PCSetType(pc, PCNONE));
    }
    PETSC_CALL(TaoSetVariableBounds(m->tao, m->lo, m->hi));
}

Minimiser *minimiser_new(int n, bool with_hessian) {
    Minimiser *m = MEM_NEW(Minimiser, 1);
    m->n = n;
    m->at = MEM_NEW(double, 2 * n + n * n);
    m->slope = m->at + n;
    m->curve = with_hessian ? m->slope + n : NULL;
    PETSC_CALL(VecCreateSeq(PETSC_COMM_SELF, n, &m->x));
    PETSC_CALL(VecDuplicate(m->x, &m->lo));
    PETSC_CALL(VecDuplicate(m->x, &m->hi));
    if (with_hessian) {
        PETSC_CALL(MatCreateSeqDense(PETSC_COMM_SELF, n, n, NULL, &m->h));
        PETSC_CALL(MatAssemblyBegin(m->h, MAT_FINAL_ASSEMBLY));
        PETSC_CALL(MatAssemblyEnd(m->h, MAT_FINAL_ASSEMBLY));
    }
    minimiser_renew(m);
    return m;
}

void minimiser_free(Minimiser *m) {
    if (!m) return;
    TaoDestroy(&m->tao);
    MatDestroy(&m->h);
    VecDestroy(&m->x);
    VecDestroy(&m->lo);
    VecDestroy(&m->hi);
    mem_free(m->at);
    mem_free(m);
}

static void put(Vec v, const double *from, int n) {
    double *to;
    VecGetArray(v, &to);
    memcpy(to, from, (size_t)n * sizeof *to);
    VecRestoreArray(v, &to);
}

static double projected(const double *x, const double *g, const double *lo, const double *hi, int n) {
    double worst = 0;
    for (int i = 0; i < n; i++) {
        bool pressed = (x[i] <= lo[i] && g[i] > 0) || (x[i] >= hi[i] && g[i] < 0);
        if (!pressed) worst = fmax(worst, fabs(g[i]));
    }
    return worst;
}

MinOutcome minimise(Minimiser *m, double *x, const double *lo, const double *hi, MinFunction *function, void *context,
                    double tolerance, int max_iterations) {
    m->function = function;
    m->context = context;
    m->at[0] = NAN; /* what was seen was of another function */
    for (int i = 0; i < m->n; i++) x[i] = fmin(fmax(x[i], lo[i]), hi[i]);
    put(m->x, x, m->n);
    put(m->lo, lo, m->n);
    put(m->hi, hi, m->n);
    if (m->h) {
        KSP ksp; /* made for the variables that were free last */
        PETSC_CALL(TaoGetKSP(m->tao, &ksp));
        PETSC_CALL(KSPReset(ksp));
    }
    PETSC_CALL(TaoSetSolution(m->tao, m->x));
    PETSC_CALL(TaoSetTolerances(m->tao, tolerance, 0, 0));
    PETSC_CALL(TaoSetMaximumIterations(m->tao, max_iterations));
    /* TAO takes it for an error of its caller's if there is nowhere to go: a first step of zero where every variable is
     * pressed to a bound. The point reached is judged below like any other. */
    PETSC_CALL(PetscPushErrorHandler(PetscReturnErrorHandler, NULL));
    bool stuck = TaoSolve(m->tao) != 0;
    PETSC_CALL(PetscPopErrorHandler());

    const double *solution;
    VecGetArrayRead(m->x, &solution);
    memcpy(x, solution, (size_t)m->n * sizeof *x);
    VecRestoreArrayRead(m->x, &solution);
    MinOutcome out = {0};
    PetscInt iterations;
    TaoConvergedReason reason;
    PETSC_CALL(TaoGetIterationNumber(m->tao, &iterations));
    PETSC_CALL(TaoGetConvergedReason(m->tao, &reason));
    look(m, x);
    out.f = m->f;
    out.gradient = projected(x, m->slope, lo, hi, m->n);
    out.iterations = (int)iterations;
    out.converged = (reason > 0 && !stuck) || out.gradient <= tolerance;
    if (stuck) minimiser_renew(m);
    return out;
}
