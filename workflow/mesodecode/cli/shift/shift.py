"""Measure how far the test sessions of a decoder are from the mice that it knows.

Example: mesodecode shift --decoder roi_gru --models results/demo/models/roi_gru
--allocations results/demo/allocations.tsv --recordings results/demo/recordings/*.h5
--predictions results/demo/predictions/roi_gru --validation results/demo/validation/roi_gru
--out results/demo/shift/roi_gru.tsv

Writes a row an allocation and test session: distance of features from those of the training mice
(Mahalanobis, 10th nearest frame, classifier two-sample test), energy, and whether the output falls
into two states that last, each beside the same of known mice; of a trace, whether its predictions
last and how far they go. No label of a test mouse is used, and nothing is trained. An average of
decoders has no --models and no features, so that these columns are empty. Of a decoder adapted from
another (--adapted), each mouse is adapted like the test mouse, to the other training mice and
without labels (nothing is fine-tuned); what is predicted is of the decoder as adapted.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesodecode.cli import options

if TYPE_CHECKING:
    import torch

    from mesodecode.decoders.predictions import Predictions
    from mesodecode.recordings.recording import Recording
    from mesodecode.shift.adapted_features import AdaptedFeatures
    from mesodecode.shift.features import Features

HELP = "finished models → how far test sessions are from the training mice"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add, folder = parser.add_argument, {"type": Path, "required": True, "metavar": "FOLDER"}
    add("--decoder", required=True, help="name of the decoder in tables")
    words = "FOLDER/{allocation}.pt (.npz, .joblib), of the decoder; of an average none"
    options.add_folder(parser, "--models", words, required=False)
    options.add_file(parser, "--allocations", "table of the allocations")
    options.add_files(parser, "--recordings", "recordings, or lists (.txt)")
    words = "FOLDER/{allocation}.h5 of `mesodecode extract`, for a CNN or a frozen CNN's decoder"
    options.add_folder(parser, "--features", words, required=False)
    add(
        "--adapted",
        metavar="JSON",
        help="settings (decoders/adapted.yaml) of a decoder adapted from that of --models, such as "
        '{"normalise": "past"}',
    )
    words = "with --adapted: CNNs of a frozen CNN's decoder"
    options.add_folder(parser, "--cnn", words, required=False)
    add("--predictions", help="FOLDER/{allocation}.h5, of the decoder", **folder)
    add("--validation", help="FOLDER/{allocation}.h5, of validation mice", **folder)
    options.add_out(parser, "table, a row an allocation and test session")
    options.add_settings(parser, "shift")
    options.add_compute(parser)


def run(args: argparse.Namespace) -> None:
    import pandas as pd

    from mesodecode.base.progress import Progress
    from mesodecode.base.tables import read_table, write_table
    from mesodecode.decoders import predictions
    from mesodecode.decoders.device import resolve_device
    from mesodecode.recordings.recording import read_recordings, target_of
    from mesodecode.shift.adapted_features import AdaptedFeatures
    from mesodecode.shift.columns import measure_columns
    from mesodecode.shift.features import Features

    settings = options.settings_of(args, "shift")
    device = resolve_device(args.device, args.threads)
    names = read_table(args.allocations, ["allocation"])["allocation"]
    recordings = read_recordings(args.recordings, same_size=False)
    target = target_of(recordings)
    features = Features(settings["frames"], device)
    if args.adapted is not None:
        features = AdaptedFeatures(settings["frames"], _adapted(args.adapted))
    rows = []
    with Progress(len(names), "allocations", args.decoder) as progress:
        for name in names:
            path = args.predictions / f"{name}.h5"
            item = predictions.read(path, of_any=True)
            item.target.check_same(target, path)
            rows += _measure(args, item, recordings, features, device)
            progress.update(1)
    write_table(pd.DataFrame(rows, columns=measure_columns(target.kind)), args.out)


def _adapted(text: str) -> dict[str, Any]:
    """Return the settings of an adapted decoder, checked. Raises UserError if they are none."""
    from mesodecode.study import schema

    given = {"adapted_from": "--models"} | options.json_table(text, "--adapted")
    schema.check(given, "adapted", "--adapted")
    return schema.defaults("adapted", **given)


def _measure(
    args: argparse.Namespace,
    item: Predictions,
    recordings: list[Recording],
    features: Features | AdaptedFeatures,
    device: torch.device,
) -> list[dict]:
    """Return the rows of an allocation."""
    from mesodecode.base.files import UserError
    from mesodecode.decoders import predictions, validation
    from mesodecode.decoders.applied import has_network, load
    from mesodecode.decoders.feature_files import read_features
    from mesodecode.recordings.recording import with_labels_of
    from mesodecode.shift import measures
    from mesodecode.shift.adapted_features import AdaptedFeatures
    from mesodecode.study.allocation import split_ids

    mice = {m for role in ("train_mice", "valid_mouse", "test_mouse") for m in _mice(item, role)}
    mine = [recording for recording in recordings if recording.mouse in mice]
    missing = mice - {recording.mouse for recording in mine}
    if missing:
        raise UserError(
            f"--recordings: none of mouse {', '.join(sorted(missing))} of {item.allocation}; give "
            "the recordings of all its mice"
        )
    checked = args.validation / f"{item.allocation}.h5"
    sessions = validation.read(checked, item.allocation, item.valid_mouse)
    own = {one.session: one for one in mine}
    predictions.check_recorded(item.sessions, own, args.predictions / f"{item.allocation}.h5")
    predictions.check_recorded(sessions, own, checked)
    if not args.models:
        return measures.rows(item, sessions, [], own)
    model, learned = _model_file(args.models, item.allocation), with_labels_of(mine, None)
    if not has_network(model):  # as an average, of which nothing is read
        return measures.rows(item, sessions, [], own)
    if isinstance(features, AdaptedFeatures):
        cnn = args.cnn and _model_file(args.cnn, item.allocation)
        loaded = load(model, cnn, device)
        loaded.target.check_same(item.target, model)
        featured = features.of(loaded.decoder, learned, split_ids(item.train_mice))
        return measures.rows(item, sessions, featured, own)
    sources = learned
    if args.features:
        sources = read_features(args.features / f"{item.allocation}.h5", sorted(mice))
    featured = features.of(model, sources)
    return measures.rows(item, sessions, featured, own)


def _model_file(folder: Path, allocation: str) -> Path:
    """Return the file of the model of an allocation. Raises UserError if there is none."""
    from mesodecode.base.files import UserError
    from mesodecode.study.kinds import TRAINED

    suffixes = dict.fromkeys(kind.suffix for kind in reversed(TRAINED.values()))
    paths = [folder / f"{allocation}{suffix}" for suffix in suffixes]
    model = next((path for path in paths if path.exists()), None)
    if model is None:
        others = ", ".join(list(suffixes)[1:])
        raise UserError(f"{paths[0]}: no such model (nor {others}); train the decoder first")
    return model


def _mice(item: Predictions, role: str) -> list[str]:
    from mesodecode.study.allocation import split_ids

    return split_ids(getattr(item, role))
