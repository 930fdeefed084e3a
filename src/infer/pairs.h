/* Arms beside each other, two by two. */
#pragma once

#include "infer/analysis.h"

/* Fills the comparisons of an analysis whose arms are fitted. Collective. */
void pairs_compare(Analysis *analysis, const Comm *comm);
