"""Flags of a verb, made from a schema of the config, and a settings table written as flags."""

import argparse
import json
import shlex
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from mesodecode.base.files import UserError
from mesodecode.cli.writing import FIGURE, FILE, FOLDER, PREFIX, Written  # noqa: F401
from mesodecode.study import causality, schema, targets, tuning

_TYPES = {"integer": int, "number": float, "string": str}


def _types(spec: dict[str, Any]) -> list[str]:
    kind = spec.get("type", "string")
    return kind if isinstance(kind, list) else [kind]


def _parser_of(spec: dict[str, Any]):
    kinds = _types(spec)

    def convert(text: str) -> Any:
        if "null" in kinds and text == "none":
            return None
        for kind in ("integer", "number"):  # the narrowest type that fits
            if kind in kinds:
                try:
                    return _TYPES[kind](text)
                except ValueError:
                    continue
        if "string" in kinds:
            return text
        raise argparse.ArgumentTypeError(f"{text!r} is not of type {' or '.join(kinds)}")

    return convert


def add_settings(parser: argparse.ArgumentParser, name: str) -> None:
    """Add one flag for each setting of schema `name`; `--help` shows its words and default."""
    group = parser.add_argument_group(f"settings ({name})")
    for key, spec in schema.flags(name).items():
        flag, kinds = "--" + key.replace("_", "-"), _types(spec)
        default = spec.get("default")
        shown = "none" if default is None else default
        words = spec.get("description", "").replace("%", "%%")
        help_ = f"{words} (default: {shown})" if "default" in spec else words
        options: dict[str, Any] = {"help": help_, "default": default, "dest": key}
        options["required"] = "default" not in spec
        if kinds == ["boolean"]:
            options["action"] = argparse.BooleanOptionalAction
        else:
            item = spec["items"] if kinds[0] == "array" else spec
            if kinds[0] == "array":
                options["nargs"] = "+"
            options["type"] = _parser_of(item)
            options["metavar"] = _types(item)[0].upper()
            if "enum" in item:
                options["choices"] = item["enum"]
                del options["metavar"]
        group.add_argument(flag, **options)


def pair(flag: str, word: str, form: str) -> tuple[str, str]:
    """Return both sides of a word NAME=VALUE of a flag. Raises UserError, with its `form`."""
    name, _, value = word.partition("=")
    if not (name and value):
        raise UserError(f"{flag} {word}: write {form}")
    return name, value


def add_file(
    parser: argparse.ArgumentParser, flag: str, words: str, *, required: bool = True
) -> None:
    """Add a flag of a file to read; `words` say which."""
    parser.add_argument(flag, type=Path, required=required, metavar="FILE", help=words)


def add_files(
    parser: argparse.ArgumentParser, flag: str, words: str, *, required: bool = True
) -> None:
    """Add a flag of files to read, [] if none are given; `words` say which."""
    how = {"nargs": "+", "default": [], "metavar": "FILE", "help": words}
    parser.add_argument(flag, type=Path, required=required, **how)


def add_recordings(
    parser: argparse.ArgumentParser,
    words: str = "preprocessed recordings",
    flag: str = "--recordings",
    *,
    required: bool = True,
) -> None:
    """Add a flag of files of recordings; `words` say which."""
    add_files(parser, flag, words, required=required)


def add_roles(
    parser: argparse.ArgumentParser, *, optional: Sequence[str] = (), **words: str
) -> None:
    """Add a flag of recordings for each role (train, valid, test); `words` follow its mice."""
    for role, more in words.items():
        mice = {"train": "training", "valid": "validation", "test": "test"}[role]
        said = f"recordings of the {mice} mice, or lists (.txt) of them{more}"
        add_recordings(parser, said, f"--{role}", required=role not in optional)


def add_dropped(parser: argparse.ArgumentParser) -> None:
    """Add the flag of the ROIs that decoders of a study do without."""
    words = "with drop: ROIs that some recording of the study lacks, of `mesodecode dropped-rois`"
    words += " (default: those that a recording given here lacks)"
    add_file(parser, "--dropped", words, required=False)


