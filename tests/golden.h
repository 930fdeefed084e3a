/** Reading reference files (format golden-1) and keeping account of errors. An error is relative to the largest entry
 * of its quantity, a gradient's to the largest gradient entry in the file. */
#pragma once

#include "base/log.h"
#include "check.h"

#include <hdf5.h>
#include <stdarg.h>

typedef struct Golden {
    hid_t file;
    const char *path;
    double bound, bound_trained; /* largest error allowed: outputs and gradients; after optimiser steps */
    bool failed;
} Golden;

static struct {
    double error;
    char file[256], quantity[128];
} golden_worst;

static inline bool golden_open(Golden *g, const char *path) {
    bool f64 = sizeof(real) == 8;
    *g = (Golden){.path = path, .bound = f64 ? 1e-11 : 2e-5, .bound_trained = f64 ? 1e-9 : 2e-5};
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    g->file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    return g->file >= 0;
}

static inline void golden_close(Golden *g) {
    H5Fclose(g->file);
}

static inline bool golden_has(const Golden *g, const char *fmt, ...) {
    char name[256], part[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    for (char *slash = name; slash; slash = strchr(slash + 1, '/')) {
        snprintf(part, sizeof part, "%.*s", slash == name ? 0 : (int)(slash - name), name);
        if (*part && H5Lexists(g->file, part, H5P_DEFAULT) <= 0) return false;
    }
    return H5Lexists(g->file, name, H5P_DEFAULT) > 0;
}

/** A whole dataset as doubles, its length in *n (may be NULL); mem_free it. Missing ones are a bug of the file. */
static inline double *golden_read(const Golden *g, int64_t *n, const char *fmt, ...) {
    char name[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    hid_t set = H5Dopen2(g->file, name, H5P_DEFAULT);
    CHECK(set >= 0, "%s has no dataset %s", g->path, name);
    hid_t space = H5Dget_space(set);
    hssize_t count = H5Sget_simple_extent_npoints(space);
    double *x = MEM_NEW(double, count);
    CHECK(H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, x) >= 0, "%s: %s", g->path, name);
    H5Sclose(space);
    H5Dclose(set);
    if (n) *n = count;
    return x;
}

/** Numbers of an attribute of a group, at most `most`; returns how many, 0 if there is no such attribute. */
static inline int golden_attribute(const Golden *g, double *x, int most, const char *group, const char *name) {
    if (H5Aexists_by_name(g->file, group, name, H5P_DEFAULT) <= 0) return 0;
    hid_t a = H5Aopen_by_name(g->file, group, name, H5P_DEFAULT, H5P_DEFAULT), space = H5Aget_space(a);
    int n = (int)H5Sget_simple_extent_npoints(space);
    CHECK(n <= most && H5Aread(a, H5T_NATIVE_DOUBLE, x) >= 0, "%s: attribute %s", g->path, name);
    H5Sclose(space);
    H5Aclose(a);
    return n;
}

static inline double golden_number(const Golden *g, const char *group, const char *name) {
    double x;
    CHECK(golden_attribute(g, &x, 1, group, name) == 1, "%s: want attribute %s", g->path, name);
    return x;
}

static inline int golden_int(const Golden *g, const char *group, const char *name) {
    return (int)golden_number(g, group, name);
}

/** Enters the error of one quantity; `scale` its largest entry. */
static inline void golden_enter(Golden *g, double error, double bound, const char *quantity) {
    if (!(error <= bound)) g->failed = true;
    log_text("%-10.2e%s %s%s", error, g->path, quantity, error <= bound ? "" : "   ABOVE THE BOUND");
    if (error <= golden_worst.error) return;
    golden_worst.error = error;
    snprintf(golden_worst.file, sizeof golden_worst.file, "%s", g->path);
    snprintf(golden_worst.quantity, sizeof golden_worst.quantity, "%s", quantity);
}

static inline double golden_scale(const double *x, int64_t n) {
    double scale = 0;
    for (int64_t i = 0; i < n; i++) scale = fmax(scale, fabs(x[i]));
    return scale;
}

/** Compares with what the file holds; slack[i] (may be NULL) is taken off the difference of entry i. NaN fails. */
static inline void golden_compare(Golden *g, const double *x, const double *slack, const double *want, int64_t n,
                                  double scale, double bound, const char *quantity) {
    double error = 0;
    for (int64_t i = 0; i < n; i++) {
        double d = fabs(x[i] - want[i]) - (slack ? slack[i] : 0);
        if (!(d <= error)) error = d;
    }
    golden_enter(g, scale > 0 ? error / scale : error, bound, quantity);
}
