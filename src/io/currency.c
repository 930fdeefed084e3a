#include "io/currency.h"

const Currency currencies[CURRENCIES] = {
#define CURRENCY_ROW(word, ...) [CURRENCY_##word] = {__VA_ARGS__},
    CURRENCY_ROWS(CURRENCY_ROW)
#undef CURRENCY_ROW
};
