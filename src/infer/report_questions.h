/* The three questions in the report: on the terminal, and as members of the JSON. */
#pragma once

#include "infer/analysis.h"
#include "io/json.h"

/* Members `currency`, `questions`, `limits` and `data`. */
void questions_json(Json *j, const Analysis *analysis);

/* The member `contrasts` of a comparison in one currency. */
void questions_contrasts(Json *j, const Contrast by[METHODS]);
