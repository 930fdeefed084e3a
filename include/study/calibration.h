/** What was measured on this machine for forecasts, by name: kept beside the choice of kernels (base/kept.h), for this build
 *  alone. Where nothing can be kept, it is measured each time.
 *
 *  Load and save are collective; the rest is not, and must be the same on every rank. Errors: none. */
#pragma once

#include "par/comm.h"

enum { CALIBRATION_NAME = 256, CALIBRATION_NUMBERS = 5 };

typedef struct Measured {
    char name[CALIBRATION_NAME];
    double value[CALIBRATION_NUMBERS];
} Measured;

typedef struct Calibration {
    int n;
    Measured *at; /* owned */
    bool changed;
    double loaded; /* when, by timer_now */
} Calibration;

/** again: nothing of what was kept. */
void calibration_load(Calibration *calibration, bool again, const Comm *comm);
void calibration_save(const Calibration *calibration, const Comm *comm);
void calibration_free(Calibration *calibration);

/** NULL: not measured yet. Good until the next calibration_put. */
const double *calibration_get(const Calibration *calibration, const char *name);

/** In place of what had the name. */
void calibration_put(Calibration *calibration, const char *name, const double value[CALIBRATION_NUMBERS]);
