#include "h5_rehearse.h"

#include "io/commit.h"
#include "io/h5.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* In a child that rehearses, the path of the file opened last, in memory that the parent sees; NULL elsewhere. */
static char *rehearsed;

/* A child that takes more processor time than this hangs (a file system that stands still takes none), and one that takes
 * more stack calls itself without end. */
enum { REHEARSAL_BYTES_A_SECOND = 10000000, REHEARSAL_STACK = 8 << 20 };
static int rehearsal_seconds = 20;

void rehearse_note(const char *path, int64_t bytes) {
    if (!rehearsed) return;
    snprintf(rehearsed, COMMIT_PATH, "%s", path);
    const struct itimerval time = {.it_value.tv_sec = rehearsal_seconds + bytes / REHEARSAL_BYTES_A_SECOND};
    setitimer(ITIMER_PROF, &time, NULL);
}

/* Signals by which a process ends itself: they tell of the file, others of whoever sent them. */
static const int damaged[] = {SIGSEGV, SIGBUS, SIGFPE, SIGABRT, SIGILL, SIGPROF};

static bool tells_of_file(int signal) {
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++)
        if (damaged[i] == signal) return true;
    return false;
}

/* Where memory is limited (ulimit -v), a child that gives up tells of that and not of the file: by
 * a code that no sanitizer or library ends with. */
enum { EXIT_MEMORY = 112 };

static void give_up(int code) {
    struct rlimit memory;
    (void)code;
    if (!getrlimit(RLIMIT_AS, &memory) && memory.rlim_cur != RLIM_INFINITY) _exit(EXIT_MEMORY);
}

/* What the end of a child says about the file that it had opened last. */
static Err ending(int status, const char *path) {
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_MEMORY) {
        Err err = err_user(
            "%s: there is not the memory to read it (ulimit -v): want more; the same command then goes on", path);
        err.code = EXIT_RESUME;
        return err;
    }
    if (WIFEXITED(status)) return ERR_NONE;
    int signal = WTERMSIG(status);
    if (signal == SIGPROF) return err_user("%s: a damaged HDF5 file: reading it does not end", path);
    if (tells_of_file(signal)) return err_user("%s: a damaged HDF5 file: reading it ends in signal %d", path, signal);
    Err err = err_user("%s: the process that read it was killed by signal %d: the same command goes on", path, signal);
    err.code = EXIT_RESUME;
    return err;
}

_Noreturn static void in_child(Err (*read)(void *), void *context, char *noted) {
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) signal(damaged[i], SIG_DFL);
    const struct rlimit no_core = {0, 0};
    struct rlimit stack;
    setrlimit(RLIMIT_CORE, &no_core);
    if (!getrlimit(RLIMIT_STACK, &stack) && stack.rlim_cur > REHEARSAL_STACK) {
        stack.rlim_cur = REHEARSAL_STACK;
        setrlimit(RLIMIT_STACK, &stack);
    }
    err_on_abort(give_up, 0);
    rehearsed = noted;
    if (freopen("/dev/null", "w", stderr)) read(context);
    _exit(0);
}

Err h5_rehearse(Err (*read)(void *), void *context) {
    if (rehearsed) return ERR_NONE; /* this is a child already */
    char *noted = mmap(NULL, COMMIT_PATH, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(noted != MAP_FAILED, "no memory to share with a child process");
    fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0, "no child process");
    if (child == 0) in_child(read, context, noted);
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    Err err = ending(status, noted);
    munmap(noted, COMMIT_PATH);
    return err;
}
