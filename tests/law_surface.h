/* A law that tests take for the truth, and made-up runs of it. */
#pragma once

#include "check.h"
#include "fit/law.h"
#include "infer/fit_options.h"

static const Law truth = {.kind = &law_chinchilla, .a = 6.2, .b = 7.6, .e = 0.6, .alpha = 0.35, .beta = 0.37};

/* The truth as a law of another kind. */
static inline Law of_kind(const LawKind *kind) {
    Law law = truth;
    law.kind = kind;
    if (!law_has(kind, LAW_B)) law.b = -INFINITY, law.beta = 0;
    if (!law_has(kind, LAW_E)) law.e = -INFINITY;
    if (kind->axes == LAW_OF_D) law.a = truth.b;
    if (kind->axes == LAW_OF_C) law.alpha = kind->of_optima ? -0.5 : 0.1;
    return law;
}

/* sizes x lengths, three decades each. */
static inline Table surface(const Law *law, int sizes, int lengths, double noise, uint64_t seed) {
    Table t = table_new();
    table_arm(&t, "synthetic");
    for (int i = 0; i < sizes; i++)
        for (int j = 0; j < lengths; j++) {
            double n = 1e7 * pow(1e3, (double)i / (sizes - 1)), d = 1e9 * pow(1e3, (double)j / (lengths - 1));
            double loss =
                law_loss_of_run(law, n, d, 6 * n * d) * exp(noise * rng_normal(seed, 1, (uint64_t)(i * lengths + j)));
            table_add(
                &t,
                (Point){
                    .n = n, .d = d, .c = {6 * n * d, NAN, NAN}, .loss = loss, .weight = 1, .cell = t.n, .final = true});
        }
    return t;
}
