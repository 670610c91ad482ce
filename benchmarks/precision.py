"""Does `precision: mixed` decode as well as float32? AUC of both by seed, within the seeds' spread?

python benchmarks/precision.py [--data FOLDER]     2 to 4 minutes on a GPU
python benchmarks/precision.py --small             the same lines in seconds on a CPU, to try them

Two cohorts: five simulated mice as of the demo, and, with --data, five real ones: the movies and
behaviour of tests/real/jedi1p.yaml (voltage imaging of whisker deflections, not calcium and not
running). Of each, the first `--allocations` of five (mouse i tests, the second after it validates,
three train): an EfficientNet-Lite0 with its ImageNet weights (the package of the environment, no
download), and a CNN-GRU that goes on from it, are trained and passed in float32 and in the reduced
type from the same seeds.

For each decoder: the difference of the means of both types, with its standard error over pairs of
the same allocation and seed, beside the seeds' spread: the SD of seeds within an allocation and a
type, pooled. The verdict is "within" if the difference is no larger than that SD, and "says
nothing" where float32 itself learns nothing (mean AUC below .7). Also how far the probabilities of
one network differ at most between the types.

On a CPU `precision: mixed` is float32; here it is given bfloat16 there too, to see what the type
does.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import io
import itertools
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
import yaml
from torch import nn
from windows import recordings

from mesodecode.base.roc_auc import roc_auc
from mesodecode.decoders import train
from mesodecode.decoders.device import computing, reduced_dtype, resolve_device
from mesodecode.decoders.inputs import Images, ImageWindows, Source
from mesodecode.decoders.networks import CNNDecoder, CNNRNNDecoder, cnn_rnn_decoder, for_use
from mesodecode.recordings.preprocess import preprocess
from mesodecode.recordings.recording import Recording, read_recordings
from mesodecode.study import schema

REAL = Path(__file__).parents[1] / "tests" / "real" / "jedi1p.yaml"
PRECISIONS = ("float32", "mixed")
LEARNT = 0.7
LITE0 = {"backbone": "efficientnet_lite0", "pretrained": "lite0"}


@dataclass
class Cohort:
    """Mice of one session each, and how their decoders are trained."""

    name: str
    mice: list[Recording]
    cnn: dict[str, Any]
    cnn_gru: dict[str, Any]

    def make(self) -> CNNDecoder:
        """Return a new CNN."""
        return CNNDecoder(self.cnn["backbone"], self.cnn["pretrained"])


def simulated_mice(folder: Path, small: bool) -> list[Recording]:
    """Return five simulated mice as of the demo, one session each."""
    (folder / "mice").mkdir()
    return recordings(folder / "mice", 5, 90 if small else 1800, 32 if small else 64)


def real_mice(folder: Path, data: Path, small: bool) -> list[Recording]:
    """Return the five real mice, prepared as tests/real/jedi1p.yaml says."""
    config = yaml.safe_load(REAL.read_text())
    paths = []
    for mouse, (session,) in config["mice"].items():
        paths.append(folder / f"{session}.h5")
        preprocess(
            paths[-1],
            session=session,
            mouse=mouse,
            movie=data / f"{session}.tif",
            behavior=data / f"{session}_behavior.mat",
            frame_rate=config["recordings"]["frame_rate"],
            image_size=32 if small else config["image_size"],
        )
    return read_recordings(paths)


def cohorts(folder: Path, data: Path | None, small: bool) -> list[Cohort]:
    """Return the simulated cohort, and the real one where its files are."""
    cnn = {"batch_size": 32, **LITE0}
    gru = {"start_from": "cnn", "rnn": "gru", "batch_size": 32}
    if small:
        cnn |= {"backbone": "test_efficientnet", "pretrained": "none"}

    def cohort(name: str, mice: list[Recording], cnn_more: dict, gru_more: dict) -> Cohort:
        few = {"epochs": 1} if small else {}
        settings = schema.defaults("cnn", **cnn, **cnn_more | few)
        return Cohort(name, mice, settings, schema.defaults("cnn_rnn", **gru, **gru_more | few))

    # sessions of `windows.recordings` are all of another mouse
    found = [replace(mouse, mouse=mouse.session) for mouse in simulated_mice(folder, small)]
    more = {"epochs": 3, "frame_step": 4}
    made = [cohort("simulated", found, more, {"half_window": 5, "epochs": 2, "frame_step": 4})]
    if data is not None:
        found = real_mice(folder, data, small)
        made.append(cohort("real", found, {"epochs": 10}, {"half_window": 1, "epochs": 3}))
    return made


def allocations(mice: Sequence[Recording]) -> list[tuple[list[Recording], Recording, Recording]]:
    """Return (training mice, validation mouse, test mouse), each mouse once the test mouse."""
    found = []
    for i, test in enumerate(mice):
        valid = mice[(i + 2) % len(mice)]
        found.append(([m for m in mice if m not in (test, valid)], valid, test))
    return found


def fitted(
    make: Callable[[], nn.Module],
    sources: Sequence[Source],
    settings: dict[str, Any],
    device: torch.device,
    **given: Any,
) -> nn.Module:
    """Return a network with the weights of its best epoch."""
    options = {key: settings[key] for key in train.SETTINGS} | given
    options["run_length"] = settings.get("run_length", 1)
    with contextlib.redirect_stderr(io.StringIO()):
        state = train.fit(make, *sources, device=device, **options).state
    model = make().to(device, memory_format=torch.channels_last)
    model.load_state_dict(state)
    return model.eval()


def decoded(model: nn.Module, source: Source, dtype: torch.dtype | None) -> np.ndarray:
    """Return the probabilities of all frames of a source, of a CNN that passes in a type."""
    model = copy.deepcopy(model)
    (cnn,) = (part for part in model.modules() if isinstance(part, CNNDecoder))
    cnn.passed_in = dtype
    with computing(source.centres.device):
        logits = source.logits(for_use(model), source.centres)
    return logits.float().sigmoid().cpu().numpy()


def one_training(
    cohort: Cohort,
    roles: tuple[list[Recording], Recording, Recording],
    device: torch.device,
    reduced: torch.dtype,
    **given: Any,
) -> tuple[dict[str, float], float]:
    """Return decoder -> test AUC of a training, and how far probabilities differ by type."""
    fit_on, valid, test = roles
    parts = fit_on, [valid], [test]
    dtype = reduced if given["precision"] == "mixed" else None
    found, largest = {}, 0.0

    def scored(name: str, model: nn.Module, unseen: Source) -> None:
        nonlocal largest
        by_type = {at: decoded(model, unseen, at) for at in (None, reduced)}
        largest = max(largest, np.abs(by_type[None] - by_type[reduced]).max().item())
        labels = unseen.labels[unseen.centres].cpu().numpy()
        found[name] = roc_auc(labels, by_type[dtype])

    *sources, unseen = (Images(part, device) for part in parts)
    cnn = fitted(cohort.make, sources, cohort.cnn, device, **given)
    scored("cnn", cnn, unseen)
    w = cohort.cnn_gru["half_window"]
    *sources, unseen = (ImageWindows(part, w, device) for part in parts)

    def start() -> CNNRNNDecoder:
        return cnn_rnn_decoder(copy.deepcopy(cnn), cohort.cnn_gru)

    scored("cnn_gru", fitted(start, sources, cohort.cnn_gru, device, **given), unseen)
    return found, largest


def compare(
    cohort: Cohort, device: torch.device, n_allocations: int, n_seeds: int
) -> dict[str, bool]:
    """Print AUC by decoder, allocation, type and seed; return decoder -> whether they agree."""
    reduced = reduced_dtype(device) or torch.bfloat16
    chosen, largest, start = allocations(cohort.mice)[:n_allocations], 0.0, time.perf_counter()
    aucs = {name: np.empty((2, len(chosen), n_seeds)) for name in ("cnn", "cnn_gru")}
    with patch.object(train, "reduced_dtype", lambda device: reduced):
        for (i, roles), seed, (p, precision) in itertools.product(
            enumerate(chosen), range(n_seeds), enumerate(PRECISIONS)
        ):
            found, apart = one_training(
                cohort, roles, device, reduced, seed=seed, precision=precision
            )
            largest = max(largest, apart)
            for name, auc in found.items():
                aucs[name][p, i, seed] = auc
    agree = {}
    for name, table in aucs.items():
        for (i, (_, valid, test)), (p, precision) in itertools.product(
            enumerate(chosen), enumerate(PRECISIONS)
        ):
            where = f"{cohort.name} {name}, test {test.mouse}, valid {valid.mouse}, {precision}"
            print(f"{where:<64}{words(table[p, i])}")
        agree[name] = verdict(f"{cohort.name} {name}", table)
    print(
        f"{cohort.name}: probabilities of one network, float32 against {reduced}: differ by "
        f"{largest:.4f} at most; {time.perf_counter() - start:.0f} s",
        flush=True,
    )
    return agree


def words(aucs: np.ndarray) -> str:
    """Return the AUCs of seeds, their mean and SD."""
    sd = f", SD {aucs.std(ddof=1):.4f}" if len(aucs) > 1 else ""
    return f"{' '.join(f'{auc:.4f}' for auc in aucs)}  mean {aucs.mean():.4f}{sd}"


def verdict(what: str, aucs: np.ndarray) -> bool:
    """Print whether AUCs (type, allocation, seed) of both types agree within the seeds' spread."""
    full, mixed = aucs
    apart = (mixed - full).ravel()
    for precision, part in zip(PRECISIONS, aucs, strict=True):
        print(f"{what}, {precision}: mean {part.mean():.4f} over {part.size} trainings")
    if aucs.shape[2] < 2:
        print(f"{what}: mixed - float32 {apart.mean():+.4f}; one seed has no spread")
        return False
    spread = float(np.sqrt(aucs.var(axis=2, ddof=1).mean()))
    error = apart.std(ddof=1) / np.sqrt(len(apart))
    within = abs(apart.mean()) <= spread
    said = "WITHIN the seeds' spread" if within else "NOT WITHIN the seeds' spread"
    if full.mean() < LEARNT:
        within, said = False, f"says nothing: float32 does not reach an AUC of {LEARNT}"
    print(
        f"{what}: mixed - float32 {apart.mean():+.4f} (standard error {error:.4f}); "
        f"SD of seeds {spread:.4f}: {said}"
    )
    return bool(within)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of the real mice's files")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--allocations", type=int, default=3, help="of five (default: 3)")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=min(16, os.cpu_count() or 1))
    parser.add_argument("--small", action="store_true", help="tiny sizes, to try the script")
    args = parser.parse_args()
    if args.small:
        args.allocations, args.seeds = 1, 2
    device = resolve_device(args.device, args.threads)
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    print(f"{name}, torch {torch.__version__}, {args.threads} threads")
    if args.data is None:
        print("real mice: not asked for (--data FOLDER)")
    agree = []
    with tempfile.TemporaryDirectory() as folder:
        for cohort in cohorts(Path(folder), args.data, args.small):
            agree += compare(cohort, device, args.allocations, args.seeds).values()
    print(f"agree within the seeds' spread: {sum(agree)} of {len(agree)} comparisons")


if __name__ == "__main__":
    main()
