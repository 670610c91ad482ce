"""What the last layer of a decoder reads, for a few frames of each session: one door to all kinds.

The frames are evenly spread over the session. Nothing is trained.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mesodecode.base.windows import IMAGE_REACH, decoded
from mesodecode.decoders.applied import Decoder, SignalDecoder, load, read_by_last_layer
from mesodecode.decoders.inputs import SessionFeatures, Source, Windows
from mesodecode.decoders.networks import for_use
from mesodecode.decoders.weights import load_trained
from mesodecode.recordings.baseline import ready
from mesodecode.recordings.recording import Recording
from mesodecode.recordings.roi_signals import check_named
from mesodecode.recordings.sample import Sample, sample
from mesodecode.shift.distances import Featured
from mesodecode.study.targets import Target

RUN_LENGTH = 10  # windows of images in a run: they share most of their images


class Features:
    """The features of sessions under the models of one decoder; `n` frames a session.

    `sources` are recordings with labels of their target (`with_labels_of`), or features of
    `mesodecode extract` for a CNN or a decoder of a frozen one.
    """

    def __init__(self, n: int, device: torch.device | str = "cpu") -> None:
        self.n, self.device = n, device
        self._samples: dict[tuple, Sample] = {}  # read from disk once, for all allocations

    def of(
        self, model: str | Path, sources: Sequence[Recording | SessionFeatures]
    ) -> list[Featured]:
        """Return the features of each of `sources` under a model (.pt, .npz or .joblib).

        Raises UserError if it decodes another target than theirs.
        """
        if isinstance(sources[0], SessionFeatures):
            trained = load_trained(model, "cnn", "cnn_rnn")
            Target.of_settings(trained.settings).check_same(sources[0].target, model)
            if trained.kind == "cnn":
                return [self._rows(each) for each in sources]
            w, network = trained.settings["half_window"], trained.build(self.device)
            made = (Windows([each], w, w + IMAGE_REACH, self.device) for each in sources)
        else:
            loaded = load(model, device=self.device)
            loaded.target.check_same(sources[0].target, model)
            check_named(loaded.settings, sources, model)
            decoder = loaded.decoder
            network, made = decoder.network, (self._source(decoder, each) for each in sources)
        network, found = for_use(network), []
        for session, source in zip(sources, made, strict=True):
            at = source.centres[self._spread(len(source.centres))]
            labels = source.labels[at].cpu().numpy()
            rows = read_by_last_layer(network, source, at) if len(at) else np.empty((0, 1))
            found.append(Featured(session.session, session.mouse, rows, labels))
        return found

    def _source(self, decoder: Decoder, recording: Recording) -> Source:
        """Return a recording for a decoder: of images a few, whose windows share most of them."""
        if isinstance(decoder, SignalDecoder):
            return decoder.source(recording)
        run_length = 1 if decoder.half_window is None else RUN_LENGTH
        how = decoder.normalising, decoder.reach, run_length
        return decoder.source(self._sample(recording, *how))

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
