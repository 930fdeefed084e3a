// TEST single n=1
/* Delimited text as people have it: what is read, row by row, and what is refused in one line. */
#include "check.h"
#include "io/csv.h"

/* The header and the rows as one text: fields between bars, rows between slashes, each after its line. */
static Err read_all(char *out, size_t size, const char *path) {
    Csv csv;
    bool more = true;
    size_t used = 0;
    out[0] = 0;
    Err err = csv_open(&csv, path);
    for (int pass = 0; pass < 2 && !err.code; pass++) {
        used = 0;
        for (int i = 0; i < csv.columns; i++)
            used += (size_t)snprintf(out + used, size - used, "%s%s", i ? "|" : "", csv.name[i]);
        for (;;) {
            err = csv_next(&csv, &more);
            if (err.code || !more) break;
            used += (size_t)snprintf(out + used, size - used, "/%lld:", (long long)csv.line);
            for (int i = 0; i < csv.columns; i++)
                used += (size_t)snprintf(out + used, size - used, "%s%s", i ? "|" : "", csv.field[i]);
        }
        csv_rewind(&csv);
    }
    csv_close(&csv);
    return err;
}

static void expect_bytes(const char *text, size_t bytes, const char *want) {
    char out[4096];
    test_write(test_file("t.csv"), text, bytes);
    Err err = read_all(out, sizeof out, test_file("t.csv"));
    EXPECT(!err.code && !strcmp(out, want), "%s\n  got  %s %s\n  want %s", text, out, err.text, want);
}

static void expect(const char *text, const char *want) {
    expect_bytes(text, strlen(text), want);
}

static void readable(void) {
    const char *plain = "a|b|c/2:1|2|3/3:4|5|6";
    expect("a,b,c\n1,2,3\n4,5,6\n", plain);
    expect("a,b,c\n1,2,3\n4,5,6", plain);
    expect("a,b,c\r\n1,2,3\r\n4,5,6\r\n", plain);
    expect("a,b,c\r1,2,3\r4,5,6\r", plain);
    expect("a,b,c\r\n1,2,3\n4,5,6\r", plain);
    expect("\357\273\277a,b,c\n1,2,3\n4,5,6\n", plain);
    expect("\357\273\277a;b;c\r\n1;2;3\r\n4;5;6\r\n", plain);
    expect("a\tb\tc\n1\t2\t3\n4\t5\t6\n", plain);
    expect("a|b|c\n1|2|3\n4|5|6\n", plain);
    expect("a b  c\n1   2 3\n  4 5 6 \n", plain);
    expect("\"a\", b ,\"c\"\n \"1\" ,2,3\n4, 5 ,6\n", plain);
    expect("a,b,c,\n1,2,3,\n4,5,6,\n", "a|b|c|/2:1|2|3|/3:4|5|6|");
    expect("a,b,c\n1,2,3,,\n4,5,6,\n", plain);
    expect("a,b,c,,\n1,2,3\n4,5,6\n", "a|b|c||/2:1|2|3||/3:4|5|6||");
    expect("a,b,c\n\n1,2,3\n , ,\n,,\n\n4,5,6\n\n", "a|b|c/3:1|2|3/7:4|5|6");
    expect("# first\n\na,b,c\n# second\n1,2,3\n#4,5,6\n", "a|b|c/5:1|2|3");
    expect("sep=;\r\na;b,c\r\n1;2\r\n", "a|b,c/3:1|2");
    expect("\357\273\277sep=;\na;b,c,d\n1;2\n", "a|b,c,d/3:1|2");
    expect("\"a,b,c\";b;c\n1;2;3\n", "a,b,c|b|c/2:1|2|3");
    expect("a,b,c\n1,2,3\na,b,c\n4,5,6\n", "a|b|c/2:1|2|3/4:4|5|6");
    expect("a,b\n\"x, \"\"y\"\"\nz\",2\n3,4\n", "a|b/2:x, \"y\"\nz|2/4:3|4");
    expect("\"a\nb\",c\n1,2\n", "a b|c/3:1|2");
    expect("#,b\n1,2\n", "#|b/2:1|2");
    expect("# made by x\n# a,b\n1,2\n3,4\n", "a|b/3:1|2/4:3|4");
    expect("#a (M),b,c\n1,2,x\n3,4,y\n", "a (M)|b|c/2:1|2|x/3:3|4|y");
    expect("# say \"a\",b\na,b\n1,2\n", "a|b/3:1|2");
    expect("# say \"a\",b\na,7\n1,2\n", "a|7/3:1|2");
    expect("\342\200\213a,\" b \",c\302\240\n\302\240 1\342\200\213,\"2\t\",x\302\240y\n", "a|b|c/2:1|2|x\302\240y");
    expect("a\n1\n2\n", "a/2:1/3:2");
    expect("a,b,\n1,2345\n3,4567\n", "a|b|/2:1|2345|/3:3|4567|");
    expect("N;loss, test\n1;2\n", "N|loss, test/2:1|2");
    expect("sep=,\na;b;c,d\n1,2\n", "a;b;c|d/3:1|2");
    expect("\357\273\277\"a,b\",c\n1,2\n", "a,b|c/2:1|2");
    expect("\357\273\277sep=;\na;b\n1;2\n", "a|b/3:1|2");
    expect("# made by hand\nx,1\n3,4\n", "x|1/3:3|4");
    expect("# 1,2\nx,3\n4,5\n", "x|3/3:4|5");
    expect("a,b\n1 \302\240 ,\342\200\257 2\342\200\211\n", "a|b/2:1|2");
}

