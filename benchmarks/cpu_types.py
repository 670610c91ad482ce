"""A CNN on a CPU in float32 and in bfloat16, as it is and compiled: a training step and a pass.

python benchmarks/cpu_types.py [--backbone tf_efficientnet_b0.in1k] [--size 128] [--threads 2]
                                some minutes; compiling needs a C++ compiler

In turn, the fastest of all, as the machine may be busy beside. "ours" is what mesodecode does:
channels last, depthwise convolutions of its own, batch normalisation folded in a pass. Prints
milliseconds an image, their ratio to ours, and how far logits of a pass are off from float32.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from mesodecode.decoders.convolutions import Depthwise
from mesodecode.decoders.networks import CNNDecoder, for_use

BF16 = {"device_type": "cpu", "dtype": torch.bfloat16}


def plain(model: nn.Module) -> nn.Module:
    """Return a copy with PyTorch's own depthwise convolutions, which compile."""
    model = copy.deepcopy(model)
    for part in model.modules():
        if isinstance(part, Depthwise):
            part.__class__ = nn.Conv2d
    return model


def steps(model: nn.Module) -> dict[str, Callable[[Tensor], object]]:
    """Return ways to do a training step, forward and backward."""

    def step(network: Callable[[Tensor], Tensor], reduced: bool) -> Callable[[Tensor], object]:
        def run(images: Tensor) -> None:
            with torch.autocast(**BF16, enabled=reduced):
                loss = network(images).float().square().mean()
            loss.backward()

        return run

    theirs = plain(model).train()
    compiled = torch.compile(theirs)
    return {
        "ours, float32": step(model.train(), False),
        "compiled, float32": step(compiled, False),
        "ours, bfloat16": step(model, True),
        "PyTorch's convolutions, bfloat16": step(theirs, True),
        "compiled, bfloat16": step(compiled, True),
    }


def passes(model: nn.Module) -> dict[str, Callable[[Tensor], object]]:
    """Return ways to pass images, in evaluation mode."""
    folded, theirs = for_use(copy.deepcopy(model).eval()), plain(model).eval()
    compiled = torch.compile(theirs)

    def reduced(network: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        def run(images: Tensor) -> Tensor:
            with torch.autocast(**BF16):
                return network(images)

        return run

    return {
        "ours, float32": folded,
        "compiled, float32": compiled,
        "ours, bfloat16": reduced(folded),
        "PyTorch's convolutions, bfloat16": reduced(theirs),
        "compiled, bfloat16": reduced(compiled),
    }


def compare(ways: dict[str, Callable[[Tensor], object]], images: Tensor, turns: int) -> None:
    """Print the time an image that each takes, and its ratio to the first."""
    best = dict.fromkeys(ways, float("inf"))
    first_call, made = {}, {}
    for turn in range(turns + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            made[name] = way(images)
            seconds = time.perf_counter() - start
            if turn:
                best[name] = min(best[name], seconds)
            else:
                first_call[name] = seconds  # which compiles
    first, expected = next(iter(best.values())), next(iter(made.values()))
    for name, seconds in best.items():
        line = (
            f"  {name:33} {1e3 * seconds / len(images):7.2f} ms an image {first / seconds:6.2f} x"
        )
        line += f", {first_call[name]:4.0f} s the first time"
        if isinstance(expected, Tensor):
            line += f", logits off by {(made[name].float() - expected).abs().max():.1e}"
        print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default="tf_efficientnet_b0.in1k")
    parser.add_argument("--size", type=int, default=128, help="px (default: 128)")
    parser.add_argument("--batch", type=int, default=32, help="images (default: 32)")
    parser.add_argument("--threads", type=int, default=2, help="(default: 2)")
    parser.add_argument("--turns", type=int, default=8, help="of each way (default: 8)")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    has = torch.cpu._is_avx512_bf16_supported(), torch.cpu._is_amx_tile_supported()
    print(f"torch {torch.__version__}; AVX512-bf16, AMX: {has}; {args.threads} threads")
    model = CNNDecoder(args.backbone).to(memory_format=torch.channels_last)
    images = torch.randn(args.batch, 3, args.size, args.size)
    images = images.to(memory_format=torch.channels_last)
    print(f"training step, {args.backbone}, {args.batch} images of {args.size} px")
    compare(steps(model), images, args.turns)
    print("pass")
    with torch.inference_mode():
        compare(passes(model), images, args.turns)


if __name__ == "__main__":
    main()
