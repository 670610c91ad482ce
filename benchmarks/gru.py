"""A training step of a GRU of ROI signals on one core: the layer of ours against PyTorch's.

python benchmarks/gru.py        half a minute, one core

Both take the same windows (256 × 31 frames × 50 ROIs, 32 units) through loss, gradients and Adam,
in turn; a step is the fastest of all, as the machine may be busy beside.
"""

from __future__ import annotations

import time

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from mesodecode.decoders import gru
from mesodecode.decoders.networks import RNNDecoder

WINDOWS, FRAMES, ROIS, UNITS, TURNS = 256, 31, 50, 32, 300


def main() -> None:
    torch.set_num_threads(1)
    x, labels = torch.randn(WINDOWS, FRAMES, ROIS), (torch.rand(WINDOWS) > 0.5).float()
    model = RNNDecoder(ROIS, cell="gru", hidden_size=UNITS)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    ours = gru.fits
    best = {"PyTorch": float("inf"), "ours": float("inf")}
    for _ in range(TURNS):
        for name, fits in (("PyTorch", lambda rnn, x: False), ("ours", ours)):
            gru.fits = fits
            start = time.thread_time()
            loss = binary_cross_entropy_with_logits(model(x), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            best[name] = min(best[name], time.thread_time() - start)
    for name, seconds in best.items():
        print(f"{name:8} {1e3 * seconds:6.2f} ms a step  {WINDOWS / seconds:8.0f} windows/s")
    print(f"ratio    {best['PyTorch'] / best['ours']:.2f}")


if __name__ == "__main__":
    main()
