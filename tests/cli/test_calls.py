"""What verbs do between their flags and their files: every call, as a person last read it.

Functions of the modules that a verb works by are stood in for. A line a call, in their order; #n is
what the n-th one returned. One that was changed on purpose is read in the diff: `CALLS=write`.
"""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Generator
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest

from kept import assert_kept
from mesodecode import cli
from mesodecode.study.targets import KINDS, RUN

FOLDER = Path(__file__).with_name("calls")
TABLES = "base.tables base.plots"
OTHERS = {"pandas": ["concat", "DataFrame"], "dataclasses": ["replace"]}


class Made:
    """What a call returned, or a part of it, by its name; its own calls are written down too."""

    def __init__(self, name: str, calls: list[str], **known: Any) -> None:
        self.__dict__ |= {"_name": name, "_calls": calls} | known

    def __call__(self, *given: Any, **named: Any) -> Made:
        words = [*map(shown, given), *(f"{key}={shown(value)}" for key, value in named.items())]
        self._calls.append(f"{self._name}({', '.join(words)})")
        return Made(f"#{len(self._calls)}", self._calls)

    def __getattr__(self, name: str) -> Made:
        if name.startswith("__"):
            raise AttributeError(name)
        return Made(f"{self}.{name}", self._calls)

    def __getitem__(self, key: Any) -> Made:
        return Made(f"{self}[{shown(key)}]", self._calls)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._calls.append(f"{self}[{shown(key)}] = {shown(value)}")

    def __iter__(self) -> Any:
        """Give two parts: the first of what is read is told from the last."""
        return iter([Made(f"{self}-{end}", self._calls) for end in "ab"])

    def __len__(self) -> int:
        return 2

    def __str__(self) -> str:
        return self._name

    __repr__ = __fspath__ = __str__

    def __format__(self, spec: str) -> str:
        return self._name

    def __hash__(self) -> int:
        return crc32(self._name.encode())  # sets have the same order each time

    def __eq__(self, other: object) -> Any:
        return str(self) == str(other)

    def __invert__(self) -> Made:
        return Made(f"~{self}", self._calls)


def shown(value: Any) -> str:
    """Return an argument in words."""
    match value:
        case Made() | Path() | str():
            return str(value)
        case dict():
            return f"{{{', '.join(f'{shown(k)}: {shown(v)}' for k, v in value.items())}}}"
        case list() | tuple() | np.ndarray():
            return f"[{', '.join(map(shown, value))}]"
        case Generator():
            return shown([*value])
    if inspect.isfunction(value):
        return value.__name__
    return getattr(value, "name", None) or repr(value)


