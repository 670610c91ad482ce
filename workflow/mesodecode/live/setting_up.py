"""All that is opened and checked before the first frame of `mesodecode live`."""

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import h5py
import numpy as np
import torch

from mesodecode.base.files import UserError, say
from mesodecode.decoders.applied import ImageDecoder, Loaded, SignalDecoder
from mesodecode.decoders.compiling import compile_for_one
from mesodecode.decoders.device import resolve_device
from mesodecode.decoders.networks import CNNDecoder
from mesodecode.live.engine import Engine, Member, open_members
from mesodecode.live.frame_sources import Opened, open_source
from mesodecode.live.outputs import Osc, Output, Table, state_of
from mesodecode.live.rig import Rig
from mesodecode.live.stream_corrections import Corrections
from mesodecode.live.view import View
from mesodecode.live.watch import Known, Watch, known_of
from mesodecode.live.written import Written
from mesodecode.live.zeromq import Publisher
from mesodecode.recordings.movie import LARGEST
from mesodecode.recordings.recording import (
    SAME_RATE,
    Recording,
    check_frames,
    read_recording,
    read_recordings,
    told_frames,
)
from mesodecode.recordings.roi_signals import check_named
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
    _check(args)
    device = resolve_device(args.device, args.threads)
    found = open_members(args.weights, device)
    signals = isinstance(found[0].decoder, SignalDecoder)
    known = read_recordings(args.known) if args.known else []
    reference = read_recording(args.reference) if args.reference else None
    alike = known[0] if known else reference
    how, size = _as_known(corrections, args.image_size, alike)
    told = alike.frame_rate if alike else told_frames(found[0].settings)[1]
    opened = _source(args, settings, how["channels"], signals, told)
    if opened.recording is not None:  # corrected already
        _check_replay(opened.recording, corrections, args)
        how, size = schema.defaults("corrections"), None
    else:
        _check_alike(corrections, known)
    _check_mouse(opened.recording, reference, found)
    recordings = [one for one in (opened.recording, *known, reference) if one is not None]
    rate = _frame_rate(args.frame_rate, recordings, found)
    for loaded in found:
        check_frames(loaded.settings, recordings, "--weights")
    names = _roi_names(found, recordings) if signals else []
    _compile(found, settings, device, opened.recording or alike, size)
    made = Corrections(
        how,
        rate,
        opened.name,
        image_size=size,
        roi_masks=args.roi_masks if signals else None,
        roi_dataset=args.roi_dataset,
        roi_names=names,
    )
    light = how["dff"] == "none" and all(
        one is None or one.unit == "counts" for one in (opened.recording, alike)
    )
    watch = Watch(settings, rate, _known_of(found[0], known), light=light)
    members = [
        Member(loaded, rate, reference, watched=bool(known) and i == 0)
        for i, loaded in enumerate(found)
    ]
    outputs: list[Output] = []
    target = found[0].target
    state = state_of(target, settings)
    rig = Rig(made, Engine(members), state, watch, outputs, args.frames, target)
    outputs += _opened(args, rig, stack)
    return opened, rig


def _check(args: argparse.Namespace) -> None:
    """Raise UserError for flags that say nothing, or what cannot be."""
    if not (args.out or args.publish or args.osc or args.show):
        raise UserError(
            "--out, --publish, --osc or --show: give one, or nobody sees what is decoded"
        )
    for flag, value in (("frames", args.frames), ("image-size", args.image_size)):
        if value is not None and value < 1:
            raise UserError(f"--{flag} {value}: needs 1 or more")
    schema.check_value(args.shape, "recordings", "movie_shape", "--shape")
    schema.check_value(args.dtype, "recordings", "movie_dtype", "--dtype")
    if args.shape and math.prod(args.shape) > LARGEST:
        raise UserError(f"--shape {args.shape[0]} {args.shape[1]}: no camera has such frames")


def _check_mouse(
    replayed: Recording | None, reference: Recording | None, found: Sequence[Loaded]
) -> None:
    """Raise UserError if a decoder has seen the mouse, or the reference is of another one."""
    told = [one for one in (replayed, reference) if one is not None]
    for one in told:
        for loaded in found:
            loaded.allocate([one.mouse])
    if len({one.mouse for one in told}) > 1:
        raise UserError(
            f"{reference.path}: of mouse {reference.mouse}, but {replayed.path} is of mouse "
            f"{replayed.mouse}; give a reference of the same mouse"
        )


def _roi_names(found: Sequence[Loaded], recordings: Sequence[Recording]) -> Sequence[str]:
    """Return the names of the ROIs that decoders were trained on, none if weights do not say them.

    Raises UserError if they are not the same for all, or recordings have others.
    """
    told = [names for loaded in found if any(names := loaded.settings.get("roi_names") or [])]
    if any(names != told[0] for names in told):
        raise UserError("--weights: decoders of other ROIs, or of other order; give those of one")
    names = told[0] if told else []
    check_named({"roi_names": names}, recordings, "--weights")
    return names


def _source(
    args: argparse.Namespace,
    settings: Mapping[str, Any],
    channels: int,
    signals: bool,
    told: float | None,
) -> Opened:
    return open_source(
        args.source,
        signals=signals,
        rate=settings["rate"],
        frame_rate=args.frame_rate or told,
        channels=channels,
        shape=args.shape,
        dtype=args.dtype,
        max_message=settings["max_message"],
        timeout=settings["timeout"],
    )


