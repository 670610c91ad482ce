"""The lines of the tune table: what is searched, and the file that keeps what was found.

The Snakefile imports this module: nothing heavy here.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mesodecode.base.files import UserError
from mesodecode.study import schema
from mesodecode.study.kinds import KINDS

LOG_FROM = 10  # a range whose ends differ by this factor is searched on a log scale


def check(
    line: Mapping[str, Any], name: str, kinds: Mapping[str, str], rate: float
) -> dict[str, Any]:
    """Return a line of the table with its defaults; `kinds`: decoder -> its kind.

    Times such as 0.5 s are made frames, of which there are `rate` a second.

    Raises UserError naming the key unless the decoder can be searched, and every value of the
    search could stand in its line.
    """
    where = f"tune.{name}"
    if name not in kinds:
        raise UserError(f"config: {where}: no decoder '{name}'; known: {', '.join(kinds)}")
    kind = kinds[name]
    if not KINDS[kind].tunable:
        searched = ", ".join(name for name, one in KINDS.items() if one.tunable)
        raise UserError(
            f"config: {where}: decoders of kind {kind} are not searched, of kinds "
            f"{searched} they are; search the decoder that it starts from"
        )
    if "variant" in line["search"]:
        raise UserError(
            f"config: {where}.search.variant: variants are searched, for each test mouse anew, by "
            "a decoder of their decoders: {adaptive_of: [...], by: validation}"
        )
    search: dict[str, list[Any]] = {}
    for key, given in line["search"].items():
        spec = schema.flags(kind).get(key)
        if spec is None or spec.get("type") == "array":
            known = [k for k, s in schema.flags(kind).items() if s.get("type") != "array"]
            raise UserError(
                f"config: {where}.search.{key}: no setting of {kind} that can be searched; "
                f"known: {', '.join(known)}"
            )
        at = f"config: {where}.search.{key}"
        values = search[key] = [schema.in_frames(value, spec, rate, at) for value in given]
        for value in values:
            schema.check_value(value, kind, key, f"{where}.search.{key}")
        if is_range(values) and values[0] > values[1]:
            raise UserError(f"config: {where}.search.{key}: {values} is no [low, high]")
    words = schema.properties("config")["tune"]["additionalProperties"]["properties"]
    return {k: word["default"] for k, word in words.items() if "default" in word} | {
        **line,
        "search": search,
    }


def part_of(config: Mapping[str, Any], decoder: str) -> dict[str, Any]:
    """Return what of a resolved config a search reads: mice, allocations and one decoder.

    Another target than run and rest too; cohorts, where there are some, as they make allocations
    and ids of sessions; without their `simulate`, since recordings say where simulated files are.
    """
    tables = ("study", "mice", "exclude", "allocation", "recordings")
    part = {key: config[key] for key in tables}
    of_cohorts = ("cohorts", "by_cohort", "frame_rate", "areas")
    part |= {key: config[key] for key in of_cohorts if config[key]}
    part |= {key: config[key] for key in ("target",) if config[key] != "run"}
    if "by_cohort" in part:
        part["by_cohort"] = {
            name: {key: value for key, value in own.items() if key != "simulate"}
            for name, own in part["by_cohort"].items()
        }
    # its settings are in the line, the recordings of its variant are handed over
    line = {key: value for key, value in config["decoders"][decoder].items() if key != "variant"}
    return part | {"decoders": {decoder: line}, "tune": {decoder: config["tune"][decoder]}}


def is_range(values: Sequence[Any]) -> bool:
    """Whether values are the ends of a range: two numbers."""
    numbers = [isinstance(v, int | float) and not isinstance(v, bool) for v in values]
    return numbers == [True, True]


def holds(values: Sequence[Any], value: Any) -> bool:
    """Whether a search of these values can come to `value`."""
    return values[0] <= value <= values[1] if is_range(values) else value in values


def is_log(values: Sequence[float]) -> bool:
    """Whether a range is searched on a log scale."""
    return values[0] > 0 and values[1] >= LOG_FROM * values[0]


def read(path: str | Path) -> dict[str, Any]:
    """Return the settings that `mesodecode tune` found best.

    Raises UserError if the file is not one of its own.
    """
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
        return dict(found["settings"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: no file of `mesodecode tune` ({error}); make it again") from None
