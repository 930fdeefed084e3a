#include "io/csv.h"

#include "base/arena.h"
#include "base/file.h"
#include "csv_kind.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <csv.h>
#include <iconv.h>
#include <zlib.h>

/* libcsv calls back for every field and at the end of every row. The text is handed to it line by line, so that a row
 * is known by the line it starts on. */
struct CsvRow {
    struct csv_parser parser;
    size_t at, body;         /* of the text: the next line; the first one below the header */
    int64_t line, body_line; /* their numbers, from 1 */
    bool ended;              /* the row is complete */
    int fields, room;        /* of this row; that `offset` and `field` have room for */
    size_t *offset;          /* (fields) of the store, which may still move */
    char **field;            /* (fields) */
    char *store;             /* the fields one after the other, each ended by NUL */
    size_t used, size;       /* bytes of it */
    bool blanks;             /* any run of blanks is one separator */
};

/* ---- The whole text. ---- */

enum { FIRST_BYTES = 1 << 12, BLOCK = 1 << 16, TEXT_BYTES = 1 << 30 }; /* the last: most of a table, unpacked */

static Err read_text(Csv *csv) {
    int descriptor;
    TRY(file_open(&descriptor, csv->path, "a readable table"));
    gzFile file = gzdopen(descriptor, "rb");
    CHECK(file, "no memory to unpack %s", csv->path);
    size_t size = 0;
    int got;
    bool text = true; /* no NUL byte so far: nothing else need be read to refuse it */
    do {
        if (csv->bytes + 1 >= size) {
            size = 2 * size + FIRST_BYTES;
            csv->text = mem_grow(csv->text, size);
        }
        size_t room = size - csv->bytes - 1;
        got = gzread(file, csv->text + csv->bytes, (unsigned)(room < BLOCK ? room : BLOCK));
        if (got > 0) text = !memchr(csv->text + csv->bytes, 0, (size_t)got);
        if (got > 0) csv->bytes += (size_t)got;
    } while (got > 0 && text && csv->bytes <= TEXT_BYTES);
    csv->text[csv->bytes] = 0;
    /* A gzip file that was cut short reads as a shorter text; only the state tells. */
    int state;
    const char *why = gzerror(file, &state);
    Err err = ERR_NONE;
    if (state == Z_ERRNO) why = strerror(errno);
    if (csv->bytes > TEXT_BYTES)
        err = err_user("%s: want a table of at most %d MiB, unpacked", csv->path, TEXT_BYTES >> 20);
    else if (got < 0 || state != Z_OK)
        err = err_user("%s: %s: want a whole, readable file", csv->path, why);
    gzclose(file);
    return err;
}

static const char mark[] = "\357\273\277"; /* byte order mark of UTF-8 */

/* Where the text begins, past a byte order mark, and past blanks. */
static size_t past_mark(const Csv *csv) {
    return strncmp(csv->text, mark, strlen(mark)) ? 0 : strlen(mark);
}

static const char *first_letter(const Csv *csv) {
    const char *text = csv->text + past_mark(csv);
    return text + strspn(text, " \t\r\n");
}

/* Number of the line that holds byte `at`. */
static int64_t line_of(const Csv *csv, size_t at) {
    int64_t line = 1;
    for (size_t i = 0; i < at; i++) line += csv->text[i] == '\n';
    return line;
}

static Err check_text(const Csv *csv) {
    TRY(csv_refuse_kind(csv->path, csv->text, csv->bytes));
    const char *nul = memchr(csv->text, 0, csv->bytes);
    if (nul)
        return err_user("%s:%lld: a NUL byte: want text", csv->path,
                        (long long)line_of(csv, (size_t)(nul - csv->text)));
    if (!*first_letter(csv)) return err_user("%s: the file is empty: want column names, then rows", csv->path);
    return ERR_NONE;
}

/* The text in UTF-8, where it is in this encoding; NULL: it is not. `bytes`: how long it is. */
static char *in_utf8(size_t *bytes, const Csv *csv, const char *encoding) {
    iconv_t converter = iconv_open("UTF-8", encoding);
    if (converter == (iconv_t)-1) return NULL;
    const size_t room = 3 * csv->bytes; /* of Windows-1252 a byte may become three, as that of the euro does */
    char *text = MEM_NEW(char, room + 1);
    char *from = csv->text, *to = text;
    size_t unread = csv->bytes, left = room;
    bool done = iconv(converter, &from, &unread, &to, &left) != (size_t)-1;
    iconv_close(converter);
    if (!done) {
        mem_free(text);
        return NULL;
    }
    *bytes = room - left;
    return text;
}

