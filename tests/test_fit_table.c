// TEST single n=1,2
/* Tables from results and from delimited text: what is used, what is left out and why, what is said about it, and what
 * bad input is told. */
#include "../src/fit/table_rows.h"
#include "check.h"
#include "fit/table.h"

static void results(void) {
    CellRecord cell[7];
    memset(cell, 0, sizeof cell);
    for (int i = 0; i < 7; i++) {
        CellRecord *c = &cell[i];
        snprintf(c->arm, sizeof c->arm, i % 2 ? "gatr" : "transformer");
        snprintf(c->role, sizeof c->role, i == 4 ? "data" : "grid");
        c->parameters = 1000 * (i + 1), c->samples = 6400, c->dataset = i == 5 ? 100 : 5000, c->seed = i;
        for (int k = 0; k < CURRENCIES; k++) c->compute[k] = 1e9 * (i + 1);
        c->loss = i == 3 || i == 6 ? NAN : 0.5;
        c->outcome = i == 3 ? OUTCOME_DIVERGED : OUTCOME_DONE;
    }
    cell[6].outcome = OUTCOME_FAILED;
    strcpy(cell[6].id, "transformer-w7");
    CurvePoint curve[4] = {{.cell = 0, .samples = 0, .loss = 1},
                           {.cell = 0, .samples = 3200, .loss = 0.6},
                           {.cell = 0, .samples = 6400, .loss = 0.5},
                           {.cell = 4, .samples = 3200, .loss = 0.6}};
    for (int k = 0; k < CURRENCIES; k++) curve[1].compute[k] = 5e8;
    Results r = {.cells = 7, .points = 4, .cell = cell, .curve = curve};
    Table t = table_new();
    TableFilter all = {0};
    Err err = table_add_results(&t, &r, &all, "results.h5");
    EXPECT(!err.code && t.n == 4 && t.arms == 2, "%s: %lld points", err.text, (long long)t.n);
    EXPECT(t.left_out.role == 1 && t.left_out.dataset == 1 && t.left_out.outcome == 2, "left out");
    EXPECT(t.notes == 1 && strstr(t.note[0].text, "transformer-w7 is missing"), "%d notes", t.notes);
    EXPECT(t.at[3].final == false && t.at[3].d == 3200 && t.at[3].cell == 0 && t.at[2].n == 3000, "curve point");
    EXPECT(t.has[0] && t.has[1] && t.has[2], "currencies");
    r.cells = 0;
    err = table_add_results(&t, &r, &all, "empty.h5");
    EXPECT(err.code == EXIT_USER && strstr(err.text, "empty.h5"), "%s", err.text);
    table_free(&t);
}

/* Cells that hold for other numbers than those of the law, and points of no cell or of none that is fitted. */
static void odd_results(void) {
    CellRecord cell[6];
    memset(cell, 0, sizeof cell);
    for (int i = 0; i < 6; i++) {
        CellRecord *c = &cell[i];
        snprintf(c->arm, sizeof c->arm, "arm");
        snprintf(c->role, sizeof c->role, i == 4 || i == 5 ? "data" : "grid");
        c->parameters = 1000 * (i + 1), c->samples = 6400, c->dataset = 100;
        for (int k = 0; k < CURRENCIES; k++) c->compute[k] = 1e9;
        c->loss = i == 1 ? 0 : 0.5;
        c->outcome = i == 5 ? OUTCOME_FAILED : OUTCOME_DONE;
    }
    cell[2].compute[CURRENCY_NOMINAL] = 2e9;
    cell[4].parameters = cell[5].parameters = 1000;
    cell[4].dataset = 200; /* more than the grid has */
    cell[3].parameters = 1000;
    cell[3].samples = 3200; /* beside no cell of fewer trajectories: another length */
    CurvePoint curve[3] = {{.cell = -1, .samples = 3200, .loss = 0.6},
                           {.cell = 6, .samples = 3200, .loss = 0.6},
                           {.cell = 0, .samples = 3200, .loss = 0.6}};
    Results r = {.cells = 6, .points = 3, .cell = cell, .curve = curve};
    Table t = table_new();
    TableFilter filter = {.c_max = 2e9};
    Err err = table_add_results(&t, &r, &filter, "results.h5");
    EXPECT(!err.code && t.n == 3 && t.at[0].n == 1000 && t.at[1].d == 3200, "%s: %lld points", err.text,
           (long long)t.n);
    EXPECT(t.left_out.loss == 1 && t.left_out.range == 1 && t.left_out.dataset == 0, "left out: %lld, %lld, %lld",
           (long long)t.left_out.loss, (long long)t.left_out.range, (long long)t.left_out.dataset);
    EXPECT(t.n_limited == 2, "%lld cells tell of training sets", (long long)t.n_limited);
    /* Cells and points of a second file are others than those of the first. */
    err = table_add_results(&t, &r, &filter, "more.h5");
    EXPECT(!err.code && t.n == 6 && t.at[3].cell == 6 && t.at[5].cell == 6 && !t.at[5].final, "%s: cell %lld", err.text,
           t.n == 6 ? (long long)t.at[5].cell : -1);
    table_free(&t);
}

