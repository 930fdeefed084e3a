// TEST single n=1
/* Numbers as people write them: with either decimal mark, grouped, with exponents and suffixes; and what is none. */
#include "check.h"
#include "io/number.h"

static void readable(void) {
    const struct {
        const char *text;
        NumberMark mark;
        double want;
    } good[] = {
        {"3000000", MARK_POINT, 3e6},
        {"4.84135", MARK_POINT, 4.84135},
        {"1e9", MARK_POINT, 1e9},
        {"1.5E+09", MARK_POINT, 1.5e9},
        {"-2.5e-3", MARK_POINT, -2.5e-3},
        {".5", MARK_POINT, .5},
        {"5.", MARK_POINT, 5},
        {"1,234,567", MARK_POINT, 1234567},
        {"1,234.5", MARK_POINT, 1234.5},
        {"1 234 567", MARK_POINT, 1234567},
        {"1'234'567", MARK_POINT, 1234567},
        {"1_000_000", MARK_POINT, 1e6},
        {"1\302\240234", MARK_POINT, 1234},
        {"1\342\200\257234,5", MARK_COMMA, 1234.5},
        {"4,84135", MARK_COMMA, 4.84135},
        {"1.234.567,5", MARK_COMMA, 1234567.5},
        {"3.125", MARK_COMMA, 3125},
        {"3,125", MARK_COMMA, 3.125},
        {"3,125", MARK_POINT, 3125},
        {"1,5e9", MARK_COMMA, 1.5e9},
        {"70M", MARK_POINT, 7e7},
        {"1.3B", MARK_POINT, 1.3e9},
        {"2 T", MARK_POINT, 2e12},
        {"12k", MARK_POINT, 12e3},
        {"1,3 G", MARK_COMMA, 1.3e9},
    };
    for (int i = 0; i < (int)(sizeof good / sizeof *good); i++) {
        double x = 0;
        bool ok = number_read(&x, good[i].text, good[i].mark);
        EXPECT(ok && fabs(x - good[i].want) <= 1e-15 * fabs(good[i].want), "%s: %.17g", good[i].text, x);
    }
    double x = 0;
    EXPECT(number_read(&x, "0.1234567890123456789", MARK_POINT) && x == strtod("0.1234567890123456789", NULL), "%g", x);
    const char *bad[] = {"",     "-",      "abc",  "1.2.3",    "1,23",      "12,34,567", "1e400", "inf", "nan",
                         "0x10", "1e",     "e5",   "1.5 M x",  "1,2345",    "12 %",      "1..2",  "--1", ".",
                         "1,",   "1 2345", ",123", "1234,567", "1,234 567", "12 k 3",    "1k5"};
    for (int i = 0; i < (int)(sizeof bad / sizeof *bad); i++)
        EXPECT(!number_read(&x, bad[i], MARK_POINT), "%s: %g", bad[i], x);
}

static NumberMark mark_of(const char *const *text) {
    NumberStyle style = {0};
    for (; *text; text++) number_observe(&style, *text);
    return number_mark(&style);
}

static void marks(void) {
    EXPECT(mark_of((const char *[]){"3000000", "4.84", "x", NULL}) == MARK_POINT, "points");
    EXPECT(mark_of((const char *[]){"3000000", "4,84", NULL}) == MARK_COMMA, "commas");
    EXPECT(mark_of((const char *[]){"3.000.000", "4,125", NULL}) == MARK_COMMA, "grouped by points");
    EXPECT(mark_of((const char *[]){"3,000,000", "4.125", NULL}) == MARK_POINT, "grouped by commas");
    EXPECT(mark_of((const char *[]){"3,000", "4.84", NULL}) == MARK_POINT, "grouped by commas, told by the other");
    EXPECT(mark_of((const char *[]){"3000000", "4,125", NULL}) == MARK_UNCLEAR, "either");
    EXPECT(mark_of((const char *[]){"4,84", "4.8412", NULL}) == MARK_UNCLEAR, "both");
    EXPECT(mark_of((const char *[]){"3", "4.125", NULL}) == MARK_POINT, "nothing speaks for the comma");
    EXPECT(mark_of((const char *[]){NULL}) == MARK_POINT, "no numbers");
}

static void truths(void) {
    const char *agree[] = {"true", "TRUE", "yes", "1", "1.0", "x", "T"}, *deny[] = {"False", "no", "0", "0.0", "", "n"};
    bool yes = false;
    for (int i = 0; i < 7; i++) EXPECT(number_truth(&yes, agree[i]) && yes, "%s", agree[i]);
    for (int i = 0; i < 6; i++) EXPECT(number_truth(&yes, deny[i]) && !yes, "%s", deny[i]);
    EXPECT(!number_truth(&yes, "perhaps"), "neither");
    EXPECT(!number_truth(&yes, "2") && !number_truth(&yes, "0.5") && !number_truth(&yes, "-1"), "an amount");
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    readable();
    marks();
    truths();
    return test_end();
}
