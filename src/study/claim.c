#include "study/claim.h"

#include "base/arena.h"
#include "io/commit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Heartbeats come every BEAT seconds; one that is STALE seconds old is the last. Clocks of hosts may differ by much of it,
 * and Slurm starts a job again two and a half minutes after its node was lost. */
enum { BEAT = 10, STALE = 120 };

/* Who looks at a mark holds its lock for a moment, and who takes it has the lock before its name stands there: so often a lock
 * of nobody who is at work is asked for, PATIENCE_NS apart, before it counts as held. */
enum { PATIENCE = 1000, PATIENCE_NS = 1000000 };

/* Of a fixed length, so that each heartbeat covers the last; a crash is appended. */
#define MARK_FORMAT                                                                                                    \
    "host = %-63s\npid = %-12lld\nstarted = %-12lld\nheartbeat = %-12lld\nattempts = %-8lld\ndeaths = %-8lld\n"
#define MARK_SCAN "host = %63s pid = %lld started = %lld heartbeat = %lld attempts = %lld deaths = %lld crash = %lld"
enum { MARK_BYTES = 512, MOST = 1000000 }; /* bytes of a mark; attempts that nobody makes */

static void host_name(char name[64]) {
    memset(name, 0, 64);
    gethostname(name, 63);
}

/* Returns false, and zeros, where the file holds no mark, or numbers that no run has written. */
static bool read_mark(Mark *mark, int fd) {
    char text[MARK_BYTES + 1] = "";
    long long n[6] = {0};
    *mark = (Mark){0};
    if (pread(fd, text, MARK_BYTES, 0) <= 0) return false;
    int read = sscanf(text, MARK_SCAN, mark->host, &n[0], &n[1], &n[2], &n[3], &n[4], &n[5]);
    mark->pid = n[0];
    mark->started = n[1];
    mark->heartbeat = n[2];
    mark->attempts = n[3];
    mark->deaths = n[4];
    mark->crash = n[5];
    bool possible = mark->attempts >= 0 && mark->attempts < MOST && mark->deaths >= 0 && mark->deaths < MOST;
    if (read >= 6 && possible && mark->heartbeat >= 0) return true;
    *mark = (Mark){0};
    return false;
}

static bool write_mark(const Mark *m, int fd) {
    char text[MARK_BYTES];
    int n = snprintf(text, sizeof text, MARK_FORMAT, m->host, (long long)m->pid, (long long)m->started,
                     (long long)m->heartbeat, (long long)m->attempts, (long long)m->deaths);
    return pwrite(fd, text, (size_t)n, 0) == n;
}

/* Whether who made the mark may be at work although its lock is not seen. */
static bool beats_elsewhere(const Mark *mark) {
    char here[64];
    host_name(here);
    return strcmp(here, mark->host) != 0 && imaxabs((int64_t)time(NULL) - mark->heartbeat) < STALE;
}

/* Whether who made the mark is a process of this host that lives. */
static bool lives_here(const Mark *mark) {
    char here[64];
    host_name(here);
    return !strcmp(here, mark->host) && mark->pid > 0 && !(kill((pid_t)mark->pid, 0) && errno == ESRCH);
}

/* LOCK_SH to look, of which many may have it at once, LOCK_EX to keep. Some file systems have no locks: then a process of this
 * host is asked for, and of others the heartbeat tells. */
static bool lock(int fd, int how, const Mark *mark) {
    if (flock(fd, how | LOCK_NB) == 0) return true;
    return errno != EWOULDBLOCK && !lives_here(mark);
}

/* The mark of this process, from now on; when that was, by the clock of the file system, as checkpoints are dated. */
static bool write_start(Mark *m, int fd) {
    struct stat st;
    m->started = m->heartbeat = (int64_t)time(NULL);
    if (ftruncate(fd, 0) || !write_mark(m, fd) || fstat(fd, &st)) return false;
    m->started = (int64_t)st.st_mtime;
    return write_mark(m, fd);
}

