"""An encoding study read from its config: sessions, folds and models.

The Snakefile imports this module, and so does every cluster job: nothing heavy here.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any

from mesodecode.base.files import UserError
from mesodecode.study import schema

KINDS = ("encoding_linear", "encoding_network")  # schemas of the models
SWEPT = ("learning_rate", "momentum", "l2", "initialisation")  # settings that a sweep may vary


@dataclass(frozen=True)
class Fold:
    """Which presentations a model is tested on: fold `number` of the images, or a session.

    `train` names the sessions that it is trained on, `test` the one that it is tested on.
    """

    id: str
    train: tuple[str, ...]
    test: str
    number: int | None = None


@dataclass(frozen=True)
class Model:
    """One line of the model table; `kind` names its schema, `settings` has its defaults too."""

    name: str
    kind: str
    settings: dict[str, Any]


@dataclass(frozen=True)
class Study:
    """A checked config; `config` is the whole of it with defaults filled in."""

    name: str
    sessions: list[str]
    folds: dict[str, Fold]
    models: dict[str, Model]
    config: dict[str, Any]

    def source(self, kind: str, session: str) -> str | None:
        """Return the path of a session's file, None without one; `kind`: a key of `recordings`.

        Events have a file of their own only where responses are made of them.
        """
        pattern = self.config["recordings"][kind]
        if kind == "events" and self.config["responses"]["signal"] != "events":
            return None
        return pattern and pattern.format(session=session)

    @property
    def networks(self) -> list[str]:
        """The models that are trained for epochs."""
        return [m.name for m in self.models.values() if m.kind == "encoding_network"]

    @property
    def names(self) -> list[list[str]]:
        """What jobs are named by, in sets of what one rule has a job each for."""
        sweep, networks = self.config["sweep"], self.networks
        chunks = [str(n + 1) for n in range(sweep["chunks"])] if sweep else []
        linear = [name for name in self.models if name not in networks]
        return [self.sessions, list(self.folds), linear, self.config["diagnose"], networks, chunks]

    @property
    def n_swept(self) -> int:
        """How many networks the sweep trains."""
        return math.prod(len(self.config["sweep"][key]) for key in SWEPT)


def is_encoding(config: Any) -> bool:
    """Tell whether a config is that of an encoding study."""
    return isinstance(config, dict) and config.get("kind") == "encoding"


def resolve(config: dict[str, Any]) -> Study:
    """Check the config of an encoding study and fill in its defaults.

    Raises UserError with one line naming the key if anything in it does not hold.
    """
    config = copy.deepcopy(dict(config))
    schema.check(config, "encoding_study", "")
    tables = schema.properties("encoding_study")
    config = schema.defaults("encoding_study", **config)
    for table in ("recordings", "folds"):
        config[table] = _filled(tables[table]) | config[table]
    for table in ("responses", "simulate"):
        if table in config:
            schema.check(config[table], f"encoding_{table}", table)
            config[table] = schema.defaults(f"encoding_{table}", **config[table])
    _recordings(config)
    by = config["folds"]["by"]
    if by == "sessions" and len(config["sessions"]) < 2:
        raise UserError("config: folds.by: sessions needs two sessions or more; name them")
    models = {name: _model(name, config) for name in config["models"]}
    config["models"] = {name: model.settings for name, model in models.items()}
    networks = [name for name, model in models.items() if model.kind == "encoding_network"]
    for name in config["diagnose"]:
        if name not in networks:
            raise UserError(
                f"config: diagnose: no network '{name}'; known: {', '.join(networks) or 'none'}"
            )
    if config["sweep"] is not None:
        config["sweep"] = _sweep(config["sweep"], models)
    folds = make_folds(config["sessions"], by, config["folds"]["k"])
    study = Study(config["study"], config["sessions"], folds, models, config)
    if config["sweep"] and config["sweep"]["chunks"] > study.n_swept:
        raise UserError(
            f"config: sweep.chunks: {config['sweep']['chunks']} jobs for {study.n_swept} "
            "trainings; lower it"
        )
    return study


def _filled(table: dict[str, Any]) -> dict[str, Any]:
    return {k: v["default"] for k, v in table["properties"].items() if "default" in v}


def _recordings(config: dict[str, Any]) -> None:
    if "simulate" in config:
        folder = f"results/{config['study']}/simulated"
        config["recordings"] = {"file": folder + "/{session}.h5", "events": None}
    elif config["recordings"]["file"] is None:
        raise UserError("config: recordings: 'file' says where a session's file is")
    for kind, pattern in config["recordings"].items():
        try:
            fields = {
                name for _, name, _, _ in Formatter().parse(pattern or "") if name is not None
            }
        except ValueError:
            fields = {"?"}
        if pattern is not None and fields != {"session"}:
            raise UserError(
                f"config: recordings.{kind}: '{pattern}' must hold {{session}}, no other braces"
            )


def _model(name: str, config: dict[str, Any]) -> Model:
    table, where = config["models"], f"config: models.{name}"
    settings, seen = dict(table[name]), [name]
    while "like" in settings:
        parent = settings.pop("like")
        if parent not in table or parent in seen:
            fault = "is a circle" if parent in seen else "names no model"
            raise UserError(f"{where}.like: '{parent}' {fault}; known: {', '.join(table)}")
        settings = table[parent] | settings
        seen.append(parent)
    kind = "encoding_linear" if "model" in settings else "encoding_network"
    schema.check(settings, kind, f"models.{name}")
    settings = schema.defaults(kind, **settings)
    if settings["covariates"] and not config["responses"]["covariates"]:
        raise UserError(f"{where}.covariates: there are none; name them in responses.covariates")
    if settings.get("model") == "image_mean" and settings["covariates"]:
        raise UserError(f"{where}.covariates: an image_mean takes none; set it false")
    if kind == "encoding_network" and settings["screen"] and settings["covariates"]:
        raise UserError(
            f"{where}.screen: neurons that answer no image may follow the covariates; set it false"
        )
    if settings.get("train_on") == "averages":
        for key, value in (("readout", "rnn"), ("covariates", True)):
            if settings[key] == value:
                raise UserError(
                    f"{where}.train_on: averages have no {key} {value}, which differ between "
                    "repeats; use trials"
                )
    return Model(name, kind, settings)


def _sweep(sweep: dict[str, Any], models: dict[str, Model]) -> dict[str, Any]:
    model = models.get(sweep["model"])
    if model is None or model.kind != "encoding_network":
        raise UserError(f"config: sweep.model: no network '{sweep['model']}'")
    own = {key: [model.settings[key]] for key in SWEPT}
    return _filled(schema.properties("encoding_study")["sweep"]) | own | sweep


def make_folds(sessions: Sequence[str], by: str, k: int) -> dict[str, Fold]:
    """Return the folds of some sessions by id: SESSION.fold-1 … k of images, or test-SESSION."""
    if by == "sessions":
        folds = [
            Fold(f"test-{s}", tuple(other for other in sessions if other != s), s) for s in sessions
        ]
    else:
        folds = [Fold(f"{s}.fold-{n}", (s,), s, n) for s in sessions for n in range(1, k + 1)]
    return {fold.id: fold for fold in folds}
