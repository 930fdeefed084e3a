/** When to stop early: a signal (TERM, INT, USR1, XCPU, and HUP unless nohup has it ignored) or the end of the time
 *  that a job has.
 *
 *  A signal is only noted while the program is patient, that is while it asks; otherwise it ends the program at once
 *  with EXIT_RESUME, since all that is finished is on the disk. Only the first one counts: launchers send several. A
 *  write beyond `ulimit -f` is an error, never a signal. Not collective: ranks may hear of it at different times. */
#pragma once

#include <stdbool.h>

/** Installs the handlers: first thing in main, before MPI starts, which takes a while. speaks: this process has a voice. The
 *  clock of stop_limit starts here. */
void stop_catch(bool speaks);

/** At most so many seconds from stop_catch on; 0: no limit. A Slurm job's end (SLURM_JOB_END_TIME) counts in any case. */
void stop_limit(double seconds);

/** So many seconds went into what the same command will find done: data that were made, a machine that was timed. */
void stop_once(double seconds);

/** From here on, or no more, signals wait for the program to ask. */
void stop_patient(bool patient);

/** Whether to stop, and why: `SIGTERM`, `run.limit`, ...; where this rank was not told, that another was. */
bool stop_asked(void);
const char *stop_reason(void);

/** Seconds until the time is up; infinite where there is no end. */
double stop_left(void);

/** All of that time, from stop_catch on; and what of it is over, without that of stop_once: what the same command will have
 *  spent again when it comes to this point. */
double stop_time(void);
double stop_spent(void);
