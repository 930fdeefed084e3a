#include "la/flops.h"

static int64_t counted;

void flops_add(int64_t n) {
    counted += n;
}

int64_t flops_counted(void) {
    return counted;
}