/* Locks the file to keep it, unless a run is at work behind its mark. */
static bool lock_to_keep(int fd) {
    const struct timespec pause = {.tv_nsec = PATIENCE_NS};
    for (int i = 0; i < PATIENCE; i++) {
        Mark mark;
        bool there = read_mark(&mark, fd);
        if (there && beats_elsewhere(&mark)) return false;
        if (lock(fd, LOCK_EX, &mark)) return true;
        if (there && lives_here(&mark)) return false;
        nanosleep(&pause, NULL);
    }
    return false;
}

ClaimState claim_look(Mark *mark, const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* it may be a pipe */
    if (fd < 0) return CLAIM_NONE;
    bool there = read_mark(mark, fd), held = !lock(fd, LOCK_SH, mark) || (there && beats_elsewhere(mark));
    close(fd);
    return held ? CLAIM_HELD : CLAIM_DEAD;
}

/* ---- The heartbeat. ---- */

static pthread_mutex_t beating = PTHREAD_MUTEX_INITIALIZER;
static Claim *held; /* NULL: there is none */

static void *beat(void *nothing) {
    const struct timespec pause = {.tv_sec = BEAT};
    for (;;) {
        nanosleep(&pause, NULL);
        pthread_mutex_lock(&beating);
        if (held) {
            held->mark.heartbeat = (int64_t)time(NULL);
            write_mark(&held->mark, held->fd);
        }
        pthread_mutex_unlock(&beating);
    }
    return nothing;
}

/* Signals are the main thread's. */
static void start_beating(void) {
    static bool started;
    pthread_t thread;
    sigset_t all, before;
    if (started) return;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    started = pthread_create(&thread, NULL, beat, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (started) pthread_detach(thread);
}

static void hold(Claim *claim) {
    pthread_mutex_lock(&beating);
    held = claim;
    pthread_mutex_unlock(&beating);
}

/* ---- Taking and giving back. ---- */

static bool is_file(int fd) {
    struct stat st;
    return !fstat(fd, &st) && S_ISREG(st.st_mode);
}

/* Whether the open file is still the one of that name: who held it may have removed it meanwhile. */
static bool same_file(int fd, const char *path) {
    struct stat open_file, named;
    return !fstat(fd, &open_file) && !stat(path, &named) && open_file.st_ino == named.st_ino;
}

Err claim_take(bool *taken, Claim *claim, const char *path, bool progress) {
    Mark left;
    int fd;
    *taken = false;
    *claim = (Claim){.fd = -1};
    for (;;) {
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
        if (fd < 0) return commit_error(path, "cannot be made");
        if (!is_file(fd)) {
            close(fd);
            return err_user("%s: not a file: want it removed", path);
        }
        if (!lock_to_keep(fd)) {
            close(fd);
            return ERR_NONE;
        }
        if (same_file(fd, path)) break;
        close(fd);
    }
    Mark *m = &claim->mark;
    bool died = read_mark(&left, fd); /* again, now that it is locked */
    host_name(m->host);
    m->pid = getpid();
    m->attempts = left.attempts + 1;
    m->deaths = died && !progress ? left.deaths + 1 : 0;
    if (!write_start(m, fd)) {
        Err err = commit_error(path, "cannot be written");
        close(fd);
        return err;
    }
    claim->fd = fd;
    claim->path = MEM_NEW(char, strlen(path) + 1);
    memcpy(claim->path, path, strlen(path));
    start_beating();
    hold(claim);
    *taken = true;
    return ERR_NONE;
}

void claim_release(Claim *claim) {
    hold(NULL);
    unlink(claim->path); /* before the lock goes, so that nobody takes what is about to vanish */
    close(claim->fd);
    mem_free(claim->path);
}

/* ---- Crashes. ---- */

static const int deadly[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
static const char *volatile blamed;

/* Only calls that a handler may make; then the signal takes its course. */
static void last_word(int number) {
    char text[] = "crash = 00\n";
    text[8] = (char)('0' + number / 10);
    text[9] = (char)('0' + number % 10);
    int fd = blamed ? open(blamed, O_WRONLY | O_APPEND | O_CLOEXEC) : -1;
    if (fd >= 0 && write(fd, text, sizeof text - 1) > 0) close(fd);
    raise(number);
}

void claim_blame(const char *path) {
    struct sigaction action = {.sa_handler = last_word, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    if (!blamed)
        for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++) sigaction(deadly[i], &action, NULL);
    blamed = path;
}
