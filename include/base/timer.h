/** Clocks, in seconds. Not collective. */
#pragma once

/** Wall clock, monotonic. */
double timer_now(void);

/** Processor time of this process: what its work costs, whoever else the core serves. */
double timer_cpu(void);
