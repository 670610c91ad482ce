"""The schemas of the config: the one source of every setting's name, type, default and words.

A schema file describes one table of the config: `workflow/schemas/decoders/cnn.yaml` is the schema
"cnn", `importance/shap.yaml` is "importance_shap". The Snakefile checks the config against it and
fills in its defaults; the verbs of the command line take their flags from it
(`mesodecode.cli.options`). Nothing else repeats a default. Settings of several tables stand once,
in `shared/{block}.yaml`: a schema takes that of its own name by `{include: block}`, another one by
`{include: block.name}`, and states what differs.
"""

import copy
import difflib
import functools
import math
import re
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from mesodecode.base.files import WORKFLOW, UserError
from mesodecode.study.kinds import KINDS

FOLDER = WORKFLOW / "schemas"
# Tables of the config with a schema of their own.
OWN_SCHEMA = ("corrections", "qc", "shift", "nwb", "confounds", "ceilings", "simulate")
TYPO = 0.8  # likeness from which a key is another misspelt, whatever stands elsewhere
NUMBER_AND_UNIT = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)( ?[a-zµ°%/ ]*)"
SECONDS = r"(-?\d+(\.\d+)?) ?s"  # what a config may give where a setting's unit is frames


def _is_integer(checker: Any, value: Any) -> bool:
    """JSON schema calls 3.0 an integer; a flag, a range or a count of mice does not take it."""
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(checker: Any, value: Any) -> bool:
    """NaN passes every limit; infinity passes most."""
    return _is_integer(checker, value) or (isinstance(value, float) and math.isfinite(value))


_BASE = jsonschema.Draft202012Validator
_Validator = jsonschema.validators.extend(
    _BASE,
    type_checker=_BASE.TYPE_CHECKER.redefine_many({"integer": _is_integer, "number": _is_number}),
)


@functools.cache
def load(name: str) -> dict[str, Any]:
    """Return the schema `name` ("config", "simulate", "cnn", …); do not change what it returns.

    "recordings" is that table of the config.
    """
    if name == "recordings":
        return load("config")["properties"][name]
    found = _read(files()[name])
    for key, spec in found["properties"].items():
        if "include" in spec:
            file, _, block = spec.pop("include").partition(".")
            shared = _read(FOLDER / "shared" / f"{file}.yaml")
            found["properties"][key] = shared[block or key] | spec
    return found


@functools.cache
def files() -> dict[str, Path]:
    """Return schema -> its file; those of maps and of encoding bear the folder's name too."""
    found = [path for path in sorted(FOLDER.rglob("*.yaml")) if path.parent.name != "shared"]
    full = ("importance", "encoding")
    return {
        f"{path.parent.name}_{path.stem}" if path.parent.name in full else path.stem: path
        for path in found
    }


