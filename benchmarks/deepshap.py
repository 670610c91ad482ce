"""Deep SHAP of a recurrent decoder: its rate beside an earlier version's, and other methods.

python benchmarks/deepshap.py [--against FOLDER] [--cell lstm] [--threads 1]
python benchmarks/deepshap.py --device cuda --background 10000 --windows 1000
python benchmarks/deepshap.py methods       needs `pip install --no-deps captum==0.9.0`, see below
python benchmarks/deepshap.py gradient      shap.GradientExplainer at comparable completeness
python benchmarks/deepshap.py memory        10,000 references

The decoder is the ROI decoder of Ajioka et al. 2024 (GRU, 32 units), trained for some seconds, so
that its output depends on its input as a real one's does: 50 simulated ROI signals in windows of 31
frames. A pair is a window compared with a reference of the background.

`--against`: a checkout of another version, such as `git worktree add /tmp/old 866cb41`. Both
versions explain in turns, each turn in a process of its own. Best turns and medians are compared,
of pairs/s by the clock and by the processors' time, which other programs change less.

With the rate come the minutes of the whole study of config.yaml at it: of each of 20 allocations
the maps of a decoder and of its null, of 1,000 windows against 10,000 references each, and the same
with the start of their jobs. On a GPU `--background 10000 --windows 1000` is one whole such map.

`methods`: windows of 3 frames x 4 signals have 12 numbers, so that exact Shapley values can be had
by passing all 4096 coalitions, those outside of one with the values of a reference, averaged over
the background. The label asks whether one signal was high a frame after another. Captum (0.9.0) is
no dependency; its declared bound of numpy is older than what it runs with, hence `--no-deps`.

`gradient` draws points between a window and random references instead of comparing all; it gets the
smallest number of points, doubled from 1000, at which its completeness error, mean |base + sum of
values - output| / mean |output - base|, is at most 2 %. Its rate counts the pairs of windows and
background that its result stands for.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import resource
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from mesodecode.models import RNNDecoder  # under names that every version has

N_ROIS, N_FRAMES = 50, 31
MAPS, PAIRS = 2 * 20, 1_000 * 10_000  # `fig6` of config.yaml, and the pairs of each
START = 15.0  # s that a job takes to start


def signals(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return windows (n, T, F) and labels (n,): slow noise, some ROIs rise during a run."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(n, N_FRAMES + 9, N_ROIS, generator=generator)
    windows = noise.unfold(1, 10, 1).mean(3)
    labels = (torch.rand(n, generator=generator) < 0.5).float()
    windows[:, 10:, :10] += 0.3 * labels[:, None, None]
    return windows, labels


def followed(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return windows (n, 3, 4) and labels (n,): signal 1 is high a frame after signal 0."""
    generator = torch.Generator().manual_seed(seed)
    windows = torch.randn(n, 3, 4, generator=generator)
    evidence = windows[:, :2, 0] * windows[:, 1:, 1]
    return windows, (evidence.sum(1) + 0.5 * windows[:, 2, 2] > 0).float()


def train(decoder: nn.Module, data: Callable, steps: int = 100) -> nn.Module:
    """Return a decoder trained for some steps."""
    windows, labels = data(3200, 1)
    optimizer = torch.optim.Adam(decoder.parameters(), 3e-3)
    for part in torch.arange(64 * steps).remainder(3200).split(64):
        loss = binary_cross_entropy_with_logits(decoder(windows[part]), labels[part])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return decoder.eval()


def roi_decoder(args: argparse.Namespace) -> nn.Module:
    return train(RNNDecoder(N_ROIS, cell=args.cell, hidden_size=args.hidden_size), signals)


def relative_error(decoder, windows, values, base: float, output: str) -> float:
    with torch.no_grad():
        expected = decoder(windows)
    expected = torch.sigmoid(expected) if output == "probability" else expected
    missed = base + values.sum((1, 2)) - expected
    return (missed.abs().mean() / (expected - base).abs().mean()).item()


def timed(work) -> tuple[float, object]:
    start = time.perf_counter()
    done = work()
    return time.perf_counter() - start, done


