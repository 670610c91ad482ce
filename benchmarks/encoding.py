"""What encoding models reach on a simulated population of the study's size, whose truth is known.

python benchmarks/encoding.py [--models ridge_gabor factorised] [--folds 10] [--threads 2]

212 neurons, 119 images, 50 repeats, 30 Hz (the defaults of `mesodecode simulate-encoding`); the
responses are the maxima of events over 7 samples, held-out images in 10 folds. Prints, for neurons
that were made responsive, the share of the ceiling of R² and CC_norm; for the others R² of
averages, that of permuted images, and R² over the mean response with its 95 % interval over
neurons; for networks also the R² of training and validation.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import time

import numpy as np
import torch

from mesodecode.encoding import folds, linear, readers, responses, scores, simulate, train
from mesodecode.encoding.predictions import Predictions
from mesodecode.study import schema

FACTORISED = {
    **{"convolutions": 1, "frozen": True, "pool": 8, "readout": "factorised"},
    "screen": True,
    **{"train_on": "averages", "optimizer": "adam", "learning_rate": 0.003, "l2": 0.008},
    **{"batch_size": 8, "epochs": 60, "early_stopping": 15},
}
MODELS = {
    "mean": {"model": "mean"},
    "other_repeats": {"model": "image_mean"},
    "ridge_pixels": {"model": "ridge", "features": "pixels"},
    "ridge_gabor": {"model": "ridge", "features": "gabor"},
    "ridge_vgg19": {"model": "ridge", "features": "backbone", "convolutions": 1, "pool": 8},
    "factorised": FACTORISED,
    # as the study had it, but on the averages of repeats: one fiftieth of the steps an epoch; what
    # becomes of it at other learning rates: encoding_vgg19.py
    "connected_5": {"convolutions": 5, "train_on": "averages"},
    "connected_all": {"train_on": "averages"},
}


def predict(data: responses.Responses, split: folds.Split, given: dict) -> tuple[np.ndarray, str]:
    """Return predictions of the test presentations, and what training reached."""
    if "model" in given:
        settings = schema.defaults("encoding_linear", **given)
        return linear.fit_predict(data, split, settings), ""
    settings = schema.defaults("encoding_network", **given)
    with contextlib.redirect_stderr(io.StringIO()):
        fitted, predicted = train.train_network(data, split, settings)
    h = fitted.history
    best = h.loc[h["valid_loss"].idxmin()]
    words = f"{len(h)} epochs, best {best['epoch']:.0f}: R2 {best['train_r2']:.2f} training, "
    return predicted, f"{words}{best['valid_r2']:.2f} validation; last {h['train_r2'].iloc[-1]:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS)[:6])
    parser.add_argument("--folds", type=int, default=10, help="of 10, how many are run")
    parser.add_argument("--epochs", type=int, help="of connected networks (default: 50)")
    parser.add_argument("--wavelength", type=float, nargs=2, help="of the filters, in image sides")
    parser.add_argument("--complex-share", type=float, default=0.0)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    change = {"complex_share": args.complex_share}
    if args.wavelength:
        change["wavelength"] = args.wavelength
    made = simulate.simulate_population(**schema.defaults("encoding_simulate", **change))
    source = readers.Session(
        *(made.images.astype(np.float32), made.image, made.start, made.end, made.time),
        *(made.events, np.arange(len(made.events))),
    )
    data = responses.make_responses(source, "s", signal="events", reduce="max", samples=7)
    real = made.responsive
    head = f"{'model':<15}{'of ceiling':>11}{'CC_norm':>9}{'others R2':>11}{'permuted':>10}"
    print(f"{head}{'over the mean':>27}{'s':>7}")
    for name in args.models:
        start, parts = time.monotonic(), []
        given = MODELS[name]
        if args.epochs and name.startswith("connected"):
            given = given | {"epochs": args.epochs}
        for number in range(1, args.folds + 1):
            split = folds.split_images(data, number, 10, 0)
            predicted, words = predict(data, split, given)
            test = split.test
            parts.append(
                Predictions(
                    *(name, f"fold-{number}", "s", "s", given.get("model") == "image_mean", test),
                    *(data.image[test], data.response[test], predicted, data.neurons),
                    data.response[split.fit].mean(0),
                )
            )
        rows, _, chance = scores.score_session(parts, permutations=199)
        share, cc = rows["fraction"][real].mean(), rows["r_normalised"][real].mean()
        others, null = rows["r2_average"][~real].mean(), chance[:, ~real].mean()
        over = rows["r2_over_mean"][~real].to_numpy()
        low, high = scores.interval(over)
        seconds = time.monotonic() - start
        print(
            f"{name:<15}{share:>11.3f}{cc:>9.3f}{others:>11.3f}{null:>10.3f}"
            f"{over.mean():>10.4f} [{low:.4f}, {high:.4f}]{seconds:>7.0f}",
            words,
            flush=True,
        )


if __name__ == "__main__":
    main()