/* Cells of results files are what their files say: their C is not doubted, points of curves stay whatever their C is, cells of
 * training sets of two sizes are no repeats, and cells of training sets follow their arm where one before it is dropped. */
static void finished_results(void) {
    CellRecord cell[3];
    memset(cell, 0, sizeof cell);
    for (int i = 0; i < 3; i++) {
        CellRecord *c = &cell[i];
        snprintf(c->arm, sizeof c->arm, i == 0 ? "dropped" : "kept");
        snprintf(c->role, sizeof c->role, i == 1 ? "grid" : "data");
        c->parameters = 1000, c->samples = 6400, c->dataset = i == 2 ? 50 : 100;
        for (int k = 0; k < CURRENCIES; k++) c->compute[k] = 1e14;
        c->loss = 0.5;
    }
    CurvePoint curve = {.cell = 1, .samples = 3200, .loss = 0.6};
    for (int k = 0; k < CURRENCIES; k++) curve.compute[k] = 5e13;
    Results r = {.cells = 3, .points = 1, .cell = cell, .curve = &curve};
    Table t = table_new();
    TableOptions options = {.filter = {.c_min = 8e13}};
    Err err = table_add_results(&t, &r, &options.filter, "results.h5");
    for (int i = 0; i < 3; i++) cell[i].dataset *= 3;
    if (!err.code) err = table_add_results(&t, &r, &options.filter, "more.h5");
    EXPECT(!err.code && t.arms == 2 && t.n_limited == 6, "%s: %d arms, %lld cells", err.text, t.arms,
           (long long)t.n_limited);
    if (!err.code) err = table_finish(&t, &options);
    EXPECT(!err.code && t.arms == 1 && !strcmp(t.arm[0], "kept"), "%s: %d arms", err.text, t.arms);
    EXPECT(t.n == 4 && t.left_out.range == 0, "%lld points", (long long)t.n);
    EXPECT(t.notes == 0 && !t.assumed_6nd, "%s", t.notes ? t.note[0].text : "6 N D assumed");
    EXPECT(t.n_limited == 4, "%lld cells of training sets", (long long)t.n_limited);
    for (int64_t i = 0; i < t.n_limited; i++) EXPECT(t.limited[i].arm == 0, "arm %d", t.limited[i].arm);
    table_free(&t);
}

static void write_text(const char *path, const char *text) {
    if (comm_rank(comm_world()) == 0) test_write(path, text, strlen(text));
    comm_barrier(comm_world());
}

static const TableOptions usual = {.columns = {.n = "",
                                               .d = "",
                                               .loss = "",
                                               .c = {""},
                                               .arm = "",
                                               .seed = "",
                                               .weight = "",
                                               .keep = "",
                                               .mark = MARK_UNCLEAR}};

static Err read_text(Table *t, const char *text, const TableOptions *options) {
    const char *path = test_file("t.csv");
    write_text(path, text);
    Err err = table_add_files(t, 1, &path, options, comm_world());
    comm_barrier(comm_world());
    return err;
}

static bool noted(const Table *t, const char *text) {
    for (int i = 0; i < t->notes; i++)
        if (strstr(t->note[i].text, text)) return true;
    return false;
}