/* Of western Europe, whose letters grow: no row is lost, and none is read short. */
static void western(void) {
    const char *text = "N,gr\366\337e,\200\200\200\200\200\200\200\200\200\200\n1,2,3\n4,5,67.25";
    expect(text,
           "N|gr\303\266\303\237e|\342\202\254\342\202\254\342\202\254\342\202\254\342\202\254\342\202\254\342\202"
           "\254\342\202\254\342\202\254\342\202\254/2:1|2|3/3:4|5|67.25");
    Csv csv;
    Err err = csv_open(&csv, test_file("t.csv"));
    EXPECT(!err.code && csv.western, "%s: taken for UTF-8", err.text);
    csv_close(&csv);
    expect("N,gr\303\266\303\237e\n1,2\n", "N|gr\303\266\303\237e/2:1|2");
    err = csv_open(&csv, test_file("t.csv"));
    EXPECT(!err.code && !csv.western, "%s: not taken for UTF-8", err.text);
    csv_close(&csv);
}

/* How often the header stands between rows, each time that they are read. */
static void headers(void) {
    Csv csv;
    test_write(test_file("t.csv"), "a,b\n1,2\na,b\n3,4\na,b\n", 20);
    Err err = csv_open(&csv, test_file("t.csv"));
    for (int pass = 0; pass < 2; pass++) {
        bool more = !err.code;
        while (more && !err.code) err = csv_next(&csv, &more);
        EXPECT(!err.code && csv.headers == 2, "%s: %lld headers", err.text, (long long)csv.headers);
        csv_rewind(&csv);
    }
    csv_close(&csv);
}

