/* Calls of HDF5, for the files that make them: what may fail, what may not, and what is said where it did. */
#pragma once

#include "io/h5.h"

#include <hdf5.h>

/* What HDF5 had to say when a call that may fail did: kept at once, since the next call clears it. */
enum { H5_REASON = 160 };
extern char h5_reason[H5_REASON];

/* A call that may fail: returns what it returned, and keeps the reason. */
int64_t h5_tried(int64_t rc);

/* A call that can fail only by a bug of ours or for want of memory. */
#define H5_CALL(call) h5_checked((call), __LINE__, #call)
int64_t h5_checked(int64_t rc, int line, const char *call);

Err h5_unreadable(const H5File *file, const char *object);

/* Every rank passes what its call returned. */
Err h5_written(H5File *file, const char *object, int64_t rc);

/* Text of fixed length, in UTF-8; to be closed. */
hid_t h5_text_type(size_t bytes);

/* Properties, to be closed. Of access: no name leads into another file, since a link out of this one would open whatever it
 * names. Of creation, of the file, groups and datasets alike: no times, and all links and attributes in the object's own
 * header. The other way, HDF5's heaps, writes unused bytes as they are in memory, different in every run. */
hid_t h5_inside(hid_t class);
hid_t h5_plain(hid_t class);
