"""What the last layer of an adapted decoder reads in each mouse, for the shift report.

Every mouse of an allocation is treated alike: a training mouse is adapted to the other training
mice as a test mouse is to all of them. No labels are used, so that nothing is fine-tuned.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from mesodecode.decoders.adapt.adapted import (
    Adapted,
    align,
    by_minutes,
    first_frames,
    move_of,
    warm_up,
)
from mesodecode.decoders.applied import Decoder, ImageDecoder, inputs_of
from mesodecode.decoders.inputs import SAMPLED, spread
from mesodecode.decoders.networks import copied, last_layer
from mesodecode.recordings.recording import Recording, mice_of
from mesodecode.recordings.sample import Sample, runs, sample
from mesodecode.shift.distances import Featured
from mesodecode.shift.features import RUN_LENGTH


class AdaptedFeatures:
    """Features of sessions under adapted models; `n` frames a session, evenly spread.

    `settings` of decoders/adapted.yaml.
    """

    def __init__(self, n: int, settings: Mapping[str, Any]) -> None:
        self.n, self.settings = n, settings
        self._known: dict[str, Sample] = {}
        # read once, for all allocations
        self._few: dict[tuple, tuple[Sample, np.ndarray]] = {}
        self._by_first: dict[str, Recording] = {}

    def of(
        self, decoder: Decoder, recordings: Sequence[Recording], train_mice: Sequence[str]
    ) -> list[Featured]:
        """Return the features of each of `recordings`, mouse by mouse; `decoder` stays as it is."""
        if isinstance(decoder, ImageDecoder):
            decoder = replace(decoder, samples=self._known)
        known = [one for one in recordings if one.mouse in train_mice]
        found = []
        for mouse in mice_of(recordings):
            mine = [one for one in recordings if one.mouse == mouse]
            others = [one for one in known if one.mouse != mouse] or known
            found += self._of_mouse(decoder, mine, others)
        return found

    def _of_mouse(
        self, decoder: Decoder, recordings: Sequence[Recording], known: Sequence[Recording]
    ) -> list[Featured]:
        own = replace(decoder, network=copied(decoder.network).eval())
        read = [self._source(own, one, known) for one in recordings]
        sources = told = [source for source, _ in read]
        if self.settings["first_unlabelled"]:
            told = [self._source(own, one, known, early=True)[0] for one in recordings]
        coral = align(own, told, known, self.settings)
        made = Adapted(own, coral, sources, [0] * len(sources))
        found = []
        for recording, (source, at) in zip(recordings, read, strict=True):
            at, rows = spread(at, self.n), np.empty((0, 1))
            labels = source.labels[at].cpu().numpy()
            if len(at):
                with inputs_of(last_layer(own.network)) as seen:
                    made.logits(source, at)
                rows = torch.cat(seen).float().numpy()
            found.append(Featured(recording.session, recording.mouse, rows, labels))
        return found

    def _source(
        self,
        decoder: Decoder,
        recording: Recording,
        known: Sequence[Recording],
        early: bool = False,
    ) -> tuple[Any, torch.Tensor]:
        """Return what a decoder reads of a recording, and the positions that it may score.

        Those are beyond the warm-up and the first minutes; what is read is of these alone if
        `early`.
        """
        past = self.settings["normalise"] == "past"
        first = warm_up(self.settings) * recording.frame_rate + decoder.before if past else 0
        n = first_frames(recording, decoder, self.settings)
        if n:
            first = max(first, n + decoder.before)
            if recording.session not in self._by_first:
                made = by_minutes(recording, n, decoder, past or decoder.causal)
                self._by_first[recording.session] = made
            recording = self._by_first[recording.session]
        recording = _start_of(recording, n) if early else recording
        if not isinstance(decoder, ImageDecoder):
            source = decoder.source(recording, past)
            return source, source.centres[source.centres >= first]
        few, frames = self._frames(recording, decoder, past)
        source = decoder.source(few, move=move_of(recording, known, self.settings))
        late = torch.as_tensor(frames >= first, device=source.centres.device)
        return source, source.centres[late[source.centres]]

    def _frames(
        self, recording: Recording, decoder: ImageDecoder, past: bool
    ) -> tuple[Sample, np.ndarray]:
        """Return a few frames of a recording, and which they are; those of the past normalised."""
        length = 1 if decoder.half_window is None else RUN_LENGTH
        key = recording.session, len(recording), decoder.reach, length
        if key not in self._few:
            n = max(self.n, SAMPLED)
            based = decoder.based(recording, past)
            few = sample(based, n, decoder.reach, length)
            spans = runs(len(based), n, decoder.reach, based.segment, length, based.skip)
            at = np.concatenate([np.arange(*span) for span in spans] or [np.empty(0, int)])
            self._few[key] = few, at
        return self._few[key]


def _start_of(recording: Recording, n: int) -> Recording:
    """Return the first n frames as a recording for `sample`, and their signals; not to be read."""
    segment, rois = (None if x is None else x[:n] for x in (recording.segment, recording.rois))
    shape = (n, *recording.shape[1:])
    return replace(recording, labels=recording.labels[:n], segment=segment, rois=rois, shape=shape)
