/** Marks of what is being made: a file that holds host, pid, start, heartbeat and how often it was tried, beside what it is
 *  about. The run that holds a claim keeps the file locked and writes the heartbeat every few seconds, from a thread that
 *  knows no MPI: so a run at work is told from a dead one on this host by the lock, and on another, whose locks may not be
 *  seen here, by the age of the heartbeat.
 *
 *  Not collective. A mark that cannot be read counts as none; a claim that cannot be written is refused with an error. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct Mark {
    char host[64];
    int64_t pid, started, heartbeat; /* s since 1970; started: by the clock of the file system, the other by its own */
    int64_t attempts;                /* this one included */
    int64_t deaths;                  /* attempts before it, in a row, whose process died before it got further */
    int64_t crash;                   /* the signal that a rank of it has ended by; 0: not known */
} Mark;

typedef enum ClaimState { CLAIM_NONE, CLAIM_HELD, CLAIM_DEAD } ClaimState;

/** Whether there is a mark, and whether who made it is at work. */
ClaimState claim_look(Mark *mark, const char *path);

typedef struct Claim {
    int fd;     /* open and locked while it is held */
    char *path; /* owned */
    Mark mark;
} Claim;

/** Takes it unless another run holds it (`taken` is then false). What a dead run left is gone on from: attempts and deaths
 *  are counted; progress: the dead run got further, so that its death does not count. One claim a process at a time. */
Err claim_take(bool *taken, Claim *claim, const char *path, bool progress);

/** Removes the mark. */
void claim_release(Claim *claim);

/** A rank of this process that ends by SIGSEGV, SIGBUS, SIGFPE, SIGILL or SIGABRT writes that into the mark at `path`;
 *  NULL: no more. The path must outlive it. */
void claim_blame(const char *path);
