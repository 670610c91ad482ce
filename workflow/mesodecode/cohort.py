"""A study read from its config: mice, sessions, allocations, decoders and comparisons.

Every cluster job parses the Snakefile and so imports this module: nothing heavy here.
"""

from __future__ import annotations

import copy
import difflib
import itertools
import json
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Any

import yaml

from mesodecode import (
    adaptable,
    confounds,
    corrections,
    importance,
    protocols,
    published,
    schema,
    tuning,
)
from mesodecode.allocation import Allocation
from mesodecode.files import UserError

ORDERED = ("half_window", "shift")  # settings along which a figure draws a line
# Settings of a simulation that all mice share: recordings of one size, drawn from one seed.
COMMON = {"seed", "n_frames", "image_size", "frame_rate"}
LONGEST_ID = 180  # file systems allow 255 bytes a name; logs and temporary files add to it


@dataclass(frozen=True)
class Decoder:
    """One line of the decoder table.

    `kind` names its schema and its rules ("cnn", "cnn_rnn", "linear", …); `settings` holds every
    setting of that schema, defaults filled in.
    """

    name: str
    kind: str
    settings: dict[str, Any]


@dataclass(frozen=True)
class Study:
    """A checked config. `config` is the whole of it with defaults filled in.

    `mice` are those that take part; `config["mice"]` holds the excluded ones too.
    """

    name: str
    mice: dict[str, list[str]]
    allocations: dict[str, Allocation]
    decoders: dict[str, Decoder]
    config: dict[str, Any]

    @property
    def mouse_of(self) -> dict[str, str]:
        """Session -> its mouse, in the order of the config."""
        return {session: mouse for mouse, sessions in self.mice.items() for session in sessions}

    def sessions(self, allocation: str, *roles: str) -> list[str]:
        """Return the sessions of the mice that have one of `roles` in the allocation.

        Raises UserError if the study has no such allocation.
        """
        if allocation not in self.allocations:
            raise UserError(f"no allocation '{allocation}' of these mice; see config: allocation")
        mice = [mouse for role in roles for mouse in getattr(self.allocations[allocation], role)]
        return [session for mouse in mice for session in self.mice[mouse]]

    def run_share(self, session: str) -> float:
        """Return the share of frames in which the mouse of a simulated session runs."""
        shares = self.config["simulate"]["run_shares"]
        # in the order of the config, so that excluding a mouse simulates no other one anew
        return shares[list(self.config["mice"]).index(self.mouse_of[session]) % len(shares)]

    def simulation(self, session: str) -> dict[str, Any]:
        """Return the settings of simulate.schema.yaml that a simulated session is made with."""
        settings = self.config["simulate"]
        return settings | settings["by_mouse"].get(self.mouse_of[session], {})

    def source(self, kind: str, session: str) -> str | list[str] | None:
        """Return the path of a session's file, None without one.

        `kind`: key of `recordings` or of `corrections`; a list of paths where the config has one.
        """
        pattern = (self.config["recordings"] | self.config["corrections"]).get(kind)
        if isinstance(pattern, list):
            return [p.format(session=session, mouse=self.mouse_of[session]) for p in pattern]
        return pattern and pattern.format(session=session, mouse=self.mouse_of[session])

    @property
    def roi_decoders(self) -> list[Decoder]:
        """The decoders that read ROI signals."""
        return [d for d in self.decoders.values() if d.settings.get("input") == "rois"]

    @property
    def nulls(self) -> dict[str, list[str]]:
        """Decoder -> those that differ from it by permuted labels (and the seed) only.

        One of each permutation: mice of two sessions have one only, whatever the seed.
        """
        found: dict[str, list[str]] = {}
        for name, decoder in self.decoders.items():
            if decoder.settings.get("labels", "own") == "own":
                continue
            for other in self.decoders.values():
                own = other.settings.get("labels") == "own"
                differ = importance.differences(other, decoder, self.decoders)
                if own and differ <= {"labels", "seed"}:
                    taken = found.setdefault(other.name, [])
                    if self.label_donors(name) not in map(self.label_donors, taken):
                        taken.append(name)
        return found

    def ordered_by(self, comparison: str) -> tuple[str, list[float]] | None:
        """Return the number that tells the decoders of a comparison apart, and that of each.

        Their half-window or shift, if they differ by nothing else, or the values of a column of
        numbers of a source; None where there is no such number, or for fewer than three decoders.
        """
        settings = self.config["comparisons"][comparison]
        names = settings["decoders"]
        if len(names) < 3:
            return None
        if "source" in settings:
            try:
                return settings["by"], [float(name) for name in names]
            except ValueError:
                return None
        each = [self.decoders[name].settings for name in names]
        keys = {key for one in each for key in one}
        differing = [k for k in keys if any(one.get(k) != each[0].get(k) for one in each)]
        if len(differing) == 1 and differing[0] in ORDERED:
            return differing[0], [one[differing[0]] for one in each]
        return None

    def label_donors(self, decoder: str) -> dict[str, str]:
        """Return session -> the session whose labels it is given, {} where each has its own.

        A permutation within each mouse, drawn from a stream named by the decoder's seed and the
        mouse: the same in every allocation, whatever other mice there are. A recurrent network has
        that of the CNN it starts from, so that both learn the same.
        """
        settings = self.decoders[decoder].settings
        if "start_from" in settings:
            return self.label_donors(settings["start_from"])
        if settings.get("labels", "own") == "own":
            return {}
        donors: dict[str, str] = {}
        for mouse, sessions in self.mice.items():
            rng = random.Random(f"{settings['seed']}/{mouse}")
            drawn = rng.sample(sessions, len(sessions))
            if settings["labels"] == "permuted_between_sessions":
                while any(a == b for a, b in zip(sessions, drawn, strict=True)):
                    rng.shuffle(drawn)
            donors |= zip(sessions, drawn, strict=True)
        return donors