def add_measures(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a verb that reads recordings and their measures (see `with_measures`)."""
    add_recordings(parser)
    words = "what `mesodecode preprocess --measures` wrote, in the order of the recordings"
    add_recordings(parser, words, "--measures")


def with_measures(args: argparse.Namespace) -> list[tuple[Path, Path]]:
    """Return each recording with its measures. Raises UserError unless there is one for each."""
    if len(args.recordings) != len(args.measures):
        raise UserError(
            f"{len(args.recordings)} recordings and {len(args.measures)} files of measures; give "
            "one for each recording, in the same order"
        )
    return list(zip(args.recordings, args.measures, strict=True))


def add_record(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a verb that reads source files of a lab, which the workflow watches."""
    words = "JSON file to write: what the sources are, for the workflow"
    add_out(parser, words, "--record", required=False)
    parser.add_argument(
        "--revision", default="", help="what the workflow calls these sources in the record"
    )


def add_folder(
    parser: argparse.ArgumentParser, flag: str, words: str, *, required: bool = True
) -> None:
    """Add a flag of a folder of files; `words` say how they are named in it."""
    parser.add_argument(flag, type=Path, required=required, metavar="FOLDER", help=words)


def add_predictions(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a verb that reads predictions by decoder and allocation."""
    add_folder(parser, "--predictions", "FOLDER/{decoder}/{allocation}.h5")
    add_allocations(parser)


def add_allocations(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add the flag of the allocations whose files are in a folder."""
    words = "table whose column allocation names the files"
    add_file(parser, "--allocations", words, required=required)


def add_auc(parser: argparse.ArgumentParser, words: str = "table of `mesodecode auc`") -> None:
    """Add the flag of a table of AUCs."""
    add_file(parser, "--auc", words)


def add_metric(parser: argparse.ArgumentParser) -> None:
    """Add the flag of the column of scores that is compared or drawn (see `read_scores`)."""
    metrics = [kind.metric for kind in targets.KINDS.values()]
    words = "column of --auc that is compared: auc, of `mesodecode score` r2 or macro_auc"
    parser.add_argument("--metric", choices=metrics, default="auc", help=f"{words} (default: auc)")


def add_out(
    parser: argparse.ArgumentParser,
    words: str,
    flag: str = "--out",
    *,
    written: Written = FILE,
    required: bool = True,
) -> None:
    """Add the flag of a file to write, or of what else `written` says."""
    parser.add_argument(flag, type=written, required=required, metavar=written.metavar, help=words)


def json_table(text: str, flag: str) -> dict[str, Any]:
    """Return the table that a flag is given as JSON. Raises UserError if it is none."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise UserError(f"{flag}: not JSON ({error})") from None
    if not isinstance(found, dict):
        raise UserError(f"{flag}: no JSON table; needs names and values in braces")
    return found


def add_figure(
    parser: argparse.ArgumentParser,
    flag: str = "--figure",
    words: str = "",
    *,
    required: bool = True,
) -> None:
    """Add the flag of a figure, of which PREFIX.svg and PREFIX.png are written."""
    words += "path without .svg, .png"
    add_out(parser, words, flag, written=FIGURE, required=required)


def add_validation(parser: argparse.ArgumentParser) -> None:
    """Add the flag of a verb that predicts validation mice in the pass of the test mice."""
    words = (
        "predictions of the validation mice to write too (HDF5), which choose thresholds "
        "(default: none)"
    )
    add_out(parser, words, "--validation", required=False)


def add_tuned(parser: argparse.ArgumentParser) -> None:
    """Add the flag of settings that were searched for."""
    words = "settings of `mesodecode tune`, which replace those given"
    add_file(parser, "--tuned", words, required=False)


def settings_of(args: argparse.Namespace, name: str) -> dict[str, Any]:
    """Return the settings of schema `name` from parsed arguments, checked against the schema."""
    settings = {key: getattr(args, key) for key in schema.flags(name)}
    if getattr(args, "tuned", None):
        settings |= tuning.read(args.tuned)
    schema.check_flags(settings, name)
    causality.check(settings, "--")
    return settings


def as_flags(settings: dict[str, Any], name: str) -> str:
    """Write those of `settings` that schema `name` knows as flags for a shell command line."""
    words: list[str] = []
    for key in schema.flags(name):
        value, flag = settings[key], "--" + key.replace("_", "-")
        if isinstance(value, bool):
            words.append(flag if value else "--no-" + flag[2:])
            continue
        values = value if isinstance(value, list) else [value]
        if not values:  # an empty list is the default
            continue
        texts = ["none" if v is None else _text(v) for v in values]
        if len(texts) == 1 and texts[0].startswith("-"):  # argparse takes -1e-05 for a flag
            words.append(f"{flag}={texts[0]}")
        else:
            words += [flag, *texts]
    return shlex.join(words)


def _text(value: Any) -> str:
    """Return a value as a word; argparse takes -1e-05 for a flag, and -0.00001 for a number."""
    negative = isinstance(value, float) and value < 0
    return format(Decimal(str(value)), "f") if negative else str(value)


def add_compute(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a verb that computes with torch."""
    words = "auto takes a GPU where there is one (default: auto)"
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto", help=words)
    parser.add_argument(
        "--threads", type=int, metavar="N", help="CPU cores to use (default: all that torch finds)"
    )
