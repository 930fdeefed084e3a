/** The learning of widths of the procedure `augerino` (src/train/procedure_augerino.c). */
#pragma once

#include "train/act.h"
#include "train/procedure.h"

/** dw = gradient of -lambda |w|; 0 where a width is at the cap or beyond, and where all are 0. Not collective. */
void augerino_penalty(double dw[MOTION_GENERATORS], const double width[MOTION_GENERATORS], double lambda, double cap);

/** Motion m, from 0, under which a held-out sample may be seen too: drawn as those of training samples, with the widths as they
 *  are. Not collective. */
Motion augerino_motion(const ProcedureRun *run, int64_t sample, int64_t m);

/** dw = gradient of the loss of the whole batch by the widths, after that of the model, for which the procedure has asked the
 *  pass for the gradient by the scenes. The same on every rank; collective on dp. */
void augerino_gradient(double dw[MOTION_GENERATORS], const ProcedureRun *run, const Pass *pass);
