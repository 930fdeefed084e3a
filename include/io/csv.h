/** Delimited text, read row by row: comma, semicolon, tab, bar or blanks between columns, plain or gzip.
 *
 *  The first line that is neither blank nor a comment (#) names the columns, and its most frequent separator is the
 *  file's; a line `sep=;` above it, as spreadsheets write it, says so. Fields may be quoted with ", doubled inside, and
 *  then hold separators and line breaks. Blanks around fields, a byte order mark, blank rows, comments, separators
 *  without a column at the end of a row, and lines that repeat the header (counted) are left out; comments that look like
 *  rows are counted too, which the caller should say. Columns, line lengths and rows are not limited, but the text is: to
 *  1 GiB, held in memory once. Text that is not UTF-8 is taken for Windows-1252, which the caller should say.
 *
 *  What is not such a text is refused in one line that says how to make it one: Parquet, JSON, spreadsheets, other
 *  compression, UTF-16, NUL bytes, folders, empty files. So is a row with more or fewer fields than the header, and
 *  a quotation mark inside a field or never closed, each with its line: a row is never lost without a word.
 *
 *  Not collective: whoever calls reads the file. The library is libcsv; zlib unpacks. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Csv {
    const char *path; /* the caller's, for messages */
    char *text;       /* the whole file, unpacked, NUL-terminated; owned */
    size_t bytes;
    bool western;   /* it was not UTF-8, and has been read as Windows-1252 */
    char separator; /* ' ' stands for any run of blanks */
    int columns;
    char **name;        /* (columns) the header; owned */
    char **field;       /* (columns) of the row last read; good until the next */
    int64_t line;       /* where that row starts in the file, from 1 */
    int64_t headers;    /* rows left out because they repeat the header */
    int64_t commented;  /* comments so far below the header that look like rows; likewise left out */
    struct CsvRow *row; /* the parser and where it stands; owned */
} Csv;

/** Reads the file and its header. Errors name the file and what is wanted. csv_close also after an error. */
Err csv_open(Csv *csv, const char *path);
void csv_close(Csv *csv);

/** The next row into field and line; `more` is false at the end of the file. */
Err csv_next(Csv *csv, bool *more);

/** Before the first row again, after an error too. */
void csv_rewind(Csv *csv);
