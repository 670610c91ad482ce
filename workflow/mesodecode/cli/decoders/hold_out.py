"""Train a decoder on some sessions and predict one that was left out: of the same mouse, or others.

Example: mesodecode hold-out --arm own --train m1_s1.h5 m1_s2.h5 --test m1_s3.h5 --decoder linear
--settings '{"model": "logistic_regression", "pixels": 16}' --out own.test-m1_s3.h5

Sessions of the tested mouse may train it, which is what a ceiling is of; the session that is tested
never does. Networks choose their epoch by --valid. No model is kept. What is decoded is the
recordings' target.
"""

import argparse
from collections.abc import Sequence
from itertools import chain
from typing import Any

from mesodecode.base.files import say
from mesodecode.cli import options

HELP = "recordings → predictions of a session, after training on other sessions"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--arm", required=True, help="own or others_equal; own_near, others_far, … (ceilings)")
    options.add_recordings(parser, "recordings to train on", "--train")
    words = "recordings that choose the epoch of a network"
    options.add_recordings(parser, words, "--valid", required=False)
    options.add_recordings(parser, "recording to predict", "--test")
    add("--decoder", required=True, help="name of the decoder in tables")
    words = "its line in the config, as JSON; settings that are left out have their defaults"
    add("--settings", required=True, metavar="JSON", help=words)
    words = "with drop: ROIs that some recording of the study lacks, of `mesodecode dropped-rois`"
    options.add_file(parser, "--dropped", words, required=False)
    options.add_compute(parser)
    options.add_out(parser, "predictions (HDF5)")


def run(args: argparse.Namespace) -> None:
    from mesodecode.base.files import UserError, read_json
    from mesodecode.decoders import one_step
    from mesodecode.decoders.device import resolve_device
    from mesodecode.decoders.held_out import HeldOut
    from mesodecode.decoders.predictions import SessionPredictions
    from mesodecode.recordings.recording import read_roles, target_of, with_labels_of
    from mesodecode.recordings.same_frames import check_apart
    from mesodecode.study.ceilings import Member, SessionSplit

    kind, settings = _decoder(args.settings)
    files = args.train, args.valid, args.test
    roles = read_roles(*files, same_size=kind.of_images)
    # before any work: refuses a session that has two roles
    members = [tuple(Member(one.mouse, one.session) for one in role) for role in roles]
    split = SessionSplit(args.arm, *members)
    _check_epoch(kind, split)
    check_apart([one.path for sessions in roles for one in sessions])
    device = resolve_device(args.device, args.threads)
    dropped = read_json(args.dropped) if args.dropped else None
    made = SessionPredictions(split.test[0].mouse, *[()] * 3)
    target = target_of([one for role in roles for one in role])
    roles = [with_labels_of(role, None) if role else [] for role in roles]
    fault = _unlearnt(target, roles[0], roles[2])
    if not fault:
        try:
            predict, _ = one_step.fit(kind.name, settings, *roles[:2], device, dropped)
        except UserError as error:
            raise UserError(f"{split.id}: {error}") from None
        made = predict(roles[2])[split.test[0].session]
        fault = "" if len(made.frame) else "its test session is shorter than a window"
    if fault:
        say(f"{split.id}: has no {target.kind.axis}, as {fault}")
    HeldOut(args.decoder, split, made, target).write(args.out)


def _unlearnt(target: Any, training: Sequence[Any], tested: Sequence[Any]) -> str:
    """Return why training recordings cannot teach what those tested hold; "" if they can.

    A state that some arm of a ceiling never saw would make a difference of arms that is none of
    mice.
    """
    seen, held = ({*chain(*(one.labels.tolist() for one in role))} for role in (training, tested))
    if len(seen) < 2:
        return f"its training sessions are all of one {target.kind.level}"
    unseen = [state for code, state in enumerate(target.states) if code in held - seen]
    if unseen:
        return f"no frame of its training sessions is {' or '.join(unseen)}, which it is tested on"
    return ""


def _decoder(text: str) -> tuple[Any, dict[str, Any]]:
    """Return kind and settings of a decoder that is written as JSON."""
    from mesodecode.base.files import UserError
    from mesodecode.study import kinds, schema

    given = options.json_table(text, "--settings")
    kind = kinds.kind_of(given)
    schema.check(given, kind.name, "--settings")
    if not kind.tunable:
        raise UserError(f"--settings: of {kind.words}, which is not trained in one step")
    return kind, schema.defaults(kind.name, **given)


def _check_epoch(kind: Any, split: Any) -> None:
    from mesodecode.base.files import UserError

    if kind.network and not split.valid:
        raise UserError("--valid: needed, as a network chooses its epoch by them")
    if split.valid and not kind.network:
        raise UserError(f"--valid: {kind.words} chooses nothing by them; leave them out")
