// TEST n=1
/* The action of motions on scenes: a group acts, inverses take back, the floor stays where it is under every vertex,
 * also where the motion is none of E(3). */
#include "check.h"
#include "la/pga.h"
#include "train/act.h"

enum { TOKENS = 40, SCENES = 3 };

typedef struct Fixture {
    SceneBatch scenes;
    int64_t start[SCENES + 1];
    real position[3 * TOKENS], velocity[3 * TOKENS], floor[4 * SCENES], gravity[3 * SCENES];
} Fixture;

static void fill(Fixture *f) {
    static const int64_t start[SCENES + 1] = {0, 7, 8, TOKENS};
    memcpy(f->start, start, sizeof start);
    for (int i = 0; i < 3 * TOKENS; i++) {
        f->position[i] = (real)rng_normal(1, 1, (uint64_t)i);
        f->velocity[i] = (real)rng_normal(1, 2, (uint64_t)i);
    }
    for (int q = 0; q < SCENES; q++) {
        Motion turn = motion_haar(1, 3, (uint64_t)q);
        for (int i = 0; i < 3; i++) {
            f->floor[4 * q + i] = (real)turn.a[i];
            f->gravity[3 * q + i] = (real)turn.a[3 + i];
        }
        f->floor[4 * q + 3] = (real)(q + 0.5);
    }
    f->scenes = (SceneBatch){.seqs = {.n = SCENES, .start = f->start},
                             .position = f->position,
                             .velocity = f->velocity,
                             .floor = f->floor,
                             .gravity = f->gravity};
}

static Motion some(int i) {
    Motion m = motion_haar(5, 6, (uint64_t)i);
    for (int k = 0; k < 3; k++) m.s[k] = rng_normal(5, 7, (uint64_t)(3 * i + k));
    return i % 2 ? motion_mirrored(&m) : m;
}

/* Neither rotation nor mirror image. */
static Motion bent(int i) {
    double w[MOTION_GENERATORS];
    for (int k = 0; k < MOTION_GENERATORS; k++) w[k] = 0.4 * rng_normal(8, (uint64_t)i, (uint64_t)k);
    return motion_exp(w, 1);
}

static double differ(const Motion *x, const Motion *y) {
    return fmax(test_error(x->a, y->a, 9), test_error(x->s, y->s, 3));
}

static void motions(void) {
    Motion one = motion_identity();
    double worst = 0;
    for (int i = 0; i < 8; i++) {
        Motion g = i < 4 ? some(i) : bent(i), back = motion_inverse(&g), round = motion_product(&back, &g);
        worst = fmax(worst, differ(&round, &one));
        EXPECT(g.orthogonal == (i < 4), "motion %d", i);
    }
    double axis[3] = {1, -2, 0.5}, length = sqrt(5.25), w[MOTION_GENERATORS] = {0}, angle = 2.3;
    for (int k = 0; k < 3; k++) w[k] = sqrt(2) * axis[k] / length; /* a unit of w turns by 1/sqrt(2) */
    Motion turn = motion_about(axis, angle), same = motion_exp(w, angle);
    EXPECT(same.orthogonal, "exp of a rotation");
    worst = fmax(worst, differ(&same, &turn));
    /* Right-handed: a quarter about z takes x to y. */
    Motion quarter = motion_about((const double[3]){0, 0, 2}, M_PI / 2);
    double x[3] = {1, 0, 0}, y[3] = {0, 1, 0};
    act_vector(x, x, &quarter);
    worst = fmax(worst, test_error(x, y, 3));
    /* One parameter, one group: exp(t w) exp(s w) = exp((t + s) w), and the inverse is exp(-w). */
    for (int k = 0; k < MOTION_GENERATORS; k++) w[k] = rng_normal(9, 9, (uint64_t)k);
    Motion a = motion_exp(w, 0.3), b = motion_exp(w, 1.1), both = motion_product(&b, &a), sum = motion_exp(w, 1.4);
    worst = fmax(worst, differ(&both, &sum));
    Motion back = motion_inverse(&sum), minus = motion_exp(w, -1.4);
    worst = fmax(worst, differ(&minus, &back));
    EXPECT(worst < 1e-12, "motions differ by %g", worst);
    /* Generators: each of norm 1, at right angles; read off at a small step, which leaves t^2/2 |G^2|. */
    const double t = 1e-8;
    for (int i = 0; i < MOTION_GENERATORS; i++)
        for (int j = 0; j <= i; j++) {
            double u[MOTION_GENERATORS] = {0}, v[MOTION_GENERATORS] = {0}, inner = 0;
            u[i] = v[j] = 1;
            Motion p = motion_exp(u, t), q = motion_exp(v, t);
            for (int k = 0; k < 9; k++) inner += (p.a[k] - one.a[k]) * (q.a[k] - one.a[k]) / (t * t);
            for (int k = 0; k < 3; k++) inner += p.s[k] * q.s[k] / (t * t);
            EXPECT(fabs(inner - (i == j)) < 1e-6, "generators %d and %d: %g", i, j, inner);
        }
    Motion mirrored = motion_mirrored(&turn);
    EXPECT(differ(&mirrored, &turn) > 0.5 && mirrored.orthogonal, "a mirror image");
}

