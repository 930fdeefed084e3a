/* Records of cells without HDF5. It takes milliseconds to lay out, and to read, the hundred small datasets of a record, which
 * for cells of a few steps is more than their training. Two records with as many rows and the same provenance are the same
 * bytes but for the values, each column of which stands in one piece: so the first of a kind is written and read by HDF5
 * and becomes a template, and the next ones are its bytes with other values, under their own seal (io/h5.h). What is written
 * is what HDF5 would have written, bit for bit; what is read has every byte but its values in common with a file that HDF5
 * has read.
 *
 * Not collective; each process has its own. Errors: none; whatever is not known goes the other way.
 * Cost: one pass over the record. */
#pragma once

#include "io/results.h"

/* The file that holds the record, to be given back; NULL: there is no template of its kind. */
char *template_image(size_t *bytes, const Results *one, const char *provenance);

/* What a record holds; false: it is of no known kind, or damaged, and nothing was done. */
bool template_read(Results *out, const char *path);

/* Remembers a sealed record that HDF5 has read. written: the provenance that it was written with; NULL: not known. */
void template_learn(const char *path, const Results *read, const char *written);

void template_forget(void);