# verb: what for -> flags, modules whose functions are stood in for, and what some return
VERBS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "calibrate": (
        "--decoders a b --predictions p --validation v --allocations t.tsv --out o --sets s "
        "--figure f",
        f"{TABLES} decoders.predictions decoders.validation scores.calibration "
        "scores.calibration_figure pandas",
        {"scores.calibration.assess": (["row"], ["set"])},  # lists, which are joined
    ),
    "reproduction": (
        "--auc a.tsv --cohort c.tsv --decoder cnn model=CNN set=x --decoder gru model=GRU --out o "
        "--figure f",
        f"{TABLES} scores.reproduction scores.reproduction_figure",
        {},
    ),
    "figures": (
        "--auc a.tsv --metric r2 --by net --where kind=x --only b a --comparisons c.tsv --name n "
        "--out f",
        f"{TABLES} scores.auc_figure scores.published_tests",
        {},
    ),
    "quality": (
        "--decoder a --predictions p --allocations t.tsv --validation v --recordings r --out o "
        "--curves c --figure f",
        f"{TABLES} decoders.predictions decoders.validation recordings.recording scores.auc "
        "scores.quality scores.quality_figure",
        {},
    ),
    "auc": (
        "--predictions b.h5 a.h5 --out o --sessions s",
        f"{TABLES} decoders.predictions scores.auc pandas",
        {},
    ),
    "chance": (
        "--auc a.tsv --null n1=d n2=d n3=e --shifts 9 --predictions p --out o",
        f"{TABLES} decoders.predictions scores.chance_tests pandas",
        {},
    ),
    "cohorts": (
        "--config c.json --auc a.tsv --out o --figure f",
        f"{TABLES} study.study scores.cohort_matrix scores.cohort_matrix_figure",
        {"study.targets.kind_named": KINDS["states"]},
    ),
    "variants": (
        "--config c.json --auc a.tsv --qc q.tsv small=r.tsv --shift s.tsv --adaptive best=b.tsv "
        "--out o --figure f",
        f"{TABLES} study.study scores.multiverse scores.multiverse_figure",
        {"study.targets.kind_named": KINDS["regression"]},
    ),
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
        "--validation v --out o",
        f"{TABLES} decoders.predictions decoders.validation shift.variant_choice study.protocols "
        "dataclasses",
        {
            "decoders.predictions.read": lambda path: Made(
                str(path), [], decoder=path.stem, test_mouse=f"mouse of {path}"
            ),
            "shift.variant_choice.chosen_of": "a",
            "study.protocols.chosen": lambda each, by: [*each, by],
        },
    ),
    "image-shift": ("--recordings b a --out o", f"{TABLES} recordings.recording shift.images", {}),
    "suite": (
        "--studies s_2 s_10 s_1 --out o --figure f",
        f"{TABLES} suite.suite suite.suite_figure",
        {},
    ),
    "confounds": (
        "--controls b.tsv a.tsv --auc auc.tsv --out o --figure f",
        f"{TABLES} confounds.control_verdicts confounds.confounds_figure pandas",
        {"study.targets.kind_scored": KINDS["regression"]},
    ),
    "control-signals": (
        "--recordings r --brain-mask b.png --vessel-mask v.png --out o",
        "recordings.recording confounds.signals",
        {"recordings.recording.with_labels_of": ["r1", "r2"]},
    ),
    "decode-controls": (
        "--signals m.h5 --train-mice a b --valid-mice c --test-mice d e --windows x=2,-3 y=4 "
        "--out o",
        f"{TABLES} confounds.controls confounds.signals",
        {"confounds.signals.read": [Made(m, [], mouse=m) for m in "abcde"]},
    ),
    "cutout": (
        "--weights w --cnn c --recordings r --decoder d --masks edges --block 2/3 --labels-of s=t "
        "--out o",
        f"{TABLES} recordings.recording recordings.baseline explain.cutout_scores "
        "decoders.device cli.decoders._label_donors",
        {},
    ),
    "cutout-check": (
        "--weights w --cnn c --recordings r --masks edges --maps m --truth t --labels-of s=t "
        "--out o",
        "recordings.recording recordings.baseline explain.cutout_scores explain.cutout_masks "
        "explain.map_check explain.maps decoders.device cli.decoders._label_donors",
        {},
    ),
    "cutout-check: asked for": (
        "--weights w --recordings r --masks squares --maps m --frames 70 --draws 3 --noise-draws 2 "
        "--out o",
        "recordings.recording recordings.baseline explain.cutout_scores explain.cutout_masks "
        "explain.map_check explain.maps decoders.device cli.decoders._label_donors",
        {},
    ),
    "cutout-summary": (
        "--scores b a --recording r --rois m --roi-dataset two --masks squares --name n --out o "
        "--sessions s --signed g --figure f",
        f"{TABLES} recordings.recording explain.cutout_figure explain.cutout_masks "
        "explain.cutout_tables explain.maps",
        {"explain.cutout_tables.kind_of": RUN.kind},
    ),
    "cutout-times": (
        "--scores b a --recording r --masks pairs --name n --out o --figure f",
        f"{TABLES} recordings.recording explain.cutout_times_figure explain.cutout_masks "
        "explain.cutout_tables explain.maps",
        {},
    ),
    "map-checks": (
        "--maps b a --checks d c --null-maps f e --seed-maps h g --seed-maps i --name n --out o "
        "--figure f",
        f"{TABLES} explain.check_files explain.checks_figure explain.map_verdicts explain.maps",
        {},
    ),
    "map-mice": (
        "--maps b a --null-maps d c --decoder d --name n --out o --figure f",
        f"{TABLES} explain.map_mice explain.map_mice_figure explain.maps",
        {},
    ),
    "pixels-check": (
        "--weights w --cnn c --recordings r --background-recordings b --maps m --truth t --out o",
        "decoders.device explain.pixel_check explain.pixel_shap explain.maps",
        {},
    ),
    "shap": (
        "--weights w --recordings r --background-recordings b --decoder d --out o",
        "decoders.device explain.shap_maps",
        {"explain.shap_maps.read_inputs": lambda *paths: paths},
    ),
    "shap-check": (
        "--weights w --recordings r --background-recordings b --maps m --truth t --out o",
        "decoders.device explain.map_check explain.maps explain.shap_maps",
        {"explain.shap_maps.read_inputs": lambda *paths: paths},
    ),
    "shap-pixels": (
        "--weights w --cnn c --recordings r --background-recordings b --decoder d --name n --out o "
        "--figure f",
        "base.plots decoders.device explain.pixel_figure explain.pixel_shap explain.shap_files",
        {},
    ),
    "shap-summary": (
        "--maps b a --null-maps d c --name n --out o --figure f --signed s --times t "
        "--signed-figure g --rois m --roi-dataset two --recording r",
        f"{TABLES} recordings.recording explain.cortex explain.map_measures explain.maps "
        "explain.shap_figure explain.shap_files explain.shap_tables explain.signed_figure",
        {"explain.shap_files.kind_of_unit": "ROI"},
    ),
    "shap-summary: of pixels": (
        "--maps b a --out o --figure f --signed-figure g",
        f"{TABLES} explain.maps explain.pixel_figure explain.shap_files explain.shap_tables "
        "explain.signed_figure",
        {"explain.shap_files.kind_of_unit": "area"},
    ),
    "sides: of masks": (
        "--sessions s.tsv --masks m.tsv --name n --out o --figure f",
        f"{TABLES} explain.cutout_tables explain.sides explain.sides_figure",
        {},
    ),
    "sides: of ROIs": (
        "--maps b a --mirror 25 --name n --out o --figure f",
        f"{TABLES} explain.maps explain.shap_files explain.shap_tables explain.sides "
        "explain.sides_figure",
        {},
    ),
}


