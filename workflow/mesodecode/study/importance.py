"""The families of importance maps, as their schemas tell them, and which a line of the config fits.

The Snakefile imports this module: nothing heavy here.
"""

import functools
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
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


def check_pairs(pairs: Iterable[Sequence[Any]], where: str) -> None:
    """Raise UserError, which begins with `where`, if an ROI is in two pairs, or twice in one."""
    counts = Counter(roi for pair in pairs for roi in pair)
    for roi, n in counts.items():
        if n > 1:
            raise UserError(f"{where}: ROI {roi} is there {n} times; it has one mirror image")


def check_masks(where: str, settings: Mapping[str, Any], key: str = "masks") -> None:
    """Raise UserError unless masks are known or a file, and have the lengths that are given.

    `where` stands before the key, such as ``config: importance.cutout.`` or ``--``; `key` is the
    setting that names the masks.
    """
    masks = settings[key]
    if masks not in MASKS and file_formats.format_of(masks, "masks") is None:
        raise UserError(
            f"{where}{key}: '{masks}' is none of {', '.join(MASKS)}, nor a file of areas: "
            f"{file_formats.listed('masks')}"
        )
    for length in ("size", "stride"):
        if settings.get(length) is not None and length not in MASKS.get(masks, ()):
            what = masks if masks in MASKS else "areas of a file"
            raise UserError(f"{where}{length}: {what} have no {length}; leave it out")


def check_cutout(where: str, settings: Mapping[str, Any], kind: str) -> None:
    """Raise UserError unless masks and lengths fit a decoder of a kind."""
    if settings.get("times") and "half_window" not in schema.properties(kind):
        raise UserError(
            f"{where}.times: '{settings['decoder']}' reads one image, not a window of them; name a "
            "decoder with an RNN, or leave times out"
        )
    check_masks(f"{where}.", settings)


def check_pixels(where: str, settings: Mapping[str, Any], kind: str) -> None:
    """Raise UserError unless areas and lengths fit."""
    check_masks(f"{where}.", settings, "areas")


@dataclass(frozen=True)
class Family:
    """A family of maps, as `family` of its schema tells it.

    `told_by`: the setting that a line of the config is known to be of it by; of the one that has
    none are all other lines. `decoders`: the fields of kinds of decoders that have such maps, `of`
    what these are; `tables`: those of `TABLES` that every line of it makes, beside checks and mice.
    """

    of: str
    decoders: Mapping[str, Any]
    told_by: str = ""
    tables: Sequence[str] = ()

    def explains(self, kind: Kind) -> bool:
        """Tell whether decoders of a kind have such maps."""
        return all(getattr(kind, key) == value for key, value in self.decoders.items())


# What else does not fit a line of a family: given its place in the config, and the decoder's kind.
CHECKS = {"importance_cutout": check_cutout, "importance_pixels": check_pixels}


@functools.cache
def families() -> dict[str, Family]:
    """Return the families by their schemas' names, that of all other lines last."""
    told = {name: schema.load(name).get("family") for name in schema.files()}
    found = {name: Family(**about) for name, about in told.items() if about}
    return dict(sorted(found.items(), key=lambda item: not item[1].told_by))


def kind_of(settings: Mapping[str, Any]) -> str:
    """Return the family of a line, which is the schema that it must fit."""
    return next(n for n, one in families().items() if not one.told_by or one.told_by in settings)


def is_sided(settings: Mapping[str, Any]) -> bool:
    """Tell whether a line compares each side with the other."""
    return bool(settings.get("mirror")) or settings.get("masks") in SIDED


def tables_of(settings: Mapping[str, Any]) -> set[str]:
    """Return those of `TABLES` that a line makes."""
    asked = {"times": settings.get("times"), "sides": is_sided(settings)}
    always = {"checks", "mice", *families()[kind_of(settings)].tables}
    return always | {name for name, made in asked.items() if made}


def check(where: str, settings: Mapping[str, Any], kinds: Mapping[str, str]) -> None:
    """Raise UserError unless a line fits its decoder; `kinds`: decoder -> its kind."""
    decoder, name = settings["decoder"], kind_of(settings)
    family = families()[name]
    if isinstance(pairs := settings.get("mirror"), list):
        check_pairs(pairs, f"{where}.mirror")
    if kinds.get(decoder) == "average":
        raise UserError(
            f"{where}.decoder: '{decoder}' is an average, of which there is no map yet; name one "
            "of its members"
        )
    known = [one for one, kind in kinds.items() if family.explains(KINDS[kind])]
    if decoder not in known:
        others = [
            one.told_by
            for one in families().values()
            if decoder in kinds and one.told_by and one.explains(KINDS[kinds[decoder]])
        ]
        hint = f"; a map of '{decoder}' has {' or '.join(others)}" if others else ""
        known = ", ".join(known) or "none"
        raise UserError(f"{where}.decoder: no {family.of} '{decoder}'; known: {known}{hint}")
    if name in CHECKS:
        CHECKS[name](where, settings, kinds[decoder])


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


def backbones_of_pixels(
    table: Mapping[str, Mapping[str, Any]], decoders: Mapping[str, Any]
) -> list[str]:
    """Return the backbones of the decoders that have maps of pixels, each once.

    `table`: the lines of `importance`; `decoders`: name -> `decoder_table.Decoder`. The decoders
    whose maps a map is compared with have the backbone of its own (`check_companions`).
    """
    names = [one["decoder"] for one in table.values() if kind_of(one) == "importance_pixels"]
    starts = [decoders[name].settings.get("start_from", name) for name in names]
    return sorted({decoders[start].settings["backbone"] for start in starts})


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
