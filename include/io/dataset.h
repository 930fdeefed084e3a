/** Rigid-body trajectories in one parallel HDF5 file: format `equiscale-dataset-1` (docs/dataset.md has the schema).
 *
 *  A body is stored as its mesh vertices in its own frame and one pose (position, quaternion w x y z) a frame; a vertex
 *  of body b at frame f is rotate(pose[f][b], vertex) + position. Trajectories differ in bodies and vertices and have
 *  the same number of frames. Lengths in m, masses in kg, times in s. */
#pragma once

#include "base/err.h"
#include "par/comm.h"

#include <stdbool.h>
#include <stdint.h>

/** One trajectory as the file has it. Pointers are owned by whoever filled the struct. */
typedef struct Trajectory {
    int bodies, frames;
    int64_t vertices;
    const float *vertex;        /* (vertices, 3) in the frame of its body */
    const int32_t *vertex_body; /* (vertices) 0 .. bodies-1, ascending */
    const float *pose;          /* (frames, bodies, 7) position, quaternion w x y z, in the world of this trajectory */
    const float
        *motion; /* (frames, bodies, 6) velocity of the origin m/s, angular velocity rad/s, in the world; or NULL */
    const uint8_t *contact; /* (frames, bodies) until the next frame touches: bit 0 the floor, bit 1 a body; or NULL */
    const float *mass;      /* (bodies) kg */
    const float *friction;  /* (bodies) */
    const float *restitution; /* (bodies) */
    float floor_friction, floor_restitution;
    float floor[4];           /* unit normal n and offset c: the floor is n.x = c, bodies are where n.x > c */
    float gravity[3];         /* m/s^2 */
    double frame_rotation[9]; /* the recorded pose of the trajectory: world = R canonical + shift; det R = +-1 */
    double frame_shift[3];
} Trajectory;

typedef struct Dataset Dataset;

enum { DATASET_BODIES = 256 }; /* most of a trajectory */

/** Opens and checks a file written by dataset_create or by anyone who follows the schema; the tables are read by every
 *  rank. Reads all of it into memory if that takes at most `memory` bytes, once for all ranks of a node (par/shared.h),
 *  whose leader reads, or trajectory by trajectory on demand, every rank for itself. Either way all of it is read once,
 *  shared out over the ranks where it stays on the disk, and its digest is computed; a digest that the file states must be
 *  that of its arrays. Refused: data in which nothing moves. Cost: one reading; XXH3 takes well under a tenth of that.
 *  Collective. */
Err dataset_open(Dataset **dataset, const char *path, const Comm *comm, int64_t memory);
void dataset_close(Dataset *dataset); /* collective on the ranks of the node that opened it together */

/** Of the whole file. Not collective. */
int64_t dataset_size(const Dataset *dataset); /* trajectories */
int dataset_frames(const Dataset *dataset);
double dataset_frame_time(const Dataset *dataset); /* s between frames */
bool dataset_has_motion(const Dataset *dataset);
int dataset_max_bodies(const Dataset *dataset);
int64_t dataset_max_vertices(const Dataset *dataset);
/** Bytes that a rank holds, of what its node shares its part, of a file of `trajectories` trajectories like these but with
 *  so many frames, opened with `memory`: exact for this file when all of it is in memory; an estimate from means when it is
 *  another, or read on demand. */
int64_t dataset_bytes(const Dataset *dataset, int64_t trajectories, int64_t frames, int64_t memory);

/** Which data these are: of all numbers of the first n trajectories, whatever the file's name, date, maker or layout, and
 *  as 16 hexadecimal digits. */
enum { DATASET_DIGEST = 17 };
uint64_t dataset_digest(const Dataset *dataset, int64_t n);
void dataset_digest_text(char text[DATASET_DIGEST], uint64_t digest);

/** What dataset_create was given as settings, NULL for a file made by someone else, and the number of trajectories.
 *  mem_free the text. Not collective. */
Err dataset_settings(char **settings, int64_t *trajectories, const char *path);

/** Whether all of it is in memory; and the seconds that this rank has waited for trajectories read on demand. */
bool dataset_in_memory(const Dataset *dataset);
double dataset_read_seconds(const Dataset *dataset);

/** Trajectory i; valid until another is asked for when read on demand; ends the job when it is not what it was when the file
 *  was opened. Not collective. */
const Trajectory *dataset_get(Dataset *dataset, int64_t i);

/** Says that trajectory i will be asked for soon, for its frames `frame` and the next: what is in memory is fetched into
 *  the caches meanwhile; what is on the disk into memory that the ranks of the node share, where no filter packs it and
 *  its types are those of the schema. Changes nothing, waits for nothing. Not collective. */
void dataset_expect(const Dataset *dataset, int64_t i, int frame);

/** Writes a new file from trajectories that `make` produces, each rank its own contiguous range in ascending order;
 *  what it points to is used before the next call. Temporary name, checked, renamed; an existing file is never
 *  overwritten. Collective. */
typedef void DatasetMake(void *context, int64_t i, Trajectory *out);
typedef struct DatasetPlan {
    int64_t trajectories;
    int frames;
    double frame_time; /* s */
    bool motion;       /* trajectories come with motion and contact */
    uint64_t seed;
    const char *settings; /* of the generator, text recorded as provenance */
} DatasetPlan;
Err dataset_create(const char *path, const DatasetPlan *plan, DatasetMake *make, void *context, const Comm *comm);
