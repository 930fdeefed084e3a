#include "csv_kind.h"

#include <stdio.h>
#include <string.h>

/* How to make CSV of a file: @ stands for its path. */
#define PANDAS(read) "CSV, as from python3 -c \"import pandas; pandas." read ".to_csv('table.csv', index=False)\""
#define NUMPY(frame) "CSV, as from python3 -c \"import numpy, pandas; " frame ".to_csv('table.csv', index=False)\""
#define SAVED "it saved as CSV by the program that wrote it"
#define UTF8 "UTF-8, as from iconv -f UTF-16 -t UTF-8"
#define LITERAL(text) (text), sizeof(text) - 1

typedef struct Kind {
    size_t at; /* where it has these bytes */
    const char *begin;
    size_t n;
    const char *inside; /* what is found in its first bytes too; NULL: nothing is asked */
    const char *what, *want;
} Kind;

/* The first that fits is told: of archives those that hold something known stand first. */
static const Kind kinds[] = {
    {0, LITERAL("PAR1\025"), NULL, "Parquet", PANDAS("read_parquet('@')")},
    {0, LITERAL("ARROW1\000"), NULL, "Feather (Arrow)", PANDAS("read_feather('@')")},
    {0, LITERAL("FEA1\000"), NULL, "Feather", PANDAS("read_feather('@')")},
    {0, LITERAL("\377\377\377\377"), NULL, "an Arrow stream",
     "CSV, as from python3 -c \"import pyarrow; pyarrow.ipc.open_stream('@').read_pandas().to_csv('table.csv')\""},
    {0, LITERAL("Obj\001"), NULL, "Avro", SAVED},
    {0, LITERAL("\200\002"), NULL, "a pickle of Python", PANDAS("read_pickle('@')") " (which runs what is in it)"},
    {0, LITERAL("\200\003"), NULL, "a pickle of Python", PANDAS("read_pickle('@')") " (which runs what is in it)"},
    {0, LITERAL("\200\004"), NULL, "a pickle of Python", PANDAS("read_pickle('@')") " (which runs what is in it)"},
    {0, LITERAL("\200\005"), NULL, "a pickle of Python", PANDAS("read_pickle('@')") " (which runs what is in it)"},
    {0, LITERAL("(dp0\n"), NULL, "a pickle of Python", PANDAS("read_pickle('@')") " (which runs what is in it)"},
    {0, LITERAL("(lp0\n"), NULL, "a pickle of Python", PANDAS("read_pickle('@')") " (which runs what is in it)"},
    {0, LITERAL("SQLite format 3"), NULL, "an SQLite database",
     "one of its tables as CSV, as from sqlite3 -header -csv '@' 'select * from TABLE' >table.csv"},
    {0, LITERAL("\223NUMPY"), NULL, "an array of NumPy", NUMPY("pandas.DataFrame(numpy.load('@'))")},
    {0, LITERAL("PK\003\004"), "opendocument.spreadsheet", "a spreadsheet (OpenDocument)",
     PANDAS("read_excel('@', engine='odf')") ", or saved as CSV"},
    {0, LITERAL("PK\003\004"), ".npy", "arrays of NumPy (npz)", NUMPY("pandas.DataFrame(dict(numpy.load('@')))")},
    {0, LITERAL("PK\003\004"), "[Content_Types].xml", "a spreadsheet (Excel)",
     PANDAS("read_excel('@')") ", or saved as CSV"},
    {0, LITERAL("PK\003\004"), "xl/", "a spreadsheet (Excel)", PANDAS("read_excel('@')") ", or saved as CSV"},
    {0, LITERAL("PK\003\004"), "docProps/", "a spreadsheet (Excel)", PANDAS("read_excel('@')") ", or saved as CSV"},
    {0, LITERAL("PK\003\004"), "_rels/", "a spreadsheet (Excel)", PANDAS("read_excel('@')") ", or saved as CSV"},
    {0, LITERAL("PK\003\004"), "data.pkl", "a file of PyTorch", "CSV: torch.load reads it"},
    {0, LITERAL("PK\003\004"), NULL, "a zip archive", "it unpacked, by unzip '@'"},
    {0, LITERAL("\320\317\021\340"), NULL, "a spreadsheet (old Excel)", PANDAS("read_excel('@')") ", or saved as CSV"},
    {0, LITERAL("{\\rtf"), NULL, "rich text", "it saved as plain text"},
    {0, LITERAL("BZh"), NULL, "compressed with bzip2", "it unpacked, by bzip2 -d '@'"},
    {0, LITERAL("\3757zXZ"), NULL, "compressed with xz", "it unpacked, by xz -d '@'"},
    {0, LITERAL("\050\265\057\375"), NULL, "compressed with zstd", "it unpacked, by zstd -d '@'"},
    {0, LITERAL("\004\042\115\030"), NULL, "compressed with lz4", "it unpacked, by lz4 -d '@'"},
    {0, LITERAL("\037\235"), NULL, "compressed with compress", "it unpacked, by gzip -d '@'"},
    {0, LITERAL("\037\213"), NULL, "compressed twice", "it unpacked, by gzip -d"},
    {0, LITERAL("7z\274\257\047\034"), NULL, "a 7z archive", "it unpacked, by 7z x '@'"},
    {0, LITERAL("Rar!\032"), NULL, "a rar archive", "it unpacked, by unrar x '@'"},
    {257, LITERAL("ustar"), NULL, "a tar archive", "it unpacked, by tar -xf '@'"},
    {0, LITERAL("\211HDF"), NULL, "HDF5 inside gzip", "it unpacked, by gzip -d"},
    {0, LITERAL("CDF\001"), NULL, "netCDF", "CSV: xarray.open_dataset reads it"},
    {0, LITERAL("CDF\002"), NULL, "netCDF", "CSV: xarray.open_dataset reads it"},
    {0, LITERAL("MATLAB 5.0 MAT-file"), NULL, "a MAT-file of MATLAB", "CSV, as writetable writes it"},
    {0, LITERAL("MATLAB 7.3 MAT-file"), NULL, "a MAT-file of MATLAB", "CSV, as writetable writes it"},
    {0, LITERAL("RDX2\n"), NULL, "data of R", "CSV, as write.csv writes it"},
    {0, LITERAL("RDX3\n"), NULL, "data of R", "CSV, as write.csv writes it"},
    {0, LITERAL("X\n\000"), NULL, "data of R",
     "CSV, as from Rscript -e \"write.csv(readRDS('@'), 'table.csv', row.names=FALSE)\""},
    {0, LITERAL("<stata_dta>"), NULL, "data of Stata", PANDAS("read_stata('@')")},
    {0, LITERAL("$FL2"), NULL, "data of SPSS", PANDAS("read_spss('@')")},
    {0, LITERAL(":W&B"), NULL, "a run of Weights & Biases", "its history as CSV, as their page exports it"},
    {21, LITERAL("\032\015brain.Event:"), NULL, "events of TensorBoard", "a scalar's CSV, as its page offers it"},
    {0, LITERAL("{"), "\"nbformat\"", "a Jupyter notebook", "the table itself, as to_csv writes it"},
    {0, LITERAL("{"), "\"cells\"", "a Jupyter notebook", "the table itself, as to_csv writes it"},
    {0, LITERAL("{"), "}\n{", "JSON", PANDAS("read_json('@', lines=True)")},
    {0, LITERAL("{"), "}\r\n{", "JSON", PANDAS("read_json('@', lines=True)")},
    {0, LITERAL("{"), "[", "JSON", PANDAS("read_json('@')")},
    {0, LITERAL("{"), ": {", "JSON", PANDAS("read_json('@')")},
    {0, LITERAL("{"), NULL, "JSON", PANDAS("read_json('@', lines=True)")},
    {0, LITERAL("["), NULL, "JSON", PANDAS("read_json('@')")},
    {0, LITERAL("\377\376"), NULL, "UTF-16", UTF8},
    {0, LITERAL("\376\377"), NULL, "UTF-16", UTF8},
    {0, LITERAL("%PDF"), NULL, "PDF", "the table as CSV"},
    {0, LITERAL("\211PNG"), NULL, "a picture", "the numbers themselves, as CSV"},
    {0, LITERAL("\377\330\377"), NULL, "a picture", "the numbers themselves, as CSV"},
    {0, LITERAL("\177ELF"), NULL, "a program", "a table"},
    {0, LITERAL("<"), NULL, "a web page", "the table itself, as CSV"},
};

static const char mark[] = "\357\273\277"; /* byte order mark of UTF-8 */

static bool has_inside(const Kind *kind, const char *begin, size_t bytes) {
    return !kind->inside || memmem(begin, bytes, kind->inside, strlen(kind->inside));
}

/* The text with the path in place of each @. */
static void name_path(char *text, size_t size, const char *with, const char *path) {
    size_t used = 0;
    for (; *with && used + 1 < size; with++) {
        const char piece[2] = {*with, 0};
        used += (size_t)snprintf(text + used, size - used, "%s", *with == '@' ? path : piece);
    }
    text[used < size ? used : size - 1] = 0;
}

Err csv_refuse_kind(const char *path, const char *begin, size_t bytes) {
    const char *text = begin + (strncmp(begin, mark, strlen(mark)) ? 0 : strlen(mark));
    text += strspn(text, " \t\r\n");
    size_t left = bytes - (size_t)(text - begin);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const Kind *k = &kinds[i];
        char want[400];
        if (left < k->at + k->n || memcmp(text + k->at, k->begin, k->n) || !has_inside(k, text, left)) continue;
        name_path(want, sizeof want, k->want, path);
        return err_user("%s: %s: want %s", path, k->what, want);
    }
    return ERR_NONE;
}
