"""What share of a training step is spent waiting for images: frames in memory against streamed.

python benchmarks/feeding.py [--threads 2]

Both train the same network (EfficientNet-B0) on the same batches of simulated recordings of the
published frame size, in one run. Single images are the order of CNN training; runs of 16 that of
fine-tuning. The rest of a step is the network's.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from mesodecode.decoders.device import resolve_device
from mesodecode.decoders.inputs import Images
from mesodecode.decoders.networks import CNNDecoder
from mesodecode.recordings.preprocess import preprocess
from mesodecode.recordings.recording import Recording, read_recordings
from mesodecode.simulation.simulate import simulate_session, write_session
from mesodecode.study import schema


def step_times(images: Images, parts: list[torch.Tensor], model: CNNDecoder) -> tuple[float, float]:
    """Return seconds spent waiting for images and in all, over `parts`."""
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    waited = 0.0
    start = time.monotonic()
    feed = iter(images.batches(parts))
    for at in parts:
        asked = time.monotonic()
        batch = next(feed)
        waited += time.monotonic() - asked
        loss = binary_cross_entropy_with_logits(model(batch), images.labels[at])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        loss.item()
    return waited, time.monotonic() - start


def simulated(folder: Path, n_sessions: int, n_frames: int, image_size: int) -> list[Recording]:
    """Write simulated recordings as the workflow does."""
    settings = schema.defaults("simulate", n_frames=n_frames, image_size=image_size)
    paths = []
    for i in range(n_sessions):
        name = f"s{i}"
        write_session(simulate_session(mouse="m1", session=name, run_share=0.5, **settings), folder)
        files = {"movie": folder / f"{name}.tif", "behavior": folder / f"{name}_behavior.mat"}
        paths.append(folder / f"{name}.h5")
        preprocess(paths[-1], **files, session=name, mouse="m1", frame_rate=30.0)
    return read_recordings(paths)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sessions", type=int, default=2)
    parser.add_argument("--frames", type=int, default=1800, help="a session")
    parser.add_argument("--image-size", type=int, default=128, help="px")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--batches", type=int, default=6)
    args = parser.parse_args()
    device = resolve_device("auto", args.threads)
    print(f"{device}, {args.threads} threads, {args.image_size} px, batches of {args.batch_size}")
    with tempfile.TemporaryDirectory() as folder:
        recordings = simulated(Path(folder), args.sessions, args.frames, args.image_size)
        print(f"{'order':<16}{'frames':<10}{'images/s':>10}{'share of step time':>20}")
        for name, run_length in (("single images", 1), ("runs of 16", 16)):
            for feed in ("memory", "stream"):
                images = Images(recordings, device, feed=feed)
                generator = torch.Generator().manual_seed(0)
                runs = images.centres.cpu().split(run_length)
                order = torch.cat([runs[i] for i in torch.randperm(len(runs), generator=generator)])
                parts = list(order[: args.batch_size * args.batches].split(args.batch_size))
                model = CNNDecoder("tf_efficientnet_b0.in1k").to(
                    device, memory_format=torch.channels_last
                )
                step_times(images, parts[:1], model)  # warm up
                waited, seconds = step_times(images, parts, model)
                rate = sum(map(len, parts)) / seconds
                print(f"{name:<16}{feed:<10}{rate:>10.0f}{waited / seconds:>19.1%}", flush=True)


if __name__ == "__main__":
    main()
