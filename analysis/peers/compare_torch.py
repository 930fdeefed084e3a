#!/usr/bin/env python3
"""Our transformer beside PyTorch's own encoder of the same sizes, in turn, in one go.

    analysis/peers/compare_torch.py [-ranks 2] [-rounds 5] [-samples 32] [-tokens 41]

Needs PyTorch (Debian: python3-torch), which nothing else here does.  A round times the forward and backward pass of one
batch with PyTorch on as many threads as we have ranks, then with `equiscale bench step`; medians over the rounds are
printed.  The layers are torch.nn.TransformerEncoderLayer, pre-norm, GELU, inner width twice the channels, no dropout,
between two linear maps; its layer norms have weights, ours have none: the numbers of parameters differ by that.
Debian's PyTorch takes its products from libblas.so.3: with BLIS there it is given the same AVX-512 kernels as ours.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

from chart import absent

with open("/proc/cpuinfo") as cpu:
    if "avx512dq" in cpu.read():
        os.environ.setdefault("BLIS_ARCH_TYPE", "skx")
try:
    import torch  # BLIS reads the variable when it is loaded
except ModuleNotFoundError as missing:
    absent(missing, "python3-torch")

SIZES = [(64, 4), (128, 4), (256, 6)]  # channels, blocks
HEADS, INPUTS, OUTPUTS = 4, 32, 3
ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


class Encoder(torch.nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        layer = torch.nn.TransformerEncoderLayer(width, HEADS, 2 * width, dropout=0.0, activation="gelu",
                                                 batch_first=True, norm_first=True)
        self.first = torch.nn.Linear(INPUTS, width)
        self.blocks = torch.nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.last = torch.nn.Linear(width, OUTPUTS)

    def forward(self, x):
        return self.last(self.blocks(self.first(x)))


def torch_ms(model, x, cotangent, repeat=5):
    times = []
    for _ in range(repeat + 1):
        start = time.perf_counter()
        model.zero_grad()
        model(x).backward(cotangent)
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times[1:])


def torch_peak():
    a, b = torch.rand(2048, 2048), torch.rand(2048, 2048)
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        torch.mm(a, b)
        best = min(best, time.perf_counter() - start)
    return 2e-9 * 2048 ** 3 / best


def ours(width, depth, options):
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        command = [f"{ROOT}/jobs/local.sh", str(options.ranks), f"{ROOT}/build/opt/equiscale", "bench", "step",
                   "-model", "transformer", "-width", str(width), "-depth", str(depth), "-heads", str(HEADS),
                   "-batch", str(options.samples), "-tokens", str(options.tokens), "-repeat", "5",
                   "-json", out.name]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        with open(out.name) as written:  # the program replaces the file
            return json.load(written)["rows"][0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in ("ranks", 2), ("rounds", 5), ("samples", 32), ("tokens", 41):
        parser.add_argument(f"-{name}", type=int, default=value)
    options = parser.parse_args()
    torch.set_num_threads(options.ranks)  # also of an OpenMP BLAS
    x = torch.randn(options.samples, options.tokens, INPUTS)
    cotangent = torch.randn(options.samples, options.tokens, OUTPUTS)
    print(f"PyTorch {torch.__version__} on {options.ranks} threads, its 2048^3 product {torch_peak():.0f} GFLOP/s; "
          f"{options.samples} samples x {options.tokens} tokens, float32")
    print(f"{'channels':>8}{'blocks':>8}{'parameters':>12}{'PyTorch ms':>12}{'ours ms':>10}{'ratio':>8}{'share':>8}")
    for width, depth in SIZES:
        model = Encoder(width, depth)
        rounds = [(torch_ms(model, x, cotangent), ours(width, depth, options)) for _ in range(options.rounds)]
        theirs = statistics.median(t for t, _ in rounds)
        mine = statistics.median(row["ms"] for _, row in rounds)
        share = statistics.median(row["share_of_peak"] for _, row in rounds)
        print(f"{width:8}{depth:8}{rounds[0][1]['parameters']:12}{theirs:12.1f}{mine:10.2f}{theirs / mine:8.1f}"
              f"{share:8.2f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
