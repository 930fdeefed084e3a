// TEST single n=1
/* Marks of what is being made: one run holds it, who looks at it meanwhile or before does not keep it from anybody, and what a dead
 * run left is gone on from. */
#include "check.h"
#include "study/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *path;

/* In front of the library's: a file system may have no locks. */
static bool no_locks;
int flock(int fd, int how) {
    if (!no_locks) return (int)syscall(SYS_flock, fd, how);
    errno = ENOLCK;
    return -1;
}

/* Likewise: the clock of a host may be ahead of others by so many seconds. */
static volatile time_t ahead;
time_t time(time_t *now) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_sec += ahead;
    if (now) *now = t.tv_sec;
    return t.tv_sec;
}

/* Likewise: seconds pass in no time. How many a heartbeat waits for the next. */
static volatile time_t longest;
int nanosleep(const struct timespec *pause, struct timespec *left) {
    const struct timespec shortest = {.tv_nsec = 1000000};
    if (pause->tv_sec > longest) longest = pause->tv_sec;
    return (int)syscall(SYS_nanosleep, pause->tv_sec > 0 ? &shortest : pause, left);
}

/* What another process does with the mark; it says so by a byte of the pipe once it is at it. */
typedef void Act(int told);

static void say(int told) {
    if (write(told, "x", 1) != 1) _exit(1);
}

/* Has the lock for a moment, as claim_look has, of a file in which no run at work stands. */
static void look(int told) {
    int fd = open(path, O_RDONLY);
    if (flock(fd, LOCK_SH)) _exit(1);
    say(told);
    usleep(50000);
    _exit(0);
}

static void keep(int told) {
    Claim claim;
    bool taken;
    if (claim_take(&taken, &claim, path, false).code || !taken) _exit(1);
    say(told);
    sleep(600); /* it is killed */
    _exit(1);
}

/* A child that is at it. */
static pid_t begin(Act *act) {
    int line[2];
    char word;
    EXPECT(!pipe(line), "no pipe");
    pid_t child = fork();
    CHECK(child >= 0, "no child process");
    if (child == 0) act(line[1]);
    close(line[1]);
    EXPECT(read(line[0], &word, 1) == 1, "the child does not begin");
    close(line[0]);
    return child;
}

static void end(pid_t child, int signal) {
    if (signal) kill(child, signal);
    EXPECT(waitpid(child, NULL, 0) == child, "the child is gone");
}

/* Takes the claim, which was tried so often before; gives it back. */
static void take(int attempts, int deaths, const char *when) {
    Claim claim;
    bool taken;
    Err err = claim_take(&taken, &claim, path, false);
    EXPECT(!err.code && taken, "%s it is not taken: %s", when, err.text);
    if (!taken) return;
    EXPECT(claim.mark.attempts == attempts && claim.mark.deaths == deaths, "%s: %lld attempts, %lld deaths", when,
           (long long)claim.mark.attempts, (long long)claim.mark.deaths);
    claim_release(&claim);
    EXPECT(access(path, F_OK), "%s: the mark is left", when);
}

/* A mark of a process of that name and number, whose last heartbeat is so many seconds old; `last`: what its end has appended. */
static void put_mark(const char *host, long pid, long age, long attempts, long deaths, const char *last) {
    char text[512];
    long long then = (long long)time(NULL) - age;
    int n = snprintf(
        text, sizeof text,
        "host = %-63s\npid = %-12ld\nstarted = %-12lld\nheartbeat = %-12lld\nattempts = %-8ld\ndeaths = %-8ld\n%s",
        host, pid, then, then, attempts, deaths, last);
    test_write(path, text, (size_t)n);
}

static void leave_mark(const char *host, long pid, long age) {
    put_mark(host, pid, age, 1, 0, "");
}

/* Without locks heartbeats tell of other hosts, whatever process has the same number here, and processes of this one. */
static void without_locks(void) {
    Mark mark;
    char here[64] = "";
    gethostname(here, sizeof here - 1);
    no_locks = true;
    leave_mark("elsewhere", (long)getppid(), 3600);
    EXPECT(claim_look(&mark, path) == CLAIM_DEAD, "a dead run of another host is at work");
    take(2, 1, "after a dead run of another host");
    leave_mark("elsewhere", (long)getppid(), 0);
    EXPECT(claim_look(&mark, path) == CLAIM_HELD, "a run of another host is not at work");
    leave_mark(here, (long)getppid(), 3600);
    EXPECT(claim_look(&mark, path) == CLAIM_HELD, "a run of this host is not at work");
    for (int pid = 0; pid >= -1; pid--) { /* which are groups of processes, and one of them always lives */
        leave_mark(here, pid, 3600);
        EXPECT(claim_look(&mark, path) == CLAIM_DEAD, "no process has the number %d", pid);
    }
    no_locks = false;
    unlink(path);
}

/* When it began is told by the clock that dates files, whatever that of the host says. */
static void other_clock(void) {
    Claim claim;
    bool taken;
    struct stat st;
    ahead = 3600;
    Err err = claim_take(&taken, &claim, path, false);
    EXPECT(!err.code && taken && !stat(path, &st), "not taken");
    EXPECT(claim.mark.started <= st.st_mtime, "begun at %lld, written at %lld", (long long)claim.mark.started,
           (long long)st.st_mtime);
    claim_release(&claim);
    ahead = 0;
}

