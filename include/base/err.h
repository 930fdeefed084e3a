/** Errors of two kinds (the other two, library failures and bad numbers, live with their libraries and with the cells).
 *
 *  A bug: CHECK(cond, "text", ...) prints `[rank] file:line func(): cond: text` and aborts the job.
 *  The user asked for the impossible, or the disk did not take what was written: a function returns an Err whose text
 *  is one whole line that names the key or file and says what is wanted. main prints it on rank 0 and exits with its
 *  code: EXIT_USER, or EXIT_RESUME where the same command goes on once the disk does.
 *
 *      TRY(options_read(&opts, specs, n));        return to the caller with its Err
 *      return err_user("%s: want ...", path);
 *      return ERR_NONE;
 *
 *  Not collective; comm_agree (par/comm.h) makes one rank's Err everybody's. */
#pragma once

#include <stdbool.h>

/** Exit codes: the user must change something; stopped early, and the same command goes on from there. */
enum { EXIT_USER = 2, EXIT_RESUME = 75 };

typedef struct Err {
    int code;       /* 0: none; otherwise the exit code that main ends with */
    char text[508]; /* one line, no newline */
} Err;

extern const Err ERR_NONE;

/** An Err with code EXIT_USER; longer texts are cut, and control characters become question marks. */
Err err_user(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        Err try_err_ = (call);                                                                                         \
        if (try_err_.code) return try_err_;                                                                            \
    } while (0)

#define CHECK(cond, ...)                                                                                               \
    do {                                                                                                               \
        if (!(cond)) err_abort(__FILE__, __LINE__, __func__, #cond, __VA_ARGS__);                                      \
    } while (0)

#ifdef NDEBUG
#define ASSERT(cond) ((void)sizeof(cond))
#else
#define ASSERT(cond) CHECK(cond, "assertion")
#endif

/** Ends the program after a bug or a library failure; never returns. */
_Noreturn void err_abort(const char *file, int line, const char *func, const char *cond, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/** What err_abort calls last: par sets MPI_Abort here. `rank` is printed in front of the message. */
void err_on_abort(void (*abort_job)(int code), int rank);
