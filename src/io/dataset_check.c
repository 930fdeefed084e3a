#include "dataset_check.h"

#include <math.h>

static double number_at(const void *data, H5Type type, int64_t i) {
    switch (type) {
    case H5_U8: return ((const uint8_t *)data)[i];
    case H5_I32: return ((const int32_t *)data)[i];
    case H5_F32: return (double)((const float *)data)[i];
    default: return ((const double *)data)[i];
    }
}

Err dataset_check_range(const Table *t, int c, const void *data, int64_t first, int64_t rows) {
    const H5Column *col = &t->column[c];
    int64_t width = 1;
    for (int i = 0; i < 2 && col->shape[i]; i++) width *= col->shape[i];
    for (int64_t i = 0; i < rows * width; i++) {
        double x = number_at(data, col->type, i);
        if (!(x >= dataset_schema[c].lo && x <= dataset_schema[c].hi))
            return err_user("%s: %s: row %lld holds %g: want numbers in [%g, %g]", t->file.path, col->name,
                            (long long)(first + i / width), x, dataset_schema[c].lo, dataset_schema[c].hi);
    }
    return ERR_NONE;
}

Err dataset_check_unit(const Table *t, int c, const float *data, int64_t first, int64_t n, int width, int64_t per_row) {
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        for (int j = 0; j < width; j++) sum += (double)data[i * width + j] * (double)data[i * width + j];
        if (fabs(sum - 1) > 1e-3)
            return err_user("%s: %s: row %lld has length %g: want unit length", t->file.path, t->column[c].name,
                            (long long)(first + i / per_row), sqrt(sum));
    }
    return ERR_NONE;
}

Err dataset_check_frames(const Table *t, const double *r, const float *g, const float *normal, int64_t size) {
    for (int64_t i = 0; i < size; i++, r += 9, g += 3) {
        for (int a = 0; a < 3; a++)
            for (int b = 0; b < 3; b++) {
                double dot = r[3 * a] * r[3 * b] + r[3 * a + 1] * r[3 * b + 1] + r[3 * a + 2] * r[3 * b + 2];
                if (fabs(dot - (a == b)) > 1e-6)
                    return err_user("%s: %s: row %lld is not orthogonal: want a rotation or reflection", t->file.path,
                                    dataset_schema[ROTATION].column.name, (long long)i);
            }
        if (g[0] == 0 && g[1] == 0 && g[2] == 0)
            return err_user("%s: %s: row %lld is zero: want a direction of gravity", t->file.path,
                            dataset_schema[GRAVITY].column.name, (long long)i);
    }
    return dataset_check_unit(t, FLOOR_NORMAL, normal, 0, size, 3, 1);
}

Err dataset_check_owners(const Table *t, int64_t i, const int32_t *owner, int64_t vertices, int64_t bodies) {
    bool good = owner[0] == 0 && owner[vertices - 1] == bodies - 1;
    for (int64_t v = 1; v < vertices && good; v++) good = owner[v] == owner[v - 1] || owner[v] == owner[v - 1] + 1;
    if (good) return ERR_NONE;
    return err_user("%s: %s: trajectory %lld: want 0 to %lld, ascending, each at least once", t->file.path,
                    dataset_schema[VERTEX_BODY].column.name, (long long)i, (long long)bodies - 1);
}
