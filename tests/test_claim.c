// TEST single n=1
/* Marks of what is being made: one run holds it, who looks at it meanwhile or before does not keep it from anybody, and what a dead
 * run left is gone on from. */
#include "check.h"
#include "study/claim.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *path;

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
    return test_end();
}
