/** A plan for people and for programs. Not collective; only the root speaks. */
#pragma once

#include "io/json.h"
#include "study/open.h"
#include "study/plan.h"

/** Every cell of a small study, the most expensive ones of a large one; then what all of it takes. */
void plan_print(const Study *study, const StudyPlan *plan);

/** Identity of a cell and what it takes, as members of an object. */
void plan_json_cell(Json *json, const Cell *cell);

/** The whole of it, for answer_json; deadline may be NULL. */
typedef struct Deadline {
    double hours, makespan; /* that is asked for; of what is left, s */
    int dropped;
    bool *drop; /* (tasks); owned */
} Deadline;
Json *plan_json(const Study *study, const StudyPlan *plan, const Deadline *deadline);

/** A row for each cell. Errors: of the root, what the disk says. */
Err plan_csv(const Study *study, const StudyPlan *plan, const char *path);

/** What must go so that the rest ends in time. */
void plan_print_deadline(const Study *study, const StudyPlan *plan, const Deadline *deadline);