/* Longer and wider than any buffer might be. */
static void large(void) {
    enum { COLUMNS = 3000, ROWS = 40, LONG = 300000 };
    char *text = MEM_NEW(char, COLUMNS *(ROWS + 1) * 8 + LONG + 10);
    size_t at = 0;
    for (int i = 0; i <= ROWS; i++)
        for (int j = 0; j < COLUMNS; j++)
            at += (size_t)sprintf(text + at, "%s%d%s", i ? "" : "c", i * 100 + j % 10, j + 1 < COLUMNS ? "," : "\n");
    memset(text + at, 'x', LONG);
    memset(text + at + LONG, ',', COLUMNS - 1);
    test_write(test_file("wide.csv"), text, at + LONG + COLUMNS - 1);
    Csv csv;
    bool more = true;
    int rows = 0;
    Err err = csv_open(&csv, test_file("wide.csv"));
    EXPECT(!err.code && csv.columns == COLUMNS, "%s: %d columns", err.text, csv.columns);
    for (;;) {
        err = csv_next(&csv, &more);
        if (err.code || !more) break;
        if (++rows <= ROWS) EXPECT(atoi(csv.field[COLUMNS - 1]) == rows * 100 + 9, "%s", csv.field[COLUMNS - 1]);
        if (rows > ROWS) EXPECT(strlen(csv.field[0]) == LONG, "%zu letters", strlen(csv.field[0]));
    }
    EXPECT(!err.code && rows == ROWS + 1, "%s: %d rows", err.text, rows);
    csv_close(&csv);
    mem_free(text);
}

static void packed(void) {
    char command[512], out[256];
    test_write(test_file("p.csv"), "a,b\n1,2\n", 8);
    snprintf(command, sizeof command, "gzip -k %s", test_file("p.csv"));
    EXPECT(system(command) == 0, "%s", command);
    Err err = read_all(out, sizeof out, test_file("p.csv.gz"));
    EXPECT(!err.code && !strcmp(out, "a|b/2:1|2"), "%s %s", out, err.text);
    size_t bytes;
    char *whole = test_read(test_file("p.csv.gz"), &bytes);
    test_write(test_file("cut.gz"), whole, bytes - 9);
    mem_free(whole);
    err = read_all(out, sizeof out, test_file("cut.gz"));
    EXPECT(err.code == EXIT_USER && strstr(err.text, "want a whole"), "cut short: %s %s", out, err.text);
}

/* Comments below the header that look like rows are counted, each once however often the file is read; others are not. */
static void commented(void) {
    static const char text[] =
        "# 1,2,3\na,b,c\n1,2,3\n#2,3,4\na,b,c\n# lr 1e-3, and so on\n# a,b,c\n\"x\n#5,6,7\",1,2\n#6,7,8,\n";
    Csv csv;
    bool more = true;
    int rows = 0;
    test_write(test_file("c.csv"), text, sizeof text - 1);
    Err err = csv_open(&csv, test_file("c.csv"));
    for (int pass = 0; pass < 2 && !err.code; pass++) {
        csv_rewind(&csv);
        for (rows = 0; !err.code; rows++) {
            err = csv_next(&csv, &more);
            if (!more) break;
        }
    }
    EXPECT(!err.code && rows == 2 && csv.commented == 2 && csv.headers == 1, "%s: %d rows, %lld behind #, %lld headers",
           err.text, rows, (long long)csv.commented, (long long)csv.headers);
    csv_close(&csv);
}

static void refuse(const char *text, size_t bytes, const char *want) {
    char out[4096];
    test_write(test_file("t.csv"), text, bytes);
    Err err = read_all(out, sizeof out, test_file("t.csv"));
    EXPECT(err.code == EXIT_USER && strstr(err.text, want) && strstr(err.text, "t.csv") && !strchr(err.text, '\n'),
           "want %s\n  got %s %s", want, err.text, out);
}

