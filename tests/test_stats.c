// TEST n=1
/* Quantiles against tables of their distributions, and quantiles of tail probabilities. */
#include "check.h"
#include "math/stats.h"

int main(int argc, char **argv) {
    comm_start(&argc, &argv);
    EXPECT(fabs(stats_chi2_quantile(0.95, 10) - 18.307) < 1e-3, "chi2 %g", stats_chi2_quantile(0.95, 10));
    EXPECT(fabs(stats_chi2_quantile(0.05, 10) - 3.940) < 1e-3, "chi2 %g", stats_chi2_quantile(0.05, 10));
    EXPECT(fabs(stats_t_quantile(0.975, 5) - 2.571) < 1e-3, "t %g", stats_t_quantile(0.975, 5));
    EXPECT(fabs(stats_f_quantile(0.95, 3, 20) - 3.098) < 1e-3, "F %g", stats_f_quantile(0.95, 3, 20));
    const double p[] = {1e-6, 0.01, 0.5, 0.999};
    const double dof[] = {0.7, 2, 5.3, 300};
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 4; k++) {
            double back = 1 - stats_chi2_sf(stats_chi2_quantile(p[i], dof[k]), dof[k]);
            EXPECT(fabs(back / p[i] - 1) < 1e-6, "p = %g, dof %g: %g", p[i], dof[k], back);
        }
    return test_end();
}
