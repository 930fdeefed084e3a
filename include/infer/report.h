/** What an analysis says. */
#pragma once

#include "infer/analysis.h"

/** For people, on the root: one line per arm, then the details. */
void report_text(const Analysis *analysis);

/** For programs (docs/fitting.md has the schema), written whole or not at all. Collective. */
Err report_json(const Analysis *analysis, const char *path, const Comm *comm);