def allocate(
    mice: Iterable[str], *, train: int = 3, valid: int = 1, test: int = 1, choose: str = "all"
) -> list[Allocation]:
    """Split mice into train, validation and test mice in every way that `choose` asks for.

    `all`: every combination; 5 mice at 3:1:1 give 20 (Ajioka et al. 2024). `each_pair`: every pair
    of validation and test mice once, trained on the `train` mice that follow the validation mouse
    in the order of the config, cyclically and without the test mouse; 20 mice at 3:1:1 give 380.
    With one test mouse all mice then train equally often, and with one validation mouse beside
    each test mouse too. `each_test`: every mouse tests once, the next `valid` validate and the next
    `train` train. Ordered by test, validation, training mice; the mice of a role stand in the order
    of the config, so that the same split has the same id.

    A mouse added to n others leaves their n (n - 1) pairs of `each_pair` at 3:1:1 as they are but
    for 3 n, in which it takes the place of one training mouse: the fewest with which it trains as
    often as they. It brings 2 n pairs of its own.
    """
    mice = list(mice)
    if len(mice) < train + valid + test:
        raise UserError(
            f"config: mice: {len(mice)} mice are fewer than allocation.train + valid + test = "
            f"{train} + {valid} + {test}; add mice, exclude fewer or ask for fewer"
        )
    return list(_allocate(mice, train, valid, test, choose))


def _allocate(
    mice: list[str], train: int, valid: int, test: int, choose: str
) -> Iterator[Allocation]:
    def after(mouse: str, taken: tuple[str, ...]) -> list[str]:
        at = mice.index(mouse)
        return [m for m in mice[at + 1 :] + mice[:at] if m not in taken]

    def ordered(chosen: list[str]) -> tuple[str, ...]:
        return tuple(sorted(chosen, key=mice.index))

    if choose == "each_test":
        for first in mice:
            ring = [first, *after(first, (first,))]
            yield Allocation(
                test=ordered(ring[:test]),
                valid=ordered(ring[test : test + valid]),
                train=ordered(ring[test + valid : test + valid + train]),
            )
        return
    for test_mice in itertools.combinations(mice, test):
        rest = [m for m in mice if m not in test_mice]
        for valid_mice in itertools.combinations(rest, valid):
            left = [m for m in rest if m not in valid_mice]
            if choose == "each_pair":
                last = [m for m in after(test_mice[-1], test_mice) if m in valid_mice][-1]
                ring = after(last, test_mice + valid_mice)
                yield Allocation(ordered(ring[:train]), valid_mice, test_mice)
                continue
            for train_mice in itertools.combinations(left, train):
                yield Allocation(train_mice, valid_mice, test_mice)