/* What is not UTF-8 is most likely a spreadsheet's, in the encoding of western Europe. */
static Err take_encoding(Csv *csv) {
    size_t bytes, ascii = 0;
    while (ascii < csv->bytes && !(csv->text[ascii] & 0x80)) ascii++;
    if (ascii == csv->bytes) return ERR_NONE;
    char *same = in_utf8(&bytes, csv, "UTF-8");
    csv->western = !same;
    mem_free(same);
    if (!csv->western) return ERR_NONE;
    char *text = in_utf8(&bytes, csv, "WINDOWS-1252");
    if (!text)
        return err_user("%s:%lld: a letter that is not UTF-8: want iconv -t UTF-8 of the file", csv->path,
                        (long long)line_of(csv, ascii));
    mem_free(csv->text);
    csv->text = text;
    csv->bytes = bytes;
    return ERR_NONE;
}

/* ---- One row. ---- */

static void make_room(struct CsvRow *row, int fields) {
    if (fields <= row->room) return;
    row->room = 2 * fields + 64;
    row->offset = mem_grow(row->offset, (size_t)row->room * sizeof *row->offset);
    row->field = mem_grow(row->field, (size_t)row->room * sizeof *row->field);
}

/* Blanks, and what nobody sees of a pasted text, in UTF-8: no-break spaces, zero widths, marks of direction and of bytes. */
static const char *const unseen[] = {" ",
                                     "\t",
                                     "\r",
                                     "\n",
                                     "\302\240",
                                     "\342\200\211",
                                     "\342\200\213",
                                     "\342\200\216",
                                     "\342\200\217",
                                     "\342\200\257",
                                     "\342\201\240",
                                     mark};

/* Bytes of the one that a field begins with, or ends with; 0: none. */
static size_t unseen_at(const char *text, size_t bytes, bool end) {
    for (size_t i = 0; i < sizeof unseen / sizeof *unseen; i++) {
        size_t n = strlen(unseen[i]);
        if (n <= bytes && !memcmp(end ? text + bytes - n : text, unseen[i], n)) return n;
    }
    return 0;
}

/* A field without what is unseen around it. */
static void trim(char **text, size_t *bytes) {
    size_t n;
    while ((n = unseen_at(*text, *bytes, false))) {
        *text += n;
        *bytes -= n;
    }
    while ((n = unseen_at(*text, *bytes, true))) *bytes -= n;
}

static void on_field(void *field, size_t bytes, void *context) {
    struct CsvRow *row = context;
    char *text = field;
    if (text) trim(&text, &bytes);
    if (row->blanks && !bytes) return;
    make_room(row, row->fields + 1);
    if (row->used + bytes + 1 > row->size) {
        row->size = 2 * (row->used + bytes + 1);
        row->store = mem_grow(row->store, row->size);
    }
    char *to = row->store + row->used;
    if (bytes) memcpy(to, text, bytes);
    to[bytes] = 0;
    row->offset[row->fields++] = row->used;
    row->used += bytes + 1;
}

static void on_row(int end, void *context) {
    struct CsvRow *row = context;
    (void)end;
    row->ended = true;
}

/* Bytes of the line at `at` with what ends it: LF, CR LF or CR. */
static size_t line_length(const char *at) {
    size_t n = strcspn(at, "\r\n");
    if (at[n] == '\r' && at[n + 1] == '\n') return n + 2;
    return at[n] ? n + 1 : n;
}

static bool is_blank(const char *at, size_t bytes) {
    return strspn(at, " \t\r\n") >= bytes;
}

/* Whether a comment has as many separators as a row, and a number: whoever put # in front may have meant it as text. */
static bool is_like_row(const Csv *csv, const char *at, size_t bytes) {
    int separators = 0;
    bool digit = false;
    for (size_t i = 1; i < bytes; i++) {
        separators += at[i] == csv->separator;
        digit |= isdigit((unsigned char)at[i]) != 0;
    }
    return digit && csv->separator != ' ' && separators > 0 && separators >= csv->columns - 1;
}

