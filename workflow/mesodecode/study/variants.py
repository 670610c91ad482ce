"""The table `variants` of the config: other preprocessing of the same sessions, and its decoders.

A variant is the study with some corrections, another image_size or other settings of decoders. What
is not in its line is as in the study. A line of the decoder table belongs to one by its key
`variant`; those that the variant's line lists are made of the study's own, as {decoder}_{variant},
with what they start from or are made of.

The Snakefile imports this module: nothing heavy here.
"""

from collections.abc import Mapping
from typing import Any

from mesodecode.base.files import UserError
from mesodecode.study import config_tables, decoder_lines, kinds, schema

OWN = "study"  # what tables call the study's own preprocessing
LONGEST = 64  # characters of a decoder's name
REFERENCES = ("start_from", "adapted_from", "average_of")  # settings that name other decoders
SAME = ("channels",)  # corrections that say how the movie was recorded


def filled(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the table `variants`, checked, with all corrections and the image_size of each.

    `config` has its other tables filled in. Raises UserError naming the key.
    """
    made = {}
    for name, line in config["variants"].items():
        where = f"variants.{name}"
        if name == OWN:
            raise UserError(
                f"config: {where}: the study's own preprocessing is called that; choose another "
                "name"
            )
        given = line.get("corrections", {})
        for key in SAME:
            if given.get(key, config["corrections"][key]) != config["corrections"][key]:
                raise UserError(
                    f"config: {where}.corrections.{key}: says how the movies were recorded, which "
                    f"is the same in all variants; set corrections.{key}"
                )
        corrections = config_tables.corrections(
            config["corrections"] | given, config["recordings"], f"{where}.corrections"
        )
        made[name] = {
            "corrections": corrections,
            "image_size": line.get("image_size", config["image_size"]),
            "settings": line.get("settings", {}),
            "decoders": line.get("decoders", []),
        }
        unlike = any(made[name][key] != config[key] for key in ("corrections", "image_size"))
        if unlike and _by_cohort(config):
            raise UserError(
                f"config: {where}: corrections and image_size of a variant do not go together with "
                "settings of cohorts, frame_rate and areas; give settings of decoders only"
            )
    return made


def _by_cohort(config: Mapping[str, Any]) -> bool:
    """Whether recordings are made by the tables of cohorts, or brought to a rate or to areas."""
    brought = config["frame_rate"] is not None or config["areas"] is not None
    return brought or bool(config["by_cohort"])


def with_lines(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the decoder table with the lines that variants ask for; those there already are kept.

    Raises UserError, naming the variant, if it lists what is no decoder of the study's own
    preprocessing, or a name that another decoder has.
    """
    table = dict(config["decoders"])
    for variant, line in config["variants"].items():
        for name in line["decoders"]:
            _add(name, variant, table, config["variants"])
    return table


def with_searches(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the table `tune` in which {decoder}_{variant} is searched as its decoder is.

    Else a variant would be held against settings that were searched for without it. `config` has
    the decoders of `with_lines`. Raises UserError if a variant sets what is searched.
    """
    table = dict(config["tune"])
    for name, line in config["tune"].items():
        for variant, about in config["variants"].items():
            made = f"{name}_{variant}"
            if made in table or made not in config["decoders"]:
                continue
            settings = decoder_lines.merged(made, config["decoders"], config["variants"])
            if settings.get("variant") != variant:
                continue
            for key in line["search"].keys() & about["settings"].keys():
                raise UserError(
                    f"config: variants.{variant}.settings.{key}: tune.{name} searches it, which "
                    f"{made} would be too; leave one of them out, or search {made} in a line of "
                    f"its own: tune.{made}"
                )
            table[made] = line
    return table


def _add(name: Any, variant: str, table: dict[str, Any], variants: Mapping[str, Any]) -> str:
    """Add a decoder's line of a variant, and those that it is made of; return its name."""
    where = f"config: variants.{variant}.decoders"
    if name not in table:
        raise UserError(f"{where}: no decoder '{name}'; known: {', '.join(table)}")
    settings = decoder_lines.merged(name, table, variants)
    if settings.get("variant") is not None:
        raise UserError(f"{where}: '{name}' is of variant {settings['variant']}; name its own line")
    if "adaptive_of" in settings:
        raise UserError(f"{where}: '{name}' chooses among variants, and is of none")
    made = f"{name}_{variant}"
    if len(made) > LONGEST:
        raise UserError(f"{where}: '{made}' has more than {LONGEST} characters; shorten a name")
    line: dict[str, Any] = {"like": name}
    for key in REFERENCES:
        of = settings.get(key)
        if of is not None:
            several = isinstance(of, list)
            names = [_add(one, variant, table, variants) for one in (of if several else [of])]
            line[key] = names if several else names[0]
    if kinds.kind_of(settings).name in kinds.TRAINED:
        line["variant"] = variant
    if made in table:
        known = decoder_lines.merged(made, table, variants)
        if any(known.get(key) != value for key, value in line.items() if key != "like"):
            raise UserError(
                f"{where}: '{made}' is another decoder already; rename it or the variant"
            )
    return table.setdefault(made, line) and made


def of(name: str, decoders: Mapping[str, Any]) -> str | None:
    """Return the variant that a decoder reads; None: the study's own, or several (averages)."""
    settings = decoders[name].settings
    start = settings.get("adapted_from")
    return of(start, decoders) if start else settings.get("variant")


def preprocessing(config: Mapping[str, Any], variant: str | None) -> dict[str, Any]:
    """Return `corrections` and `image_size` of a variant; None is the study's own."""
    table = config if variant is None else config["variants"][variant]
    return {key: table[key] for key in ("corrections", "image_size")}


def kept_by(config: Mapping[str, Any], variant: str | None) -> str | None:
    """Return the first variant of the same preprocessing, whose recordings it reads.

    None: those of the study itself.
    """
    made = preprocessing(config, variant)
    return next(n for n in (None, *config["variants"]) if preprocessing(config, n) == made)


def read_by(name: str, decoders: Mapping[str, Any], config: Mapping[str, Any]) -> str | None:
    """Return the variant whose recordings a decoder reads; None: those of the study itself."""
    start = decoders[name].settings.get("adapted_from", name)
    of_rois = decoders[start].settings.get("input") == "rois"
    given = of_rois and not config["recordings"]["roi_masks"]
    return None if given else kept_by(config, of(start, decoders))


def check(decoders: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """Raise UserError if a variant has no decoder, no effect, or settings that no decoder has.

    `decoders`: name -> `decoder_table.Decoder`, all of them.
    """
    _check_used(decoders, config["variants"])
    for name, decoder in decoders.items():
        if decoder.kind == "adaptive" and name in (OWN, *config["variants"]):
            raise UserError(
                f"config: decoders.{name}: stands beside variants in their table under its name, "
                f"and '{name}' is one of them; rename it"
            )
    known: dict[str, str] = {}
    # the study's own first: it is the variant that is told to differ
    for name in sorted(decoders, key=lambda n: of(n, decoders) is not None):
        decoder = decoders[name]
        variant = of(name, decoders)
        start = decoder.settings.get("start_from")
        if start and of(start, decoders) != variant:
            raise UserError(
                f"config: decoders.{name}.variant: {variant or OWN}, but {start}, which it starts "
                f"from, is of {of(start, decoders) or OWN}; start it from a CNN of the same"
            )
        if decoder.kind not in kinds.TRAINED:
            continue
        sees = preprocessing(config, read_by(name, decoders, config))
        if decoder.settings.get("input") == "rois":  # masks are in pixels as recorded
            sees.pop("image_size")
        settings = {k: v for k, v in decoder.settings.items() if k != "variant"}
        like = known.setdefault(repr((sees, sorted(settings.items()))), name)
        if variant is not None and like != name:
            why = ""
            if decoder.settings.get("input") == "rois":
                why = " (ROI signals that are given as files are not corrected, nor any resized)"
            raise UserError(
                f"config: variants.{variant}: {name} differs in nothing from {like}{why}; give "
                "other corrections, image_size or settings"
            )


def _check_used(decoders: Mapping[str, Any], variants: Mapping[str, Any]) -> None:
    for variant, line in variants.items():
        mine = [one for name, one in decoders.items() if of(name, decoders) == variant]
        if not mine:
            raise UserError(
                f"config: variants.{variant}: no decoder reads it; name some: decoders: [linear]"
            )
        settings = {key for one in mine if one.kind in kinds.TRAINED for key in one.settings}
        known = {key for one in mine for key in schema.flags(one.kind)} & settings
        for key in line["settings"]:
            if key not in known:
                raise UserError(
                    f"config: variants.{variant}.settings.{key}: no setting of its decoders "
                    f"({', '.join(one.name for one in mine)}); known: {', '.join(sorted(known))}"
                )
