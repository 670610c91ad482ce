"""The table `decoders` of a config: what each line is, and whether the lines fit together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mesodecode.base.files import UserError
from mesodecode.study import (
    adaptation,
    causality,
    cohort_table,
    correction_table,
    decoder_lines,
    kinds,
    protocols,
    schema,
    variants,
)
from mesodecode.study.allocation import Allocation


@dataclass(frozen=True)
class Decoder:
    """One line of the decoder table.

    `kind` is a name of `mesodecode.study.kinds` ("cnn", "cnn_rnn", "linear", …), which is that of
    its schema too; `settings` holds every setting of that schema, defaults filled in.
    """

    name: str
    kind: str
    settings: dict[str, Any]


def resolve(
    config: dict[str, Any], mice: dict[str, list[str]], allocations: Iterable[Allocation]
) -> dict[str, Decoder]:
    """Return the decoders of a config by name, checked and with defaults filled in.

    `config` has its other tables filled in; `mice`, mouse -> sessions, are those that take part.
    Raises UserError naming the setting that does not hold.
    """
    rate = cohort_table.decoded_rate(config)
    decoders = {name: _decoder(name, config, rate) for name in config["decoders"]}
    for decoder in decoders.values():
        _check_start(decoder, decoders)
        _check_members(decoder, decoders, config["allocation"]["test"])
        _check_adapted(decoder, decoders, mice, allocations)
        if decoder.settings.get("input") == "rois":
            _check_rois(decoder, config)
        _check_sessions(decoder, mice)
    variants.check(decoders, config)
    _check_comparisons(config, decoders)
    return decoders


def kind_of(settings: dict[str, Any]) -> str:
    """Return the kind of a decoder, the schema that its settings must fit."""
    return kinds.kind_of(settings).name


def _decoder(name: str, config: dict[str, Any], rate: float) -> Decoder:
    settings = decoder_lines.merged(name, config["decoders"], config["variants"])
    kind = kind_of(settings)
    specs, where = schema.properties(kind), f"config: decoders.{name}"
    settings = {
        key: schema.in_frames(value, specs.get(key, {}), rate, f"{where}.{key}")
        for key, value in settings.items()
    }
    schema.check(settings, kind, f"decoders.{name}")
    decoder = Decoder(name, kind, schema.defaults(kind, **settings))
    if decoder.settings.get("rnn") == "tcn" and decoder.settings["bidirectional"]:
        raise UserError(
            f"config: decoders.{name}.bidirectional: a tcn reads both directions; leave it out"
        )
    causality.check(decoder.settings, f"config: decoders.{name}.")
    backbone = decoder.settings.get("backbone", "").split(".")[0]
    if decoder.settings.get("pretrained") == "lite0" and backbone != "efficientnet_lite0":
        raise UserError(
            f"config: decoders.{name}.pretrained: lite0 are weights of efficientnet_lite0, not of "
            f"{backbone}; take imagenet, or that backbone"
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
    causal = (one.settings["causal"] for one in (decoder, decoders[start]))
    causality.check_start(*causal, start, f"config: decoders.{decoder.name}.")
    labels, of_start = decoder.settings["labels"], decoders[start].settings["labels"]
    if labels != of_start:
        raise UserError(
            f"config: decoders.{decoder.name}.labels: {labels}, but {start}, which it starts from, "
            f"has labels: {of_start}; start it from a CNN of the same labels, such as "
            f"{{like: {start}, labels: {labels}}}"
        )


def _check_sessions(decoder: Decoder, mice: dict[str, list[str]]) -> None:
    """Raise UserError if a setting needs another session of a mouse that has one."""
    needing = {
        "labels": (
            "own",
            "so its labels cannot be permuted between sessions; leave the mouse out or give it "
            "another",
        ),
        "normalise_from": (
            "past",
            "which would be its reference, so that none is left to decode; give it another, or "
            "take past",
        ),
    }
    for key, (plain, why) in needing.items():
        if decoder.settings.get(key, plain) == plain:
            continue
        for mouse, sessions in mice.items():
            if len(sessions) < 2:
                raise UserError(
                    f"config: decoders.{decoder.name}.{key}: mouse {mouse} has one session, {why}"
                )


def _check_members(decoder: Decoder, decoders: dict[str, Decoder], n_test: int) -> None:
    if decoder.kind not in ("average", "adaptive"):
        return
    kind = kinds.KINDS[decoder.kind]
    where = f"config: decoders.{decoder.name}.{kind.made_of}"
    never = ("adaptive", decoder.kind)
    known = [name for name, other in decoders.items() if other.kind not in never]
    members = kind.members(decoder.settings)
    for member in members:
        if member not in known:
            itself = member in decoders and f"is {kinds.KINDS[decoders[member].kind].words} itself"
            raise UserError(
                f"{where}: '{member}' {itself or 'is no decoder'}; known: "
                f"{', '.join(known) or 'none'}"
            )
        if decoders[member].settings.get("labels", "own") != "own":
            raise UserError(
                f"{where}: '{member}' has permuted labels; it is of decoders with their own"
            )
    if decoder.kind == "adaptive" and len(members) < 2:
        raise UserError(f"{where}: {len(members)}, but it chooses among two or more decoders")
    default = schema.defaults(decoder.kind).get("margin")
    if decoder.settings.get("by") == "validation" and decoder.settings["margin"] != default:
        raise UserError(
            f"config: decoders.{decoder.name}.margin: is what choosing by the recording has to "
            "gain, but by is validation; leave one of them out"
        )
    if decoder.kind == "adaptive" and n_test != 1:
        raise UserError(
            f"{where}: chooses for one test mouse, but allocation.test is {n_test}; set it to 1"
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
    known = [name for name, other in decoders.items() if other.kind in kinds.TRAINED]
    name = settings["adapted_from"]
    if name not in known:
        raise UserError(
            f"{where}.adapted_from: '{name}' is no decoder that was trained; known: "
            f"{', '.join(known) or 'none'}"
        )
    start = decoders[name]
    adaptation.check(settings, start.kind, with_start(start, decoders), name, f"{where}.")
    applied = {m for a in allocations for m in a.valid + a.test}  # to both in the same way
    for mouse in sorted(applied):
        few = settings["few_shot"]
        adaptation.check_sessions(few, mouse, len(mice[mouse]), f"{where}.")


def protocols_of(config: Mapping[str, Any], decoders: Mapping[str, Decoder]) -> dict[str, str]:
    """Return decoder -> its protocol (see `mesodecode.study.protocols`), from settings alone."""

    def of(name: str) -> str:
        decoder = decoders[name]
        if decoder.kind == "average":
            return protocols.weakest(map(of, decoder.settings["average_of"]))
        if decoder.kind == "adaptive":
            members = map(of, decoder.settings["adaptive_of"])
            return protocols.chosen(members, decoder.settings["by"])
        variant = variants.read_by(name, decoders, config)
        own = variant is None
        tables = cohort_table.all_tables(config) if own else [config["variants"][variant]]
        corrected = any(correction_table.looks_ahead(table["corrections"]) for table in tables)
        start = _start_of(decoder, decoders)
        return protocols.of(with_start(decoder, decoders), corrected, start)

    return {name: of(name) for name in decoders}


def _start_of(decoder: Decoder, decoders: Mapping[str, Decoder]) -> dict[str, Any] | None:
    """Return the settings of the decoder that an adapted one applies, None of any other."""
    start = decoder.settings.get("adapted_from")
    return with_start(decoders[start], decoders) if start else None


def with_start(decoder: Decoder, decoders: Mapping[str, Decoder]) -> dict[str, Any]:
    """Return a decoder's settings with those that it has of the CNN that it starts from."""
    cnn = decoders.get(decoder.settings.get("start_from", ""), decoder)
    of_cnn = ("baseline", "normalise_from", "warm_up")
    return decoder.settings | {key: cnn.settings[key] for key in of_cnn if key in cnn.settings}


