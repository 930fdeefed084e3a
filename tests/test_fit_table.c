// TEST n=1,2
/* Tables from results and from CSV: what is used, what is left out and why, and what bad input is told. */
#include "check.h"
#include "fit/table.h"

static void results(void) {
    CellRecord cell[6];
    memset(cell, 0, sizeof cell);
    for (int i = 0; i < 6; i++) {
        CellRecord *c = &cell[i];
        snprintf(c->arm, sizeof c->arm, i % 2 ? "gatr" : "transformer");
        snprintf(c->role, sizeof c->role, i == 4 ? "data" : "grid");
        c->parameters = 1000 * (i + 1), c->samples = 6400, c->dataset = i == 5 ? 100 : 5000, c->seed = i;
        for (int k = 0; k < CURRENCIES; k++) c->compute[k] = 1e9 * (i + 1) + k;
        c->loss = i == 3 ? NAN : 0.5, c->outcome = i == 3 ? OUTCOME_DIVERGED : OUTCOME_DONE;
    }
    CurvePoint curve[4] = {{.cell = 0, .samples = 0, .loss = 1},
                           {.cell = 0, .samples = 3200, .loss = 0.6},
                           {.cell = 0, .samples = 6400, .loss = 0.5},
                           {.cell = 4, .samples = 3200, .loss = 0.6}};
    for (int k = 0; k < CURRENCIES; k++) curve[1].compute[k] = 5e8 + k;
    Results r = {.cells = 6, .points = 4, .cell = cell, .curve = curve};
    Table t = table_new();
    TableFilter all = {0};
    Err err = table_add_results(&t, &r, &all, "results.h5");
    EXPECT(!err.code && t.n == 4 && t.arms == 2, "%s: %lld points", err.text, (long long)t.n);
    EXPECT(t.left_out.role == 1 && t.left_out.dataset == 1 && t.left_out.outcome == 1, "left out");
    EXPECT(t.at[3].final == false && t.at[3].d == 3200 && t.at[3].cell == 0 && t.at[2].n == 3000, "curve point");
    for (int k = 0; k < CURRENCIES; k++)
        EXPECT(t.has[k] && t.at[2].c[k] == 3e9 + k && t.at[3].c[k] == 5e8 + k, "%s", currencies[k].name);
    r.cells = 0;
    err = table_add_results(&t, &r, &all, "empty.h5");
    EXPECT(err.code == EXIT_USER && strstr(err.text, "empty.h5"), "%s", err.text);
    table_free(&t);
}

static Err read_text(Table *t, const char *text, const TableColumns *columns, const TableFilter *filter) {
    const char *path = "test_fit_table.csv";
    if (comm_rank(comm_world()) == 0) {
        FILE *f = fopen(path, "w");
        fputs(text, f);
        fclose(f);
    }
    comm_barrier(comm_world());
    Err err = table_add_file(t, path, columns, filter, comm_world());
    if (comm_rank(comm_world()) == 0) remove(path);
    return err;
}

static void csv(void) {
    Table t = table_new();
    TableColumns columns = {.n = "params", .d = "D", .loss = "loss", .keep = "keep", .arm = "who", .weight = "w"};
    TableFilter filter = {.c_max = 1e15};
    Err err = read_text(&t,
                        "# a comment\n\nwho,params,D,loss,keep,w\n\"a, b\",1e6,1e7,3.5,1,2\r\nc,1e6,1e7,3.5,0,1\n"
                        "c,1e9,1e9,2,true,1\nc,2e6,1e7,,1,1\nc,2e6,1e7,nan,1,1\nc,2e6,2e7,3.25,True,1\n",
                        &columns, &filter);
    EXPECT(!err.code && t.n == 2 && t.arms == 2 && !strcmp(t.arm[0], "a, b"), "%s: %lld rows", err.text,
           (long long)t.n);
    EXPECT(t.left_out.keep == 1 && t.left_out.range == 1 && t.left_out.loss == 2, "left out");
    EXPECT(t.assumed_6nd && t.has[0] && !t.has[1] && t.at[0].c[0] == 6e13 && t.at[0].weight == 2, "C = 6 N D");
    table_free(&t);
}

static void complaints(void) {
    TableColumns columns = {.n = "N", .d = "D", .loss = "loss"};
    TableFilter filter = {0};
    const char *text[][2] = {{"N,D\n1,2\n", "no column loss"},
                             {"N,D,loss\n1,2\n", ":2: 2 fields: want 3"},
                             {"N,D,loss\n1,2,3\n1,x,3\n", ":3: D = x: want a positive number"},
                             {"N,D,loss\n-1,2,3\n", ":2: N = -1: want a positive number"},
                             {"N,D,loss\n", "no row is left to fit"},
                             {"# nothing\n", "no header line"}};
    for (int i = 0; i < (int)(sizeof text / sizeof *text); i++) {
        Table t = table_new();
        Err err = read_text(&t, text[i][0], &columns, &filter);
        EXPECT(err.code == EXIT_USER && strstr(err.text, text[i][1]), "%s", err.text);
        table_free(&t);
    }
    Table t = table_new();
    Err err = table_add_file(&t, "nowhere.csv", &columns, &filter, comm_world());
    EXPECT(err.code == EXIT_USER && strstr(err.text, "nowhere.csv"), "%s", err.text);
    table_free(&t);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    results();
    csv();
    complaints();
    return test_end();
}