@functools.cache
def _read(path: Path) -> dict[str, Any]:
    with open(path) as file:
        return yaml.load(file, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def properties(name: str) -> dict[str, dict[str, Any]]:
    """Return the settings of schema `name`: setting -> its type, default and description."""
    return load(name)["properties"]


def defaults(name: str, **given: Any) -> dict[str, Any]:
    """Return every setting of schema `name` that has a default, with those in `given` replaced."""
    settings = {
        key: copy.deepcopy(value["default"])
        for key, value in properties(name).items()
        if "default" in value
    }
    return settings | given


def check_owners(
    tables: Mapping[str, Mapping[str, Any]], specs: Mapping[str, Mapping[str, Any]]
) -> None:
    """Raise UserError for a setting without effect, as none is set of those that it is `of`.

    `tables`: place in the config -> a table with its defaults filled in; `specs`: its properties.
    A value that has an effect in another of the tables is passed over: it was given for that one.
    """
    owned = {key: spec["of"] for key, spec in specs.items() if "of" in spec}

    def idle(table: Mapping[str, Any], key: str) -> bool:
        return all(table[owner] == specs[owner]["default"] for owner in owned[key])

    for where, table in tables.items():
        for key, owners in owned.items():
            value = table[key]
            if value == specs[key]["default"] or not idle(table, key):
                continue
            if not any(o[key] == value and not idle(o, key) for o in tables.values()):
                raise UserError(
                    f"config: {where}.{key}: has no effect without {' or '.join(owners)}; set that "
                    "too, or leave it out"
                )


def check(value: Any, name: str, where: str) -> None:
    """Raise UserError with one line naming the key if `value` does not fit schema `name`.

    `where` is the place of `value` in the config, such as ``decoders.cnn``; empty for the top.
    """
    spec = load(name)
    _check(value, spec, where, name)
    for key, part in spec["properties"].items():
        if "propertyNames" in part and key in value:
            table = f"{where}.{key}" if where else key
            # of mice, whose case may also hide that two are one: `session_ids.check_mice`
            if key != "mice":
                check_case(value[key], table)
                _check_none(value[key], table)


def _check_none(names: Iterable[str], where: str) -> None:
    """Raise UserError for a name that tables have where there is none."""
    for name in names:
        if name.casefold() == "nan":
            raise UserError(f"config: {where}: '{name}' is none in tables; give another name")


def check_case(names: Iterable[str], where: str) -> None:
    """Raise UserError if two names, of which files are called, differ in case alone."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            raise UserError(
                f"config: {where}: '{other}' and '{name}' differ in case alone, so that on a disk "
                "that does not tell case (most of macOS and Windows) each overwrites the other's "
                "files; rename one"
            )


def flags(name: str) -> dict[str, dict[str, Any]]:
    """Return the settings of schema `name` that a verb takes as flags.

    The others (``flag: false``) say how the workflow wires a decoder to its inputs.
    """
    return {key: spec for key, spec in properties(name).items() if spec.get("flag", True)}


def check_flags(values: dict[str, Any], name: str) -> None:
    """Raise UserError naming the flag if one of `values` does not fit schema `name`."""
    for key, value in values.items():
        _check(value, properties(name)[key], "--" + key.replace("_", "-"), name)


def check_value(value: Any, name: str, key: str, where: str) -> None:
    """Raise UserError naming `where` in the config if `value` is none that setting `key` takes."""
    _check(value, properties(name)[key], where, name)


def fault(value: Any, spec: Mapping[str, Any]) -> str:
    """Return why `value` is none that a setting takes, in short, "" if it is one."""
    error = _error(value, spec)
    return "" if error is None else textwrap.shorten(error.message, 100)


def in_frames(value: Any, spec: dict[str, Any], rate: float, where: str) -> Any:
    """Return the value of a setting, frames (of which there are `rate` a second) for a time.

    A setting whose unit is frames may be given as seconds, such as 0.5 s; others stay as they are.
    Raises UserError, which begins with `where`, for a time so short that it is no frame.
    """
    told = isinstance(value, str) and spec.get("unit") == "frames"
    seconds = re.fullmatch(SECONDS, value) if told else None
    if seconds is None:
        return value
    frames = round(float(seconds[1]) * rate)
    if not frames and float(seconds[1]):
        raise UserError(
            f"{where}: {value} is no frame at {rate:g} frames/s; give {1 / rate:.2g} s or more, "
            "or 0"
        )
    return frames


def check_name(name: str, kind: str) -> None:
    """Raise UserError if `name` is none that a "session" or "mouse" can have in the config."""
    mice = properties("config")["mice"]
    spec = mice["propertyNames"] if kind == "mouse" else mice["additionalProperties"]["items"]
    _check(name, spec, f"--{kind}", "config")


def _error(value: Any, spec: Mapping[str, Any]) -> jsonschema.ValidationError | None:
    return jsonschema.exceptions.best_match(_Validator(spec).iter_errors(value))


def _check(value: Any, spec: dict[str, Any], where: str, name: str) -> None:
    error = _error(value, spec)
    if error is not None:
        prefix = "" if where.startswith("--") else "config: "
        raise UserError(prefix + " ".join(_explain(error, where, name).split()))


def _explain(error: jsonschema.ValidationError, where: str, schema_name: str) -> str:
    key = ".".join(part for part in (where, *map(str, error.absolute_path)) if part)
    if error.validator == "additionalProperties" and isinstance(error.schema, dict):
        known = list(error.schema.get("properties", {}))
        unknown = [k for k in error.instance if k not in known]
        guesses = list(known)
        if schema_name in KINDS:  # a typo may be why it was taken for another kind of decoder
            guesses += ["like", *(key for kind in KINDS for key in properties(kind))]
        maps = [n for n in files() if n.startswith("importance_") and n != "importance_checks"]
        if schema_name in maps:
            guesses += [key for kind in maps for key in properties(kind)]
        near = difflib.get_close_matches(str(unknown[0]), guesses, n=1)
        near = [] if near == unknown[:1] else near
        name = f"{key}.{unknown[0]}" if key else str(unknown[0])
        typo = (near if schema_name in maps else []) or difflib.get_close_matches(
            str(unknown[0]), near, cutoff=TYPO
        )
        if not typo and (home := _home(str(unknown[0]), schema_name, where)):
            return f"{name}: no such key here; {unknown[0]} is a key of {home}"
        hint = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(known)}"
        return f"{name}: no such key; {hint}"
    if error.validator == "required":
        missing = [k for k in error.validator_value if k not in error.instance]
        of_table = "; list values of column `by`" if "source" in error.instance else ""
        return f"{key or 'top level'}: '{missing[0]}' is missing{of_table}"
    if error.validator == "dependentRequired":
        given, asked = next(
            (key, other)
            for key, others in error.validator_value.items()
            for other in others
            if key in error.instance and other not in error.instance
        )
        return f"{key}: '{given}' is given, and '{asked}' is missing, which goes with it"
    if error.validator == "pattern" and "description" in error.schema:
        return f"{key}: {error.instance!r} is not {error.schema['description']}"
    if error.validator == "enum":
        choices = ", ".join(map(str, error.validator_value))
        return f"{key}: {error.instance!r} is not one of {choices}"
    if error.validator == "type":
        return f"{key}: {error.message}{_type_hint(error.instance, error.validator_value)}"
    if error.validator == "minItems" and not error.instance:
        return f"{key}: {error.message}; list one or more, or take the line out"
    return f"{key}: {error.message}"


def _home(key: str, schema_name: str, where: str) -> str:
    """Return where in a study's config a key stands that is not where it was found; "" if nowhere.

    So what is indented too much or too little is told, beside what is taken for another table's.
    """
    of_decoders = any(key in properties(kind) for kind in KINDS)
    if where.startswith("--") or schema_name.startswith("encoding"):
        return ""
    if schema_name in KINDS and of_decoders:  # of another kind of decoder
        return ""
    top = properties("config")
    if key in top:
        return "the whole config: begin its line at the margin"
    inside = {name: top[name]["properties"] for name in ("recordings", "allocation")}
    inside |= {name: properties(name) for name in OWN_SCHEMA}
    homes = [f"`{name}`" for name, settings in inside.items() if key in settings]
    if of_decoders:
        homes.append("lines of `decoders`")
    return f"{' and '.join(homes)}: indent it below" if homes else ""


def _type_hint(value: Any, wanted: str | list[str]) -> str:
    """Return what to write in the place of a value of another type; "" if nothing can be told."""
    scalar = not isinstance(value, dict | list | None)
    if "string" in wanted and scalar:
        return "; write it in quotes"
    if isinstance(value, str) and ("number" in wanted or "integer" in wanted):
        number = re.fullmatch(NUMBER_AND_UNIT, value.strip(), re.IGNORECASE)
        if number is None or not ("number" in wanted or float(number[1]).is_integer()):
            return ""
        shown = int(float(number[1])) if "integer" in wanted else float(number[1])
        alone = ", the number alone" if number[2] else ""
        return f"; YAML takes it for text, write {shown}{alone}"
    if isinstance(value, float) and value.is_integer() and "integer" in wanted:
        return f"; write {int(value)}"
    if "array" in wanted and scalar:
        return f"; write a list: [{value}]"
    if value is None and "object" not in wanted:
        return "; write its value behind it, or take the line out"
    if "object" in wanted:
        return "; write a key: value a line below it, indented"
    return ""