/* Twice over one half of the sphere as often as over the other would show in the mean of a Haar rotation. */
static void haar(void) {
    enum { DRAWS = 20000 };
    double mean[9] = {0}, square[9] = {0};
    for (int i = 0; i < DRAWS; i++) {
        Motion m = motion_haar(3, 4, (uint64_t)i);
        for (int k = 0; k < 9; k++) {
            mean[k] += m.a[k] / DRAWS;
            square[k] += m.a[k] * m.a[k] / DRAWS;
        }
    }
    const double sd = 1 / sqrt(3.0 * DRAWS); /* each entry has mean 0 and variance 1/3 */
    for (int k = 0; k < 9; k++) {
        EXPECT(fabs(mean[k]) < 5 * sd, "mean of entry %d: %g", k, mean[k]);
        EXPECT(fabs(square[k] - 1.0 / 3) < 5 * sd, "mean square of entry %d: %g", k, square[k]);
    }
}

static double scenes_differ(const SceneBatch *a, const SceneBatch *b) {
    double worst = test_error_real(a->position, b->position, 3 * TOKENS);
    worst = fmax(worst, test_error_real(a->velocity, b->velocity, 3 * TOKENS));
    worst = fmax(worst, test_error_real(a->floor, b->floor, 4 * SCENES));
    return fmax(worst, test_error_real(a->gravity, b->gravity, 3 * SCENES));
}

/* n.p + h of token t, and of the same after a motion whose normals change by the factor that act_plane divides by. */
static double height(const SceneBatch *s, int q, int64_t t) {
    const real *n = s->floor + 4 * q, *p = s->position + 3 * t;
    return (double)n[0] * (double)p[0] + (double)n[1] * (double)p[1] + (double)n[2] * (double)p[2] + (double)n[3];
}

static void scenes(void) {
    Fixture f;
    MovedScenes moved[3];
    fill(&f);
    Arena count = arena_count();
    for (int i = 0; i < 3; i++) act_layout(&moved[i], TOKENS, SCENES, &count);
    Arena arena = arena_new(count.peak);
    for (int i = 0; i < 3; i++) act_layout(&moved[i], TOKENS, SCENES, &arena);

    double worst = 0, heights = 0;
    for (int kind = 0; kind < 2; kind++) {
        Motion first[SCENES], second[SCENES], both[SCENES], back[SCENES];
        for (int q = 0; q < SCENES; q++) {
            first[q] = kind ? bent(q) : some(q);
            second[q] = kind ? bent(q + SCENES) : some(q + SCENES);
            both[q] = motion_product(&second[q], &first[q]);
            back[q] = motion_inverse(&both[q]);
        }
        act_scene(&moved[0], &f.scenes, first, true);
        act_scene(&moved[1], &moved[0].scenes, second, true);
        act_scene(&moved[2], &f.scenes, both, true);
        worst = fmax(worst, scenes_differ(&moved[1].scenes, &moved[2].scenes));
        act_scene(&moved[0], &moved[1].scenes, back, true);
        worst = fmax(worst, scenes_differ(&moved[0].scenes, &f.scenes));
        for (int q = 0; q < SCENES; q++) {
            /* The plane moves with what lies on it: heights keep their ratio, and their value under E(3). */
            double ratio = kind ? height(&moved[2].scenes, q, f.start[q]) / height(&f.scenes, q, f.start[q]) : 1;
            for (int64_t t = f.start[q]; t < f.start[q + 1]; t++)
                heights = fmax(heights, fabs(height(&moved[2].scenes, q, t) - ratio * height(&f.scenes, q, t)));
        }
    }
    EXPECT(worst < 50 * REAL_EPSILON, "scenes differ by %g", worst);
    EXPECT(heights < (REAL_EPSILON < 1e-10 ? 1e-12 : 1e-4), "heights over the floor differ by %g", heights);

    /* One motion for all is that motion for each; displacements move as velocities do. */
    Motion g = some(1), each[SCENES] = {g, g, g};
    real out[3 * TOKENS];
    act_scene(&moved[0], &f.scenes, &g, false);
    act_scene(&moved[1], &f.scenes, each, true);
    EXPECT(scenes_differ(&moved[0].scenes, &moved[1].scenes) == 0, "one motion for all");
    act_out(out, f.velocity, &f.scenes.seqs, &g, false);
    EXPECT(!memcmp(out, moved[0].velocity, sizeof out), "act_out and velocities");
    arena_free(&arena);
}

