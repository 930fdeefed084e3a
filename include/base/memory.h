/** How much memory there is. Not collective. Errors: none. */
#pragma once

#include <stdint.h>

/** Bytes that the processes of this node may have together: what is built in, or what a control group allows if that is
 *  less: that of this process or any that it is in, such as that of a job of Slurm. */
int64_t memory_bytes(void);

/** `least`, or the least that a group allows of those that `list` (as /proc/self/cgroup) names, below the folder `root`. */
double memory_group_limit(double least, const char *list, const char *root);
