"""How close training and inference come to what the card can do, and how long Figure 2 takes on it.

python benchmarks/gpu.py [--precision mixed]        about 5 minutes on a data-centre GPU

Recordings of the published frame size (128 px, uint16) are simulated on the spot; one session is
repeated to `--sessions` sessions of `--frames` frames, because only their size matters here. The
ceiling is the same network on one batch that stays in the device's memory: no indexing, no
normalisation, no labels. The wall time of the 20 allocations of CNN, CNN-GRU and CNN-LSTM at the
published size is extrapolated from these rates, and printed as such.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import torch
from feeding import simulated

from mesodecode.decoders import train
from mesodecode.decoders.device import reduced_dtype, resolve_device
from mesodecode.decoders.inputs import Images, ImageWindows
from mesodecode.decoders.networks import CNNDecoder, cnn_rnn_decoder
from mesodecode.decoders.predict import cnn_outputs
from mesodecode.study import schema

# The published study: 64 sessions of 18,000 frames, 3 of 5 mice train, 1 validates, 3 epochs each.
SESSIONS, FRAMES, ALLOCATIONS, EPOCHS = 64, 18_000, 20, 3
TRAIN, VALID = 3 / 5 * SESSIONS * FRAMES, 1 / 5 * SESSIONS * FRAMES


def rate(steps: Iterable[Callable[[], int]], device: torch.device) -> float:
    """Return images/s of `steps`, each of which returns how many it took; the first is left out."""
    steps = iter(steps)
    next(steps)()
    _wait(device)
    start = time.perf_counter()
    images = sum(step() for step in steps)
    _wait(device)
    return images / (time.perf_counter() - start)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def ceiling(device: torch.device, batch_size: int, size: int, precision: str, training: bool):
    """Return images/s of the network on a resident batch."""
    model = CNNDecoder("tf_efficientnet_b0.in1k").to(device, memory_format=torch.channels_last)
    model.train(training)
    images = torch.randn(batch_size, 3, size, size, device=device)
    images = images.to(memory_format=torch.channels_last)
    labels = torch.rand(batch_size, device=device).round()
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    dtype = reduced_dtype(device) if precision == "mixed" else None

    def step() -> int:
        with (
            torch.set_grad_enabled(training),
            torch.autocast(device.type, dtype=dtype, enabled=dtype is not None),
        ):
            logits = model(images)
        if training:
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits.float(), labels)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        return batch_size

    return rate([step] * 12, device)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--precision", choices=["float32", "mixed"], default="float32")
    parser.add_argument("--sessions", type=int, default=12)
    parser.add_argument("--frames", type=int, default=3000, help="a session")
    parser.add_argument("--image-size", type=int, default=128, help="px")
    parser.add_argument("--batch-size", type=int, default=512, help="images a step of the CNN")
    parser.add_argument("--threads", type=int, default=4)
    args = parser.parse_args()
    device = resolve_device("auto", args.threads)
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    print(f"{name}, {args.precision}, {args.image_size} px, batches of {args.batch_size}")
    with tempfile.TemporaryDirectory() as folder:
        (one,) = simulated(Path(folder), 1, args.frames, args.image_size)
        recordings = [replace(one, session=f"s{i}") for i in range(args.sessions)]
        options = {"max_lr": 1e-3, "frame_step": 1, "seed": 0, "epochs": 1, "device": device}
        options |= {"precision": args.precision}
        valid = Images(recordings[:1], device)
        cnn = train.fit(
            lambda: CNNDecoder("tf_efficientnet_b0.in1k"),
            Images(recordings, device),
            valid,
            batch_size=args.batch_size,
            **options,
        ).history[0]
        settings = schema.defaults("cnn_rnn", start_from="cnn", rnn="gru")
        windows = [
            ImageWindows(r, settings["half_window"], device) for r in (recordings[:2], [one])
        ]
        tuned = train.fit(
            lambda: cnn_rnn_decoder(CNNDecoder("tf_efficientnet_b0.in1k"), settings),
            *windows,
            batch_size=settings["batch_size"],
            run_length=settings["run_length"],
            **options,
        ).history[0]
        model = CNNDecoder("tf_efficientnet_b0.in1k").to(device, memory_format=torch.channels_last)
        cnn_outputs(model, one, device)
        _wait(device)
        start = time.perf_counter()
        cnn_outputs(model, one, device)
        inference = args.frames / (time.perf_counter() - start)
    best = {
        t: ceiling(device, args.batch_size, args.image_size, args.precision, t)
        for t in (True, False)
    }
    print(f"{'':<22}{'measured /s':>14}{'ceiling /s':>14}{'share':>8}")
    for what, found, top in (
        ("CNN training", cnn.inputs_per_s, best[True]),
        ("CNN inference", inference, best[False]),
    ):
        print(f"{what:<22}{found:>14.0f}{top:>14.0f}{found / top:>8.0%}")
    print(f"{'fine-tuning, windows':<22}{tuned.inputs_per_s:>14.0f}")
    print(f"waiting for inputs: {cnn.feed_share:.1%} (CNN), {tuned.feed_share:.1%} (fine-tuning)")
    print(f"peak memory: {tuned.peak_memory_mb / 1024:.1f} GB")
    seconds = ALLOCATIONS * (
        EPOCHS * (TRAIN / cnn.inputs_per_s + VALID / inference)
        + 2 * EPOCHS * (TRAIN / tuned.inputs_per_s + VALID / inference)
        + 3 * VALID / inference  # the test mouse, by each of the three
    )
    print(f"20 allocations of CNN, CNN-GRU and CNN-LSTM, extrapolated: {seconds / 3600:.1f} h")


if __name__ == "__main__":
    main()
