"""What the last layer of a decoder reads, for a few frames of each session: one door to all kinds.

The frames are evenly spread over the session. Nothing is trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mesodecode.base.windows import IMAGE_REACH, decoded
from mesodecode.decoders import roi_rnn
from mesodecode.decoders.applied import read_by_last_layer
from mesodecode.decoders.convolutions import for_use
from mesodecode.decoders.inputs import Images, ImageWindows, SessionFeatures, Source, Windows
from mesodecode.decoders.weights import Trained, load_trained
from mesodecode.recordings.baseline import normalising, ready
from mesodecode.recordings.recording import Recording
from mesodecode.recordings.roi_signals import signals_of
from mesodecode.recordings.sample import Sample, sample
from mesodecode.shift.distances import Featured

RUN_LENGTH = 10  # windows of images in a run: they share most of their images


class Features:
    """The features of sessions under the models of one decoder; `n` frames a session.

    `sources` are recordings, or features of `mesodecode extract` for a CNN or a decoder of a frozen
    one.
    """

    def __init__(self, n: int, device: torch.device | str = "cpu") -> None:
        self.n, self.device = n, device
        self._samples: dict[tuple, Sample] = {}  # read from disk once, for all allocations

    def of(
        self, model: str | Path, sources: Sequence[Recording | SessionFeatures]
    ) -> list[Featured]:
        """Return the features of each of `sources` under a model (.pt, .npz or .joblib)."""
        suffix = Path(model).suffix
        if suffix == ".npz":
            return self._linear(model, sources)
        if suffix == ".joblib":
            return self._classical(model, sources)
        trained = load_trained(model, "cnn", "cnn_rnn", "finetuned", "roi_rnn")
        if trained.kind == "roi_rnn":
            sessions = signals_of(sources, trained.settings)
            made = (roi_rnn.windows([s], trained.settings, self.device) for s in sessions)
        elif isinstance(sources[0], SessionFeatures):
            if trained.kind == "cnn":
                return [self._rows(each) for each in sources]
            w = trained.settings["half_window"]
            made = (Windows([s], w, w + IMAGE_REACH, self.device) for s in sources)
        else:
            made = self._of_images(trained, sources)
        network = trained.build(self.device)
        if trained.kind != "roi_rnn":
            network = for_use(network)
        found = []
        for session, source in zip(sources, made, strict=True):
            at = source.centres[self._spread(len(source.centres))]
            labels = source.labels[at].cpu().numpy().astype(np.uint8)
            rows = read_by_last_layer(network, source, at) if len(at) else np.empty((0, 1))
            found.append(Featured(session.session, session.mouse, rows, labels))
        return found

    def _of_images(self, trained: Trained, recordings: Sequence[Recording]) -> Iterator[Source]:
        base = normalising(trained.settings)
        for recording in recordings:
            if trained.kind == "cnn":
                yield Images([self._sample(recording, base, IMAGE_REACH)], self.device)
            else:
                w = trained.settings["half_window"]
                run = self._sample(recording, base, w + IMAGE_REACH, RUN_LENGTH)
                yield ImageWindows([run], w, self.device)

    def _sample(self, recording: Recording, settings: Mapping[str, Any], *how: int) -> Sample:
        key = recording.session, *settings.items(), *how
        if key not in self._samples:
            self._samples[key] = sample(ready(recording, settings), self.n, *how)
        return self._samples[key]

    def _spread(self, count: int) -> np.ndarray:
        """Return at most `n` of `count` positions, evenly spread."""
        return np.unique(np.linspace(0, count - 1, min(self.n, count)).round().astype(int))

    def _rows(self, session: SessionFeatures) -> Featured:
        frames = decoded(session, IMAGE_REACH)
        at = frames[self._spread(len(frames))]
        rows = session.features[at].astype(np.float32)
        return Featured(session.session, session.mouse, rows, session.labels[at])

    def _linear(self, model: str | Path, recordings: Sequence[Recording]) -> list[Featured]:
        from mesodecode.decoders import (
            linear,  # scikit-learn takes a second that networks need not wait for
        )

        fitted, found = linear.read_weights(model), []
        for recording in recordings:
            few = self._sample(recording, fitted.normalising, IMAGE_REACH)
            frames, rows = linear.pixel_features(few, fitted.pixels)
            rows = (rows - fitted.mean) / fitted.scale
            found.append(Featured(few.session, few.mouse, rows, few.labels[frames]))
        return found

    def _classical(self, model: str | Path, recordings: Sequence[Recording]) -> list[Featured]:
        import joblib

        from mesodecode.decoders import roi_classical

        settings, found = joblib.load(model)["settings"], []
        for session in signals_of(recordings, settings):
            frames = roi_classical.decodable(session, settings)
            at = frames[self._spread(len(frames))]
            rows = roi_classical.flat_windows(session, at, settings)
            found.append(Featured(session.session, session.mouse, rows, session.labels[at]))
        return found
