"""A study read from its config: mice, sessions, allocations, decoders and comparisons.

Every cluster job parses the Snakefile and so imports this module: nothing heavy here.
"""

import datetime
import functools
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesodecode.base.files import UserError
from mesodecode.study import (
    ceilings,
    cohort_allocations,
    cohort_table,
    config_file,
    config_tables,
    control_table,
    decoder_table,
    importance,
    mouse_allocations,
    published,
    schema,
    session_dates,
    session_ids,
    target_checks,
    tuning,
    variants,
)
from mesodecode.study.allocation import ROLES, Allocation
from mesodecode.study.ceilings import SessionSplit
from mesodecode.study.decoder_table import Decoder

ORDERED = ("half_window", "shift")  # settings along which a figure draws a line
LONGEST_ID = 180  # file systems allow 255 bytes a name; logs and temporary files add to it


@dataclass(frozen=True)
class Study:
    """A checked config. `config` is the whole of it with defaults filled in.

    `mice` are those that take part, with the ids of their sessions; `config["mice"]` holds the
    excluded ones too, and the names (see `mesodecode.study.session_ids`).
    """

    name: str
    mice: dict[str, list[str]]
    allocations: dict[str, Allocation]
    decoders: dict[str, Decoder]
    config: dict[str, Any]

    @functools.cached_property
    def by_id(self) -> dict[str, session_ids.Session]:
        """Id -> the session, of those that take part, in the order of the config."""
        known = session_ids.sessions_of(self.config)
        taken = {session for sessions in self.mice.values() for session in sessions}
        return {session.id: session for session in known if session.id in taken}

    @functools.cached_property
    def mouse_of(self) -> dict[str, str]:
        """Session -> its mouse, in the order of the config."""
        return {session.id: session.mouse for session in self.by_id.values()}

    @functools.cached_property
    def dates(self) -> dict[str, datetime.date]:
        """Session -> the day of it, of those whose day the config tells."""
        return session_dates.of_sessions(self.by_id, self.config["nwb"])

    @functools.cached_property
    def ceilings(self) -> dict[str, dict[str, SessionSplit]]:
        """Decoder -> splits of sessions by their ids, of those that ceilings are made of."""
        made, cohort_of = {}, cohort_table.of_mice(self.config["cohorts"])
        for name in self.config["ceilings"]["decoders"]:
            choosing = ceilings.chooses(self.decoders[name])
            found = ceilings.splits(self.mice, self.dates, choosing, cohort_of)
            made[name] = {split.id: split for split in found}
        return made

    def of_session(self, session: str) -> Mapping[str, Any]:
        """Return what holds the tables recordings, corrections, simulate and fetch of a session."""
        return cohort_table.own_tables(self.config, self.mouse_of[session])

    @property
    def harmonised(self) -> bool:
        """Whether recordings are brought to one frame rate, or to areas of the same names."""
        return self.config["frame_rate"] is not None or self.config["areas"] is not None

    def filled(self, path: str, session: str) -> str:
        """Return a path of the config with {session} and {mouse} of a session filled in."""
        return path.format(session=self.by_id[session].name, mouse=self.by_id[session].mouse)

    def sessions(self, allocation: str, *roles: str) -> list[str]:
        """Return the sessions of the mice that have one of `roles` in the allocation.

        Raises UserError if the study has no such allocation.
        """
        if allocation not in self.allocations:
            raise UserError(f"no allocation '{allocation}' of these mice; see config: allocation")
        mice = [mouse for role in roles for mouse in getattr(self.allocations[allocation], role)]
        return [session for mouse in mice for session in self.mice[mouse]]

    def training(self, decoder: str, allocation: str) -> str:
        """Return the id of the training that a decoder has in an allocation.

        It spells the training mice, and the test mice that its settings were searched without.
        """
        one = self.allocations[allocation]
        tuned = f".tuned-{one.joined('test')}" if self._is_searched(decoder) else ""
        return f"train-{one.joined('train')}{tuned}"

    def trainings(self, decoder: str) -> dict[str, list[str]]:
        """Return each training of a decoder by its id, with the allocations that share it."""
        return self._trainings[self._is_searched(decoder)]

    def _is_searched(self, decoder: str) -> bool:
        """Whether the settings of a decoder, or of the CNN that it starts from, are searched."""
        start = self.decoders[decoder].settings.get("start_from")
        return bool({decoder, start} & {*self.config["tune"]})

    @functools.cached_property
    def _trainings(self) -> dict[bool, dict[str, list[str]]]:
        found: dict[bool, dict[str, list[str]]] = {False: {}, True: {}}
        for name, one in self.allocations.items():
            shared = f"train-{one.joined('train')}"
            found[False].setdefault(shared, []).append(name)
            found[True].setdefault(f"{shared}.tuned-{one.joined('test')}", []).append(name)
        return found

    def allocation_table(self) -> str:
        """Return the table of allocations (TSV, with a header), without the last line's end."""
        rows = [("allocation", "train_mice", "valid_mouse", "test_mouse")]
        rows += [(one.id, *map(one.joined, ROLES)) for one in self.allocations.values()]
        return "\n".join("\t".join(row) for row in rows)

    def run_share(self, session: str) -> float:
        """Return the share of frames in which the mouse of a simulated session runs."""
        shares = self.of_session(session)["simulate"]["run_shares"]
        # in the order of the config, so that excluding a mouse simulates no other one anew
        return shares[list(self.config["mice"]).index(self.mouse_of[session]) % len(shares)]

    def simulation(self, session: str) -> dict[str, Any]:
        """Return the settings of tables/simulate.yaml that a simulated session is made with."""
        settings = self.of_session(session)["simulate"]
        own = settings | settings["by_mouse"].get(self.mouse_of[session], {})
        if own["signal_drift"] and session in self.dates:
            own["day"] = (self.dates[session] - min(self.dates.values())).days
        return own

    def source(self, kind: str, session: str, variant: str | None = None) -> str | list[str] | None:
        """Return the path of a session's file, None without one.

        `kind`: key of `recordings` or of `corrections`, those of a variant if one is named; a list
        of paths where the config has one.
        """
        tables = self.of_session(session)
        corrections = tables["corrections"]
        if variant is not None:
            corrections = self.config["variants"][variant]["corrections"]
        pattern = (tables["recordings"] | corrections).get(kind)
        if isinstance(pattern, list):
            return [self.filled(path, session) for path in pattern]
        return pattern and self.filled(pattern, session)

    def sources(self, kind: str, session: str) -> list[str]:
        """Return the paths of `source` as a list, empty without one."""
        found = self.source(kind, session) or []
        return [found] if isinstance(found, str) else found

    def variant(self, decoder: str) -> str | None:
        """Return the variant whose recordings a decoder reads; None: those of the study itself."""
        return variants.read_by(decoder, self.decoders, self.config)

    @property
    def variants(self) -> list[str]:
        """The variants that have recordings of their own, which decoders read."""
        read = {self.variant(name) for name in self.decoders}
        return [name for name in self.config["variants"] if name in read]

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