/* A shear is not orthogonal: the normal of its floor is that of three moved points of the floor. */
static void sheared_floor(void) {
    double w[MOTION_GENERATORS] = {0}, plane[4] = {0, 0, 1, -2}, p[3][3] = {{0, 0, 2}, {1, 0, 2}, {0, 1, 2}};
    w[4] = 0.7; /* zx */
    w[9] = 0.3;
    Motion g = motion_exp(w, 1);
    act_plane(plane, plane, &g);
    for (int i = 0; i < 3; i++) {
        act_vector(p[i], p[i], &g);
        double h = plane[3];
        for (int k = 0; k < 3; k++) h += plane[k] * (p[i][k] + g.s[k]);
        EXPECT(fabs(h) < 1e-14, "point %d of the floor is %g over it", i, h);
    }
    EXPECT(fabs(plane[0]) > 0.1, "a shear tilts the floor: %g", plane[0]);
}

/* On multivectors: points and planes move as points and planes do, products as products, and mirror images as the
 * versors of planes make them. */
static void multivectors(void) {
    enum { CHANNELS = 3 };
    int64_t start[2] = {0, 1};
    Packed one = {.n = 1, .start = start};
    for (int i = 0; i < 4; i++) {
        Motion g = some(i);
        double sign = i % 2 ? -1 : 1, plane[4] = {0.6, 0, 0.8, 1.5}, p[3] = {0.3, -1.2, 2}, normal[3] = {0.6, 0, 0.8};
        double on[3] = {-0.9, 0, -1.2}, mv[CHANNELS][PGA], want[CHANNELS][PGA];
        pga_point(mv[0], p);
        pga_plane(mv[1], normal, on);
        pga_geometric_ref(mv[2], mv[0], mv[1]);
        act_vector(p, p, &g);
        act_vector(on, on, &g);
        act_plane(plane, plane, &g);
        for (int k = 0; k < 3; k++) {
            p[k] += g.s[k];
            on[k] += g.s[k];
        }
        pga_point(want[0], p);
        for (int c = 0; c < PGA; c++) want[0][c] *= sign;
        pga_plane(want[1], plane, on);
        pga_geometric_ref(want[2], want[0], want[1]);
        real x[PGA * CHANNELS], y[PGA * CHANNELS];
        for (int k = 0; k < PGA * CHANNELS; k++) x[k] = (real)mv[k % CHANNELS][k / CHANNELS];
        act_multivectors(y, x, CHANNELS, &one, &g, true);
        for (int k = 0; k < PGA * CHANNELS; k++)
            EXPECT(fabs((double)y[k] - want[k % CHANNELS][k / CHANNELS]) < 100 * REAL_EPSILON, "motion %d entry %d: %g",
                   i, k, (double)y[k]);
    }
    const double normal[3] = {0.6, 0, 0.8}, origin[3] = {0};
    double versor[PGA], image[PGA], blade[PGA] = {0};
    Motion mirror = motion_mirror(normal);
    pga_plane(versor, normal, origin);
    for (int c = 0; c < PGA; c++) {
        real x[PGA] = {0};
        x[c] = blade[c] = 1;
        pga_versor(image, versor, true, blade);
        blade[c] = 0;
        act_multivectors(x, x, 1, &one, &mirror, false);
        for (int k = 0; k < PGA; k++)
            EXPECT(fabs((double)x[k] - image[k]) < 10 * REAL_EPSILON, "mirror of %d, component %d", c, k);
    }
}

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    motions();
    haar();
    scenes();
    sheared_floor();
    multivectors();
    return test_end();
}