/* Fields that follow one another into row->field; no field at the end of the text. */
static Err read_fields(Csv *csv) {
    struct CsvRow *row = csv->row;
    bool begun = false;
    row->fields = 0;
    row->used = 0;
    row->ended = false;
    while (!row->ended && row->at < csv->bytes) {
        const char *text = csv->text + row->at;
        size_t bytes = line_length(text);
        bool skip = !begun && (*text == '#' || is_blank(text, bytes));
        if (!begun) csv->line = row->line;
        row->at += bytes;
        row->line++;
        if (skip) csv->commented += csv->columns && *text == '#' && is_like_row(csv, text, bytes);
        if (skip) continue;
        begun = true;
        if (csv_parse(&row->parser, text, bytes, on_field, on_row, row) != bytes)
            return err_user("%s:%lld: a quotation mark inside a field: want \"...\" around it, and \"\" for each",
                            csv->path, (long long)row->line - 1);
    }
    if (begun && !row->ended && csv_fini(&row->parser, on_field, on_row, row))
        return err_user("%s:%lld: a quotation mark that is never closed: want \" at the end of the field", csv->path,
                        (long long)csv->line);
    for (int i = 0; i < row->fields; i++) row->field[i] = row->store + row->offset[i];
    return ERR_NONE;
}

static bool all_empty(char **field, int from, int to) {
    for (int i = from; i < to; i++)
        if (*field[i]) return false;
    return true;
}

static bool repeats_header(const Csv *csv) {
    for (int i = 0; i < csv->columns; i++)
        if (strcmp(csv->row->field[i], csv->name[i])) return false;
    return true;
}

/* Column names alone, in another order: rows below it would be read under the wrong names. */
static bool is_other_header(const Csv *csv) {
    for (int i = 0; i < csv->columns; i++) {
        bool found = false;
        for (int k = 0; k < csv->columns && !found; k++) found = !strcmp(csv->row->field[i], csv->name[k]);
        if (!found) return false;
    }
    return true;
}

/* As many fields as the header has: columns without a name may be missing, empty ones too many. */
static Err fit_to_header(const Csv *csv) {
    struct CsvRow *row = csv->row;
    bool fine = row->fields >= csv->columns ? all_empty(row->field, csv->columns, row->fields)
                                            : all_empty(csv->name, row->fields, csv->columns);
    if (!fine)
        return err_user("%s:%lld: %d fields: want %d as in the header", csv->path, (long long)csv->line, row->fields,
                        csv->columns);
    static char nothing[] = "";
    make_room(row, csv->columns);
    while (row->fields < csv->columns) row->field[row->fields++] = nothing;
    return ERR_NONE;
}

Err csv_next(Csv *csv, bool *more) {
    struct CsvRow *row = csv->row;
    *more = true;
    for (;;) {
        TRY(read_fields(csv));
        *more = row->fields > 0;
        if (!*more) return ERR_NONE;
        if (all_empty(row->field, 0, row->fields)) continue;
        TRY(fit_to_header(csv));
        if (!is_other_header(csv)) break;
        if (!repeats_header(csv))
            return err_user("%s:%lld: the columns in another order: want one order in a file", csv->path,
                            (long long)csv->line);
        csv->headers++;
    }
    csv->field = row->field;
    return ERR_NONE;
}

/* ---- The header. ---- */

/* The separator that the header at `text` has most of outside quotes; blanks where it has none. */
static char separator_of(const char *text) {
    static const char candidate[] = "\t;,|";
    int count[sizeof candidate] = {0};
    bool quoted = false;
    for (; *text && (quoted || !strchr("\r\n", *text)); text++) {
        const char *found = strchr(candidate, *text);
        if (*text == '"') quoted = !quoted;
        if (found && !quoted) count[found - candidate]++;
    }
    int best = 0;
    for (int i = 1; candidate[i]; i++)
        if (count[i] > count[best]) best = i;
    return count[best] ? candidate[best] : ' ';
}

static void start_parser(Csv *csv) {
    struct CsvRow *row = csv->row;
    CHECK(csv_init(&row->parser, CSV_STRICT | CSV_STRICT_FINI) == 0, "libcsv");
    csv_set_realloc_func(&row->parser, mem_grow);
    csv_set_free_func(&row->parser, mem_free);
    csv_set_delim(&row->parser, (unsigned char)csv->separator);
    row->blanks = csv->separator == ' ';
}

/* An error leaves libcsv inside a field. */
void csv_rewind(Csv *csv) {
    csv_free(&csv->row->parser);
    start_parser(csv);
    csv->row->at = csv->row->body;
    csv->row->line = csv->row->body_line;
    csv->headers = 0;
    csv->commented = 0;
}

static bool is_number(const char *text) {
    char *end;
    strtod(text, &end);
    return end != text && !*end;
}