static void csv(void) {
    Table t = table_new();
    TableOptions options = {
        .columns = {.n = "params", .d = "D", .loss = "loss", .keep = "keep", .arm = "who", .weight = "w"},
        .filter = {.c_max = 1e15}};
    Err err = read_text(&t,
                        "# a comment\n\nwho,params,D,loss,keep,w\n\"a, b\",1e6,1e7,3.5,1,2\r\nc,1e6,1e7,3.5,0,1\n"
                        "c,1e9,1e9,2,true,1\nc,2e6,1e7,,1,1\nc,2e6,1e7,nan,1,1\nc,2e6,2e7,3.25,True,1\n",
                        &options);
    EXPECT(!err.code && t.n == 2 && t.arms == 2 && !strcmp(t.arm[0], "a, b"), "%s: %lld rows", err.text,
           (long long)t.n);
    EXPECT(t.left_out.keep == 1 && t.left_out.range == 1 && t.left_out.loss == 2, "left out");
    EXPECT(t.assumed_6nd && t.has[0] && !t.has[1] && t.at[0].c[0] == 6e13 && t.at[0].weight == 2, "C = 6 N D");
    table_free(&t);
}

/* The same three rows in many forms. */
static void forms(void) {
    const char *same[] = {
        "N,D,loss\n1e6,2e7,3.5\n2e6,4e7,3.25\n4e6,8e7,3.125\n",
        "Params;Tokens;Val_Loss\n1000000;20000000;3,5\n2000000;40000000;3,25\n4000000;80000000;3,125\n",
        "loss\tsamples\tparameters\tnote\n3.5\t2e7\t1e6\t\"a\nb\"\n3.25\t4e7\t2e6\t,\n3.125\t8e7\t4e6\t\n",
        "run,n,d,LOSS\n1,\"1,000,000\",\"20,000,000\",3.5\n2,2M,40M,3.25\n3,\"4,000,000\",0.08B,3.125\n",
        "N;D;loss;;\n1.000.000;20.000.000;3,5;;\n2.000.000;40.000.000;3,25;;\n4.000.000;80.000.000;3,125;;\n",
        "N,D,loss,arm\n1e6,2e7,3.5,t\n,,running,t\n,,-,t\n2e6,4e7,3.25,t\n1e6,x,N/A,t\n2,2,0,t\n4e6,8e7,3.125,t\n",
        "N,D,loss\n1e6,2e7,3.5\n1e6,1,step 300: running\n,,1.#INF\n,,1e999\n,,NaN "
        "(ind)\n2e6,4e7,3.25\n,,OOM2\n4e6,8e7,3.125\n",
        "arm,N,D,loss\nt,1e6,2e7,3.5  # first\nt,2e6 # of two,4e7,3.25\nt,4e6,8e7,3.125 #\nt,,,#N/A\n",
    };
    for (int i = 0; i < (int)(sizeof same / sizeof *same); i++) {
        Table t = table_new();
        Err err = read_text(&t, same[i], &usual);
        EXPECT(!err.code && t.n == 3 && t.arms == 1 && !strcmp(t.arm[0], "t"), "%d: %s %lld rows", i, err.text,
               (long long)t.n);
        for (int k = 0; k < 3 && t.n == 3; k++) {
            const Point *p = &t.at[k];
            double loss = k == 0 ? 3.5 : k == 1 ? 3.25 : 3.125;
            EXPECT(p->n == 1e6 * (1 << k) && p->d == 2e7 * (1 << k) && p->loss == loss, "%d, row %d: %g %g %g", i, k,
                   p->n, p->d, p->loss);
        }
        if (i == 1) EXPECT(noted(&t, "N = Params, D = Tokens, loss = Val_Loss"), "the columns are not told");
        if (i == 5)
            EXPECT(t.left_out.loss == 4 && !strcmp(t.left_out.word[0].word, "running") && t.left_out.word[3].rows == 1,
                   "words: %lld", (long long)t.left_out.loss);
        table_free(&t);
    }
}

/* A run whose name begins with # is a comment to whoever reads the table, which is said. */
static void commented(void) {
    Table t = table_new();
    Err err = read_text(&t, "run,N,D,loss\n#1,1e6,2e7,3.5\na,2e6,4e7,3.25\n#2,4e6,8e7,3.125\n", &usual);
    EXPECT(!err.code && t.n == 1 && noted(&t, "2 lines left out that look like a row behind a #"), "%s: %lld rows",
           err.text, (long long)t.n);
    table_free(&t);
}