def stand_in(monkeypatch: Any, modules: str, returned: dict[str, Any], calls: list[str]) -> None:
    """Have the functions of modules written down instead of called; some return what is given."""
    for place in modules.split():
        module = pkgutil.resolve_name(place if place in OTHERS else f"mesodecode.{place}")
        last = place.rpartition(".")[2].removeprefix("_")
        members = inspect.getmembers(module, inspect.isfunction)
        own = [name for name, one in members if one.__module__ == module.__name__]
        names = OTHERS.get(place, own)
        for name in names:
            made = Made(f"{last}.{name}", calls)
            if f"{place}.{name}" in returned:
                made = told(made, returned[f"{place}.{name}"])
            monkeypatch.setattr(module, name, made)
    for path, value in returned.items():
        if path.rpartition(".")[0] not in modules.split():
            monkeypatch.setattr(f"mesodecode.{path}", told(Made(path, calls), value))


def told(made: Made, value: Any) -> Any:
    """Return a function that is written down as `made` and returns a value, or what it gives."""

    def call(*given: Any, **named: Any) -> Any:
        given = tuple([*one] if isinstance(one, Generator) else one for one in given)
        made(*given, **named)
        return value(*given) if inspect.isfunction(value) else value

    return call


@pytest.mark.parametrize("name", VERBS)
def test_what_a_verb_calls_from_its_flags_to_its_files(name, monkeypatch):
    line, modules, returned = VERBS[name]
    words = [name.partition(":")[0], *line.split()]
    calls: list[str] = []
    args = cli.parser(words[:1]).parse_args(words)
    with monkeypatch.context() as patched:
        stand_in(patched, modules, returned, calls)
        args.run(args)
    text = "".join(f"{number} {call}\n" for number, call in enumerate(calls, 1))
    assert_kept(text, FOLDER / f"{name.replace(': ', '_').replace(' ', '_')}.txt", "CALLS")
