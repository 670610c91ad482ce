"""Deep SHAP of a recurrent decoder beside shap.GradientExplainer, at comparable completeness.

python benchmarks/deepshap.py           the ROI decoder of Ajioka et al. 2024: GRU, 32 units

A decoder of 50 simulated ROI signals in windows of 31 frames is trained for some seconds, so that
its output depends on its input as a real one's does. A pair is a window compared with a reference
of the background. GradientExplainer draws points between a window and random references instead of
comparing all; it gets the smallest number of points, doubled from 1000, at which its completeness
error, mean |base + sum of values - output| / mean |output - base|, is at most 2 %. Its rate counts
the pairs of windows and background that its result stands for.
"""

from __future__ import annotations

import argparse
import time
import warnings

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from mesodecode.decoders.networks import RNNDecoder
from mesodecode.explain.attributions import explain
from mesodecode.explain.deepshap import explain_deep, outputs

N_ROIS, N_FRAMES = 50, 31


def signals(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return windows (n, T, F) and labels (n,): slow noise, some ROIs rise during a run."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(n, N_FRAMES + 9, N_ROIS, generator=generator)
    windows = noise.unfold(1, 10, 1).mean(3)
    labels = (torch.rand(n, generator=generator) < 0.5).float()
    windows[:, 10:, :10] += 0.3 * labels[:, None, None]
    return windows, labels


def train(cell: str, hidden_size: int) -> RNNDecoder:
    """Return a decoder trained for 100 steps."""
    decoder = RNNDecoder(N_ROIS, cell=cell, hidden_size=hidden_size)
    windows, labels = signals(3200, 1)
    optimizer = torch.optim.Adam(decoder.parameters(), 3e-3)
    for part in torch.arange(6400).remainder(3200).split(64):
        loss = binary_cross_entropy_with_logits(decoder(windows[part]), labels[part])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return decoder.eval()


def relative_error(decoder, windows, explanation, output: str) -> float:
    expected = outputs(decoder, windows, output)
    missed = explanation.base + explanation.values.sum((1, 2)) - expected
    return (missed.abs().mean() / (expected - explanation.base).abs().mean()).item()


def timed(work) -> tuple[float, object]:
    start = time.perf_counter()
    done = work()
    return time.perf_counter() - start, done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cell", default="gru", choices=["gru", "lstm", "rnn"])
    parser.add_argument("--hidden-size", type=int, default=32)
    parser.add_argument("--background", type=int, default=1000, help="references (default: 1000)")
    parser.add_argument("--windows", type=int, default=64, help="for Deep SHAP (default: 64)")
    parser.add_argument("--few", type=int, default=4, help="of them for the other (default: 4)")
    parser.add_argument("--output", default="probability", choices=["probability", "logit"])
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    warnings.filterwarnings("ignore", module="shap")
    decoder = train(args.cell, args.hidden_size)
    background, windows = signals(args.background, 2)[0], signals(args.windows, 3)[0]
    few = windows[: args.few]
    print(
        f"{args.cell}, {args.hidden_size} units, {N_FRAMES} frames x {N_ROIS} ROIs, background "
        f"{args.background}, output {args.output}, {args.threads} threads"
    )

    explain_deep(decoder, few, background, output=args.output)  # warm-up
    seconds, deep = timed(lambda: explain_deep(decoder, windows, background, output=args.output))
    rate = args.windows * args.background / seconds
    error = relative_error(decoder, windows, deep, args.output)
    print(
        f"Deep SHAP           {args.windows:>6} windows {seconds:6.2f} s {rate:>9.0f} pairs/s   "
        f"completeness error {error:.1e} (largest {deep.completeness_error:.1e} absolute)"
    )

    how = {"method": "gradient", "output": args.output}
    explain(decoder, few[:1], background, samples=250, **how)  # imports shap
    samples = 500
    error = 1.0
    while error > 0.02 and samples < 128_000:
        samples *= 2
        seconds, other = timed(
            lambda n=samples: explain(decoder, few, background, samples=n, **how)
        )
        error = relative_error(decoder, few, other, args.output)
        gradient_rate = len(few) * args.background / seconds
        print(
            f"GradientExplainer   {len(few):>6} windows {seconds:6.2f} s {gradient_rate:>9.0f} "
            f"pairs/s   completeness error {error:.1e} at {samples} points a window "
            f"({len(few) * samples / seconds:.0f} points/s)",
            flush=True,
        )
    print(f"Deep SHAP / GradientExplainer: {rate / gradient_rate:.1f} x")


if __name__ == "__main__":
    main()