/* Each of N, D and C from the other two. */
static void computed(void) {
    Table t = table_new();
    Err err = read_text(&t, "C,N\n6e14,1e6\n", &usual);
    EXPECT(strstr(err.text, "no column loss"), "%s", err.text);
    table_free(&t);
    err = read_text(&t, "C,N,loss\n6e14,1e6,3\n", &usual);
    EXPECT(!err.code && t.at[0].d == 1e8 && noted(&t, "D = C / (6 N) in 1 row"), "%s: D = %g", err.text, t.at[0].d);
    table_free(&t);
    err = read_text(&t, "GFLOPs,tokens,loss\n6e5,1e8,3\n", &usual);
    EXPECT(!err.code && t.at[0].n == 1e6 && t.at[0].c[0] == 6e14 && noted(&t, "units of 1e+09 FLOP"), "%s: N = %g",
           err.text, t.at[0].n);
    table_free(&t);
    err = read_text(&t, "train compute (GFLOP),Token,loss\n6e5,1e8,3\n", &usual);
    EXPECT(!err.code && t.at[0].n == 1e6 && t.at[0].c[0] == 6e14, "%s: a unit in brackets", err.text);
    table_free(&t);
    /* FLOP/s are no compute; nor is what does not grow with N and D, or is far too little, unless it was asked for. */
    err = read_text(&t, "N,D,loss,TFLOP/s\n1,2,3,300\n", &usual);
    EXPECT(!err.code && t.at[0].c[0] == 12, "%s: C = %g of a speed", err.text, t.at[0].c[0]);
    table_free(&t);
    const struct {
        const char *text;
        bool odd;
    } compute[] = {{"N,D,loss,C\n10,10,3,600\n10,100,2,6000\n100,100,1,70000\n", false},
                   {"N,D,loss,C\n10,10,3,6e5\n10,100,2,6e6\n100,100,1,7e7\n", false},
                   {"N,D,loss,C\n10,10,3,600\n10,100,2,600\n100,100,1,600\n", true},
                   {"N,D,loss,C\n10,10,3,0.6\n10,100,2,6\n100,100,1,60\n", true}};
    TableOptions asked = usual;
    asked.columns.c[0] = "C";
    for (int i = 0; i < (int)(sizeof compute / sizeof *compute); i++)
        for (int named = 0; named < 2; named++) {
            err = read_text(&t, compute[i].text, named ? &asked : &usual);
            EXPECT(!err.code && noted(&t, "times 6 N D") == compute[i].odd, "%s: %s", err.text, compute[i].text);
            EXPECT((t.at[1].c[0] == 6000) == (i == 0 || (compute[i].odd && !named)), "C = %g: %s", t.at[1].c[0],
                   compute[i].text);
            table_free(&t);
        }
    /* Far too much of it is taken, and said; where its unit was given, of less. */
    err = read_text(&t, "N,D,loss,C\n10,10,3,6e9\n10,100,2,6e10\n", &usual);
    EXPECT(!err.code && noted(&t, "times 6 N D") && t.at[0].c[0] == 6e9, "%s: C = %g", err.text, t.at[0].c[0]);
    table_free(&t);
    asked.columns.unit = 1e3;
    err = read_text(&t, compute[0].text, &asked);
    EXPECT(!err.code && noted(&t, "times 6 N D") && t.at[1].c[0] == 6e6, "%s: C = %g", err.text, t.at[1].c[0]);
    table_free(&t);
    TableOptions options = usual;
    options.cost[0] = 100, options.cost[1] = 2, options.cost[2] = 0.5;
    err = read_text(&t, "C,N,loss\n1e16,1e5,3\n", &options);
    EXPECT(!err.code && fabs(t.at[0].d / 1e8 - 1) < 1e-12 && noted(&t, "as given"), "%s: D = %g", err.text, t.at[0].d);
    EXPECT(!t.assumed_6nd, "6 N D assumed beside a cost law that was given");
    table_free(&t);
    /* The arm's own: C = 7 N D^1.5 in another file of the same arm. */
    const char *paths[] = {test_file("own.csv"), test_file("less.csv")};
    write_text(paths[0], "arm,C,N,D,loss\ng,7e15,1e6,1e6,3\ng,14e15,2e6,1e6,3\ng,224e15,4e6,4e6,2\ng,7e18,1e6,1e8,1\n");
    write_text(paths[1], "arm,C,N,loss\ng,56e15,1e6,2\n");
    err = table_add_files(&t, 2, paths, &usual, comm_world());
    EXPECT(!err.code && t.n == 5 && fabs(t.at[4].d / 4e6 - 1) < 1e-9 && noted(&t, "from its own C = 7 N^1 D^1.5"),
           "%s: D = %.12g", err.text, t.n == 5 ? t.at[4].d : NAN);
    table_free(&t);
}