def load(path: str | Path) -> Study:
    """Read and check a config file (YAML, or the JSON that a run keeps).

    Raises UserError with one line naming the key if anything in it does not hold.
    """
    return resolve(read(path))


def read(path: str | Path) -> dict[str, Any]:
    """Read a config file as it is."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    try:
        return json.loads(text)  # first, as Snakemake does: YAML reads JSON's 1e-05 as text
    except ValueError:
        check_duplicate_keys(path)
        return yaml.safe_load(text)


def resolve(config: dict[str, Any]) -> Study:
    """Check a config and fill in its defaults (see `load`)."""
    config = _with_defaults(config)
    _check_sessions(config["mice"])
    mice = included(config["mice"], config["exclude"])
    if not config["decoders"]:
        _importance(config["importance"], {})
        _check_reproduction(config, {})
        config["shift"]["decoders"] = _shifted(config["shift"]["decoders"], {})
        return Study(config["study"], {}, {}, {}, config)
    allocations = {a.id: a for a in allocate(mice, **config["allocation"])}
    longest = max(allocations, key=len)
    if len(longest) > LONGEST_ID:
        raise UserError(
            f"config: mice: the allocation id '{longest}' has {len(longest)} characters, more "
            f"than {LONGEST_ID}; shorten the names of the mice"
        )
    decoders = {name: _decoder(name, config["decoders"]) for name in config["decoders"]}
    for decoder in decoders.values():
        _check_start(decoder, decoders)
        _check_members(decoder, decoders)
        _check_adapted(decoder, decoders, mice, allocations.values())
        if decoder.settings.get("input") == "rois":
            _check_rois(decoder, config)
        _check_labels(decoder, mice)
    for name, comparison in config["comparisons"].items():
        for decoder in [] if "source" in comparison else comparison["decoders"]:
            if decoder not in decoders:
                raise UserError(
                    f"config: comparisons.{name}.decoders: no decoder '{decoder}'; "
                    f"known: {', '.join(decoders)}"
                )
    _check_protocols(config, decoders)
    config["importance"] = _importance(config["importance"], decoders)
    kinds = {name: decoder.kind for name, decoder in decoders.items()}
    config["tune"] = {k: tuning.check(line, k, kinds) for k, line in config["tune"].items()}
    confounds.check(config["confounds"], decoders, config["allocation"]["test"])
    config["shift"]["decoders"] = _shifted(config["shift"]["decoders"], decoders)
    _check_reproduction(config, decoders)
    config["decoders"] = {name: decoder.settings for name, decoder in decoders.items()}
    return Study(config["study"], mice, allocations, decoders, config)


def _with_defaults(config: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(config, dict):
        raise UserError("config: the file must hold keys and values, such as 'study: mine'")
    config = copy.deepcopy(dict(config))
    if isinstance(config.get("mice"), dict):
        config["mice"] = _named(config["mice"])
    if isinstance(config.get("exclude"), dict):
        config["exclude"] = {_name(key): reason for key, reason in config["exclude"].items()}
    schema.check(config, "config", "")
    _check_tables_only(config)
    config = {"mice": {}, "decoders": {}} | schema.defaults("config", **config)
    tables = schema.properties("config")
    for table in ("recordings", "allocation"):
        filled = {k: v["default"] for k, v in tables[table]["properties"].items() if "default" in v}
        config[table] = filled | config[table]
    words = tables["comparisons"]["additionalProperties"]["properties"]
    filled = {k: v["default"] for k, v in words.items() if "default" in v}
    config["comparisons"] = {k: filled | v for k, v in config["comparisons"].items()}
    if "simulate" in config:
        specs = tables["simulate"]["properties"]
        more = {k: config["simulate"].pop(k, spec["default"]) for k, spec in specs.items()}
        schema.check(config["simulate"], "simulate", "simulate")
        settings = schema.defaults("simulate", **config["simulate"])
        more["by_mouse"] = _by_mouse(more["by_mouse"], config["mice"])
        config["simulate"] = settings | more
        folder = f"results/{config['study']}/simulated"
        config["recordings"] |= {
            "movie": folder + "/{session}.tif",
            "behavior": folder + "/{session}_behavior.mat",
            "rois": None if config["recordings"]["roi_masks"] else folder + "/{session}_roi.mat",
            "frame_rate": settings["frame_rate"],
        }
    elif config["decoders"] and not {"movie", "behavior"} <= set(config["recordings"]):
        raise UserError(
            "config: recordings: 'movie' and 'behavior' say where a session's files are"
        )
    for kind in ("movie", "behavior", "rois", "frame_times"):
        patterns = config["recordings"].get(kind)
        for pattern in patterns if isinstance(patterns, list) else [patterns]:
            _check_pattern(pattern, f"recordings.{kind}")
    _check_pattern(config["recordings"]["roi_masks"], "recordings.roi_masks", one_file=True)
    config["corrections"] = _corrections(config["corrections"], config["recordings"])
    config["qc"] = _thresholds(config["qc"])
    config["shift"] = _shift(config["shift"])
    schema.check(config["nwb"], "nwb", "nwb")
    config["nwb"] = schema.defaults("nwb", **config["nwb"])
    schema.check(config["confounds"], "confounds", "confounds")
    config["confounds"] = schema.defaults("confounds", **config["confounds"])
    for kind in ("brain_mask", "vessel_mask"):
        _check_pattern(config["confounds"][kind], f"confounds.{kind}", one_file=True)
    if config["recordings"]["rois"] and config["recordings"]["roi_masks"]:
        raise UserError(
            "config: recordings: ROI signals come from 'rois' or from 'roi_masks'; give one of them"
        )
    return config


def _by_mouse(table: dict[Any, dict[str, Any]], mice: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return mouse -> settings of the simulation of its own, checked."""
    table = _named(table)
    for mouse, settings in table.items():
        where = f"simulate.by_mouse.{mouse}"
        if mouse not in mice:
            raise UserError(f"config: {where}: no such mouse; known: {', '.join(mice)}")
        schema.check(settings, "simulate", where)
        for key in sorted(COMMON & set(settings)):
            raise UserError(f"config: {where}.{key}: is that of all mice; set simulate.{key}")
    return table


