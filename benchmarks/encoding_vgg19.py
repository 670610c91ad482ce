"""Does the fully connected VGG19 of Berget 2023 learn where something is to be learned?

python benchmarks/encoding_vgg19.py [--convolutions 5] [--rates 0.001 0.01 0.1] [--minutes 5]
    [--keep FOLDER]

The simulated population of benchmarks/encoding.py, first fold of ten (95 training, 12 validation
images, averages of 50 repeats), layers of 4096-1000-250-212 on the first convolutions or on all,
48 x 48 px, SGD with momentum .9 (or Adam), batches of 32. Each learning rate is trained from the
same start until its epochs or its minutes are over, or the loss is not finite; with --keep the same
command goes on where it was (2 GB a training). Prints loss and R²
of training and validation by epoch, R² on test images of the best epoch over responsive neurons,
and what `mesodecode diagnose` says of the first rate's training (--diagnose).
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from mesodecode.decoders.checkpoint import Checkpoint
from mesodecode.encoding import diagnose, folds, readers, responses, simulate, train
from mesodecode.encoding.explainable import image_means
from mesodecode.encoding.scores import r2
from mesodecode.study import schema


class OutOfTime(Exception):
    """The minutes of a training are over."""


class Timed(train.Regression):
    """A training that ends after some time; what it has done so far stays."""

    deadline = 0.0
    last = None

    def next_epoch(self) -> None:
        """End if the time is over."""
        Timed.last = self
        super().next_epoch()
        if time.monotonic() > Timed.deadline:
            if self.checkpoint:
                self.save()
            raise OutOfTime


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--convolutions", type=int, default=5, help="0: all (default: 5)")
    add("--rates", type=float, nargs="+", default=[0.01, 0.1, 0.03, 0.001])
    add("--initialisation", default="default", choices=["default", "kaiming", "xavier"])
    add("--train-on", default="averages", choices=["averages", "trials"])
    add("--optimizer", default="sgd", choices=["sgd", "adam"])
    add("--momentum", type=float, default=0.9)
    add("--epochs", type=int, default=50)
    add("--minutes", type=float, default=5, help="of each rate")
    add("--keep", type=Path, metavar="FOLDER", help="where trainings are kept")
    add("--diagnose", action="store_true")
    add("--threads", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    """Train with each rate, and diagnose the first if asked for."""
    args = arguments()
    torch.set_num_threads(args.threads)
    made = simulate.simulate_population(**schema.defaults("encoding_simulate"))
    session = readers.Session(
        *(made.images.astype(np.float32), made.image, made.start, made.end, made.time),
        *(made.events, np.arange(len(made.events))),
    )
    data = responses.make_responses(session, "s", signal="events", reduce="max", samples=7)
    split = folds.split_images(data, 1, 10, 0)
    settings = schema.defaults(
        "encoding_network",
        convolutions=args.convolutions or None,
        train_on=args.train_on,
        initialisation=args.initialisation,
        epochs=args.epochs,
        optimizer=args.optimizer,
        momentum=args.momentum,
    )
    sources = train.sources(data, split, settings)
    train.Regression = Timed
    first = None
    for rate in args.rates:
        network = train.network_of(data, settings)
        n = sum(p.numel() for p in network.parameters())
        print(f"learning rate {rate:g}, {n:,} weights", flush=True)
        start = time.monotonic()
        table, words = one_rate(args, network, sources, settings, rate)
        if table is None:
            print(f"rate {rate:g}: {words}")
            continue
        score = test_score(data, split, made.responsive, network, sources)
        best, last = table.loc[table["valid_loss"].idxmin()], table.iloc[-1]
        print(
            f"rate {rate:g}: {len(table)} epochs ({words}), {time.monotonic() - start:.0f} s; best "
            f"epoch {best['epoch']:.0f}: R2 {best['train_r2']:.3f} training, "
            f"{best['valid_r2']:.3f} validation; test R2 of averages, responsive neurons: "
            f"{score:.3f}; last epoch: R2 {last['train_r2']:.3f} training, "
            f"{last['valid_r2']:.3f} validation",
            flush=True,
        )
        first = first or (table, rate)
    if args.diagnose and first:
        settings["learning_rate"] = first[1]
        found = diagnose.diagnose(data, split, settings, history=first[0])
        print(found.checks[["check", "verdict", "fault", "sentence"]].to_csv(sys.stdout, sep="\t"))
        print(found.layers.to_string(), found.rates.to_string(), sep="\n")


def one_rate(
    args: argparse.Namespace, network: torch.nn.Module, sources: tuple, settings: dict, rate: float
) -> tuple[pd.DataFrame | None, str]:
    """Train until epochs or time are over; return the epochs, none if none ended, and which it was.

    `network` has the weights of the best epoch then.
    """
    Timed.last, Timed.deadline = None, time.monotonic() + 60 * args.minutes
    chosen = {key: settings[key] for key in train.SETTINGS} | {"learning_rate": rate}
    name = f"{args.convolutions}_{args.initialisation}_{args.train_on}_{args.optimizer}_{rate:g}"
    kept = args.keep and Checkpoint(args.keep / f"{name}.pt", chosen, every=900)
    try:
        fitted = train.fit(network, *sources[:2], **chosen, checkpoint=kept)
    except (OutOfTime, train.Diverged) as error:
        words = str(error) or "time is over"
        if Timed.last is None or not Timed.last.history:
            return None, words
        network.load_state_dict(Timed.last.best_state)
        table = pd.DataFrame([vars(line) for line in Timed.last.history])
        table["train_r2"], table["valid_r2"] = zip(*Timed.last.r2, strict=True)
        return table, words
    network.load_state_dict(fitted.state)
    return fitted.history, "epochs are over"


def test_score(
    data: responses.Responses,
    split: folds.Split,
    responsive: np.ndarray,
    network: torch.nn.Module,
    sources: tuple,
) -> float:
    """Return the mean R² of the averages of test images, over responsive neurons (N,) bool."""
    _, _, test, scaler = sources
    _, first, index = np.unique(data.image[split.test], return_index=True, return_inverse=True)
    means = image_means(data.response[split.test].astype(float), index) - scaler.response[0]
    means /= scaler.response[1]
    expected = test.logits(network, test.centres).numpy()[first]
    return r2(means, expected)[responsive].mean()


if __name__ == "__main__":
    main()