def load(path: str | Path) -> Study:
    """Read and check a config file (YAML, or the JSON that a run keeps).

    Raises UserError with one line naming the key if anything in it does not hold.
    """
    return resolve(config_file.read(path))


def resolve(config: dict[str, Any]) -> Study:
    """Check a config and fill in its defaults (see `load`)."""
    config = config_tables.with_defaults(config)
    cohort_table.check_areas(config)
    config["variants"] = variants.filled(config)
    config["decoders"] = variants.with_lines(config)
    config["tune"] = variants.with_searches(config)
    _check_owners(config)
    mice = session_ids.included(config)
    session_ids.check_mice(mice, config["different_mice"], list(config["mice"]))
    if not config["decoders"]:
        _importance(config["importance"], {})
        _check_reproduction(config, {})
        config["shift"]["decoders"] = _shifted(config["shift"]["decoders"], {})
        return Study(config["study"], {}, {}, {}, config)
    allocations = {a.id: a for a in mouse_allocations.of_config(config, list(mice))}
    longest = max(allocations, key=len)
    if len(longest) > LONGEST_ID:
        raise UserError(
            f"config: mice: the allocation id '{longest}' has {len(longest)} characters, more "
            f"than {LONGEST_ID}; shorten the names of the mice"
        )
    decoders = decoder_table.resolve(config, mice, allocations.values())
    config["importance"] = _importance(config["importance"], decoders)
    importance.check_mirrors(config["importance"], config["areas"])
    kinds = {name: decoder.kind for name, decoder in decoders.items()}
    rate = cohort_table.decoded_rate(config)
    config["tune"] = {k: tuning.check(line, k, kinds, rate) for k, line in config["tune"].items()}
    chosen = [f"decoders.{k}.adaptive_of" for k, kind in kinds.items() if kind == "adaptive"]
    chosen += [f"tune.{name}" for name in config["tune"]]
    cohort_allocations.check_choices(config["allocation"]["cohorts"], chosen)
    target_checks.check(config, decoders, cohort_table.recordings(config))
    control_table.check(config["confounds"], decoders, config["allocation"]["test"])
    ceilings.check(config["ceilings"]["decoders"], decoders, mice, config["tune"])
    config["shift"]["decoders"] = _shifted(config["shift"]["decoders"], decoders)
    _check_reproduction(config, decoders)
    config["decoders"] = {name: decoder.settings for name, decoder in decoders.items()}
    return Study(config["study"], mice, allocations, decoders, config)


def _check_owners(config: dict[str, Any]) -> None:
    """Raise UserError for settings of recordings and corrections that have no effect."""
    recordings = schema.properties("config")["recordings"]["properties"]
    schema.check_owners(cohort_table.recordings(config), recordings)
    tables = {"corrections": config["corrections"]}
    for kind in ("by_cohort", "variants"):
        tables |= {f"{kind}.{k}.corrections": one["corrections"] for k, one in config[kind].items()}
    schema.check_owners(tables, schema.properties("corrections"))


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
        importance.check(where, settings, kinds)
        for key in {"masks", "areas"} & {*settings}:
            masks = f"importance.{name}.{key}"
            config_tables.check_pattern(settings[key], masks, one_file=True)
        filled[name] = schema.defaults(kind, **settings)
        checks = filled[name]["checks"]
        schema.check(checks, "importance_checks", f"importance.{name}.checks")
        filled[name]["checks"] = schema.defaults("importance_checks", **checks)
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
