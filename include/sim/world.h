/** A world of rigid bodies on the floor z = 0 under gravity -z, by the Open Dynamics Engine.
 *
 *  Steps of 1/240 s, cut into shorter ones where bodies are about to touch at speed, so that they enter each other by a
 *  few mm at most. Contacts: Coulomb friction along the direction of sliding and Newton's restitution; both
 *  coefficients are the product of the two sides'. A body that has been at rest for 1/16 s is put to sleep until it is
 *  touched.
 *
 *  The motion is a function of what was added, in this order: every world is new and ODE's own random numbers are set.
 *  Lengths m, masses kg, times s. Not collective. */
#pragma once

#include "sim/shape.h"

#include <stdbool.h>

enum { WORLD_BODIES = 64, WORLD_RATE = 240 };

#define WORLD_GRAVITY 10.0 /* m/s^2 */

typedef struct Material {
    double friction, restitution;
    double density; /* kg/m^3 */
} Material;

extern const Material material_metal, material_rubber, material_floor;

typedef struct BodyState {
    double position[3], quaternion[4]; /* w x y z */
    double velocity[3], spin[3];       /* of the centre of mass, m/s; rad/s, in the world; both 0 while asleep */
    bool asleep;
} BodyState;

/** What a body touches, as bits. */
enum { CONTACT_FLOOR = 1, CONTACT_BODY = 2 };

typedef struct World World;

World *world_new(const Material *floor, double gravity);
void world_free(World *world);

/** Returns the number of the body, from 0. */
int world_add(World *world, const Shape *shape, const Material *material, const BodyState *state);

/** 1/240 s. */
void world_step(World *world);

BodyState world_state(const World *world, int body);

/** What the body has touched since the world began. */
int world_contacts(const World *world, int body);
double world_mass(const World *world, int body);

/** Kinetic plus potential energy in J, and momentum in kg m/s. */
double world_energy(const World *world);
void world_momentum(double p[3], const World *world);

/** Deepest contact so far, in m. */
double world_depth(const World *world);

/** Something went wrong that makes the motion worthless: the solver complained or numbers are not finite. */
bool world_failed(const World *world);
