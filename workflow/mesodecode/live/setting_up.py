"""All that is opened and checked before the first frame of `mesodecode live`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import h5py
import torch

from mesodecode.base.files import UserError
from mesodecode.decoders.applied import ImageDecoder, Loaded, SignalDecoder
from mesodecode.decoders.compiling import compile_for_one
from mesodecode.decoders.device import resolve_device
from mesodecode.decoders.networks import CNNDecoder
from mesodecode.live.engine import Engine, Member, open_members
from mesodecode.live.frame_sources import Opened, open_source
from mesodecode.live.outputs import Hysteresis, Osc, Output, Table
from mesodecode.live.rig import Rig
from mesodecode.live.stream_corrections import Corrections
from mesodecode.live.view import View
from mesodecode.live.watch import Watch, known_of
from mesodecode.live.zeromq import Publisher
from mesodecode.recordings.recording import Recording, read_recording, read_recordings
from mesodecode.study import schema
from mesodecode.study.correction_table import FILES


def prepared(
    args: argparse.Namespace,
    settings: Mapping[str, Any],
    corrections: dict[str, Any],
    stack: ExitStack,
) -> tuple[Opened, Rig]:
    """Return the source and what decodes it; `stack` closes what is open.

    `args`: flags of `mesodecode live` beside its `settings` and `corrections`. Raises UserError if
    they do not fit together.
    """
    if not (args.out or args.publish or args.osc or args.show):
        raise UserError(
            "--out, --publish, --osc or --show: give one, or nobody sees what is decoded"
        )
    device = resolve_device(args.device, args.threads)
    found = open_members(args.weights, device)
    signals = isinstance(found[0][0].decoder, SignalDecoder)
    known = read_recordings(args.known) if args.known else []
    reference = read_recording(args.reference) if args.reference else None
    alike = known[0] if known else reference
    how, size = _as_known(corrections, args.image_size, alike)
    opened = open_source(
        args.source,
        signals=signals,
        rate=settings["rate"],
        frame_rate=args.frame_rate or (alike and alike.frame_rate),
        channels=how["channels"],
        shape=args.shape,
        dtype=args.dtype,
        max_message=settings["max_message"],
        timeout=settings["timeout"],
    )
    if opened.recording is not None:  # corrected already
        _check_replay(opened.recording, corrections, args)
        how, size = schema.defaults("corrections"), None
    for mouse in {one.mouse for one in (opened.recording, reference) if one is not None}:
        for loaded, _ in found:
            loaded.allocate([mouse])  # refuses a mouse that it has seen
    rate = _frame_rate(args.frame_rate, opened.recording, alike)
    _compile(found, settings, device, opened.recording or alike, size)
    made = Corrections(
        how,
        rate,
        opened.name,
        image_size=size,
        roi_masks=args.roi_masks if signals else None,
        roi_dataset=args.roi_dataset,
    )
    watched = known_of(found[0][0], known) if known else None
    if not known:
        print(
            "no --known: distance and noise are not watched, and brightness only against the "
            "session so far",
            file=sys.stderr,
        )
    members = [
        Member(loaded, rate, reference, half=half, watched=bool(known) and i == 0)
        for i, (loaded, half) in enumerate(found)
    ]
    light = how["dff"] == "none" and all(
        one is None or one.unit == "counts" for one in (opened.recording, alike)
    )
    outputs: list[Output] = []
    state = Hysteresis(settings["enter"], settings["leave"])
    rig = Rig(
        made,
        Engine(members),
        state,
        Watch(settings, rate, watched, light=light),
        outputs,
        args.frames,
    )
    outputs += _opened(args, rig, stack)
    return opened, rig


def _compile(
    found: Sequence[tuple[Loaded, bool]],
    settings: Mapping[str, Any],
    device: torch.device,
    alike: Recording | None,
    size: int | None,
) -> None:
    """Compile the CNNs of decoders, if asked for and frames' size is known before they come."""
    cnns = [one.decoder.frame_network for one, _ in found if isinstance(one.decoder, ImageDecoder)]
    cnns = [cnn for cnn in cnns if isinstance(cnn, CNNDecoder)]
    if not (settings["compile"] and cnns and device.type == "cpu"):
        return
    if size is None and alike is None:
        print("not compiled, slower: no --known or --image-size", file=sys.stderr)
        return
    for cnn in cnns:
        compile_for_one(cnn, alike.shape[1:] if size is None else (size, size))


def _opened(args: argparse.Namespace, rig: Rig, stack: ExitStack) -> list[Output]:
    """Return what the states of a rig go to, each closed by `stack`."""
    outputs: list[Output] = []
    for make, asked in (
        (lambda a: Table(a, append=args.append), args.out),
        (Publisher, args.publish),
        (Osc, args.osc),
    ):
        if asked:
            outputs.append(make(asked))
            stack.callback(outputs[-1].close)
    if args.show:
        outputs.append(View(rig.told))
        stack.callback(outputs[-1].close)
    return outputs


def _frame_rate(given: float | None, replayed: Recording | None, alike: Recording | None) -> float:
    found = given or next((one.frame_rate for one in (replayed, alike) if one is not None), None)
    if not found or found <= 0:
        raise UserError("--frame-rate: give it (frames/s of one channel), or --known recordings")
    return found


def _as_known(
    given: dict[str, Any], size: int | None, known: Recording | None
) -> tuple[dict[str, Any], int | None]:
    """Return corrections and image size as of a known recording, or as given without one.

    Raises UserError if both say them; files of the session may be given beside a recording.
    """
    if known is None:
        return given, size
    defaults = schema.defaults("corrections")
    with h5py.File(known.path) as file:
        changed = {}
        if "corrections" in file:
            changed = json.loads(file["corrections"].attrs["settings"])
    made = defaults | changed
    for key, value in given.items():
        if value == defaults[key] or value == made[key]:
            continue
        if key not in FILES:  # of a session, which may differ from those of the known ones
            raise UserError(
                f"--{key.replace('_', '-')} {value}: {known.path} was made with {made[key]}; leave "
                "the flag out, or --known"
            )
        made[key] = value
    if known.recorded_size is not None:
        size = size or (None if known.shape[1:] == known.recorded_size else known.shape[1])
    return made, size


def _check_replay(
    recording: Recording, corrections: dict[str, Any], args: argparse.Namespace
) -> None:
    if corrections != schema.defaults("corrections") or args.image_size or args.roi_masks:
        raise UserError(
            f"{recording.path}: a recording of `mesodecode preprocess`, corrected already; leave "
            "corrections, --image-size and --roi-masks out"
        )
