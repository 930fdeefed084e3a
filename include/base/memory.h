/** How much memory there is. Not collective. Errors: none. */
#pragma once

#include <stdint.h>

/** Bytes that the processes of this node may have together: what is built in, or what a control group allows if that is
 *  less. */
int64_t memory_bytes(void);