def _known_of(loaded: Loaded, known: Sequence[Recording]) -> Known | None:
    """Return what the decoder's mice look like; say what is not watched without them."""
    if known:
        return known_of(loaded, known)
    say(
        "no --known: distance and noise are not watched, and brightness only against the session "
        "so far"
    )
    return None


def _compile(
    found: Sequence[Loaded],
    settings: Mapping[str, Any],
    device: torch.device,
    alike: Recording | None,
    size: int | None,
) -> None:
    """Compile the CNNs of decoders, if asked for and frames' size is known before they come."""
    cnns = [one.decoder.frame_network for one in found if isinstance(one.decoder, ImageDecoder)]
    cnns = [cnn for cnn in cnns if isinstance(cnn, CNNDecoder)]
    if not (settings["compile"] and cnns and device.type == "cpu"):
        return
    shape = told_frames(found[0].settings)[0] if alike is None else alike.shape[1:]
    if size is None and shape is None:
        say("not compiled, slower: no --known or --image-size")
        return
    for cnn in cnns:
        compile_for_one(cnn, shape if size is None else (size, size))


def _opened(args: argparse.Namespace, rig: Rig, stack: ExitStack) -> list[Output]:
    """Return what the states of a rig go to, each closed by `stack`; first what never waits."""
    outputs: list[Output] = []
    for make, asked in (
        (Publisher, args.publish),
        (Osc, args.osc),
        (
            lambda a: Written(Table(a, append=args.append, target=rig.target), str(a)),
            args.out,
        ),
    ):
        if asked:
            outputs.append(make(asked))
            stack.callback(outputs[-1].close)
    if args.show:
        outputs.append(View(rig.told))
        stack.callback(outputs[-1].close)
    return outputs


def _frame_rate(
    given: float | None, recordings: Sequence[Recording], decoders: Sequence[Loaded]
) -> float:
    """Return the frame rate that is given, that of recordings, or that of training.

    Raises UserError if they differ: windows are counted in frames, and would last another time.
    """
    if given is not None and not 0 < given < np.inf:
        raise UserError(f"--frame-rate {given:g}: needs frames/s, above 0")
    rates = [] if given is None else [(given, "--frame-rate")]
    rates += [(one.frame_rate, str(one.path)) for one in recordings]
    trained = [told_frames(one.settings)[1] for one in decoders]
    trained = [(rate, "--weights") for rate in trained if rate is not None]
    if trained and not rates:
        words = f"frames are taken to come at {trained[0][0]:g}/s, as those that --weights was"
        say(f"{words} trained on; --frame-rate says another")
    rates += trained
    if not rates:
        raise UserError("--frame-rate: give it (frames/s of one channel), or --known recordings")
    rate, first = rates[0]
    for other, where in rates[1:]:
        if abs(other / rate - 1) > SAME_RATE:
            raise UserError(
                f"{first}: {rate:g} frames/s, but {where} has {other:g}; a decoder's windows are "
                "counted in frames, and would last another time"
            )
    return rate


def _as_known(
    given: dict[str, Any], size: int | None, known: Recording | None
) -> tuple[dict[str, Any], int | None]:
    """Return corrections and image size as of a known recording, or as given without one.

    Raises UserError if both say them; files of the session may be given beside a recording.
    """
    if known is None:
        return given, size
    defaults, made = schema.defaults("corrections"), _made_with(known)
    for key, value in given.items():
        if value == defaults[key] or value == made[key]:
            continue
        if key not in FILES:  # of a session, which may differ from those of the known ones
            raise UserError(
                f"--{key.replace('_', '-')} {value}: {known.path} was made with {made[key]}; leave "
                "the flag out, or --known"
            )
        made[key] = value
    if size not in (None, known.shape[1]):
        raise UserError(f"--image-size {size}: {known.path} has {known.shape[1]}; leave it out")
    if known.recorded_size is not None:
        size = size or (None if known.shape[1:] == known.recorded_size else known.shape[1])
    return made, size


def _made_with(recording: Recording) -> dict[str, Any]:
    """Return the corrections of a recording."""
    with h5py.File(recording.path) as file:
        changed = {}
        if "corrections" in file:
            changed = json.loads(file["corrections"].attrs["settings"])
    return schema.defaults("corrections") | changed


def _check_alike(given: Mapping[str, Any], known: Sequence[Recording]) -> None:
    """Raise UserError if known recordings do not say how frames are corrected: each says another.

    As those of two labs do, or of sessions with a mask each, unless today's is `given`.
    """
    made, defaults = [_made_with(one) for one in known], schema.defaults("corrections")
    for one, other in zip(known, made, strict=True):
        for key, value in made[0].items():
            if other[key] == value or (key in FILES and given[key] != defaults[key]):
                continue
            flag = f"--{key.replace('_', '-')}"
            todo = f"give today's by {flag}" if key in FILES else "give those of this rig alone"
            raise UserError(
                f"--known: {key} is {value} in {known[0].path}, but {other[key]} in {one.path}; "
                f"{todo}"
            )


def _check_replay(
    recording: Recording, corrections: dict[str, Any], args: argparse.Namespace
) -> None:
    if corrections != schema.defaults("corrections") or args.image_size or args.roi_masks:
        raise UserError(
            f"{recording.path}: a recording of `mesodecode preprocess`, corrected already; leave "
            "corrections, --image-size and --roi-masks out"
        )
