/** Where a result comes from: commit, compiler, flags, libraries, host, ranks, time, and the resolved options
 *  (docs/results.md). */
#pragma once

#include "study/options.h"

/** Lines `name = value`; mem_free it. Not collective. */
char *provenance_text(const StudyOptions *options, const Comm *comm);

/** The same of a whole study, whose newest record gives the first lines. fit: those of the options that it is fitted with, which
 *  no cell depends on. Not collective. */
char *provenance_study(const char *program, const StudyOptions *options, const char *fit);

/** The first of them, from the version to the time, which need no study. Not collective. */
enum { PROVENANCE_PROGRAM = 4096 };
void provenance_program(char text[PROVENANCE_PROGRAM], const Comm *comm);

/** `1.0.0 (commit 8b0f010)`; and the compiler with its flags and the precision. Not collective. */
const char *provenance_version(void);
const char *provenance_compiler(void);
