"""The lines of the importance table: which kind each is, and whether it fits its decoder.

The Snakefile imports this module: nothing heavy here.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from mesodecode.base.files import UserError
from mesodecode.study import file_formats, schema
from mesodecode.study.kinds import explained_by

# The masks that a cut-out makes, with the lengths they have, and the files it reads others from.
MASKS = {
    **dict.fromkeys(("squares", "circles", "pairs"), ("size", "stride")),
    **dict.fromkeys(("edges", "corners"), ("size",)),
}
SIDED = ("squares", "circles")  # masks of which each has its mirror image among the others
# tables/importance_{name}_sessions.tsv
TABLES = ("sessions", "signed", "times", "sides", "checks", "mice")


def kind_of(settings: Mapping[str, Any]) -> str:
    """Return the schema that a line must fit: a cut-out has masks."""
    return "importance_cutout" if "masks" in settings else "importance_shap"


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


def check_shap(where: str, settings: Mapping[str, Any], kinds: Mapping[str, str]) -> None:
    """Raise UserError unless the decoder is a recurrent one of ROIs; `kinds`: decoder -> kind."""
    known = [name for name, kind in kinds.items() if kind in explained_by("importance_shap")]
    if settings["decoder"] not in known:
        raise UserError(
            f"{where}.decoder: no recurrent decoder of ROI signals '{settings['decoder']}'; "
            f"known: {', '.join(known) or 'none'}"
        )


def check_cutout(where: str, settings: Mapping[str, Any], kinds: Mapping[str, str]) -> None:
    """Raise UserError unless decoder, masks and lengths fit; `kinds`: decoder -> its kind."""
    decoder = settings["decoder"]
    known = [name for name, kind in kinds.items() if kind in explained_by("importance_cutout")]
    if kinds.get(decoder) == "average":
        raise UserError(
            f"{where}.decoder: '{decoder}' is an average, of which there is no cut-out yet; name "
            "one of its members"
        )
    if decoder not in known:
        raise UserError(
            f"{where}.decoder: no decoder of images '{decoder}'; "
            f"known: {', '.join(known) or 'none'}"
        )
    if settings.get("times") and "half_window" not in schema.properties(kinds[decoder]):
        raise UserError(
            f"{where}.times: '{decoder}' reads one image, not a window of them; name a decoder "
            "with an RNN, or leave times out"
        )
    check_masks(f"{where}.", settings)


CHECKS = {"importance_shap": check_shap, "importance_cutout": check_cutout}  # by `kind_of`


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
