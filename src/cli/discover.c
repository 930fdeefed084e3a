/* discover gaussian|sum: which parameters are the same, on tasks where that is known. */
#include "commands.h"

#include "base/log.h"
#include "par/comm.h"
#include "train/discover.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const KeySpec discover_keys[DISCOVER_KEYS] = {
    {"parameters", KEY_INT, offsetof(DiscoverOptions, parameters), "4", 2, SHARING_MOST, NULL, "1",
     "parameters of the task, K"},
    {"rank", KEY_INT, offsetof(DiscoverOptions, rank), "1", 1, SHARING_MOST, NULL, "1",
     "how many different values they have"},
    {"trials", KEY_INT, offsetof(DiscoverOptions, trials), "60", 1, 100000, NULL, "1", "tasks that are drawn"},
    {"seed", KEY_INT, offsetof(DiscoverOptions, seed), "1", 0, 1e15, NULL, "1", "seed of the tasks"},
};

static const char *const way_name[DISCOVER_WAYS] = {"no sharing", "learned", "brute force", "truth given"};

/* Sums and sums of squares over trials, of one way. */
typedef struct Tally {
    double error, square, distance;
} Tally;

static void print_classes(char *text, size_t size, const int *label, int k) {
    size_t used = 0;
    for (int i = 0; i < k && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%d", i ? " " : "", label[i]);
}

static void print_row(const char *name, const Tally *t, int64_t trials) {
    double n = (double)trials, mean = t->error / n;
    if (!isfinite(mean)) {
        log_text("%-12s  %20s", name, "too many partitions");
        return;
    }
    double se = trials > 1 ? sqrt(fmax(t->square / n - mean * mean, 0) / (n - 1)) : NAN;
    if (isfinite(se))
        log_text("%-12s  %9.4f +- %.4f  %8.2f", name, mean, se, t->distance / n);
    else
        log_text("%-12s  %9.4f            %8.2f", name, mean, t->distance / n);
}

/* Trials are shared out over the ranks. */
static void discover(const DiscoverOptions *o, const char *task) {
    const Comm *world = comm_world();
    Tally tally[DISCOVER_WAYS] = {{0}};
    for (int64_t i = comm_rank(world); i < o->trials; i += comm_size(world)) {
        DiscoverTrial trial;
        discover_trial(&trial, o, i);
        for (int w = 0; w < DISCOVER_WAYS; w++) {
            tally[w].error += trial.error[w];
            tally[w].square += trial.error[w] * trial.error[w];
            tally[w].distance += trial.distance[w];
        }
        if (i > 0) continue;
        char truth[128], found[128];
        print_classes(truth, sizeof truth, trial.truth, trial.k);
        print_classes(found, sizeof found, trial.found[DISCOVER_LEARNED], trial.k);
        log_text(
            "%s: %lld parameters of %lld values, %lld tasks\npartition of the first task: %s, found %s, distance %d\n",
            task, (long long)o->parameters, (long long)o->rank, (long long)o->trials, truth, found,
            trial.distance[DISCOVER_LEARNED]);
    }
    comm_sum_f64(world, &tally[0].error, DISCOVER_WAYS * (int)(sizeof *tally / sizeof(double)));
    log_text("%-12s  %19s  %8s", "classes", "mean squared error", "distance");
    for (int w = 0; w < DISCOVER_WAYS; w++) print_row(way_name[w], &tally[w], o->trials);
}

Err cmd_discover(int argc, char **argv, int *code) {
    static const char *const tasks[] = {[DISCOVER_GAUSSIAN] = "gaussian", [DISCOVER_SUM] = "sum"};
    DiscoverOptions o;
    int kind = -1;
    (void)code;
    for (int k = 0; k < 2 && argc > 1; k++)
        if (!strcmp(argv[1], tasks[k])) kind = k;
    if (kind < 0) return err_user("equiscale discover: want gaussian or sum");
    TRY(options_load(NULL, argc - 1, argv + 1));
    TRY(options_read(&o, discover_keys, DISCOVER_KEYS));
    TRY(command_refuse_study());
    o.kind = (DiscoverKind)kind;
    if (o.rank > o.parameters)
        return err_user("rank = %lld: want at most parameters = %lld", (long long)o.rank, (long long)o.parameters);
    discover(&o, tasks[kind]);
    return ERR_NONE;
}
