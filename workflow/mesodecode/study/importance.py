"""The families of importance maps, a line a family, and whether a line of the config fits one.

The Snakefile imports this module: nothing heavy here.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Any

from mesodecode.base.files import UserError
from mesodecode.study import file_formats, schema
from mesodecode.study.kinds import KINDS, Kind

# The masks that a cut-out makes, with the lengths they have, and the files it reads others from.
MASKS = {
    **dict.fromkeys(("squares", "circles", "pairs"), ("size", "stride")),
    **dict.fromkeys(("edges", "corners"), ("size",)),
}
SIDED = ("squares", "circles")  # masks of which each has its mirror image among the others
# tables/importance_{name}_sessions.tsv
TABLES = ("sessions", "signed", "times", "sides", "checks", "mice")


def check_name(where: str, name: str, names: Container[str]) -> None:
    """Raise UserError if an analysis is named as a table of another is."""
    for table in TABLES:
        other = name.removesuffix(f"_{table}")
        if other != name and other in names:
            raise UserError(f"{where}: the name of a table of '{other}'; choose another name")


def check_mirrors(table: Mapping[str, Mapping[str, Any]], areas: Any) -> None:
    """Raise UserError if a line pairs ROIs by numbers that another mouse may shift."""
    for name, line in table.items():
        if line.get("mirror") is not None and areas == "common":
            raise UserError(
                f"config: importance.{name}.mirror: numbers of areas, which with areas: common "
                "hang on what all recordings have; list areas by name, and mirror is of that list"
            )


def check_masks(where: str, settings: Mapping[str, Any]) -> None:
    """Raise UserError unless masks are known or a file, and have the lengths that are given.

    `where` stands before the key, such as ``config: importance.cutout.`` or ``--``.
    """
    masks = settings["masks"]
    if masks not in MASKS and file_formats.format_of(masks, "masks") is None:
        raise UserError(
            f"{where}masks: '{masks}' is none of {', '.join(MASKS)}, nor a file of areas: "
            f"{file_formats.listed('masks')}"
        )
    for key in ("size", "stride"):
        if settings.get(key) is not None and key not in MASKS.get(masks, ()):
            what = masks if masks in MASKS else "areas of a file"
            raise UserError(f"{where}{key}: {what} have no {key}; leave it out")


def check_cutout(where: str, settings: Mapping[str, Any], kind: str) -> None:
    """Raise UserError unless masks and lengths fit a decoder of a kind."""
    if settings.get("times") and "half_window" not in schema.properties(kind):
        raise UserError(
            f"{where}.times: '{settings['decoder']}' reads one image, not a window of them; name a "
            "decoder with an RNN, or leave times out"
        )
    check_masks(f"{where}.", settings)


@dataclass(frozen=True)
class Family:
    """A family of maps; `name` is its schema's.

    `told_by`: whether a line of the config is of it; the first family that says so has it.
    `explains`: whether decoders of a kind have such maps, `of` what these are; `check` raises
    UserError for what else does not fit a line, given its place in the config and the kind.
    """

    name: str
    of: str
    told_by: Callable[[Mapping[str, Any]], bool]
    explains: Callable[[Kind], bool]
    check: Callable[[str, Mapping[str, Any], str], None] = lambda where, settings, kind: None


_LINES = (
    Family(
        name="importance_cutout",
        of="decoder of images",
        told_by=lambda line: "masks" in line,
        explains=lambda kind: kind.of_images,
        check=check_cutout,
    ),
    Family(
        name="importance_shap",
        of="recurrent decoder of ROI signals",
        told_by=lambda line: True,
        explains=lambda kind: kind.network and not kind.of_images,
    ),
)
FAMILIES = {family.name: family for family in _LINES}


def kind_of(settings: Mapping[str, Any]) -> str:
    """Return the family of a line, which is the schema that it must fit."""
    return next(name for name, family in FAMILIES.items() if family.told_by(settings))


def check(where: str, settings: Mapping[str, Any], kinds: Mapping[str, str]) -> None:
    """Raise UserError unless a line fits its decoder; `kinds`: decoder -> its kind."""
    decoder, family = settings["decoder"], FAMILIES[kind_of(settings)]
    if kinds.get(decoder) == "average":
        raise UserError(
            f"{where}.decoder: '{decoder}' is an average, of which there is no map yet; name one "
            "of its members"
        )
    known = [name for name, kind in kinds.items() if family.explains(KINDS[kind])]
    if decoder not in known:
        raise UserError(
            f"{where}.decoder: no {family.of} '{decoder}'; known: {', '.join(known) or 'none'}"
        )
    family.check(where, settings, kinds[decoder])


def check_companions(where: str, settings: Mapping[str, Any], decoders: Mapping[str, Any]) -> None:
    """Raise UserError unless the decoders whose maps are compared with a map differ as they must.

    `decoders`: name -> `decoder_table.Decoder`.
    """
    explained = decoders[settings["decoder"]]
    null = settings.get("null_decoder")
    permuted = "labels: permuted_between_sessions"
    for key, named, change, may_differ in (
        ("null_decoder", [null] if null else [], permuted, {"labels", "seed"}),
        ("seeds", settings.get("seeds", []), "seed: 2", {"seed"}),
    ):
        for name in named:
            if name not in decoders:
                raise UserError(f"{where}.{key}: no decoder '{name}'; known: {', '.join(decoders)}")
            differ = differences(explained, decoders[name], decoders)
            needed = change.partition(":")[0]
            own = decoders[name].settings.get("labels", "own") == "own"
            wrong = key == "null_decoder" and own
            if wrong or needed not in differ or not differ <= may_differ:
                raise UserError(
                    f"{where}.{key}: '{name}' differs from {explained.name} by "
                    f"{', '.join(sorted(differ)) or 'nothing'}; name one that differs by its "
                    f"{needed}, such as {{like: {explained.name}, {change}}}"
                )


def differences(a: Any, b: Any, decoders: Mapping[str, Any]) -> set[str]:
    """Return the settings by which two decoders differ.

    For CNNs that they start from, which differ by seed or labels only, these are counted.
    """
    differ = {
        key
        for key in a.settings.keys() | b.settings.keys()
        if a.settings.get(key) != b.settings.get(key)
    }
    starts = [decoders.get(d.settings.get("start_from", "")) for d in (a, b)]
    if "start_from" in differ and all(starts):
        of_starts = differences(*starts, decoders)
        if of_starts <= {"seed", "labels"}:
            differ = differ - {"start_from"} | of_starts
    return differ
