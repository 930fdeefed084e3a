/** Wall-clock seconds from a monotonic clock. */
#pragma once

double timer_now(void);
