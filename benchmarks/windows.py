"""What sharing frames between windows saves, and whether it costs anything in learning.

python benchmarks/windows.py            speed of inference and of fine-tuning, both ways in one run
python benchmarks/windows.py --curves   what longer runs and larger batches cost in learning, on the
                                        simulated cohort: images a window, loss and AUC by epoch

"Naive" passes every image of every window through the CNN, as the authors' public code does.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from mesodecode.decoders import train
from mesodecode.decoders.inputs import Images, ImageWindows
from mesodecode.decoders.networks import CNNDecoder, CNNRNNDecoder, RNNDecoder
from mesodecode.recordings.preprocess import preprocess
from mesodecode.recordings.recording import read_recordings
from mesodecode.simulation import simulate
from mesodecode.study import schema

# Run length, batch and epochs of --curves: single windows; the published batch; fewer images a
# window in as many epochs, and in as many steps.
RUNS = ((1, 32, 3), (16, 32, 3), (32, 32, 3), (32, 64, 3), (64, 64, 3), (32, 64, 6), (64, 128, 12))
DEMO = {"run_signal": 0.04, "signal_radius": 0.075, "fast_amplitude": 0.01, "photons": 150}


def recordings(folder: Path, mice: int, n_frames: int, size: int):
    """Simulate and read one session of each mouse."""
    settings = schema.defaults("simulate", seed=1, n_frames=n_frames, image_size=size, **DEMO)
    for mouse, session, share in simulate.cohort(mice, 1):
        made = simulate.simulate_session(mouse=mouse, session=session, run_share=share, **settings)
        simulate.write_session(made, folder)
        preprocess(
            folder / f"{session}.h5",
            movie=folder / f"{session}.tif",
            behavior=folder / f"{session}_behavior.mat",
            session=session,
            mouse=mouse,
            frame_rate=30,
        )
    return read_recordings(sorted(folder.glob("*_s1.h5")))


def network(backbone: str, pretrained: str = "none") -> CNNRNNDecoder:
    cnn = CNNDecoder(backbone, pretrained)
    rnn = RNNDecoder(cnn.n_features, cell="gru", hidden_size=128, num_layers=2, dropout=0.2)
    return CNNRNNDecoder(cnn, rnn).to(memory_format=torch.channels_last)


def naive_logits(model: CNNRNNDecoder, images: Images, at: torch.Tensor, w: int) -> torch.Tensor:
    """Pass all 2 w + 1 images of every window through the CNN."""
    frames = at[:, None] + torch.arange(-w, w + 1)
    features = model.cnn.features(images.batch(frames.flatten()))
    return model.rnn(features.view(len(at), 2 * w + 1, -1))


def speed(args: argparse.Namespace, folder: Path) -> None:
    """Time inference over all windows and one epoch of fine-tuning over some, both ways."""
    (recording,) = recordings(folder, 1, args.windows + 2 * args.half_window + 2, args.size)
    source, images = ImageWindows([recording], args.half_window), Images([recording])
    model, at = network(args.backbone), source.centres
    with torch.no_grad():  # gives BatchNorm statistics, without which all logits are nearly equal
        for part in at.split(64):
            model.train()(source.batch(part))
    model.eval()

    def infer_naive() -> torch.Tensor:
        with torch.inference_mode():  # 8 windows: as many images a pass as the other way
            parts = [naive_logits(model, images, p, args.half_window) for p in at.split(8)]
            return torch.cat(parts)

    def infer_shared() -> torch.Tensor:
        return source.logits(model, at, 64)

    def epoch(logits_of) -> None:
        model.train()
        optimizer = torch.optim.Adam(model.parameters())
        for part in at[: len(at) // 2].split(args.run_length):  # one run a step
            loss = binary_cross_entropy_with_logits(logits_of(part), source.labels[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    # Inference first: an epoch changes the weights.
    largest = (infer_naive() - infer_shared()).abs().max().item()
    print(f"{args.backbone}, {args.size} px, half_window {args.half_window}, ", end="")
    print(f"{len(at)} windows, {torch.get_num_threads()} threads; largest difference {largest:.1e}")
    ways = {
        "inference": (infer_naive, infer_shared),
        "fine-tuning": (
            lambda: epoch(lambda part: naive_logits(model, images, part, args.half_window)),
            lambda: epoch(lambda part: model(source.batch(part))),
        ),
    }
    for what, pair in ways.items():
        seconds = []
        for way in pair:
            start = time.perf_counter()
            way()
            seconds.append(time.perf_counter() - start)
        naive, shared = seconds
        print(f"{what:<12} naive {naive:6.1f} s   shared {shared:6.1f} s   {naive / shared:5.1f} x")


def curves(args: argparse.Namespace, folder: Path) -> None:
    """Fine-tune on the same windows, drawn singly and in runs, in the published batch and others.

    A larger batch takes fewer steps an epoch, at the same rate.
    """
    *fit_on, valid = recordings(folder, 4, args.frames, 48)
    source = ImageWindows(fit_on, args.half_window)
    print(
        "run_length  batch  images/window  seconds  valid loss by epoch         valid AUC by epoch"
    )
    for run_length, batch_size, epochs in RUNS:
        batches = train.batches_of(
            source.centres, run_length, 3, batch_size, torch.Generator().manual_seed(2021)
        )
        share = sum(source.images_of(batches)) / sum(map(len, batches))
        start = time.perf_counter()
        fitted = train.fit(
            lambda: network("efficientnet_lite0", "lite0"),
            source,
            ImageWindows([valid], args.half_window),
            epochs=epochs,
            batch_size=batch_size,
            max_lr=1e-3,
            frame_step=3,
            seed=2021,
            run_length=run_length,
        )
        losses = " ".join(f"{line.valid_loss:8.3f}" for line in fitted.history)
        aucs = " ".join(f"{line.valid_auc:7.3f}" for line in fitted.history)
        seconds = time.perf_counter() - start
        print(
            f"{run_length:>10}  {batch_size:>5}  {share:>13.2f}  {seconds:>7.0f}  {losses}  {aucs}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--curves", action="store_true", help="loss curves instead of speed")
    parser.add_argument("--backbone", default="efficientnet_b0")
    parser.add_argument("--size", type=int, default=64, help="px (default: 64)")
    parser.add_argument("--half-window", type=int, default=5)
    parser.add_argument("--windows", type=int, default=256)
    parser.add_argument("--run-length", type=int, default=16)
    parser.add_argument("--frames", type=int, default=600, help="a mouse, with --curves")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    with tempfile.TemporaryDirectory() as folder:
        (curves if args.curves else speed)(args, Path(folder))


if __name__ == "__main__":
    main()
