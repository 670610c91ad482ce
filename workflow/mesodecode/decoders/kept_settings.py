"""The settings that a file of a trained decoder keeps: all that its readers ask for, of its type.

Files come from others too. What is missing or of another type is refused where a file is opened,
not by each reader.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mesodecode.base.files import UserError
from mesodecode.study import schema
from mesodecode.study.kinds import KINDS, TOGETHER
from mesodecode.study.targets import FEWEST

# What readers ask for, of every kind whose schema has it. Other settings are of training alone, or
# are newer than the first weights, whose readers do without.
READ = ("backbone", "rnn", "hidden_size", "num_layers", "bidirectional", "dropout")
READ += ("half_window", "shift")
OF_SIGNALS = ("baseline", "normalise", "rois", "others", "dropped")
OF_CAUSAL = ("normalise_from", "warm_up")

NAMES = {"type": "array", "items": {"type": "string"}}
ABOVE_ZERO = {"type": "number", "exclusiveMinimum": 0}
# What training adds to the settings of the config.
ADDED: dict[str, dict[str, Any]] = {
    "dropped": {"type": "array", "items": {"type": "integer", "minimum": 1}},
    "roi_names": NAMES,
    "frame_size": {
        "type": "array",
        "items": {"type": "integer", "minimum": 1},
        "minItems": 2,
        "maxItems": 2,
    },
    "frame_rate": ABOVE_ZERO,
    "target": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 1},
            "states": NAMES,
            "unit": {"type": "string"},
            "mean": {"type": "number"},
            "sd": ABOVE_ZERO,
        },
        "required": ["name"],
        "additionalProperties": False,
        "if": {"properties": {"name": {"const": "states"}}},
        "then": {"properties": {"states": {"minItems": FEWEST}}, "required": ["states"]},
        "else": {"properties": {"states": {"maxItems": 0}}},
    },
}


def check(path: object, kind: str, settings: Any, also: Sequence[str] = ()) -> None:
    """Raise UserError unless settings of a file `path` are those of a decoder of a kind, all read.

    `kind` as weights are of ("finetuned", …); `also`: settings that its reader asks for beside.
    """
    again = "train it anew, or ask for the whole file where it comes from"
    if not isinstance(settings, Mapping):
        raise UserError(f"{path}: its settings are those of no network; {again}")
    known: dict[str, dict[str, Any]] = {}
    for name in ("cnn", "cnn_rnn") if kind == TOGETHER["cnn_rnn"] else (kind,):
        known |= schema.properties(name)
    signals = kind in KINDS and KINDS[kind].input == "rois"
    needed = [key for key in READ if key in known]
    needed += OF_SIGNALS if signals else ()
    needed += OF_CAUSAL if settings.get("causal") and "warm_up" in known else ()
    for key in [*needed, *also]:
        if key not in settings:
            raise UserError(f"{path}: its settings lack '{key}'; {again}")
    for key, spec in (known | ADDED).items():
        if key in settings and (words := schema.fault(_plain(settings[key]), spec)):
            raise UserError(f"{path}: its setting '{key}' is none of a decoder ({words}); {again}")


def check_mice(path: object, **roles: Any) -> None:
    """Raise UserError unless each role, as train_mice, is a list of names, and someone trained.

    A mouse 1 would be none that is called "1", and could be tested on.
    """
    for role, mice in roles.items():
        if schema.fault(_plain(mice), NAMES) or (role == "train_mice" and not len(mice)):
            raise UserError(
                f"{path}: does not say by their names which mice it has seen ({role}), so that it "
                "could be tested on them; train it anew"
            )


def check_columns(path: object, settings: Mapping[str, Any], n_columns: int | None) -> None:
    """Raise UserError unless a model of windows of ROI signals reads as many numbers as they have.

    `settings` are checked; older files do not say how many ROIs there are.
    """
    rois = settings["rois"] if settings["others"] == "drop" and settings["rois"] else None
    rois = rois or settings.get("roi_names")
    wanted = rois and (2 * settings["half_window"] + 1) * len(rois)
    if n_columns is None or (wanted or n_columns) != n_columns:
        raise UserError(f"{path}: its model is none of windows as its settings say; fit it again")


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: a tuple is a list."""
    return list(value) if isinstance(value, tuple) else value
