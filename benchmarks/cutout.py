"""Cut-out importance: masks x frames per second, beside the authors' way of computing it.

python benchmarks/cutout.py                 EfficientNet-Lite0 and GRU, 64 px, one core
python benchmarks/cutout.py --device cuda   hours of the published study on a GPU, in about a minute
python benchmarks/cutout.py --small         the same lines in seconds on a CPU, to try them

"Authors' way": one mask at a time, windows in batches of 32 as in their training, every one of the
2 w + 1 images of each window through the CNN. It is timed on some of the masks; a second time in
smaller batches, which suit a CPU's caches. All score the same session with the same network, and
their AUCs are compared.

On a GPU: EfficientNet-B0, 128 px, the CNN alone and the CNN-GRU of ±5 images, in float32 and in the
reduced type in which decoders of `precision: mixed` pass. A simulated session is read from its
recording and scored under all 49 masks, as `mesodecode cutout` does it, twice, of which the second
counts. The published study is 49 masks × 20 allocations, each with the sessions of its test mouse:
4 × 64 sessions of 18,000 frames a decoder, in two jobs an allocation, each of which passes intact
images too, has its start and makes its network ready (in the reduced type: compiles it), as timed.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from feeding import simulated
from torch import nn

from mesodecode.base.roc_auc import roc_auc
from mesodecode.decoders.device import computing, reduced_dtype, resolve_device
from mesodecode.decoders.inputs import Images
from mesodecode.decoders.networks import CNNDecoder, CNNRNNDecoder, RNNDecoder
from mesodecode.decoders.predict import BATCH
from mesodecode.explain.cutout import cutout_importance, cutout_session
from mesodecode.explain.cutout_logits import in_use
from mesodecode.explain.cutout_masks import CutoutMasks, squares

# The published study: each of 5 mice is the test mouse of 4 of the 20 allocations. Masks are scored
# in as many blocks, a job each, as `blocks` of the config says.
FRAMES, BLOCKS = 4 * 64 * 18_000, 2
JOBS = 20 * BLOCKS


def movie(n_frames: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return noise with a patch that is brighter in run frames, and labels."""
    rng = np.random.default_rng(1)
    labels = (np.arange(n_frames) // 20 % 2).astype(np.uint8)
    frames = rng.normal(20000, 300, (n_frames, size, size))
    frames[labels == 1, : size // 4, : size // 4] += 300
    return frames.astype(np.uint16), labels


def network(backbone: str, images: torch.Tensor) -> CNNRNNDecoder:
    """Return an untrained network whose BatchNorm knows the images: else logits are all alike."""
    cnn = CNNDecoder(backbone)
    rnn = RNNDecoder(cnn.n_features, cell="gru", hidden_size=128, num_layers=2, dropout=0.2)
    model = CNNRNNDecoder(cnn, rnn).to(memory_format=torch.channels_last)
    with torch.no_grad():
        for _ in range(8):
            model.cnn.train()(images[:64])
    return model.eval()


@torch.inference_mode()
def authors_logits(
    model: CNNRNNDecoder,
    images: torch.Tensor,
    area: np.ndarray,
    n_windows: int,
    w: int,
    batch: int,
) -> torch.Tensor:
    """Logits of the first windows under one mask, 2 w + 1 CNN passes each; images (M, 3, H, W)."""
    visible = torch.as_tensor(~area).float()
    logits = []
    for start in torch.arange(n_windows).split(batch):
        windows = start[:, None] + torch.arange(2 * w + 1)
        masked = (images[windows.flatten()] * visible).to(memory_format=torch.channels_last)
        features = model.cnn.features(masked)
        logits.append(model.rnn(features.view(len(start), 2 * w + 1, -1)))
    return torch.cat(logits)


def study(folder: Path, small: bool, device: torch.device, n_frames: int, start: float) -> None:
    """Print rates of the published decoders on a device, and the hours of the published study.

    `start`: s that a job takes to start.
    """
    backbone, size = ("test_efficientnet", 32) if small else ("tf_efficientnet_b0.in1k", 128)
    masks, reduced = squares(size, size), reduced_dtype(device)
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    print(
        f"{name}, torch {torch.__version__}, {backbone}, {size} px, {len(masks)} masks, "
        f"{n_frames} frames, {torch.get_num_threads()} threads"
    )
    (session,) = simulated(folder, 1, n_frames, size)
    images = Images([session])
    model = network(backbone, images.batch(images.centres[:64])).to(device)

    def timed(decoder: nn.Module, half_window: int | None) -> tuple[float, float, pd.DataFrame]:
        """Return s to make a network ready, s of the second of two calls, and its scores."""
        with computing(device):
            begun = time.perf_counter()
            of_job = FRAMES // 20 * (len(masks) // BLOCKS + 1)
            used = in_use(decoder, device, of_job, (size, size))
            ready = time.perf_counter() - begun
            for _ in range(2):
                begun = time.perf_counter()
                table = cutout_session(used, session, masks, half_window=half_window, device=device)
        return ready, time.perf_counter() - begun, table

    for what, decoder, half_window in (("CNN", model.cnn, None), ("CNN-GRU", model, 5)):
        scores = []
        for dtype in (None, *[reduced] * (reduced is not None)):
            model.cnn.passed_in = dtype
            ready, seconds, table = timed(decoder, half_window)
            scores.append(table.score)
            frames_per_s = table.n_frames[0] / seconds
            rate, images = len(masks) * frames_per_s, (len(masks) + 1) * frames_per_s
            hours = ((len(masks) + BLOCKS) * FRAMES / images + JOBS * (start + ready)) / 3600
            print(
                f"{what:<8} {dtype or torch.float32!s:<15} ready in {ready:.0f} s, {rate:,.0f} "
                f"masks x frames/s, {images:,.0f} images/s; the published study {hours:.2f} h",
                flush=True,
            )
        if len(scores) > 1:
            print(f"largest difference of a score: {(scores[0] - scores[1]).abs().max():.1e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--small", action="store_true", help="tiny sizes, to try the GPU's part")
    parser.add_argument("--frames", type=int, default=3000, help="of a session on a GPU")
    parser.add_argument("--start", type=float, default=15.0, help="s that a job takes to start")
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--size", type=int, default=64, help="px (default: 64)")
    parser.add_argument("--half-window", type=int, default=5)
    parser.add_argument("--windows", type=int, default=320, help="of the session (default: 320)")
    parser.add_argument("--masks", type=int, default=49, help="of the grid (default: all 49)")
    parser.add_argument("--authors-masks", type=int, default=2, help="of them, the other way")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    device = resolve_device(args.device, args.threads)
    torch.manual_seed(1)
    if args.small or device.type == "cuda":
        with tempfile.TemporaryDirectory() as folder:
            n_frames = 300 if args.small else args.frames
            study(Path(folder), args.small, device, n_frames, args.start)
        return
    w = args.half_window
    frames, labels = movie(args.windows + 2 * w + 2, args.size)
    normal = torch.from_numpy((frames - frames.mean(0)) / frames.std()).float()
    images = normal.unfold(0, 3, 1).permute(0, 3, 1, 2)
    model = network(args.backbone, images)
    masks = squares(args.size, args.size)[: args.masks]
    few = CutoutMasks(masks.names[: args.authors_masks], masks.areas[: args.authors_masks])

    print(
        f"{args.backbone}, {args.size} px, half_window {w}, {args.windows} windows, "
        f"{args.threads} threads"
    )

    def authors(batch: int) -> tuple[float, list[torch.Tensor]]:
        """Return masks x frames per second, and the logits."""
        authors_logits(model, images, few.areas[0], batch, w, batch)  # warm-up
        start = time.perf_counter()
        logits = [authors_logits(model, images, a, args.windows, w, batch) for a in few.areas]
        seconds = time.perf_counter() - start
        rate = len(few) * args.windows / seconds
        print(
            f"authors' way {len(few):3} masks {seconds:6.1f} s {rate:7.1f} masks x frames/s, "
            f"{batch} windows a pass",
            flush=True,
        )
        return rate, logits

    published, logits = authors(32)
    small, _ = authors(max(1, BATCH["cpu"] // (2 * w + 1)))  # as many images a pass as cutout
    start = time.perf_counter()
    table = cutout_importance(model, frames, labels, masks, half_window=w)
    seconds = time.perf_counter() - start
    rate = len(masks) * args.windows / seconds  # the intact pass is in the seconds, not counted
    print(f"cutout       {len(masks):3} masks {seconds:6.1f} s {rate:7.1f} masks x frames/s")
    used = labels[w + 1 : -w - 1]
    aucs = np.array([roc_auc(used, part.numpy()) for part in logits])
    apart = np.abs(aucs - table.auc_masked[: len(few)]).max()
    print(
        f"ratio {rate / published:.1f} x; {rate / small:.1f} x at equal images a pass; "
        f"largest difference of an AUC {apart:.1e}"
    )


if __name__ == "__main__":
    main()
