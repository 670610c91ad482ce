"""Features of every frame under trained CNNs, written as files (their layout: feature_files.py)."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from mesodecode.base.records import creating
from mesodecode.base.windows import tell_short
from mesodecode.decoders.feature_files import ARRAYS, group_of
from mesodecode.decoders.networks import for_use
from mesodecode.decoders.predict import cnn_outputs
from mesodecode.decoders.weights import Trained, digest
from mesodecode.recordings.baseline import normalising, prepared
from mesodecode.recordings.recording import Recording


def extract(
    networks: Mapping[int | None, Trained],
    recordings: Sequence[Recording],
    out: str | Path,
    device: torch.device | str = "cpu",
) -> None:
    """Write what CNNs make of every frame of recordings to HDF5, whole or not at all.

    `networks`: epoch (from 1) of a training -> the CNN after it, or None -> a CNN as it is, whose
    sessions stand in the file without a group of an epoch. Features are float16; of causal ones
    float32, so that a decoder of them decodes at the rig what it decodes offline.
    """
    with creating(out) as file:
        for epoch, trained in networks.items():
            group = file if epoch is None else file.create_group(group_of(epoch))
            model = for_use(trained.build(device))
            weights = digest(trained.state)
            seen = {*trained.train_mice, *trained.valid_mice}
            counts = {}
            kept = np.float32 if trained.settings.get("causal") else np.float16
            how = json.dumps(normalising(trained.settings))
            for recording in prepared(recordings, trained.settings):
                frames, features, logits = cnn_outputs(model, recording, device)
                rows = np.zeros((len(recording), features.shape[1]), kept)
                logit = np.zeros((len(recording), *logits.shape[1:]), np.float32)
                rows[frames], logit[frames] = features, logits
                counts[recording.session] = len(frames)
                arrays = rows, logit, recording.labels, recording.segment
                session = group.create_group(recording.session)
                session.attrs.update(mouse=recording.mouse, seen=recording.mouse in seen)
                session.attrs.update(weights=weights, normalising=how, skip=recording.skip)
                session.attrs["corrected"] = recording.corrected
                session.attrs.update(recording.target.attributes())
                for name, values in zip(ARRAYS, arrays, strict=True):
                    if values is not None:
                        session.create_dataset(name, data=values)
            tell_short(counts)
