"""Cut-out importance: masks x frames per second, beside the authors' way of computing it.

python benchmarks/cutout.py             EfficientNet-Lite0 and GRU, 64 px, half_window 5, one core

"Authors' way": one mask at a time, windows in batches of 32 as in their training, every one of the
2 w + 1 images of each window through the CNN. It is timed on some of the masks; a second time in
smaller batches, which suit a CPU's caches. All score the same session with the same network, and
their AUCs are compared.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from mesodecode.base.roc_auc import roc_auc
from mesodecode.decoders.networks import CNNDecoder, CNNRNNDecoder, RNNDecoder
from mesodecode.decoders.predict import BATCH
from mesodecode.explain.cutout import cutout_importance
from mesodecode.explain.cutout_masks import CutoutMasks, squares


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--size", type=int, default=64, help="px (default: 64)")
    parser.add_argument("--half-window", type=int, default=5)
    parser.add_argument("--windows", type=int, default=320, help="of the session (default: 320)")
    parser.add_argument("--masks", type=int, default=49, help="of the grid (default: all 49)")
    parser.add_argument("--authors-masks", type=int, default=2, help="of them, the other way")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
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
