/** The three questions of a scaling study, each answered in a sentence with numbers and intervals, and a few lines beside
 *  it: does a symmetry save data, and does augmentation close the gap; how does the best loss fall with compute, and what
 *  compute does an arm need for the loss of another; does the best split of compute between model and training differ.
 *
 *  Every word follows from an Analysis: which method decides, which verdict, what it would take to decide. */
#pragma once

#include "infer/analysis.h"

enum { QUESTION_DATA, QUESTION_COMPUTE, QUESTION_ALLOCATION, QUESTIONS };
enum { ANSWER_TEXT = 1024, ANSWER_LINES = 2 * TABLE_ARMS };

/** Exponents that differ by less than this are taken for the same split: over three decades of compute they lead to
 *  sizes that are apart by a factor of two. */
extern const double ANSWER_SAME;

typedef struct Answer {
    const char *question;
    const char *figure; /* of the page, that shows it */
    char sentence[ANSWER_TEXT];
    int lines;
    char line[ANSWER_LINES][ANSWER_TEXT];
} Answer;

/** Of a comparison: by which method it is judged (METHODS: none may), and whether the splits differ. */
typedef enum SplitVerdict { SPLIT_UNDECIDED, SPLIT_DIFFERS, SPLIT_SAME } SplitVerdict;
extern const char *const split_verdict[];
Method answer_method(const Analysis *a, const Comparison *pair, int currency);
SplitVerdict answer_split(const Contrast *contrast);

/** Fills all three; one without data to answer it says so. Not collective. */
void answers_of(Answer answer[QUESTIONS], const Analysis *a);

/** What holds the answers back: laws that are not to be trusted, optima outside what was sampled, exponents that drift
 *  with compute, noise. One line for each arm, without a sentence. Not collective. */
void answers_limits(Answer *answer, const Analysis *a);