/* Two rows tell no cost law of an arm; what is held out is computed too; a row for a law of one column is none that lacks. */
static void computed_for_some(void) {
    Table t = table_new();
    Err err = read_text(&t, "C,N,D,loss\n7e13,1e6,1e7,3\n14e13,2e6,1e7,2\n6e14,1e6,,2\n", &usual);
    EXPECT(!err.code && t.n == 3 && t.at[2].d == 1e8 && t.assumed_6nd, "%s: D = %g", err.text,
           t.n == 3 ? t.at[2].d : NAN);
    table_free(&t);
    TableOptions options = usual;
    options.columns.holdout = "test";
    err = read_text(&t, "N,D,C,loss,test\n1e6,1e7,6e13,3,\n2e6,1e7,12e13,2,\n1e6,1e8,,2,yes\n", &options);
    EXPECT(!err.code && t.n_held == 1 && t.held[0].c[CURRENCY_NOMINAL] == 6e14, "%s: C = %g of a row held out",
           err.text, t.n_held ? t.held[0].c[CURRENCY_NOMINAL] : NAN);
    table_free(&t);
    /* Nothing is missing, so nothing is assumed. */
    err = read_text(&t, "N,D,C,loss\n1e6,1e7,6e13,3\n2e6,1e7,12e13,2\n", &usual);
    EXPECT(!err.code && !t.assumed_6nd && !t.notes, "%s: %d notes", err.text, t.notes);
    table_free(&t);
    err = read_text(&t, "N,D,loss\n1e6,0.5,3\n2e6,2,2\n", &usual);
    EXPECT(!err.code && noted(&t, "D is below 1 in 1 row: not in samples?"), "%s: no word on units", err.text);
    table_free(&t);
    options = usual;
    options.axes = LAW_OF_N;
    err = read_text(&t, "N,loss\n1e6,3\n2e6,2\n", &options);
    EXPECT(!err.code && !t.notes && !t.assumed_6nd, "%s: %s", err.text, t.notes ? t.note[0].text : "assumed 6 N D");
    table_free(&t);
}

/* C that no power of N and D gives is said; C of any power is not. */
static void scattered_compute(void) {
    const double off[] = {1, 2.5};
    for (int k = 0; k < 2; k++) {
        char text[2000];
        size_t at = (size_t)snprintf(text, sizeof text, "N,D,C,loss\n");
        for (int i = 0; i < 16; i++) {
            double n = 1e6 * pow(2, i / 4), d = 1e8 * pow(3, i % 4), c = 5 * pow(n, 1.02) * pow(d, 1.01);
            at += (size_t)snprintf(text + at, sizeof text - at, "%g,%g,%g,%g\n", n, d, i == 6 ? c * off[k] : c, 3.0);
        }
        Table t = table_new();
        Err err = read_text(&t, text, &usual);
        EXPECT(!err.code && noted(&t, "C of a row is up to") == (k == 1), "%s: C times %g: %d notes", err.text, off[k],
               t.notes);
        table_free(&t);
    }
}

/* Arms of which no row is left give their place to the next, in all that is kept of them; with all rows held out nothing is
 * left to fit. */
