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

    @sanity_function
    def has_rows(self):
        return sn.assert_true(os.path.exists(os.path.join(self.stagedir, "step.json")))

    @performance_function("GFLOP/s")
    def slowest_model(self):
        """Of all rows, the least rate over all ranks."""
        with open(os.path.join(self.stagedir, "step.json")) as f:
            document = json.load(f)
        rows = document["rows"] if isinstance(document, dict) else document
        return min(row["gflops"] for row in rows)