static bool all_numbers(const struct CsvRow *row) {
    for (int i = 0; i < row->fields; i++)
        if (!is_number(row->field[i])) return false;
    return true;
}

static void keep_names(Csv *csv) {
    struct CsvRow *row = csv->row;
    csv->columns = row->fields;
    csv->name = MEM_NEW(char *, row->fields + 1);
    for (int i = 0; i < row->fields; i++) {
        csv->name[i] = MEM_NEW(char, strlen(row->field[i]) + 1);
        strcpy(csv->name[i], row->field[i]);
        for (char *c = csv->name[i]; *c; c++)
            if (iscntrl((unsigned char)*c)) *c = ' ';
    }
}

/* Over what stands above the header to its line; `comment`: the last comment above it, NULL for none. */
static void skip_to_header(Csv *csv, const char **comment) {
    struct CsvRow *row = csv->row;
    *comment = NULL;
    while (row->at < csv->bytes) {
        const char *text = csv->text + row->at;
        size_t bytes = line_length(text);
        bool says = !strncasecmp(text, "sep=", 4) && strchr(",;\t| ", text[4]) && text[4];
        /* A column may be called "#", beside others. */
        bool commented = *text == '#' && (!strchr(",;\t|", text[1]) || is_blank(text + 1, bytes - 1));
        if (says) csv->separator = text[4];
        if (commented) *comment = text;
        if (!says && !commented && !is_blank(text, bytes)) return;
        row->at += bytes;
        row->line++;
    }
}

static bool any_number(const struct CsvRow *row) {
    for (int i = 0; i < row->fields; i++)
        if (is_number(row->field[i])) return true;
    return false;
}

/* Whether the comment above the first row names its columns, as numpy.savetxt writes it, or as #Params,tokens would: that row
 * has a number, and the comment as many fields. They are then the fields of the row that was read. */
static Err read_comment_names(Csv *csv, const char *comment, bool *names) {
    struct CsvRow *row = csv->row;
    size_t first = row->at;
    int64_t first_line = row->line;
    TRY(read_fields(csv));
    int fields = row->fields;
    *names = any_number(row);
    if (*names) {
        row->at = (size_t)(comment + 1 - csv->text);
        Err err = read_fields(csv);
        *names = !err.code && row->fields == fields && !all_numbers(row);
        csv_free(&row->parser); /* an error leaves libcsv inside a field */
        start_parser(csv);
    }
    row->at = first;
    row->line = first_line;
    return ERR_NONE;
}

static Err read_names(Csv *csv, const char *comment) {
    struct CsvRow *row = csv->row;
    bool commented = false;
    /* The header itself may begin with #, which the rows' reader takes for a comment. */
    static char hash[] = "#";
    bool hashed = csv->text[row->at] == '#';
    if (comment && !hashed) TRY(read_comment_names(csv, comment, &commented));
    if (hashed) csv->text[row->at] = ' ';
    if (!commented) TRY(read_fields(csv));
    if (hashed) row->field[0] = hash;
    if (all_numbers(row))
        return err_user("%s:%lld: numbers where the header should be: want a line that names the columns", csv->path,
                        (long long)csv->line);
    keep_names(csv);
    return ERR_NONE;
}

static Err read_header(Csv *csv) {
    struct CsvRow *row = csv->row;
    const char *comment;
    row->at = past_mark(csv);
    skip_to_header(csv, &comment);
    if (row->at == csv->bytes) return err_user("%s: no header line: want column names, then rows", csv->path);
    if (!csv->separator) csv->separator = separator_of(csv->text + row->at);
    start_parser(csv);
    TRY(read_names(csv, comment));
    row->body = row->at;
    row->body_line = row->line;
    return ERR_NONE;
}

Err csv_open(Csv *csv, const char *path) {
    *csv = (Csv){.path = path};
    csv->row = MEM_NEW(struct CsvRow, 1);
    csv->row->line = 1;
    TRY(read_text(csv));
    TRY(check_text(csv));
    TRY(take_encoding(csv));
    return read_header(csv);
}

void csv_close(Csv *csv) {
    if (csv->separator) csv_free(&csv->row->parser);
    for (int i = 0; i < csv->columns; i++) mem_free(csv->name[i]);
    mem_free(csv->name);
    mem_free(csv->row->offset);
    mem_free(csv->row->field);
    mem_free(csv->row->store);
    mem_free(csv->row);
    mem_free(csv->text);
    *csv = (Csv){0};
}