static void dropped_arms(void) {
    Table t = table_new();
    TableOptions options = usual;
    options.columns.holdout = "test";
    options.filter.c_max = 1e14;
    const char *text = "arm,N,D,loss,test\nlarge,1e9,1e9,2,\nsmall,1e6,1e7,3,\nsmall,2e6,1e7,2,yes\n";
    Err err = read_text(&t, text, &options);
    EXPECT(!err.code && t.arms == 1 && !strcmp(t.arm[0], "small"), "%s: %d arms", err.text, t.arms);
    EXPECT(t.n == 1 && t.n_held == 1 && t.at[0].arm == 0 && t.held[0].arm == 0, "%lld rows, %lld held out",
           (long long)t.n, (long long)t.n_held);
    table_free(&t);
    options = usual;
    options.columns.holdout = "test";
    err = read_text(&t, "arm,N,D,loss,test\na,1e6,1e7,3,\nb,1e6,1e7,3,yes\n", &options);
    EXPECT(err.code == EXIT_USER && strstr(err.text, "arm b: all of its rows are held out"), "%s", err.text);
    table_free(&t);
}

/* A speed in brackets is no unit of compute; a row of units does not undo one that was given. */
static void units(void) {
    Table t = table_new();
    Err err = read_text(&t, "N,D,loss,compute (TFLOP/s)\n1,2,3,300\n", &usual);
    EXPECT(!err.code && t.at[0].c[0] != 300e12, "%s: C = %g of a speed", err.text, t.at[0].c[0]);
    table_free(&t);
    TableOptions options = usual;
    options.columns.unit = 1;
    err = read_text(&t, "N,D,loss,C\n,,,GFLOP\n10,10,3,600\n10,100,2,6000\n", &options);
    EXPECT(!err.code && t.n == 2 && t.at[0].c[0] == 600, "%s: C = %g, whose unit was given", err.text, t.at[0].c[0]);
    table_free(&t);
}

static void chosen(void) {
    Table t = table_new();
    TableOptions options = usual;
    options.best = true;
    const char *sweep = "N,D,loss,lr\n1,2,3,1\n1,2,2.5,2\n1,2,4,3\n2,2,3,1\n2,2,2,2\n";
    Err err = read_text(&t, sweep, &options);
    EXPECT(!err.code && t.n == 2 && t.left_out.best == 3 && t.at[0].loss == 2.5 && t.at[1].loss == 2,
           "%s: best of %lld", err.text, (long long)t.n);
    table_free(&t);
    err = read_text(&t, sweep, &usual);
    EXPECT(!err.code && t.n == 5 && noted(&t, "5 rows repeat 2 (N, D)"), "%s: no word on a sweep", err.text);
    table_free(&t);
    err = read_text(&t, "N,D,loss,seed\n1,2,3,1\n1,2,2.5,2\n2,2,3,1\n", &usual);
    EXPECT(!err.code && !t.notes && t.at[1].seed == 2, "%s: seeds are no sweep", err.text);
    table_free(&t);
    err = read_text(
        &t, "N,D,loss,seed\n1,2,3,a\n1,2,2.5,b\n1,2,2.4,\n1,2,2.6,4611686018427387904\n1,2,2.7,4611686018427387905\n",
        &usual);
    EXPECT(!err.code && !t.notes && t.at[2].seed == 0, "%s: seeds with names are no sweep", err.text);
    table_free(&t);
    err = read_text(&t, "N,D,loss,val_loss\n1,2,3,4\n", &usual);
    EXPECT(!err.code && t.at[0].loss == 3 && noted(&t, "column loss is taken, not val_loss"), "%s: two losses",
           err.text);
    table_free(&t);
    err = read_text(&t, "N,D,bpb,val_loss\n1,2,3,4\n", &usual);
    EXPECT(!err.code && t.at[0].loss == 4 && noted(&t, "column val_loss is taken, not bpb"),
           "%s: a loss by its name first", err.text);
    table_free(&t);
    err = read_text(&t, "N,D,cross entropy\n1,2,3\n", &usual);
    EXPECT(!err.code && t.at[0].loss == 3 && noted(&t, "loss = cross entropy"), "%s: another name of a loss", err.text);
    table_free(&t);
    TableOptions odd = usual;
    odd.columns.n = "log_N";
    odd.columns.loss = "perplexity";
    err = read_text(&t, "log_N,D,perplexity\n1,2,3\n", &odd);
    EXPECT(!err.code && noted(&t, "log_N is taken as it is") && noted(&t, "perplexity is taken as it is"),
           "%s: odd columns", err.text);
    table_free(&t);
    err = read_text(&t, "N,D,loss\n1,2,3\n2,2,2.5\n1,2,3\n", &usual);
    EXPECT(noted(&t, "1 row has the N, D and loss of another row"), "rows twice");
    table_free(&t);
    options = usual;
    options.columns.drop = "bad", options.columns.holdout = "test", options.columns.error = "se";
    options.columns.group = "run", options.error_of_log = true;
    err = read_text(&t,
                    "N,D,loss,bad,test,se,run\n1,2,4,,,0.1,a\n2,2,3,x,,0.1,a\n3,2,2,no,,0.1,b\n4,2,2,False,yes,0.1,c\n"
                    "5,2,,,1,,d\n",
                    &options);
    EXPECT(!err.code && t.n == 2 && t.n_held == 2 && t.left_out.keep == 1, "%s: %lld rows, %lld held out", err.text,
           (long long)t.n, (long long)t.n_held);
    EXPECT(t.held[0].n == 4 && t.held[0].loss == 2 && isnan(t.held[1].loss), "held out");
    EXPECT(fabs(t.at[0].weight / t.at[1].weight - 4) < 1e-12 && fabs(t.at[0].weight + t.at[1].weight - 2) < 1e-12,
           "weights of relative errors: %g %g", t.at[0].weight, t.at[1].weight);
    EXPECT(t.at[0].group != t.at[1].group && t.at[0].group, "groups");
    table_free(&t);
    /* Nor are groups a sweep; rows of one C alone are of different sizes where their C is. */
    options = usual;
    options.columns.group = "run";
    err = read_text(&t, "N,D,loss,run\n1,2,3,a\n1,2,2.5,b\n", &options);
    EXPECT(!err.code && !noted(&t, "repeat"), "%s: groups are no sweep", err.text);
    table_free(&t);
    options = usual;
    options.axes = LAW_OF_C;
    options.best = true;
    err = read_text(&t, "C,loss\n1e9,3\n1e9,2.5\n2e9,2\n", &options);
    EXPECT(!err.code && t.n == 2 && t.left_out.best == 1, "%s: best of C alone leaves %lld rows", err.text,
           (long long)t.n);
    table_free(&t);
}

