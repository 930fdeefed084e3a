/** Where a result comes from: commit, compiler, flags, libraries, host, ranks, time, and the resolved options
 *  (docs/results.md). */
#pragma once

#include "study/options.h"

/** Lines `name = value`; mem_free it. Not collective. */
char *provenance_text(const StudyOptions *options, const Comm *comm);
