/* Are residuals of rows that are neighbours in D, at one N, alike, as those of checkpoints of one run are? */
#pragma once

#include "basis.h"

/* p-value of independent errors against errors that neighbours share: the sum of products of neighbours' residuals, less what
 * the columns of the basis have made of it (Durbin and Watson 1951), over its standard deviation. That is the larger of the
 * one of normal errors and the one of errors of whatever size whose signs are independent, so that neither uneven noise nor heavy
 * tails are taken for a shared error. Rows of one (N, D) count as their sum over the root of their number, since which of them
 * continues which run is not known. NaN with too few pairs or rows. Cost: rows * (log rows + columns^2). */
double serial_test(const Basis *basis);
