"""What a study cannot do with its target, by its config.

The Snakefile imports this module: nothing heavy here.
"""

from collections.abc import Mapping
from typing import Any

from mesodecode.base.files import UserError
from mesodecode.study.kinds import KINDS
from mesodecode.study.targets import CANNOT, kind_of, read_states


def check(
    config: dict[str, Any],
    decoders: Mapping[str, Any],
    recordings: Mapping[str, Mapping[str, Any]],
) -> None:
    """Raise UserError, in one line, for what a study cannot do with its target.

    `decoders`: name -> `decoder_table.Decoder`; `recordings`: as of `cohort_table.recordings`.
    """
    target = config["target"]
    kind = kind_of(target)
    meant = target.lower()
    if meant != target and kind_of(meant) != "regression":
        raise UserError(f"config: target: '{target}' would be a trace of that name; write {meant}")
    for name, decoder in decoders.items():
        model = decoder.settings.get("model")
        if why := CANNOT[kind].get((decoder.kind, model)):
            raise UserError(f"config: decoders.{name}.model: {model} {why} (target: {target})")
    for where, table in recordings.items():
        if kind != "states" and table["target_states"]:
            raise UserError(f"config: {where}.target_states: is for target: states; leave it out")
        if kind == "run" and table["behavior_target"]:
            raise UserError(
                f"config: {where}.behavior_target: is the trace or states of a `target`; set "
                "target, or leave it out"
            )
    if kind == "states":
        _check_states(recordings)
    if kind == "run":
        return
    for name, decoder in decoders.items():
        if decoder.kind == "adapted" and decoder.settings["few_shot"]:
            base = decoders[decoder.settings["adapted_from"]]
            if not KINDS[base.kind].network:
                raise UserError(
                    f"config: decoders.{name}.few_shot: of target: {target} networks are "
                    f"fine-tuned, not {base.name}; leave it out"
                )
    model = config["confounds"]["model"]
    if why := CANNOT[kind].get(("roi_classical", model)):
        raise UserError(f"config: confounds.model: {model} {why} (target: {target})")
    for key in ("reproduction", "stack"):
        if config[key]:
            _refuse(key, target)


def _check_states(recordings: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise UserError unless all recordings have the same states: codes are places in the list."""
    known: dict[str, tuple[str, ...]] = {}
    for where, table in recordings.items():
        if not table["target_states"]:
            raise UserError(
                f"config: {where}.target_states: name the states that target: states decodes, "
                "such as [rest, walk, groom]"
            )
        try:
            known[where], _ = read_states(table["target_states"])
        except UserError as error:
            raise UserError(f"config: {where}.{error}") from None
    first, names = next(iter(known.items()))
    for where, own in known.items():
        if own != names:
            raise UserError(
                f"config: {where}.target_states: {', '.join(own)}, but {', '.join(names)} in "
                f"{first}; give all cohorts the same states in one order, with NAME=VALUE where a "
                "file has another word"
            )


def _refuse(key: str, target: str) -> None:
    raise UserError(
        f"config: {key}: of decoders of run and rest only, not yet of target: {target}; leave it "
        "out (docs/targets.md)"
    )