def rate(args: argparse.Namespace) -> None:
    """Print pairs/s of this version, or of two in turns."""
    if not args.against:
        pairs_per_s, words = one_turn(args)
        seconds = MAPS * PAIRS / pairs_per_s
        print(words)
        print(
            f"{MAPS} maps of {PAIRS:,} pairs: {seconds / 60:.1f} minutes, "
            f"{(seconds + MAPS * START) / 60:.1f} with {START:.0f} s for the start of each job"
        )
        return
    found: dict[str, list[list[float]]] = {}
    this = Path(__file__).resolve().parent.parent
    for _ in range(args.turns):
        for tree in (Path(args.against), this):
            line = [sys.executable, __file__, "rate", "--cell", args.cell]
            for name in ("hidden_size", "background", "windows", "output", "threads"):
                line += [f"--{name.replace('_', '-')}", str(getattr(args, name))]
            path = {"PYTHONPATH": str(tree / "workflow")}
            done = subprocess.run(
                line, env=os.environ | path, capture_output=True, text=True, check=True
            )
            print(f"{tree}: {done.stdout.strip()}", flush=True)
            rates = re.findall(r"(\d+) pairs/s", done.stdout)
            found.setdefault(str(tree), []).append(list(map(float, rates)))
    for column, unit in enumerate(("pairs/s", "pairs/s of CPU")):
        for name, judged in (("best turns", max), ("medians", statistics.median)):
            other, own = (judged([turn[column] for turn in turns]) for turns in found.values())
            print(f"{name}: {own:.0f} / {other:.0f} {unit} = {own / other:.2f} x")


def one_turn(args: argparse.Namespace) -> tuple[float, str]:
    """Return pairs/s, and a line that says them."""
    from mesodecode.explain.deepshap import deep_shap

    decoder = roi_decoder(args).to(args.device)
    background, windows = (
        signals(n, seed)[0].to(args.device) for n, seed in ((args.background, 2), (args.windows, 3))
    )
    deep_shap(decoder, windows[:4], background, output=args.output)  # warm-up
    cpu = time.process_time()
    seconds, (values, base) = timed(
        lambda: deep_shap(decoder, windows, background, output=args.output)
    )
    cpu, pairs = time.process_time() - cpu, args.windows * args.background
    error = relative_error(decoder, windows, values, base, args.output)
    where = f"{args.threads} threads" if args.device == "cpu" else torch.cuda.get_device_name()
    return pairs / seconds, (
        f"{pairs / seconds:.0f} pairs/s, {pairs / cpu:.0f} pairs/s of CPU, completeness error "
        f"{error:.1e} ({args.cell}, {args.hidden_size} units, {where})"
    )


def gradient(args: argparse.Namespace) -> None:
    """Print the rate of shap.GradientExplainer at a completeness error of 2 %."""
    from mesodecode.explain.attributions import explain

    warnings.filterwarnings("ignore", module="shap")
    decoder = roi_decoder(args)
    background, windows = signals(args.background, 2)[0], signals(args.few, 3)[0]
    how = {"method": "gradient", "output": args.output}
    explain(decoder, windows[:1], background, samples=250, **how)  # imports shap
    samples, error = 500, 1.0
    while error > 0.02 and samples < 128_000:
        samples *= 2
        seconds, other = timed(
            lambda n=samples: explain(decoder, windows, background, samples=n, **how)
        )
        error = relative_error(decoder, windows, other.values, other.base, args.output)
        print(
            f"{samples} points a window: {args.few * args.background / seconds:.0f} pairs/s, "
            f"completeness error {error:.1e} ({args.few * samples / seconds:.0f} points/s)",
            flush=True,
        )


# --- methods -----------------------------------------------------------------------------------


class MaxPooled(nn.Module):
    """A convolution over time, ReLU, and a max pool over the two places that three frames have."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.active = nn.Conv1d(4, 16, 2), nn.ReLU()
        self.pool, self.head = nn.MaxPool1d(2), nn.Linear(16, 1)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Return logits (N,) of windows (N, 3, 4)."""
        active = self.active(self.convolution(windows.transpose(1, 2)))
        return self.head(self.pool(active)[:, :, 0])[:, 0]