/* Files of other programs: the kind and a command. */
static void other_kinds(void) {
#define BYTES(text) (text), sizeof(text) - 1
    const struct {
        const char *text;
        size_t bytes;
        const char *want;
    } kinds[] = {
        {BYTES("PAR1\025\004\025"), "Parquet: want CSV, as from python3 -c \"import pandas; pandas.read_parquet('"},
        {BYTES("ARROW1\0\0\377"), "read_feather('"},
        {BYTES("FEA1\0\0\0\0"), "read_feather('"},
        {BYTES("\200\004\225\012\0\0\0"), "a pickle of Python: want CSV, as from python3"},
        {BYTES("SQLite format 3\0\020"),
         "an SQLite database: want one of its tables as CSV, as from sqlite3 -header -csv"},
        {BYTES("\223NUMPY\001\0v\0{'descr'"), "an array of NumPy: want CSV, as from python3 -c \"import numpy"},
        {BYTES("PK\003\004\024\0\0\0mimetypeapplication/vnd.oasis.opendocument.spreadsheet"), "OpenDocument"},
        {BYTES("PK\003\004\024\0\0\0[Content_Types].xml"), "a spreadsheet (Excel): want CSV, as from python3"},
        {BYTES("PK\003\004\024\0\0\0N.npy"), "dict(numpy.load('"},
        {BYTES("PK\003\004\024\0\0\0runs/table.csv"), "a zip archive: want it unpacked, by unzip '"},
        {BYTES("\320\317\021\340\241"), "old Excel"},
        {BYTES("\211HDF\r\n"), "HDF5 inside gzip"},
        {BYTES("BZh91"), "bzip2 -d"},
        {BYTES("CDF\001\0\0"), "netCDF"},
        {BYTES("X\n\0\0\0\003"), "readRDS"},
        {BYTES("<stata_dta><header>"), "read_stata"},
        {BYTES("{\"a\": 1}\n{\"a\": 2}\n"), "JSON: want CSV, as from python3 -c \"import pandas; pandas.read_json('"},
        {BYTES("{\"a\": 1}\n{\"a\": 2}\n"), "lines=True"},
        {BYTES("{\"a\": [1, 2]}"), "t.csv').to_csv('table.csv'"},
        {BYTES("{\n \"cells\": [\n"), "a Jupyter notebook"},
        {BYTES("[{\"a\": 1}]\n"), "t.csv').to_csv('table.csv'"},
        {BYTES("\377\376a"), "iconv"},
        {BYTES("a,b\n1,\0\n"), ":2: a NUL byte"},
    };
    for (int i = 0; i < (int)(sizeof kinds / sizeof *kinds); i++) refuse(kinds[i].text, kinds[i].bytes, kinds[i].want);
    expect("PK,N,ORC,FEA1\n1,2,3,4\n", "PK|N|ORC|FEA1/2:1|2|3|4");
    expect("PAR1,BZ\n1,2\n", "PAR1|BZ/2:1|2");
}

static void refused(void) {
    const struct {
        const char *text, *want;
    } bad[] = {
        {"", "empty"},
        {" \n\n", "empty"},
        {"# only\n# comments\n", "no header"},
        {"#", "no header"},
        {"#\t\t\n", "no header"},
        {"a,b\n1\n", ":2: 1 fields: want 2"},
        {"a,b\n1,2,3\n", ":2: 3 fields: want 2"},
        {"a,b\n1,2\n\n\"3,4\n5,6\n", ":4: a quotation mark that is never closed"},
        {"a,b\n\"3,4\n5\"x,6\n", ":3: a quotation mark inside"},
        {"a,b\n3\" disk,4\n", ":2: a quotation mark inside"},
        {"1,2\n3,4\n", ":1: numbers where the header"},
        {"a,b\n1,2\nb,a\n3,4\n", ":3: the columns in another order"},
        {"\n \t<!DOCTYPE html>", "web page"},
        {"<!DOCTYPE html>", "web page"},
    };
    for (int i = 0; i < (int)(sizeof bad / sizeof *bad); i++) refuse(bad[i].text, strlen(bad[i].text), bad[i].want);
    refuse("a,b\n1,2\n3,\0004\n5,6\n", 16, ":3: a NUL byte");
    refuse("\377\376a\0,\0b\0\n\0", 10, "UTF-16");
    other_kinds();
    char out[64];
    Err err = read_all(out, sizeof out, test_folder);
    EXPECT(err.code == EXIT_USER && strstr(err.text, "a folder"), "%s", err.text);
    err = read_all(out, sizeof out, test_file("nowhere"));
    EXPECT(err.code == EXIT_USER && strstr(err.text, "nowhere: No such file"), "%s", err.text);
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    test_folder_new();
    readable();
    western();
    headers();
    large();
    packed();
    commented();
    refused();
    return test_end();
}