def _check_comparisons(config: dict[str, Any], decoders: dict[str, Decoder]) -> None:
    found = protocols_of(config, decoders)
    for name, comparison in config["comparisons"].items():
        if "source" in comparison:
            continue
        for decoder in comparison["decoders"]:
            if decoder not in decoders:
                raise UserError(
                    f"config: comparisons.{name}.decoders: no decoder '{decoder}'; "
                    f"known: {', '.join(decoders)}"
                )
        mine = {decoder: found[decoder] for decoder in comparison["decoders"]}
        across = comparison["across_protocols"]
        protocols.check_one(mine, across, f"config: comparisons.{name}")


def _check_rois(decoder: Decoder, config: dict[str, Any]) -> None:
    tables = [table["recordings"] for table in cohort_table.all_tables(config)]
    if not all(table["rois"] or table["roi_masks"] for table in tables):
        raise UserError(
            f"config: decoders.{decoder.name}: input rois needs ROI signals; set recordings.rois "
            "or recordings.roi_masks"
        )
    rois, areas = decoder.settings["rois"], config["areas"]
    if isinstance(areas, list) and max(rois, default=0) > len(areas):
        raise UserError(
            f"config: decoders.{decoder.name}.rois: {max(rois)}, but areas are {len(areas)}; rois "
            "are numbers in their list, from 1"
        )
    if rois and areas == "common":
        raise UserError(
            f"config: decoders.{decoder.name}.rois: numbers of areas, which with areas: common "
            "hang on what all recordings have, so that a mouse more may shift them; list areas by "
            "name, and rois are numbers in that list"
        )
