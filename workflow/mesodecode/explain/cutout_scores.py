"""Cut-out scores as the workflow computes them: decoders from their files, blocks of masks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from mesodecode.base.files import UserError
from mesodecode.base.windows import tell_short
from mesodecode.decoders.applied import load
from mesodecode.decoders.linear_networks import Pixels
from mesodecode.explain import cutout
from mesodecode.explain.cutout_logits import in_use
from mesodecode.explain.cutout_masks import masks_of, part
from mesodecode.explain.cutout_tables import columns_of, counts_of, frames_of, signed_of
from mesodecode.recordings.recording import Recording, check_frames, mice_of, target_of
from mesodecode.study.allocation import Allocation
from mesodecode.study.kinds import KINDS
from mesodecode.study.targets import RUN, Target


@dataclass(frozen=True)
class ImageDecoder:
    """A decoder of images for `cutout_session`, and how it is `prepared` for."""

    network: cutout.Decoder
    half_window: int | None
    allocation: Allocation
    normalising: Mapping[str, Any]
    target: Target = RUN


def load_decoder(
    weights: str | Path,
    cnn: str | Path | None,
    recordings: Sequence[Recording],
    device: torch.device | str = "cpu",
) -> ImageDecoder:
    """Load a decoder for test `recordings`, from the weights of any verb that trains on images.

    `weights` of train-cnn, finetune, fit-linear (.npz), or of train-rnn together with those of the
    frozen CNN that it reads, `cnn`.
    Raises UserError if the decoder has seen a mouse of `recordings`, or is of another target, or
    the files do not fit.
    """
    loaded = load(weights, cnn, device)
    if not KINDS[loaded.kind].of_images:
        raise UserError(f"{weights}: a '{loaded.kind}' decoder reads no images, to cut areas from")
    loaded.target.check_same(target_of(recordings), weights)
    check_frames(loaded.settings, recordings, weights)
    decoder, network = loaded.decoder, loaded.decoder.network
    if isinstance(network, Pixels):
        network.check_size(*recordings[0].shape[1:])
    if cnn:  # which makes features that are rounded as in the files of `mesodecode extract`
        network = network.cnn, network.rnn
    allocation = loaded.allocate(mice_of(recordings))
    return ImageDecoder(
        network, decoder.half_window, allocation, decoder.normalising, loaded.target
    )


def score_sessions(
    decoder: ImageDecoder,
    recordings: Sequence[Recording],
    settings: Mapping[str, Any],
    *,
    name: str,
    block: tuple[int, int] = (1, 1),
    device: torch.device | str = "cpu",
) -> pd.DataFrame:
    """Score a block of masks on every test session; return the columns of `cutout_tables`.

    Also what areas say, and with `times` each image of a window (see `cutout_session`).

    `settings` are those of importance/cutout.yaml; `name` is the decoder's.
    Raises UserError as `cutout_session` does, if sessions of one allocation have other masks, or
    if none of them has both states, or two values, among the frames that are used.
    """
    masks = [masks_of(settings, recording) for recording in recordings]
    for recording, other in zip(recordings, masks, strict=True):
        if other.names != masks[0].names:
            raise UserError(
                f"{settings['masks']}: other areas for session {recording.session} than for "
                f"{recordings[0].session}; draw the same ones for all"
            )
    frames = {key: settings[key] for key in ("frame_step", "run_length")}
    hiding = {key: settings[key] for key in ("fill", "blur_sigma")}
    used = [cutout.frames_used(one, decoder.half_window or 0, **frames) for one in recordings]
    n_images = sum(len(at) for at, _ in used) * (len(part(masks[0], *block)) + 1)
    network = in_use(decoder.network, device, n_images, recordings[0].shape[1:])
    tables = []
    for recording, all_masks, (at, n_decodable) in zip(recordings, masks, used, strict=True):
        chosen, labels = part(all_masks, *block), recording.labels[at]
        if len(np.unique(labels)) >= 2:
            table = cutout.cutout_session(
                network,
                recording,
                chosen,
                **{"half_window": decoder.half_window, "device": device, **hiding, **frames},
                times=settings["times"],
                target=decoder.target,
            )
        else:
            counts = {"n_frames": len(at), "n_run": int(labels.sum()), "n_decodable": n_decodable}
            counts = {key: counts[key] for key in counts_of(decoder.target.kind)}
            table = pd.DataFrame({"mask": chosen.names}).assign(**counts)
        tables.append(table.assign(session=recording.session))
    tell_short({one["session"].iloc[0]: int(one["n_decodable"].iloc[0]) for one in tables})
    rows = pd.concat(tables, ignore_index=True)
    columns = columns_of(decoder.target.kind)
    if "score" not in rows:
        what = "have both states" if decoder.target == RUN else f"differ in {decoder.target.name}"
        raise UserError(
            f"{decoder.allocation.id}: in no test session do the frames used {what}; lower "
            "frame_step or run_length"
        )
    rows = rows.reindex(columns=[*columns, *signed_of(rows), *frames_of(rows)])
    about = {
        "decoder": name,
        "allocation": decoder.allocation.id,
        "train_mice": decoder.allocation.joined("train"),
        **{f"{r}_mouse": decoder.allocation.joined(r) for r in ("valid", "test")},
    }
    return rows.assign(**about)
