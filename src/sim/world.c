#include "sim/world.h"

#include "base/arena.h"
#include "base/err.h"

#include <math.h>
#include <ode/ode.h>
#include <string.h>

const Material material_metal = {.friction = 0.4, .restitution = 0.3, .density = 2700};
const Material material_rubber = {.friction = 0.8, .restitution = 0.7, .density = 1100};
const Material material_floor = {.friction = 0.3, .restitution = 0.5};

enum { CONTACTS = 8, SUBSTEPS = 16 };
static const double TRAVEL = 0.004;      /* m: how far bodies may close in within a substep */
static const double BOUNCE_SPEED = 0.05; /* m/s: slower contacts do not bounce */
static const double CORRECT_SPEED = 0.2; /* m/s: at which overlap is pushed apart */
static const double REST_TIME = 0.0625;  /* s: less than a frame at 12 Hz, since a scene starts anew at every frame */

typedef struct Piece {
    dBodyID body;
    dGeomID geom;
    dGeomID proxy; /* of a cylinder: its hull; libccd's depths of true cylinders can be off by tens of cm */
    Material material;
    double radius;
    double lever; /* the point of a body that lies furthest in a direction is at most this far beside its centre */
    Hull *hull;   /* ODE keeps pointers into it */
    int contacts; /* CONTACT_* bits */
} Piece;

struct World {
    dWorldID ode;
    dSpaceID space;
    dGeomID floor;
    dJointGroupID contacts;
    Material floor_material;
    double gravity, depth;
    bool failed, begun; /* begun: a step has looked for contacts */
    int n;
    Piece piece[WORLD_BODIES];
};

static bool complained;

static void complain(int number, const char *text, va_list args) {
    (void)number, (void)text, (void)args;
    complained = true;
}

World *world_new(const Material *floor, double gravity) {
    static bool started;
    if (!started) {
        CHECK(dInitODE2(0) && dAllocateODEDataForThread(dAllocateMaskAll), "ODE does not start");
        dSetMessageHandler(complain);
        started = true;
    }
    dRandSetSeed(1);
    World *w = MEM_NEW(World, 1);
    w->ode = dWorldCreate();
    w->space = dSimpleSpaceCreate(0);
    w->contacts = dJointGroupCreate(0);
    w->floor = dCreatePlane(w->space, 0, 0, 1, 0);
    w->floor_material = *floor;
    w->gravity = gravity;
    dWorldSetGravity(w->ode, 0, 0, -gravity);
    dWorldSetERP(w->ode, 0.2);
    dWorldSetCFM(w->ode, 1e-10); /* s/kg; softer costs restitution, harder costs the solver its footing */
    dWorldSetContactMaxCorrectingVel(w->ode, CORRECT_SPEED);
    dWorldSetContactSurfaceLayer(w->ode, 0.001);
    dWorldSetAutoDisableFlag(w->ode, 1);
    dWorldSetAutoDisableLinearThreshold(w->ode, 0.03);
    dWorldSetAutoDisableAngularThreshold(w->ode, 0.05);
    dWorldSetAutoDisableSteps(w->ode, 0);
    dWorldSetAutoDisableTime(w->ode, REST_TIME);
    return w;
}

void world_free(World *w) {
    for (int i = 0; i < w->n; i++) {
        if (w->piece[i].proxy) dGeomDestroy(w->piece[i].proxy);
        mem_free(w->piece[i].hull);
    }
    dJointGroupDestroy(w->contacts);
    dSpaceDestroy(w->space);
    dWorldDestroy(w->ode);
    mem_free(w);
}

/* ODE's geometry and mass of a shape. */
static dGeomID hull_geom(dSpaceID space, Hull **hull, const Shape *s) {
    Hull *h = *hull = MEM_NEW(Hull, 1);
    shape_hull(h, s);
    return dCreateConvex(space, h->plane[0], (unsigned)h->n_faces, h->vertex[0], (unsigned)h->n_vertices, h->faces);
}

