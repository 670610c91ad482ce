"""What decoders decode: run or rest, a trace (regression) or named states; a line a kind.

Loss, output, score, columns, tables and figure of a target hang on its line here and on what it
names in `mesodecode.decoders.objectives`. The Snakefile imports this module: nothing heavy here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mesodecode.base.files import UserError, as_text, counted

STATE = re.compile(r"([A-Za-z][A-Za-z0-9_]{0,30})(?:=(.+))?")
SHIFTS = 999  # circular shifts that say what chance is, of all but run where none are asked for
FEWEST = 3  # named states; two are run and rest


@dataclass(frozen=True)
class Kind:
    """A kind of target.

    `loss` and `output` (what makes of a network's outputs what is predicted) are names of
    `mesodecode.decoders.objectives`. `truth` (of type `dtype`) and `made` are the datasets of
    predictions (of states one a state: made_{state}). `metric` is the column of tables/{table}.tsv
    by which decoders are compared, `chance` its value by chance, `lowest` the least that it can be,
    `scale` the name in `mesodecode.shift.predicted_auc` of what it is regressed on, and `axis` its
    name in figures and the report, as `loss_axis` is that of the loss. `beside` are columns of
    other scores that stand next to it where decoders are held against others, `counts` columns of
    frames of a state, and `level` is what one value of the truth is called. `decoded` are words for
    what is decoded, and `control` is the model that decodes it from control signals.

    Of the shift report: `expected` is the score that it predicts of a mouse without labels, a
    column of tables/session_{table}.tsv whose value by chance is `chance`, with a scale and axis
    as above; `groups` how many of equal size values are cut into where features are compared within
    a state (0: as they are).

    Of importance maps: `explained` is what of a network's outputs they explain, "" what an analysis
    asks for; `steps` the unit of that, "" that of the trace. Windows lie on one of two `sides`,
    which are in names of columns; `speaks` are words for what activity speaks for, of each. Live,
    `state_by` names in `mesodecode.live.outputs` what makes a state of what is predicted, "" none.
    """

    name: str
    loss: str
    output: str
    truth: str
    dtype: str
    made: str
    metric: str
    chance: float
    lowest: float
    scale: str
    expected: str
    expected_axis: str
    expected_scale: str
    groups: int
    table: str
    axis: str
    loss_axis: str
    beside: tuple[str, ...]
    counts: tuple[str, ...]
    level: str
    decoded: str
    control: str
    explained: str
    steps: str
    sides: tuple[str, str]
    speaks: tuple[str, str]
    state_by: str

    @property
    def scores(self) -> tuple[str, ...]:
        """The columns of scores, that by which decoders are compared first."""
        return self.metric, *self.beside

    @property
    def a_score(self) -> str:
        """The name of its score with an article."""
        return _with_article(self.axis)

    @property
    def an_expected(self) -> str:
        """The name of the score that the shift report predicts, with an article."""
        return _with_article(self.expected_axis)


def _with_article(axis: str) -> str:
    return f"{'an' if axis[0] in 'AR' else 'a'} {axis}"  # an AUC, an R²


_LINES = (
    Kind(
        name="run",
        loss="binary_cross_entropy",
        output="sigmoid",
        truth="label",
        dtype="u1",
        made="probability",
        metric="auc",
        chance=0.5,
        lowest=0.0,
        scale="logit",
        expected="auc",
        expected_axis="AUC",
        expected_scale="logit",
        groups=0,
        table="auc",
        axis="AUC",
        loss_axis="Cross-entropy loss (nats)",
        beside=(),
        counts=("n_run",),
        level="state",
        decoded="running",
        control="logistic_regression",
        explained="",
        steps="logits",
        sides=("run", "rest"),
        speaks=("run", "rest"),
        state_by="hysteresis",
    ),
    Kind(
        name="regression",
        loss="squared_error",
        output="scaled",
        truth="value",
        dtype="f4",
        made="predicted",
        metric="r2",
        chance=0.0,
        lowest=-math.inf,
        scale="error",
        expected="correlation",  # which forgives a wrong mean and scale, as AUC a wrong threshold
        expected_axis="correlation",
        expected_scale="fisher",
        groups=5,
        table="regression",
        axis="R²",
        loss_axis="Squared error (training SD²)",
        beside=("correlation",),  # which forgives a wrong mean and scale
        counts=(),
        level="value",
        decoded="the trace",
        control="ridge",
        explained="value",
        steps="",
        sides=("high", "low"),
        speaks=("high values", "low values"),
        state_by="",
    ),
    Kind(
        name="states",
        loss="cross_entropy",
        output="softmax",
        truth="state",
        dtype="u1",
        made="probability",
        metric="macro_auc",
        chance=0.5,
        lowest=0.0,
        scale="logit",
        expected="macro_auc",
        expected_axis="macro AUC",
        expected_scale="logit",
        groups=0,
        table="states",
        axis="macro AUC",
        loss_axis="Cross-entropy loss (nats)",
        beside=(),
        counts=(),
        level="state",
        decoded="the state",
        control="logistic_regression",
        explained="log-probability",
        steps="nats",
        sides=("state", "others"),
        speaks=("the state", "the others"),
        state_by="likeliest",
    ),
)
KINDS = {kind.name: kind for kind in _LINES}

# Models of scikit-learn that do not decode a kind of target -> why, and which do.
CANNOT = {
    "run": {("linear", "ridge"): "regresses a trace; take logistic_regression"},
    "regression": {
        ("linear", "logistic_regression"): "tells states apart; take ridge",
        ("roi_classical", "logistic_regression"): (
            "tells states apart; take ridge or gradient_boosting"
        ),
        ("roi_classical", "linear_svm"): "tells states apart; take ridge or gradient_boosting",
    },
    "states": {
        ("linear", "ridge"): "regresses a trace; take logistic_regression",
        **dict.fromkeys(
            [("roi_classical", "linear_svm"), ("roi_classical", "ridge")],
            "has no probability of each state; take logistic_regression or gradient_boosting",
        ),
    },
}


@dataclass(frozen=True)
class Target:
    """What is decoded: "run", "states" (named, in the order of their codes 0, 1 …) or a trace.

    `unit` is that of a trace, `mean` and `sd` those of it in the mice that a network was trained
    on, which learns it standardised by them.
    """

    name: str = "run"
    states: tuple[str, ...] = ()
    unit: str = ""
    mean: float = 0.0
    sd: float = 1.0

    @property
    def kind(self) -> Kind:
        """The line of the table."""
        return kind_named(self.name)

    @property
    def outputs(self) -> int:
        """How many numbers a decoder gives for a frame."""
        return len(self.states) or 1

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of what is predicted for a frame, one an output."""
        made = self.kind.made
        return tuple(f"{made}_{state}" for state in self.states) or (made,)

    def attributes(self) -> dict[str, Any]:
        """Return what a file says of a target, nothing of run and rest."""
        if self.name == "run":
            return {}
        return {"target": self.name, "target_unit": self.unit, "target_states": list(self.states)}

    @classmethod
    def of_attributes(cls, found: Mapping[str, Any]) -> Target:
        """Return the target that the attributes of a file tell."""
        states = tuple(map(as_text, found.get("target_states", ())))
        unit = as_text(found.get("target_unit", ""))
        return cls(as_text(found.get("target", "run")), states, unit)

    def settings(self) -> dict[str, Any]:
        """Return what a trained decoder keeps of its target, nothing of run and rest."""
        if self.name == "run":
            return {}
        return {"target": asdict(self) | {"states": list(self.states)}}

    @classmethod
    def of_settings(cls, settings: Mapping[str, Any]) -> Target:
        """Return the target of a trained decoder."""
        kept = settings.get("target") or {}
        return cls(**kept | {"states": tuple(kept.get("states", ()))})

    @property
    def steps(self) -> str:
        """The unit in which maps explain its outputs; its name, of a trace without one."""
        return self.kind.steps or self.unit or f"units of {self.name}"

    @property
    def told(self) -> str:
        """What is decoded, in words."""
        more = ", ".join(self.states) or self.unit
        return f"{self.name} ({more})" if more else self.name

    def check_same(self, recorded: Target, path: Any) -> None:
        """Raise UserError unless a decoder, of the file `path`, is of the target of recordings."""
        if self.attributes() != recorded.attributes():
            raise UserError(
                f"{path}: decodes {self.told}, but the target of the recordings is "
                f"{recorded.told}; preprocess them for the same (target, target_states), in one "
                "unit"
            )


RUN = Target()


def same_target(sessions: Sequence[Any]) -> Target:
    """Return the target of sessions. Raises UserError, naming two of them, if they differ in it."""
    target = sessions[0].target
    for one in sessions:
        if one.target != target:
            raise UserError(
                f"{one.session}: decodes {one.target.told}, but {sessions[0].session} "
                f"{target.told}; preprocess both for the same target"
            )
    return target


def kind_of(name: str) -> str:
    """Return the kind of a target by its name in the config."""
    return name if name in ("run", "states") else "regression"


def kind_named(name: str) -> Kind:
    """Return the line of the table of a target by its name in the config."""
    return KINDS[kind_of(name)]


def kind_scored(columns: Collection[str], end: str = "") -> Kind:
    """Return the kind of target whose score a table has as a column; run and rest if of none.

    `end`: what follows the score in the column's name, such as ``_intact``.
    """
    return next((kind for kind in KINDS.values() if f"{kind.metric}{end}" in columns), RUN.kind)


def read_states(words: Sequence[str]) -> tuple[tuple[str, ...], dict[str, int]]:
    """Return the names of states, and which of them (from 0) a word or number of the file is.

    `words` are NAME, or NAME=VALUE where the file has another word or number for it; several
    values of one name are joined. Raises UserError if a name is none of a column, or a value comes
    twice, or there are fewer than three names.
    """
    names: dict[str, int] = {}
    codes: dict[str, int] = {}
    for word in words:
        match = STATE.fullmatch(str(word).strip())
        if match is None:
            raise UserError(
                f"target_states: '{word}' is not NAME or NAME=VALUE, with a name of letters, "
                "digits and '_' that begins with a letter"
            )
        value = match[2] if match[2] is not None else match[1]
        if value in codes:
            raise UserError(f"target_states: '{value}' is there twice; each belongs to one state")
        codes[value] = names.setdefault(match[1], len(names))
    if len(names) < FEWEST:
        raise UserError(
            f"target_states: {counted(len(names), 'state')} ({', '.join(names) or 'none'}); needs "
            "three or more, as two are decoded by target: run (behavior_labels, run_label)"
        )
    return tuple(names), codes
