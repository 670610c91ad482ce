"""Verbs of shift between mice (see `called`)."""

from pathlib import Path
from typing import Any

import numpy as np

from called import TABLES, Made, Row
from mesodecode.study.targets import KINDS, RUN

MEASURED = (
    f"{TABLES} decoders.applied decoders.device decoders.feature_files decoders.predictions "
    "decoders.validation cli.shift.shift:_model_file recordings.recording shift.measures pandas"
)


def of_mice(*mice: str) -> dict[str, Any]:
    """Return what `shift` reads: recordings of mice, of which m1 to m3 are of the allocations."""
    recordings = [Made(f"{mouse}.h5", [], mouse=mouse, session=f"s{mouse}") for mouse in mice]
    return {
        "recordings.recording.read_recordings": recordings,
        "recordings.recording.with_labels_of": lambda mine, names: [f"{one} less" for one in mine],
        "recordings.recording.target_of": RUN,
        "decoders.predictions.read": lambda path: Made(
            str(path),
            [],
            allocation=path.stem,
            train_mice="m3",
            valid_mouse="m2",
            test_mouse="m1",
        ),
    }


def checked(path: Path, *more: Any) -> dict[str, Made]:
    """Return predictions of validation mice: the second decoder has labels of one session more."""
    names, better = {"e": (["s2"], 0.75), "d": (["s2", "s9"], 0.25)}[path.parent.name]
    return {name: session(f"{path}:{name}", "m2", better) for name in names}


def session(name: str, mouse: str, probability: float) -> Made:
    """Return predictions of two frames, rest and run."""
    both = {"label": np.array([0, 1]), "probability": np.array([0.5, probability])}
    return Made(name, [], mouse=mouse, **both)


CHOSEN = (
    f"{TABLES} decoders.predictions decoders.validation recordings.recording shift.measures "
    "shift.variant_choice pandas"
)
CHOICE = {
    "recordings.recording.read_recordings": [
        Made(f"{mouse}.h5", [], mouse=mouse, session=f"s{mouse[1]}")
        for mouse in ("m1", "m2", "m3", "m4")
    ],
    "decoders.predictions.read": lambda path: Made(
        str(path),
        [],
        allocation=path.stem,
        train_mice="m3",
        valid_mouse="m2+m4",
        test_mouse="m1",
        target=RUN,
        sessions={"s1": session(f"{path}:s1", "m1", 0.7)},
    ),
    "decoders.validation.read": checked,
    "shift.measures.of_output": lambda one, *more: {"energy": f"of {one}"},
}

ADAPTIVE = f"{TABLES} decoders.predictions decoders.validation shift.variant_choice "
ADAPTIVE += "study.protocols dataclasses"
PREDICTED = {
    "decoders.predictions.read": lambda path: Made(
        str(path), [], decoder=path.stem, allocation="one", test_mouse=f"mouse of {path}"
    ),
    "study.protocols.chosen": lambda each, by: [*each, by],
}
VERBS: dict[str, Row] = {
    "shift-report": (
        '--shift b.tsv a.tsv --images i.tsv --sessions s.tsv --thresholds {"rotation":[1,2]} '
        "--out o --figure f",
        f"{TABLES} shift.shift_verdicts shift.shift_figure pandas",
        {"study.targets.kind_scored": KINDS["regression"]},
    ),
    "cohort-shift": (
        "--config c.json --shift s.tsv --out o",
        f"{TABLES} study.study study.cohort_table shift.cohort_losses",
        {"study.targets.kind_scored": RUN.kind},
    ),
    "adaptive": (
        "--choice c.tsv --predictions b.h5 a.h5 --of-validation vb.h5 va.h5 --decoder best "
        "--validation v --by validation --out o",
        ADAPTIVE,
        PREDICTED | {"shift.variant_choice.chosen_of": "a"},
    ),
    "image-shift": ("--recordings b a --out o", f"{TABLES} recordings.recording shift.images", {}),
    "shift": (
        "--decoder d --models m --allocations t.tsv --recordings b a --predictions p "
        "--features f --validation v --out o --frames 50 --device cpu --threads 3",
        f"{MEASURED} shift.features:Features",
        of_mice("m1", "m2", "m3", "m4"),
    ),
    "shift: of signals": (
        "--decoder d --models m --allocations t.tsv --recordings b a --predictions p "
        "--validation v --out o",
        f"{MEASURED} shift.features:Features",
        of_mice("m1", "m2", "m3"),
    ),
    "shift: adapted": (
        "--decoder d --models m --allocations t.tsv --recordings b a --predictions p --cnn c "
        '--adapted {"normalise":"past"} --validation v --out o --frames 50 --device cpu '
        "--threads 3",
        MEASURED,
        of_mice("m1", "m2", "m3")
        | {
            "shift.adapted_features.AdaptedFeatures.of": lambda of, *given: [
                "featured",
                of.n,
                of.settings["normalise"],
            ]
        },
    ),
    "shift: of an average": (
        "--decoder d --allocations t.tsv --recordings b a --predictions p --validation v --out o",
        f"{MEASURED} shift.features:Features",
        of_mice("m1", "m2", "m3"),
    ),
    "choose-variant": (
        "--decoders e d --predictions p --validation v --allocations t.tsv --recordings b a "
        "--out o --margin 0.03",
        CHOSEN,
        CHOICE,
    ),
    "choose-variant: by validation": (
        "--decoders e d --predictions p --validation v --allocations t.tsv --recordings b a "
        "--out o --by validation",
        CHOSEN,
        CHOICE,
    ),
    "adaptive: without validation": (
        "--choice c.tsv --predictions b.h5 a.h5 --of-validation vb.h5 va.h5 --decoder best --out o",
        ADAPTIVE,
        PREDICTED | {"shift.variant_choice.chosen_of": "b"},
    ),
}
