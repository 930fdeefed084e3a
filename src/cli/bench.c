/* equiscale bench step|kernels|messages|scaling|io|study: how fast this machine trains, beside its own matrix-product peak.
 *
 * step: forward and backward of one batch of both models, every rank a share of the samples (dp x tp), the sum of the
 * gradients over dp included, the optimiser's update apart. share = executed FLOP/s over ranks * peak, where peak is a
 * 2048^3 product through la/gemm, run on all ranks at once and in turn with the steps.
 * kernels: one rank's kernels at the shapes of one layer, with bytes moved and the roofline of this machine,
 * min(peak, intensity * memory bandwidth); kernels whose operands are in a cache may stand above it.
 * messages: the collectives of training, by size.
 * scaling: one cell on more and more ranks, and more and more cells.
 * io: results and a dataset, written and read in parallel.
 * study: a whole study, what the kernels execute over all of its time: planning, evaluation and idle ranks included.
 *
 * Each ends with its own checks and a verdict. */
#include "bench.h"
#include "commands.h"

#include "base/log.h"
#include "base/memory.h"
#include "nn/model.h"
#include "par/options.h"

#include <stdio.h>
#include <string.h>

const KeySpec bench_keys[] = {
    {"model", KEY_WORDS, offsetof(BenchOptions, model), "", 0, 0, NULL, "1",
     "models to time (transformer, gatr, ...: the sections of a study file), with the sizes below; none: the table of "
     "docs/performance.md"},
    {"width", KEY_INT, offsetof(BenchOptions, width), "64", 1, 1 << 16, NULL, "channels", "hidden channels"},
    {"width_s", KEY_INT, offsetof(BenchOptions, width_s), "0", 0, 1 << 16, NULL, "channels",
     "hidden scalars beside multivectors; 0: twice as many"},
    {"depth", KEY_INT, offsetof(BenchOptions, depth), "4", 1, 1000, NULL, "1", "blocks"},
    {"heads", KEY_INT, offsetof(BenchOptions, heads), "4", 1, 1000, NULL, "1", "attention heads"},
    {"batch", KEY_INT, offsetof(BenchOptions, batch), "32", 1, 1 << 20, NULL, "samples", "samples of a step"},
    {"tokens", KEY_INT, offsetof(BenchOptions, tokens), "41", 1, 1 << 16, NULL, "1", "tokens of a sample"},
    {"tp", KEY_INT, offsetof(BenchOptions, tp), "1", 1, 1 << 16, NULL, "ranks", "tensor-parallel ranks"},
    {"repeat", KEY_INT, offsetof(BenchOptions, repeat), "7", 1, 10000, NULL, "1", "rounds; medians are shown"},
    {"cpu", KEY_BOOL, offsetof(BenchOptions, cpu), "false", 0, 0, NULL, "1",
     "processor time instead of wall time: for one rank on a machine with other work"},
    {"json", KEY_WORD, offsetof(BenchOptions, json), "", 0, 0, NULL, "1", "file for the rows; -: standard output"},
    {"loss_max", KEY_REAL, offsetof(BenchOptions, loss_max), "1.2", 0, 1e30, NULL, "1",
     "study: largest test loss of a cell that counts as trained; 1: saying that nothing moves"},
};
const int n_bench_keys = sizeof bench_keys / sizeof *bench_keys;

bool bench_has(const BenchOptions *o, const char *model) {
    bool has = false;
    for (int i = 0; i < o->model.n; i++) has = has || !strcmp(o->model.at[i], model);
    return has;
}

Err bench_refuse(const char *const *idle) {
    for (; *idle; idle++) TRY(options_refuse(*idle, "this benchmark does not use it"));
    return ERR_NONE;
}

Err bench_fits(const BenchOptions *o, double bytes) {
    const double mebi = 1 << 20;
    double room = (double)memory_bytes() / comm_node_ranks();
    Err err = ERR_NONE;
    if (bytes > room)
        err = err_user("command line: batch = %lld, tokens = %lld: at least %.0f MiB on each rank, which has %.0f: "
                       "want fewer samples or tokens, or a smaller model",
                       (long long)o->batch, (long long)o->tokens, bytes / mebi, room / mebi);
    return comm_agree(comm_world(), err);
}

/* Names of the models that have a size, or of all where it is NULL. */
static void name_models(char *text, size_t size, const char *key) {
    size_t used = 0;
    text[0] = 0;
    for (int i = 0; i < n_model_kinds; i++)
        if ((!key || model_has_key(model_kinds[i], key)) && used < size)
            used += (size_t)snprintf(text + used, size - used, "%s%s", used ? "|" : "", model_kinds[i]->name);
}

static Err check_models(const BenchOptions *o) {
    char names[256], origin[OPTION_TEXT];
    name_models(names, sizeof names, NULL);
    options_origin(origin, sizeof origin, "model");
    for (int i = 0; i < o->model.n; i++)
        if (!model_kind(o->model.at[i]))
            return err_user("%s: model = %s: want one of %s", origin, o->model.at[i], names);
    return ERR_NONE;
}

