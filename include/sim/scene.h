/** Random scenes: bodies of several shapes thrown into the middle of a floor, after the Kubric MOVi benchmark (Greff et
 *  al. 2022). Scene i is a function of (options, i) alone; a scene whose simulation goes wrong is drawn again.
 *
 *  Simulated with gravity along -z; with `canonical` left so, else moved by a random proper motion of E(3) that is
 *  recorded: world = R canonical + s. Lengths m, masses kg, times s. Not collective. Errors: none. */
#pragma once

#include "sim/world.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct SceneOptions {
    uint64_t seed;
    int frames;     /* poses recorded, the first at time 0 */
    int frame_rate; /* Hz, a divisor of WORLD_RATE */
    int bodies_min, bodies_max;
    int vertices;                  /* mesh vertices of a round body, 8 .. SHAPE_VERTICES */
    double radius_min, radius_max; /* m, of the balls around the bodies */
    double spread;                 /* m: half the width of the spawn box; its height is the same, from 1 m up */
    double speed;                  /* m/s: bodies fly at the middle plus a random velocity of up to this in x and y */
    bool canonical;
} SceneOptions;

typedef struct Scene {
    int bodies, frames, vertices;
    float *vertex;                        /* (vertices, 3) in the frame of its body */
    int32_t *vertex_body;                 /* (vertices) ascending */
    float *pose;                          /* (frames, bodies, 7) position, quaternion w x y z */
    float *motion;                        /* (frames, bodies, 6) velocity of the origin m/s, angular velocity rad/s */
    uint8_t *contact;                     /* (frames, bodies) CONTACT_* bits until the next frame; 0 at the last one */
    float *mass, *friction, *restitution; /* (bodies) */
    Shape *shape;                         /* (bodies) */
    const Material **material;            /* (bodies) */
    float floor_friction, floor_restitution;
    float floor[4];               /* n, c: the floor is n.x = c */
    float gravity[3];             /* m/s^2 */
    double rotation[9], shift[3]; /* R, s */
    double turn[4];               /* R as a quaternion */
    double depth;                 /* m: deepest contact */
    int attempts;                 /* 1, or more where a simulation went wrong and the scene was drawn again */
} Scene;

/** Room for the largest scene of these options, and the way back. */
Scene *scene_new(const SceneOptions *options);
void scene_free(Scene *scene);

/** Fills the scene with trajectory i. */
void scene_make(Scene *scene, const SceneOptions *options, int64_t i);

/** Velocities (bodies, 6) as the recorded frame and the one before tell them: differences of origins, and the rotation
 *  between the two orientations, over the time of a frame. */
void scene_differences(float *motion, const Scene *scene, const SceneOptions *options, int frame);

/** What the simulator makes of one recorded frame: poses (bodies, 7) a frame later, from the poses of that frame and
 *  from `motion` (bodies, 6) alone. With the recorded motion that is the next recorded frame, bit for bit. */
void scene_replay(float *pose, const Scene *scene, const SceneOptions *options, int frame, const float *motion);
