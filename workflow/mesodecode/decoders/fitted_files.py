"""Kinds of decoders that are fitted in one step: one door, by the name of a kind, or by suffix.

A module of `mesodecode.decoders.fitted` is named as its kind and defines `fit(training, settings,
others, dropped)` and `load(path)`. Both return a dataclass of the mice that it has seen
(`train_mice`, `valid_mice`), with `settings` (of them, what recordings must have: the size of
frames, or the names of ROIs), `predict(recordings)` and `save(path)`.
"""

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from mesodecode.decoders import kept_settings
from mesodecode.recordings.recording import FRAMES
from mesodecode.study.kinds import FITTED


def module(kind: str) -> ModuleType:
    """Return the module of a kind."""
    return import_module(f"mesodecode.decoders.fitted.{kind}")


def kind_of(path: Path) -> str | None:
    """Return the kind of the model in a file, by its suffix; None of a network."""
    kinds = [name for name, kind in FITTED.items() if kind.suffix == path.suffix]
    return kinds[0] if kinds else None


def load(path: Path) -> Any:
    """Read a fitted model, by its suffix. Raises UserError if it is none, or lacks settings."""
    kind = kind_of(path) or "linear"
    fitted = module(kind).load(path)
    told = fitted.settings
    if isinstance(told, dict):  # what a file does not say
        told = {key: value for key, value in told.items() if key not in FRAMES or value}
    kept_settings.check_mice(path, train_mice=fitted.train_mice, valid_mice=fitted.valid_mice)
    kept_settings.check(path, kind, told)
    if kind == "roi_classical":
        kept_settings.check_columns(path, told, getattr(fitted.model, "n_features_in_", None))
    return fitted
