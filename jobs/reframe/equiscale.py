"""ReFrame test: the benchmark of training steps. reframe -c jobs/reframe/equiscale.py -r"""
import json
import os

import reframe as rfm
import reframe.utility.sanity as sn


@rfm.simple_test
class EquiscaleStep(rfm.RunOnlyRegressionTest):
    """Forward and backward passes of both models beside the machine's own matrix-product peak."""

    descr = "equiscale bench step"
    valid_systems = ["*"]
    valid_prog_environs = ["*"]
    executable = os.environ.get("EQUISCALE", "equiscale")
    executable_opts = ["bench", "step", "-json", "step.json"]
    keep_files = ["step.json"]
    num_tasks = parameter([1, 2])

    def document(self):
        with open(os.path.join(self.stagedir, "step.json")) as f:
            return json.load(f)

    @sanity_function
    def own_checks_passed(self):
        """The benchmark judges itself: finite outputs, equal replicas, FLOP as counted."""
        return sn.assert_eq(self.document()["verdict"], "PASSED")

    @performance_function("GFLOP/s")
    def figure_of_merit(self):
        """Executed FLOP/s over all ranks and models."""
        return self.document()["figure_of_merit"]["gflops"]

    @performance_function("1")
    def share_of_peak(self):
        return self.document()["figure_of_merit"]["share_of_peak"]

    @performance_function("GFLOP/s")
    def slowest_model(self):
        """Of all rows, the least rate over all ranks."""
        return min(row["gflops"] for row in self.document()["rows"])