static dGeomID collider(World *w, dMass *mass, Hull **hull, const Shape *s, double density) {
    double r = s->size[0], h = s->size[1];
    switch (s->kind) {
    case SHAPE_BOX: dMassSetBox(mass, density, r, h, s->size[2]); return dCreateBox(w->space, r, h, s->size[2]);
    case SHAPE_SPHERE: dMassSetSphere(mass, density, r); return dCreateSphere(w->space, r);
    case SHAPE_CYLINDER: dMassSetCylinder(mass, density, 3, r, h); return dCreateCylinder(w->space, r, h);
    case SHAPE_CAPSULE: dMassSetCapsule(mass, density, 3, r, h); return dCreateCapsule(w->space, r, h);
    default: break;
    }
    dGeomID geom = hull_geom(w->space, hull, s);
    double m[3][3], volume = hull_moments(m, *hull);
    dMassSetParameters(mass, density * volume, 0, 0, 0, density * (m[1][1] + m[2][2]), density * (m[0][0] + m[2][2]),
                       density * (m[0][0] + m[1][1]), -density * m[0][1], -density * m[0][2], -density * m[1][2]);
    return geom;
}

int world_add(World *w, const Shape *shape, const Material *material, const BodyState *state) {
    CHECK(w->n < WORLD_BODIES, "more than %d bodies", WORLD_BODIES);
    Piece *p = &w->piece[w->n];
    dMass mass;
    const double *x = state->position, *v = state->velocity, *s = state->spin;
    p->geom = collider(w, &mass, &p->hull, shape, material->density);
    p->body = dBodyCreate(w->ode);
    p->material = *material;
    p->radius = shape_radius(shape);
    p->lever = sqrt(fmax(p->radius * p->radius - pow(shape_inradius(shape), 2), 0));
    dBodySetMass(p->body, &mass);
    dGeomSetBody(p->geom, p->body);
    if (shape->kind == SHAPE_CYLINDER) {
        p->proxy = hull_geom(NULL, &p->hull, shape);
        dGeomSetBody(p->proxy, p->body);
    }
    dGeomSetData(p->geom, p);
    dBodySetPosition(p->body, x[0], x[1], x[2]);
    dBodySetQuaternion(p->body, state->quaternion);
    dBodySetLinearVel(p->body, v[0], v[1], v[2]);
    dBodySetAngularVel(p->body, s[0], s[1], s[2]);
    if (state->asleep) dBodyDisable(p->body);
    return w->n++;
}

/* Velocity of a body's material at a point, added with a sign. */
static void add_velocity(double u[3], dBodyID body, const double *point, double sign) {
    dVector3 v;
    if (!body) return;
    dBodyGetPointVel(body, point[0], point[1], point[2], v);
    for (int i = 0; i < 3; i++) u[i] += sign * v[i];
}

/* What stands for a body against this other one. */
static dGeomID stand_in(dGeomID geom, const Piece *piece, dGeomID other) {
    int kind = dGeomGetClass(other);
    bool angular = kind == dBoxClass || kind == dCylinderClass || kind == dConvexClass;
    return piece && piece->proxy && angular ? piece->proxy : geom;
}

static void near(void *data, dGeomID a, dGeomID b) {
    World *w = data;
    Piece *p = dGeomGetData(a), *q = dGeomGetData(b); /* NULL: the floor */
    dBodyID body_a = dGeomGetBody(a), body_b = dGeomGetBody(b);
    bool asleep = (!p || !dBodyIsEnabled(body_a)) && (!q || !dBodyIsEnabled(body_b));
    if (asleep && w->begun) return;
    const Material *s = p ? &p->material : &w->floor_material, *t = q ? &q->material : &w->floor_material;
    dContactGeom found[CONTACTS];
    int n = dCollide(stand_in(a, p, b), stand_in(b, q, a), CONTACTS, found, sizeof *found);
    if (n > 0 && p) p->contacts |= q ? CONTACT_BODY : CONTACT_FLOOR;
    if (n > 0 && q) q->contacts |= p ? CONTACT_BODY : CONTACT_FLOOR;
    for (int i = 0; i < n && !asleep; i++) {
        dContact c = {.geom = found[i]};
        w->depth = fmax(w->depth, found[i].depth);
        c.surface.mode = dContactBounce | dContactApprox1;
        c.surface.mu = s->friction * t->friction;
        c.surface.bounce = s->restitution * t->restitution;
        c.surface.bounce_vel = BOUNCE_SPEED;
        /* ODE's friction is a pyramid; with one edge along the sliding it acts as Coulomb's cone in any direction. */
        double u[3] = {0}, along = 0, speed = 0;
        add_velocity(u, body_a, found[i].pos, 1);
        add_velocity(u, body_b, found[i].pos, -1);
        for (int j = 0; j < 3; j++) along += u[j] * found[i].normal[j];
        for (int j = 0; j < 3; j++) u[j] -= along * found[i].normal[j], speed += u[j] * u[j];
        if (speed > 1e-8) {
            c.surface.mode |= dContactFDir1;
            for (int j = 0; j < 3; j++) c.fdir1[j] = u[j] / sqrt(speed);
        }
        dJointAttach(dJointCreateContact(w->ode, w->contacts, &c), body_a, body_b);
    }
}