class Column(nn.Module):
    """A decoder's logit (N, 1), as shap and captum want it."""

    def __init__(self, decoder: nn.Module) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Return logits (N, 1) of windows (N, T, F)."""
        return self.decoder(windows)[:, None]


@torch.no_grad()
def exact(decoder: nn.Module, windows: torch.Tensor, background: torch.Tensor) -> torch.Tensor:
    """Return the Shapley values of a decoder's logit by all coalitions of a window's numbers."""
    n = windows[0].numel()
    inside = (torch.arange(2**n)[:, None] >> torch.arange(n)) & 1 > 0
    size = inside.sum(1)
    weights = torch.tensor(
        [math.factorial(s) * math.factorial(n - s - 1) / math.factorial(n) for s in range(n)],
        dtype=torch.float64,
    )
    values = []
    for window in windows:
        mask, total = inside.view(-1, *window.shape), 0.0
        for reference in background:
            total = total + decoder(torch.where(mask, window, reference)).double()
        total /= len(background)
        without = [torch.nonzero(~inside[:, i])[:, 0] for i in range(n)]
        shares = [
            (weights[size[at]] * (total[at + 2**i] - total[at])).sum()
            for i, at in enumerate(without)
        ]
        values.append(torch.stack(shares).view_as(window))
    return torch.stack(values)


def methods(args: argparse.Namespace) -> None:
    """Print completeness, time and correlation with exact Shapley values of each method."""
    import shap
    from captum.attr import DeepLift, DeepLiftShap

    from mesodecode.explain import deep_shap

    untrained = MaxPooled()
    if args.cell != "max_pool":
        untrained = RNNDecoder(4, cell=args.cell, hidden_size=args.hidden_size)
    decoder = train(untrained, followed, 1500)
    background, windows = followed(50, 2)[0], followed(20, 3)[0]
    with torch.no_grad():
        logits, base = decoder(windows), decoder(background).mean().item()
    found, column = exact(decoder, windows, background), Column(decoder)

    def shap_values(explainer: object, **how: object) -> torch.Tensor:
        made = explainer.shap_values(windows, **how)
        return torch.as_tensor(made).reshape(windows.shape)

    ways = {
        "deep_shap": lambda: deep_shap(decoder, windows, background, output="logit")[0],
        "shap.DeepExplainer": lambda: shap_values(
            shap.DeepExplainer(column, background), check_additivity=False
        ),
        "shap.GradientExplainer, 1,000 points": lambda: shap_values(
            shap.GradientExplainer(column, background), nsamples=1000, rseed=1
        ),
        "captum DeepLiftShap": lambda: DeepLiftShap(column).attribute(windows, background),
        "captum DeepLift, mean reference": lambda: DeepLift(column).attribute(
            windows, background.mean(0, keepdim=True)
        ),
    }
    print(
        "| method | completeness error | seconds | correlation with exact values |\n"
        "|---|---|---|---|"
    )
    for name, way in ways.items():
        way()
        seconds, values = timed(way)
        values = values.detach()
        usual = base
        if "mean reference" in name:
            with torch.no_grad():
                usual = decoder(background.mean(0, keepdim=True)).item()
        error = relative_error(decoder, windows, values, usual, "logit")
        pair = torch.stack((values.double().flatten(), found.flatten()))
        print(f"| {name} | {error:.1e} | {seconds:.3f} | {torch.corrcoef(pair)[0, 1]:.4f} |")
    missed = base + found.sum((1, 2)) - logits
    print(f"exact values miss the logit by {missed.abs().max():.1e} at most")


def memory(args: argparse.Namespace) -> None:
    """Print the peak memory of a process that explains windows by 10,000 references."""
    from mesodecode.explain import deep_shap

    decoder = RNNDecoder(N_ROIS, cell=args.cell, hidden_size=args.hidden_size)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    background, windows = torch.randn(10_000, N_FRAMES, N_ROIS), signals(args.few, 3)[0]
    seconds, _ = timed(lambda: deep_shap(decoder, windows, background, output=args.output))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{peak:.2f} GB at most, {before:.2f} GB before, {seconds:.1f} s for {args.few} windows")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    works = {work.__name__: work for work in (rate, methods, gradient, memory)}
    parser.add_argument("what", nargs="?", default="rate", choices=works)
    parser.add_argument("--cell", default="gru", choices=["gru", "lstm", "rnn", "max_pool"])
    parser.add_argument("--hidden-size", type=int, default=32)
    parser.add_argument("--background", type=int, default=1000, help="references (default: 1000)")
    parser.add_argument("--windows", type=int, default=64, help="explained (default: 64)")
    parser.add_argument("--few", type=int, default=4, help="of slow methods (default: 4)")
    parser.add_argument("--output", default="probability", choices=["probability", "logit"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"], help="of the rate")
    parser.add_argument("--against", default="", help="checkout of another version, on a CPU")
    parser.add_argument("--turns", type=int, default=5, help="of each version (default: 5)")
    args = parser.parse_args()
    if args.device != "cpu" and (args.against or args.what != "rate"):
        parser.error("--device cuda: of the rate of this version alone")
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    works[args.what](args)


if __name__ == "__main__":
    main()