/* A size without -model, or that none of its models has. */
static Err refuse_sizes(const BenchOptions *o) {
    static const char *const size[][2] = {
        {"width", "width"}, {"width_s", "scalars"}, {"depth", "depth"}, {"heads", "heads"}}; /* here, in a study file */
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        char names[256], want[300];
        bool has = false;
        for (int m = 0; m < o->model.n; m++) has = has || model_has_key(model_kind(o->model.at[m]), size[i][1]);
        name_models(names, sizeof names, size[i][1]);
        snprintf(want, sizeof want, "want -model %s%sbeside it", o->model.n ? names : "", o->model.n ? " " : "");
        if (!has) TRY(options_refuse(size[i][0], want));
    }
    return ERR_NONE;
}

/* ---- The benchmarks, each a command. ---- */

/* Keys that do nothing there. */
static const char *const idle_step[] = {"loss_max", NULL};
static const char *const idle_kernels[] = {"width_s", "depth", "tp", "loss_max", NULL};
static const char *const idle_scaling[] = {"tp", "loss_max", NULL};
static const char *const idle_model[] = {"model", "width",  "width_s", "depth",    "heads",
                                         "batch", "tokens", "tp",      "loss_max", NULL};
static const char *const idle_study[] = {"model",  "width", "width_s", "depth", "heads", "batch",
                                         "tokens", "tp",    "repeat",  "cpu",   NULL};

typedef struct Benchmark {
    Err (*run)(const BenchOptions *options, int *code); /* NULL: it reads a study */
    Command command;
} Benchmark;

#define KEYS_ALONE "[-key value ...]"
static const Benchmark benchmarks[] = {
    {bench_step,
     {"bench step", cmd_bench, KEYS_ALONE, "training steps of models, as a share of the peak", USES_BENCH, NULL, 0,
      idle_step}},
    {bench_kernels,
     {"bench kernels", cmd_bench, KEYS_ALONE, "kernels of one rank: FLOP/s, bytes, roofline, ceilings", USES_BENCH,
      NULL, 0, idle_kernels}},
    {bench_messages,
     {"bench messages", cmd_bench, KEYS_ALONE, "collectives of training, by size", USES_BENCH, NULL, 0, idle_model}},
    {bench_scaling,
     {"bench scaling", cmd_bench, KEYS_ALONE, "one cell on more and more ranks, and more and more cells", USES_BENCH,
      NULL, 0, idle_scaling}},
    {bench_io,
     {"bench io", cmd_bench, KEYS_ALONE, "results and a dataset, written and read in parallel", USES_BENCH, NULL, 0,
      idle_model}},
    {NULL,
     {"bench study", cmd_bench, "STUDY.yaml " KEYS_ALONE, "a whole study: what is executed over all of its time",
      USES_STUDY | USES_DATA | USES_BENCH, NULL, 0, idle_study}},
};
enum { BENCHMARKS = sizeof benchmarks / sizeof *benchmarks };

/* The word behind `bench`. */
static const char *word_of(const Benchmark *b) {
    return strchr(b->command.name, ' ') + 1;
}

static const Benchmark *benchmark_find(const char *word) {
    for (int i = 0; i < BENCHMARKS; i++)
        if (!strcmp(word, word_of(&benchmarks[i]))) return &benchmarks[i];
    return NULL;
}

const Command *bench_command(const char *word) {
    const Benchmark *b = benchmark_find(word);
    return b ? &b->command : NULL;
}

void bench_list(void) {
    log_text("\nBenchmarks:");
    for (int i = 0; i < BENCHMARKS; i++) log_text("  %-10s%s", word_of(&benchmarks[i]), benchmarks[i].command.does);
}

/* A word that is no benchmark, or none. */
static Err unknown(const char *word) {
    char names[128] = "";
    for (int i = 0; i < BENCHMARKS; i++) {
        const char *before = i == BENCHMARKS - 1 ? " or " : ", ";
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", i ? before : "", word_of(&benchmarks[i]));
    }
    return err_user("equiscale bench%s%s: want %s", *word ? " " : "", word, names);
}

Err cmd_bench(int argc, char **argv, int *code) {
    BenchOptions o;
    const Benchmark *b = argc < 2 ? NULL : benchmark_find(argv[1]);
    if (!b) return unknown(argc < 2 ? "" : argv[1]);
    if (!b->run) return bench_study(argc - 1, argv + 1, code);
    TRY(options_load(NULL, argc - 1, argv + 1));
    TRY(options_read(&o, bench_keys, n_bench_keys));
    TRY(command_refuse_study());
    TRY(bench_refuse(b->command.idle));
    TRY(check_models(&o));
    TRY(refuse_sizes(&o));
    int size = comm_size(comm_world());
    if (size % o.tp) return err_user("command line: tp = %d: want a divisor of the %d ranks", (int)o.tp, size);
    TRY(answer_check("json", o.json, 0, NULL));
    return b->run(&o, code);
}
