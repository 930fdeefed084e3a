#include "report_questions.h"

#include "report_pieces.h"

#include "base/arena.h"
#include "infer/answers.h"

#include <math.h>

static void put_lines(Json *j, const char *key, const Answer *answer) {
    json_open_array(j, key);
    for (int i = 0; i < answer->lines; i++) json_put_text(j, NULL, answer->line[i]);
    json_close(j);
}

static void put_answer(Json *j, const Answer *answer) {
    json_open_object(j, NULL);
    json_put_text(j, "question", answer->question);
    json_put_text(j, "answer", answer->sentence);
    json_put_text(j, "figure", answer->figure);
    put_lines(j, "lines", answer);
    json_close(j);
}

/* The runs on smaller training sets. */
static void put_data_curve(Json *j, const Analysis *a, const DataCurve *c) {
    json_open_object(j, NULL);
    json_put_text(j, "arm", a->table->arm[c->arm]);
    json_put_number(j, "N", c->n);
    json_put_number(j, "D", c->d);
    json_put_number(j, "noise", c->noise);
    report_estimate(j, "need", c->need);
    json_put_text(j, "status", c->status);
    json_open_array(j, "sets");
    for (int k = 0; k < c->sets; k++) {
        json_open_object(j, NULL);
        json_put_number(j, "trajectories", c->trajectories[k]);
        json_put_number(j, "epochs", c->epochs[k]);
        json_put_int(j, "seeds", c->seeds[k]);
        json_put_number(j, "loss", exp(c->log_loss[k]));
        report_estimate(j, "log_penalty", c->penalty[k]);
        json_close(j);
    }
    json_close(j);
    json_close(j);
}

void questions_json(Json *j, const Analysis *a) {
    Answer *answer = MEM_NEW(Answer, QUESTIONS);
    answers_of(answer, a);
    if (a->reference_currency >= 0) json_put_text(j, "currency", currencies[a->reference_currency].name);
    json_open_array(j, "questions");
    for (int q = 0; q < QUESTIONS; q++) put_answer(j, &answer[q]);
    json_close(j);
    answers_limits(answer, a);
    put_lines(j, "limits", answer);
    json_open_array(j, "data");
    for (int i = 0; i < a->data_curves; i++) put_data_curve(j, a, &a->data[i]);
    json_close(j);
    mem_free(answer);
}

void questions_contrasts(Json *j, const Contrast by[METHODS]) {
    json_open_object(j, "contrasts");
    for (int k = 0; k < METHODS; k++) {
        json_open_object(j, method_name[k]);
        json_put_text(j, "status", by[k].known ? split_verdict[answer_split(&by[k])] : by[k].status);
        report_estimate(j, "a", by[k].a);
        report_estimate(j, "b", by[k].b);
        report_estimate(j, "multiplier", by[k].multiplier);
        json_put_number(j, "multiplier_bound", by[k].bound);
        json_open_array(j, "N");
        for (int i = 0; i < CONTRAST_BUDGETS; i++) {
            json_open_object(j, NULL);
            json_put_number(j, "C", by[k].budget[i]);
            report_estimate(j, "ratio", by[k].n_ratio[i]);
            json_close(j);
        }
        json_close(j);
        json_close(j);
    }
    json_close(j);
}