/* Several files: names that differ, none twice. */
static void files(void) {
    const char *rows = "N,D,loss\n1,2,3\n", *more = "N,D,loss\n1,2,2\n";
    if (comm_rank(comm_world()) == 0) {
        char command[256];
        snprintf(command, sizeof command, "mkdir -p %s/a %s/b", test_folder, test_folder);
        EXPECT(system(command) == 0, "%s", command);
    }
    const char *paths[] = {test_file("a/results.csv"), test_file("b/results.csv")};
    write_text(paths[0], rows);
    write_text(paths[1], more);
    Table t = table_new();
    Err err = table_add_files(&t, 2, paths, &usual, comm_world());
    EXPECT(!err.code && t.arms == 2 && !strcmp(t.arm[1], "b/results") && t.at[1].arm == 1, "%s: %d arms, %s", err.text,
           t.arms, t.arm[1]);
    table_free(&t);
    write_text(paths[1], "# the same\nD;N;loss\n2;1;3\n");
    err = table_add_files(&t, 2, paths, &usual, comm_world());
    EXPECT(err.code == EXIT_USER && strstr(err.text, "b/results.csv: holds the rows of"), "%s", err.text);
    table_free(&t);
    /* Words of a file before are not told of the one without a row. */
    write_text(paths[0], "N,D,loss\n1,2,3\n1,2,running\n1,2,lost\n");
    write_text(paths[1], "N,D,loss\n1,2,running\n");
    err = table_add_files(&t, 2, paths, &usual, comm_world());
    EXPECT(err.code == EXIT_USER && strstr(err.text, "with a loss; instead of a loss: running (1)") &&
               !strstr(err.text, "lost"),
           "%s", err.text);
    table_free(&t);
    /* Arms whose names are equal in their first 60 letters. */
    err = read_text(&t,
                    "arm,N,D,loss\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx1,1,2,3\n"
                    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx2,1,2,2\n",
                    &usual);
    EXPECT(!err.code && t.arms == 2, "%s: %d arms", err.text, t.arms);
    table_free(&t);
    TableOptions options = usual;
    const char *arm = "third";
    options.filter = (TableFilter){.n_arms = 1, .arms = &arm};
    err = read_text(&t, "arm,N,D,loss\nfirst,1,2,3\nsecond,1,2,2\n", &options);
    EXPECT(err.code == EXIT_USER && strstr(err.text, "no arm third: want some of first, second"), "%s", err.text);
    table_free(&t);
}