/* Waits until the mark has a heartbeat of that time; false: it gets none. */
static bool beats(int64_t when) {
    Mark mark = {0};
    for (int i = 0; i < 5000 && mark.heartbeat < when; i++) {
        claim_look(&mark, path);
        usleep(1000);
    }
    return mark.heartbeat >= when;
}

/* Hours after it was taken, the heartbeat of a claim is of this minute, and of one that is taken after it; what has been given back is
 * not written any more, neither under its name nor into a file that is opened after it. */
static void at_work_for_hours(void) {
    Claim claim;
    bool taken;
    for (int turn = 0; turn < 2; turn++) {
        Err err = claim_take(&taken, &claim, path, false);
        EXPECT(!err.code && taken, "not taken");
        int64_t began = claim.mark.heartbeat;
        ahead += 7200;
        EXPECT(beats(began + 7200), "claim %d: the heartbeat stands still", turn);
        claim_release(&claim);
        FILE *next = fopen(test_file("next"), "w+");
        usleep(20000);
        EXPECT(fseek(next, 0, SEEK_END) == 0 && ftell(next) == 0, "it is written into another file");
        fclose(next);
        EXPECT(access(path, F_OK), "the mark is there again");
    }
    ahead = 0;
    const int most = 12; /* s: of 120 that one may be old; disks may be slow for many times that */
    EXPECT(longest > 0 && longest <= most, "%lld s between heartbeats", (long long)longest);
}

/* A heartbeat of minutes ago is the last one, as is one that lies as far ahead: of a clock that is wrong. */
static void elsewhere(void) {
    const struct {
        long ago;
        bool held;
    } beat[] = {{0, true}, {60, true}, {-60, true}, {1000, false}, {-1000, false}};
    for (int i = 0; i < (int)(sizeof beat / sizeof *beat); i++) {
        Mark mark;
        leave_mark("elsewhere", 1, beat[i].ago);
        ClaimState found = claim_look(&mark, path);
        EXPECT(found == (beat[i].held ? CLAIM_HELD : CLAIM_DEAD), "a heartbeat of %ld s ago: %d", beat[i].ago, found);
        if (!beat[i].held) {
            take(2, 1, "where the other host is silent");
            continue;
        }
        Claim claim;
        bool taken = true;
        Err err = claim_take(&taken, &claim, path, false);
        EXPECT(!err.code && !taken, "taken from another host at work");
    }
    unlink(path);
}

/* Who makes progress has died for the last time; what it died of is gone once the mark is taken. Numbers that no run writes are
 * none. */
static void left_behind(void) {
    Mark mark;
    Claim claim;
    bool taken;
    put_mark("elsewhere", 1, 1000, 7, 3, "crash = 11\n");
    EXPECT(claim_look(&mark, path) == CLAIM_DEAD && mark.crash == 11 && mark.deaths == 3, "crash %lld",
           (long long)mark.crash);
    Err err = claim_take(&taken, &claim, path, true);
    EXPECT(!err.code && taken && claim.mark.attempts == 8 && claim.mark.deaths == 0, "%s: %lld deaths after progress",
           err.text, (long long)claim.mark.deaths);
    EXPECT(claim_look(&mark, path) == CLAIM_HELD && mark.crash == 0 && mark.attempts == 8, "crash %lld is still there",
           (long long)mark.crash);
    if (taken) claim_release(&claim);
    put_mark("elsewhere", 1, 1000, 2000000, 0, "");
    take(1, 0, "after attempts that nobody made");
    put_mark("elsewhere", 1, 1000, 1, 2000000, "");
    take(1, 0, "after deaths that nobody died");
    put_mark("elsewhere", 1, (long)time(NULL) + 5, 7, 0, "");
    take(1, 0, "after a heartbeat before all time");
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    test_folder_new();
    path = test_file("x.running");
    Mark mark;
    EXPECT(claim_look(&mark, path) == CLAIM_NONE, "no mark yet");
    take(1, 0, "at first");

    test_write(path, "", 0);
    pid_t child = begin(look);
    take(1, 0, "while another process looks at a new mark");
    end(child, 0);

    child = begin(keep);
    Claim claim;
    bool taken = true;
    Err err = claim_take(&taken, &claim, path, false);
    EXPECT(!err.code && !taken, "taken from a run at work");
    EXPECT(claim_look(&mark, path) == CLAIM_HELD && mark.pid == child, "held by %lld", (long long)mark.pid);
    end(child, SIGKILL);
    EXPECT(claim_look(&mark, path) == CLAIM_DEAD && mark.pid == child, "left by %lld", (long long)mark.pid);
    child = begin(look);
    EXPECT(claim_look(&mark, path) == CLAIM_DEAD, "two that look make a dead run a living one");
    take(2, 1, "while another process looks at what a dead run left");
    end(child, 0);
    without_locks();
    other_clock();
    elsewhere();
    left_behind();
    at_work_for_hours();
    return test_end();
}
