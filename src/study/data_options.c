#include "study/data_options.h"

#include "sim/world.h"

#include <math.h>
#include <stddef.h>

#define AT(member) offsetof(DataOptions, member)

/* DATA_PLACE keys that say which part of a dataset, where, and what models see of it come first; all others decide the
 * numbers in it. */
const KeySpec data_keys[] = {
    {"data.path", KEY_WORD, AT(path), "runs/data.h5", 0, 0, NULL, "1", "file of the trajectories, made where absent"},
    {"data.generate", KEY_CHOICE, AT(generate), "auto", 0, 0, "auto|never", "1",
     "auto: trajectories are simulated into the file where it is absent; never: its absence is an error"},
    {"data.trajectories", KEY_INT, AT(trajectories), "1000", 1, 1e9, NULL, "1", "trajectories in the file"},
    {"data.velocity", KEY_CHOICE, AT(velocity), "instant", 0, 0, "instant|frames", "1",
     "velocities that models see: of the moment, or (for data without them) the displacement since the frame before",
     "frames"},
    {"data.inputs", KEY_CHOICE, AT(inputs), "full", 0, 0, "full|geometry|no_gravity|no_floor|none", "1",
     "geometry: models are not told the floor's friction and restitution nor the size of gravity; no_gravity, "
     "no_floor: "
     "nothing of it; none: neither",
     "geometry"},
    {"data.origin", KEY_CHOICE, AT(origin), "mean", 0, 0, "mean|frame", "1",
     "positions count from the mean vertex of a scene, or from the origin of the dataset's frame"},
    {"data.seed", KEY_INT, AT(seed), "1", 0, 1e15, NULL, "1", "seed of everything random in the scenes"},
    {"data.frames", KEY_INT, AT(frames), "24", 3, 1e5, NULL, "1", "frames of a trajectory, the first at time 0"},
    {"data.frame_rate", KEY_INT, AT(frame_rate), "12", 1, 240, NULL, "Hz", "frames a second, a divisor of 240"},
    {"data.bodies_min", KEY_INT, AT(bodies_min), "3", 1, 64, NULL, "1", "fewest bodies in a scene"},
    {"data.bodies_max", KEY_INT, AT(bodies_max), "10", 1, 64, NULL, "1", "most bodies in a scene"},
    {"data.vertices", KEY_INT, AT(vertices), "12", 8, 64, NULL, "1", "mesh vertices of a round body"},
    {"data.radius_min", KEY_REAL, AT(radius_min), "0.35", 0.1, 10, NULL, "m", "smallest ball around a body"},
    {"data.radius_max", KEY_REAL, AT(radius_max), "0.7", 0.1, 10, NULL, "m", "largest ball around a body"},
    {"data.spread", KEY_REAL, AT(spread), "4", 0.5, 100, NULL, "m",
     "bodies start within this of the middle in x and y, and up to this above the lowest place"},
    {"data.speed", KEY_REAL, AT(speed), "4", 0, 20, NULL, "m/s",
     "bodies are thrown at the middle with a random velocity of up to this added in x and y"},
    {"data.frame", KEY_WORD, AT(frame), "random", 0, 0, "random|canonical", "1",
     "random: each trajectory seen from a rotated and shifted frame of its own; canonical: gravity along -z"},
};
const int n_data_keys = sizeof data_keys / sizeof *data_keys;

Err data_check(const DataOptions *o) {
    if (!*o->path) return err_user("data.path is empty: want a file of trajectories, which may be absent");
    if (WORLD_RATE % o->frame_rate)
        return err_user("data.frame_rate = %lld: want a divisor of %d", (long long)o->frame_rate, WORLD_RATE);
    if (o->bodies_min > o->bodies_max)
        return err_user("data.bodies_min = %lld: want at most data.bodies_max = %lld", (long long)o->bodies_min,
                        (long long)o->bodies_max);
    if (o->radius_min > o->radius_max)
        return err_user("data.radius_min = %g: want at most data.radius_max = %g", o->radius_min, o->radius_max);
    /* Placing by chance ends surely while the balls fill a small part of the spawn box. */
    double r = o->radius_max, balls = 4.19 * r * r * r * (double)o->bodies_max;
    double least = cbrt(balls / 0.1 / 4);
    if (o->spread < least)
        return err_user("data.spread = %g: too little room for %lld bodies of radius %g: want at least %.2g", o->spread,
                        (long long)o->bodies_max, r, least);
    return ERR_NONE;
}