static void complaints(void) {
    const struct {
        const char *text, *want;
    } bad[] = {
        {"N,D\n1,2\n", "no column loss"},
        {"size,D,loss\n1,2,3\n", "its header: size, D, loss"},
        {"N,D,loss\n1,2\n", ":2: 2 fields: want 3"},
        {"N,D,loss\n1,2,3\n1,x,3\n", ":3: D = x: want a positive number"},
        {"N,D,loss\n-1,2,3\n", ":2: N = -1: want a positive number"},
        {"N,D,loss\n1,2,-3\n", ":2: loss = -3: want a positive number"},
        {"N,D,loss\n1,2,3.1x\n", ":2: loss = 3.1x: want a positive number"},
        {"N,D,loss\n1,2,running\n1,2,\n1,2,running\n",
         "no row is left to fit of 3: want some that are kept, of an arm asked for, with a loss; instead of a loss: "
         "running (2), blank (1)"},
        {"log10_N,D,loss\n1,2,3\n", "no column N: log10_N holds logarithms"},
        {"N,lnTokens,loss\n1,2,3\n", "no column D: lnTokens holds logarithms"},
        {"N,login,loss\n1,2,3\n", "no column D: want one called"},
        {"N,D,val_ppl\n1,2,3\n", "no column loss: val_ppl is the exponential of one"},
        {"N,D,nll,bpb\n1,2,3,4\n", "nll and bpb may both be meant"},
        {"N,D,loss\n", "no row below the header"},
        {"N,D,loss,loss\n1,2,3,4\n", "names column loss more than once"},
        {"N,tokens,samples,loss\n1,2,3,4\n", "tokens and samples may both be meant"},
        {"N;D;loss\n1000;2000;3,125\n", "decimal comma or grouped digits"},
        {"N,D,loss,keep\n1,2,3,maybe\n", ":2: keep = maybe: want true or false"},
        {"# nothing\n", "no header line"}};
    TableOptions options = usual;
    options.columns.keep = "keep";
    for (int i = 0; i < (int)(sizeof bad / sizeof *bad); i++) {
        Table t = table_new();
        Err err = read_text(&t, bad[i].text, strstr(bad[i].text, "keep") ? &options : &usual);
        EXPECT(err.code == EXIT_USER && strstr(err.text, bad[i].want), "want %s, got %s", bad[i].want, err.text);
        table_free(&t);
    }
    options.columns.loss = "los";
    Table t = table_new();
    Err err = read_text(&t, "N,D,loss\n1,2,3\n", &options);
    EXPECT(err.code == EXIT_USER && strstr(err.text, "no column los: want one of its header"), "%s", err.text);
    table_free(&t);
    options = usual;
    options.columns.loss = "loss";
    err = read_text(&t, "N,D,loss,loss\n1,2,3,4\n", &options);
    EXPECT(err.code == EXIT_USER && strstr(err.text, "names column loss more than once"), "%s", err.text);
    table_free(&t);
    options.columns.weight = options.columns.error = "w";
    err = read_text(&t, "N,D,loss,w\n1,2,3,4\n", &options);
    EXPECT(err.code == EXIT_USER && strstr(err.text, "fit.columns.weight and fit.columns.error: want one of them"),
           "%s", err.text);
    table_free(&t);
    const char *nowhere = "nowhere.csv";
    err = table_add_files(&t, 1, &nowhere, &usual, comm_world());
    EXPECT(err.code == EXIT_USER && strstr(err.text, "nowhere.csv"), "%s", err.text);
    table_free(&t);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    test_folder_new();
    results();
    odd_results();
    finished_results();
    csv();
    forms();
    commented();
    computed();
    computed_for_some();
    scattered_compute();
    dropped_arms();
    units();
    chosen();
    files();
    complaints();
    return test_end();
}
