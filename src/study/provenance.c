#include "study/provenance.h"

#include "base/arena.h"
#include "base/text.h"
#include "study/measure.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#ifndef EQ_VERSION
#define EQ_VERSION "unknown"
#endif
#ifndef EQ_COMMIT
#define EQ_COMMIT "unknown"
#endif
#ifndef EQ_FLAGS
#define EQ_FLAGS "unknown"
#endif

#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif

const char *provenance_version(void) {
    return EQ_VERSION " (commit " EQ_COMMIT ")";
}

const char *provenance_compiler(void) {
    return COMPILER " " EQ_FLAGS ", " REAL_NAME;
}

static void cpu_name(char *name, size_t size) {
    snprintf(name, size, "unknown");
    FILE *f = fopen("/proc/cpuinfo", "r");
    char line[256];
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, "model name", 10) && strchr(line, ':')) {
            snprintf(name, size, "%s", strchr(line, ':') + 2);
            name[strcspn(name, "\n")] = 0;
            break;
        }
    if (f) fclose(f);
}

void provenance_program(char text[PROVENANCE_PROGRAM], const Comm *comm) {
    char cpu[200], date[64], libraries[512];
    struct utsname host;
    time_t now = time(NULL);
    struct tm utc;
    uname(&host);
    cpu_name(cpu, sizeof cpu);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    comm_library(libraries, sizeof libraries);
    snprintf(text, PROVENANCE_PROGRAM,
             "version = %s\ncommit = %s\ncompiler = %s\nflags = %s\nprecision = %s\nlibraries = %s\nhost = %s\n"
             "system = %s %s\nprocessor = %s\nranks = %d\nwritten = %s\n",
             EQ_VERSION, EQ_COMMIT, COMPILER, EQ_FLAGS, REAL_NAME, libraries, host.nodename, host.sysname, host.release,
             cpu, comm_size(comm), date);
}

char *provenance_study(const char *program, const StudyOptions *options, const char *fit) {
    char *keys = study_options_text(options), measured[MEASURE_CHOICE * 320];
    study_measure_provenance(measured, sizeof measured, options);
    Text text = {0};
    text_add(&text, "%s%s%s%s", program, measured, keys, fit);
    mem_free(keys);
    return text.at;
}

char *provenance_text(const StudyOptions *options, const Comm *comm) {
    char program[PROVENANCE_PROGRAM];
    provenance_program(program, comm);
    return provenance_study(program, options, "");
}
