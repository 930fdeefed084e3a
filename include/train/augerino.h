/** The reward for wide motions, of the procedure `augerino` (src/train/procedure_augerino.c). Not collective. */
#pragma once

#include "train/act.h"

/** dw = gradient of -lambda |w|; 0 where a width is at the cap or beyond, and where all are 0. */
void augerino_penalty(double dw[MOTION_GENERATORS], const double width[MOTION_GENERATORS], double lambda, double cap);
