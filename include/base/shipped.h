/** Files that come with the program: studies in input/ and scripts in analysis/. They stand in share/equiscale beside the
 *  bin/ of an installed program, or in the source tree that a program in build/MODE/ was made from. Not collective. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/** The path of such a file, by its name in the source tree (input/quick.yaml); false when there is none. */
bool shipped_find(char *path, size_t size, const char *name);
