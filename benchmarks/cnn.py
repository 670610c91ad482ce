"""A CNN on one core: a training step, and a pass, with convolutions of ours and with PyTorch's own.

python benchmarks/cnn.py        a minute, one core

EfficientNet-Lite0, batches of 16 images of 64 px in training and of 64 in a pass, in turn; the
fastest of all, as the machine may be busy beside.
"""

from __future__ import annotations

import time

import torch
from torch import nn

from mesodecode.decoders.convolutions import Depthwise
from mesodecode.decoders.networks import CNNDecoder, for_use

SIZE, TURNS = 64, 10


def main() -> None:
    torch.set_num_threads(1)
    model = CNNDecoder("efficientnet_lite0").to(memory_format=torch.channels_last)
    depthwise = [part for part in model.modules() if isinstance(part, Depthwise)]

    def step(images: torch.Tensor, kind: type) -> None:
        for part in depthwise:
            part.__class__ = kind
        model.train().zero_grad()
        model(images).sum().backward()

    print("training step")
    compare(16, lambda images: step(images, nn.Conv2d), lambda images: step(images, Depthwise))
    print("pass")
    used = for_use(model)
    with torch.inference_mode():
        compare(64, model.eval(), used)


def compare(n: int, theirs, ours) -> None:
    images = torch.randn(n, 3, SIZE, SIZE).to(memory_format=torch.channels_last)
    best = {"PyTorch": float("inf"), "ours": float("inf")}
    for _ in range(TURNS):
        for name, call in (("PyTorch", theirs), ("ours", ours)):
            start = time.thread_time()
            call(images)
            best[name] = min(best[name], time.thread_time() - start)
    for name, seconds in best.items():
        print(f"{name:8} {1e3 * seconds / n:6.2f} ms an image")
    print(f"ratio    {best['PyTorch'] / best['ours']:.2f}")


if __name__ == "__main__":
    main()
