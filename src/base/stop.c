#include "base/stop.h"

#include "base/err.h"
#include "base/timer.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct {
    int number;
    const char *name;
} caught[] = {{SIGTERM, "SIGTERM"}, {SIGINT, "SIGINT"}, {SIGUSR1, "SIGUSR1"}, {SIGXCPU, "SIGXCPU"}, {SIGHUP, "SIGHUP"}};
enum { CAUGHT = sizeof caught / sizeof *caught };

static volatile sig_atomic_t seen, waits;
static bool voice;
static double start, limit = INFINITY, job_end = INFINITY; /* on the clock of timer_now */
static double once;                                        /* seconds */

static const char *name_of(int number) {
    for (int i = 0; i < CAUGHT; i++)
        if (caught[i].number == number) return caught[i].name;
    return "a signal";
}

/* Only calls that a handler may make. Where writing fails nobody is there to be told. */
static void handle(int number) {
    if (seen) return;
    seen = number;
    if (waits) return;
    if (voice) {
        static const char end[] = ": stopped; the same command goes on\n";
        const char *name = name_of(number);
        if (write(STDERR_FILENO, name, strlen(name)) > 0 && write(STDERR_FILENO, end, sizeof end - 1) > 0)
            _exit(EXIT_RESUME);
    }
    _exit(EXIT_RESUME);
}

/* When the ranks of a Slurm job begin to save: a minute before its end, or in a short one after all but a twentieth of what is
 * left of it at the start. Slurm ends no job early, and then leaves some seconds between TERM and KILL (KillWait). */
static double slurm_end(void) {
    const double margin = 60, share = 0.05;
    const char *text = getenv("SLURM_JOB_END_TIME");
    double end = text ? strtod(text, NULL) : 0, left = end - (double)time(NULL);
    return end > 0 ? timer_now() + left - fmin(margin, share * fmax(left, 0)) : INFINITY;
}

void stop_catch(bool speaks) {
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
    voice = speaks;
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < CAUGHT; i++) {
        struct sigaction before;
        sigaction(caught[i].number, NULL, &before);
        bool nohup = caught[i].number == SIGHUP && before.sa_handler == SIG_IGN;
        if (!nohup) sigaction(caught[i].number, &action, NULL);
    }
    signal(SIGXFSZ, SIG_IGN);
    start = timer_now();
    job_end = slurm_end();
}

void stop_limit(double seconds) {
    limit = seconds > 0 ? start + seconds : INFINITY;
}

void stop_patient(bool patient) {
    waits = patient;
}

double stop_left(void) {
    return fmin(limit, job_end) - timer_now();
}

double stop_time(void) {
    return fmax(fmin(limit, job_end) - start, 0);
}

void stop_once(double seconds) {
    once += seconds;
}

double stop_spent(void) {
    return timer_now() - start - once;
}

bool stop_asked(void) {
    return seen || stop_left() <= 0;
}

const char *stop_reason(void) {
    if (seen) return name_of(seen);
    if (isinf(fmin(limit, job_end))) return "a signal to another rank";
    return limit < job_end ? "run.limit" : "the end of the job";
}