static double length(const double *x) {
    return sqrt(x[0] * x[0] + x[1] * x[1] + x[2] * x[2]);
}

/* How many parts a step needs: one while nothing can touch within it, else by the largest closing speed. */
static int substeps(const World *w) {
    const double dt = 1.0 / WORLD_RATE;
    double box[WORLD_BODIES][6], turning[WORLD_BODIES], speed[WORLD_BODIES], closing = 0;
    for (int i = 0; i < w->n; i++) {
        const Piece *p = &w->piece[i];
        const double *v = dBodyGetLinearVel(p->body);
        turning[i] = length(dBodyGetAngularVel(p->body)) * p->lever;
        speed[i] = length(v) + turning[i] + (dBodyIsEnabled(p->body) ? w->gravity * dt : 0);
        dGeomGetAABB(p->geom, box[i]);
        if (box[i][4] < speed[i] * dt) closing = fmax(closing, fmax(-v[2], 0) + turning[i]);
        for (int j = 0; j < i; j++) {
            const double *u = dBodyGetLinearVel(w->piece[j].body);
            bool apart = false;
            for (int k = 0; k < 3; k++) {
                double reach = (speed[i] + speed[j]) * dt;
                apart |= box[i][2 * k] - box[j][2 * k + 1] > reach || box[j][2 * k] - box[i][2 * k + 1] > reach;
            }
            double between[3] = {v[0] - u[0], v[1] - u[1], v[2] - u[2]};
            if (!apart) closing = fmax(closing, length(between) + turning[i] + turning[j]);
        }
    }
    double n = ceil(closing * dt / TRAVEL);
    return n < 1 ? 1 : n > SUBSTEPS ? SUBSTEPS : (int)n;
}

void world_step(World *w) {
    int n = substeps(w);
    complained = false;
    for (int i = 0; i < n; i++) {
        dSpaceCollide(w->space, w, near);
        w->begun = true;
        dWorldStep(w->ode, 1.0 / WORLD_RATE / n);
        dJointGroupEmpty(w->contacts);
    }
    for (int i = 0; i < w->n; i++) {
        const double *x = dBodyGetPosition(w->piece[i].body);
        if (!isfinite(x[0] + x[1] + x[2]) || x[2] < -w->piece[i].radius) w->failed = true;
    }
    w->failed |= complained;
}

BodyState world_state(const World *w, int body) {
    dBodyID b = w->piece[body].body;
    BodyState s = {.asleep = !dBodyIsEnabled(b)};
    memcpy(s.position, dBodyGetPosition(b), sizeof s.position);
    memcpy(s.quaternion, dBodyGetQuaternion(b), sizeof s.quaternion);
    memcpy(s.velocity, dBodyGetLinearVel(b), sizeof s.velocity);
    memcpy(s.spin, dBodyGetAngularVel(b), sizeof s.spin);
    return s;
}

int world_contacts(const World *w, int body) {
    return w->piece[body].contacts;
}

double world_mass(const World *w, int body) {
    dMass m;
    dBodyGetMass(w->piece[body].body, &m);
    return m.mass;
}

double world_energy(const World *w) {
    double e = 0;
    for (int i = 0; i < w->n; i++) {
        dBodyID b = w->piece[i].body;
        dMass m;
        dVector3 spin;
        const double *v = dBodyGetLinearVel(b), *s = dBodyGetAngularVel(b);
        dBodyGetMass(b, &m);
        dBodyVectorFromWorld(b, s[0], s[1], s[2], spin);
        e += m.mass * ((v[0] * v[0] + v[1] * v[1] + v[2] * v[2]) / 2 + w->gravity * dBodyGetPosition(b)[2]);
        for (int p = 0; p < 3; p++)
            for (int q = 0; q < 3; q++) e += m.I[4 * p + q] * spin[p] * spin[q] / 2;
    }
    return e;
}

void world_momentum(double p[3], const World *w) {
    for (int k = 0; k < 3; k++) p[k] = 0;
    for (int i = 0; i < w->n; i++)
        for (int k = 0; k < 3; k++) p[k] += world_mass(w, i) * dBodyGetLinearVel(w->piece[i].body)[k];
}

double world_depth(const World *w) {
    return w->depth;
}

bool world_failed(const World *w) {
    return w->failed;
}