def _corrections(settings: dict[str, Any], recordings: dict[str, Any]) -> dict[str, Any]:
    """Return the corrections, checked and with defaults filled in."""
    schema.check(settings, "corrections", "corrections")
    filled = schema.defaults("corrections", **settings)
    corrections.check(filled, "config: corrections")
    for kind in ("dark_frame", "brain_mask"):
        _check_pattern(filled[kind], f"corrections.{kind}", one_file=True)
    if filled["binning"] > 1 and recordings["roi_masks"]:
        raise UserError(
            "config: corrections: binning and recordings.roi_masks do not go together, since masks "
            "are in pixels as recorded; use image_size, which comes after them"
        )
    return filled


def _thresholds(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the thresholds of quality control, checked and with defaults filled in."""
    schema.check(settings, "qc", "qc")
    filled = schema.defaults("qc", **settings)
    for name, (warn, fail) in filled.items():
        below = schema.properties("qc")[name].get("below", False)
        if (warn < fail) if below else (warn > fail):
            raise UserError(
                f"config: qc.{name}: [{warn:g}, {fail:g}] fails before it warns; give [warn, fail]"
            )
    return filled


def _shift(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of the shift report, checked and with defaults filled in."""
    schema.check(settings, "shift", "shift")
    filled = schema.defaults("shift", **settings)
    for name, limits in filled.items():
        if name in ("decoders", "frames") or None in limits:
            continue
        below = schema.properties("shift")[name].get("below", False)
        if (limits[0] < limits[1]) if below else (limits[0] > limits[1]):
            raise UserError(
                f"config: shift.{name}: {limits} is unusable before it is shifted; give [shifted, "
                "unusable]"
            )
    return filled


def _shifted(names: list[str] | None, decoders: dict[str, Decoder]) -> list[str]:
    """Return the decoders that the shift report speaks of: those asked for, or all it can."""
    can = [
        name for name, decoder in decoders.items() if decoder.settings.get("labels", "own") == "own"
    ]
    for name in names or ():
        if name not in can:
            raise UserError(
                f"config: shift.decoders: no decoder '{name}' with labels of its own; known: "
                f"{', '.join(can) or 'none'}"
            )
    return can if names is None else names


def _check_tables_only(config: dict[str, Any]) -> None:
    """Mice and decoders may be left out, both, where every comparison reads a table."""
    sources = ["source" in c for c in config.get("comparisons", {}).values()]
    for key in ("mice", "decoders"):
        if key not in config and not (
            sources and all(sources) and {"mice", "decoders"}.isdisjoint(config)
        ):
            raise UserError(f"config: top level: '{key}' is missing")


def _named(mice: dict[Any, Any]) -> dict[Any, Any]:
    """Return mice under their names: YAML reads `1:` as a number."""
    named: dict[Any, Any] = {}
    for mouse, sessions in mice.items():
        name = _name(mouse)
        if name in named:
            raise UserError(f"config: mice.{name}: the mouse is there twice; join its sessions")
        named[name] = sessions
    return named


def _name(key: Any) -> Any:
    return str(key) if isinstance(key, int) and not isinstance(key, bool) else key


def _check_pattern(pattern: str | None, where: str, one_file: bool = False) -> None:
    if pattern is None:
        return
    try:
        fields = [(name, spec, how) for _, name, spec, how in Formatter().parse(pattern)]
    except ValueError:
        fields = []
    asked = {name for name, spec, how in fields if name is not None and not spec and not how}
    plain = all(name is None or name in asked for name, _, _ in fields)
    if not (plain and (one_file or "session" in asked) and asked <= {"session", "mouse"}):
        may = "may hold {session} and" if one_file else "must hold {session} and may hold"
        raise UserError(f"config: {where}: '{pattern}' {may} {{mouse}}, no other braces")


def _check_sessions(mice: dict[str, list[str]]) -> None:
    owner: dict[str, str] = {}
    for mouse, sessions in mice.items():
        for session in sessions:
            if owner.get(session) == mouse:
                raise UserError(f"config: mice.{mouse}: session '{session}' is listed twice")
            if session in owner:
                raise UserError(
                    f"config: mice.{mouse}: session '{session}' already belongs to mouse "
                    f"'{owner[session]}'; a session has one mouse"
                )
            owner[session] = mouse


def included(mice: Mapping[str, list[str]], exclude: Mapping[str, str]) -> dict[str, list[str]]:
    """Return mouse -> sessions of those that take part; `exclude`: session or mouse -> reason.

    A mouse left without sessions takes no part, and with it every allocation that has it: of the
    120 of 6 mice at 3:1:1, the 20 of the other 5 are left, under the same ids.
    Raises UserError for a name that is no mouse or session, or one of each.
    """
    sessions = {session for names in mice.values() for session in names}
    for name in exclude:
        where = f"config: exclude.{name}"
        if name not in mice and name not in sessions:
            near = difflib.get_close_matches(name, [*mice, *sessions], n=1)
            hint = f"did you mean '{near[0]}'?" if near else "name one of `mice:`"
            raise UserError(f"{where}: no mouse or session of this name; {hint}")
        if name in mice and name in sessions and mice[name] != [name]:
            raise UserError(
                f"{where}: both a mouse and a session have this name; list the sessions"
            )
    left = {
        mouse: [session for session in names if session not in exclude]
        for mouse, names in mice.items()
        if mouse not in exclude
    }
    return {mouse: names for mouse, names in left.items() if names}


def kind_of(settings: dict[str, Any]) -> str:
    """Return the kind of a decoder, the schema that its settings must fit."""
    if "average_of" in settings:
        return "average"
    if "adapted_from" in settings:
        return "adapted"
    if settings.get("input") == "rois":
        return "roi_classical" if "model" in settings else "roi_rnn"
    if "model" in settings:
        return "linear"
    return "cnn_rnn" if settings.keys() & {"rnn", "start_from"} else "cnn"


def _decoder(name: str, table: dict[str, dict[str, Any]]) -> Decoder:
    settings, seen = dict(table[name]), [name]
    while "like" in settings:
        parent = settings.pop("like")
        if not isinstance(parent, str) or parent not in table:
            raise UserError(
                f"config: decoders.{seen[-1]}.like: no decoder '{parent}'; "
                f"known: {', '.join(table)}"
            )
        if parent in seen:
            raise UserError(
                f"config: decoders.{name}.like: {' → '.join([*seen, parent])} is a circle"
            )
        settings = table[parent] | settings
        seen.append(parent)
    kind = kind_of(settings)
    schema.check(settings, kind, f"decoders.{name}")
    decoder = Decoder(name, kind, schema.defaults(kind, **settings))
    if decoder.settings.get("rnn") == "tcn" and decoder.settings["bidirectional"]:
        raise UserError(
            f"config: decoders.{name}.bidirectional: a tcn reads both directions; leave it out"
        )
    augmented = [k for k, v in decoder.settings.items() if k.startswith("augment_") and v]
    if augmented and decoder.settings.get("cnn_weights") == "frozen":
        raise UserError(
            f"config: decoders.{name}.{augmented[0]}: a frozen CNN's features are computed once, "
            "without augmentation; set it for the CNN, or cnn_weights: finetuned"
        )
    return decoder


def _check_start(decoder: Decoder, decoders: dict[str, Decoder]) -> None:
    start = decoder.settings.get("start_from")
    if start is None:
        return
    known = [name for name, other in decoders.items() if other.kind == "cnn"]
    if start not in known:
        raise UserError(
            f"config: decoders.{decoder.name}.start_from: no CNN decoder '{start}'; "
            f"known: {', '.join(known) or 'none'}"
        )
    labels, of_start = decoder.settings["labels"], decoders[start].settings["labels"]
    if labels != of_start:
        raise UserError(
            f"config: decoders.{decoder.name}.labels: {labels}, but {start}, which it starts from, "
            f"has labels: {of_start}; start it from a CNN of the same labels, such as "
            f"{{like: {start}, labels: {labels}}}"
        )


def _check_labels(decoder: Decoder, mice: dict[str, list[str]]) -> None:
    if decoder.settings.get("labels", "own") == "own":
        return
    for mouse, sessions in mice.items():
        if len(sessions) < 2:
            raise UserError(
                f"config: decoders.{decoder.name}.labels: mouse {mouse} has one session, so its "
                "labels cannot be permuted between sessions; leave the mouse out or give it another"
            )


def _check_members(decoder: Decoder, decoders: dict[str, Decoder]) -> None:
    where = f"config: decoders.{decoder.name}.average_of"
    known = [name for name, other in decoders.items() if other.kind != "average"]
    for member in decoder.settings.get("average_of", []):
        if member not in known:
            fault = "is an average itself" if member in decoders else "is no decoder"
            raise UserError(f"{where}: '{member}' {fault}; known: {', '.join(known) or 'none'}")
        if decoders[member].settings.get("labels", "own") != "own":
            raise UserError(
                f"{where}: '{member}' has permuted labels; an average is of decoders with their own"
            )


def _check_adapted(
    decoder: Decoder,
    decoders: dict[str, Decoder],
    mice: dict[str, list[str]],
    allocations: Iterable[Allocation],
) -> None:
    settings, where = decoder.settings, f"config: decoders.{decoder.name}"
    if decoder.kind != "adapted":
        return
    known = [name for name, other in decoders.items() if other.kind in adaptable.KINDS]
    name = settings["adapted_from"]
    if name not in known:
        raise UserError(
            f"{where}.adapted_from: '{name}' is no decoder that was trained; known: "
            f"{', '.join(known) or 'none'}"
        )
    start = decoders[name]
    cnn = decoders.get(start.settings.get("start_from", ""), start)
    read = start.settings | {"baseline": cnn.settings.get("baseline")}
    adaptable.check(settings, start.kind, read, name, f"{where}.")
    applied = {m for a in allocations for m in a.valid + a.test}  # to both in the same way
    for mouse in sorted(applied):
        few = settings["few_shot"]
        adaptable.check_sessions(few, mouse, len(mice[mouse]), f"{where}.")


def protocols_of(config: Mapping[str, Any], decoders: Mapping[str, Decoder]) -> dict[str, str]:
    """Return decoder -> its protocol (see `mesodecode.protocols`), from settings alone."""
    corrected = config["corrections"] != schema.defaults("corrections")
    found = {
        name: protocols.of(decoder.settings, corrected, _start_of(decoder, decoders))
        for name, decoder in decoders.items()
        if decoder.kind != "average"
    }
    return {
        name: found[name]
        if name in found
        else protocols.weakest(found[member] for member in decoder.settings["average_of"])
        for name, decoder in decoders.items()
    }


def _start_of(decoder: Decoder, decoders: Mapping[str, Decoder]) -> dict[str, Any] | None:
    """Return the settings of the decoder that an adapted one applies, None of any other."""
    start = decoder.settings.get("adapted_from")
    return decoders[start].settings if start else None


def _check_protocols(config: dict[str, Any], decoders: dict[str, Decoder]) -> None:
    found = protocols_of(config, decoders)
    for name, comparison in config["comparisons"].items():
        if "source" not in comparison:
            mine = {decoder: found[decoder] for decoder in comparison["decoders"]}
            across = comparison["across_protocols"]
            protocols.check_one(mine, across, f"config: comparisons.{name}")


def _check_rois(decoder: Decoder, config: dict[str, Any]) -> None:
    if not (config["recordings"]["rois"] or config["recordings"]["roi_masks"]):
        raise UserError(
            f"config: decoders.{decoder.name}: input rois needs ROI signals; set recordings.rois "
            "or recordings.roi_masks"
        )


def _importance(
    table: dict[str, dict[str, Any]], decoders: dict[str, Decoder]
) -> dict[str, dict[str, Any]]:
    """Return the table of importance analyses, checked and with defaults filled in."""
    filled = {}
    kinds = {name: decoder.kind for name, decoder in decoders.items()}
    for name, settings in table.items():
        where, kind = f"config: importance.{name}", importance.kind_of(settings)
        schema.check(settings, kind, f"importance.{name}")
        importance.check_name(where, name, table)
        if kind == "importance_cutout":
            importance.check_cutout(where, settings, kinds)
            _check_pattern(settings["masks"], f"importance.{name}.masks", one_file=True)
        else:
            importance.check_shap(where, settings, kinds)
        filled[name] = schema.defaults(kind, **settings)
        importance.check_companions(where, filled[name], decoders)
    return filled


def _check_reproduction(config: dict[str, Any], decoders: dict[str, Decoder]) -> None:
    for name, where in config["reproduction"].items():
        if name not in decoders:
            known = ", ".join(decoders) or "none"
            raise UserError(f"config: reproduction.{name}: no such decoder; known: {known}")
        try:
            published.rows(where)
        except UserError as error:
            raise UserError(f"config: reproduction.{name}: {error}") from None


def check_duplicate_keys(path: str | Path) -> None:
    """Raise UserError if a mapping of the YAML file has one key twice, or if it is no YAML.

    YAML takes the last of two equal keys without a word; a mouse listed twice would vanish. It
    also takes 01 for 1, so that a mouse would lose its name.
    """
    with open(path, encoding="utf-8") as file:
        try:
            root = yaml.compose(file, Loader=yaml.SafeLoader)
            file.seek(0)
            yaml.safe_load(file)
        except yaml.YAMLError as error:
            raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    todo, seen = [root] if root else [], set()
    while todo:
        node = todo.pop()
        if id(node) in seen or isinstance(node, yaml.ScalarNode):
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            todo += node.value
            continue
        _check_keys(node, path)
        todo += [value for _, value in node.value]


def _check_keys(node: yaml.MappingNode, path: str | Path) -> None:
    lines: dict[str, int] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
            continue
        line = key.start_mark.line + 1
        if key.value in lines:
            raise UserError(
                f"{path}: key '{key.value}' appears twice, at lines {lines[key.value]} and {line}; "
                "join the two"
            )
        lines[key.value] = line
        if key.tag == "tag:yaml.org,2002:int" and str(yaml.safe_load(key.value)) != key.value:
            raise UserError(
                f"{path}: line {line}: YAML reads the key {key.value} as the number "
                f"{yaml.safe_load(key.value)}; write it in quotes"
            )
