"""A trained decoder applied to a mouse that it has not seen, in ways that adapt to it.

1. Frames (or ROI signals) are normalised by their recording, by its first minutes, or by the frames
   before them only; those of a causal decoder as it was trained.
2. Frames may be turned and shifted onto the mean images of the training mice.
3. BatchNorm layers may take the statistics of the mouse's images.
4. The features of frames (of a CNN, pixels, or ROI signals) may be given the mean and covariance
   that they have in the training mice. With `first_unlabelled`, the mouse's part of steps 2 to 4
   is of the first minutes of its recordings, which are then not decoded.
5. The decoder may be fine-tuned on labelled minutes or sessions of the mouse, which are then not
   decoded.

Only step 5 uses labels of the mouse. Nothing of one mouse goes to another: networks are copied.

Modules: `applied` takes decoders of all kinds apart alike, `past` and `roi_signals` do steps 1 and
2, `domain` 3 and 4, `few_shot` 5, `linear_networks` makes networks of scikit-learn's models.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy.special import expit

from mesodecode.base.files import UserError, say
from mesodecode.decoders.adapt.domain import Coral, set_batch_norm
from mesodecode.decoders.adapt.few_shot import fine_tune, labelled_frames
from mesodecode.decoders.applied import Decoder, SignalDecoder
from mesodecode.decoders.inputs import SAMPLED, Source, spread
from mesodecode.decoders.networks import copied
from mesodecode.decoders.objectives import predicted
from mesodecode.decoders.past import by_first, onto
from mesodecode.decoders.predictions import SessionPredictions
from mesodecode.recordings.baseline import BLOCK
from mesodecode.recordings.recording import Recording
from mesodecode.study.targets import RUN, Target

BATCH = 256  # windows of one pass


@dataclass(frozen=True)
class Adapted:
    """A decoder adapted to a mouse: a source a recording, and the first frame scored of each."""

    decoder: Decoder
    coral: Coral | None
    sources: Sequence[Source]
    first: Sequence[int]

    def scored(self) -> list[torch.Tensor]:
        """Return the positions that are scored, (N,) a recording."""
        both = zip(self.sources, self.first, strict=True)
        return [source.centres[source.centres >= first] for source, first in both]

    @torch.inference_mode()
    def logits(self, source: Source, at: torch.Tensor) -> torch.Tensor:
        """Return the logits (N,) of the positions `at` (N,); a frame's features are made once."""
        if not len(at):
            return torch.empty(0, device=at.device)
        needed, windows = torch.unique(at[:, None] + self.decoder.offsets, return_inverse=True)
        features = self.decoder.features(source, needed)
        features = features if self.coral is None else self.coral(features)
        return torch.cat([self.decoder.read(features[part]) for part in windows.split(BATCH)])


def adapted(
    decoder: Decoder,
    recordings: Sequence[Recording],
    known: Sequence[Recording],
    settings: Mapping[str, Any],
    target: Target = RUN,
) -> Adapted:
    """Return a decoder adapted to one mouse by `settings` of decoders/adapted.yaml.

    `known`: recordings of the training mice. `decoder`, of a `target`, is left as it is; labels of
    recordings are values of that.
    """
    decoder = replace(decoder, network=copied(decoder.network).eval())
    past = settings["normalise"] == "past"
    ends = [first_frames(one, decoder, settings) for one in recordings]
    own = past or decoder.causal
    read = [by_minutes(*one, decoder, own) for one in zip(recordings, ends, strict=True)]
    sources = [decoder.source(one, past, move_of(one, known, settings)) for one in read]
    coral = align(decoder, sources, known, settings, ends if any(ends) else None)
    counts = labelled_frames(recordings, settings["few_shot"])
    if settings["few_shot"]:
        # no frame of a labelled window reaches into what is scored
        both = zip(sources, counts, strict=True)
        parts = [s.centres[s.centres < n - decoder.after] for s, n in both]
        fine_tune(decoder.network, sources, parts, settings, target)
    first = []
    for recording, *ends_of in zip(recordings, counts, ends, strict=True):
        warm = warm_up(settings) * recording.frame_rate if past else 0
        # no frame of a decoded window is of the mouse's first part, or normalised by too few frames
        first.append(round(max(*ends_of, warm)) + decoder.before)
    return Adapted(decoder, coral, sources, first)


def warm_up(settings: Mapping[str, Any]) -> float:
    """Return s at the start that are not decoded with `normalise: past`: a block of it at least."""
    return max(settings["warm_up"], BLOCK)


def first_frames(recording: Recording, decoder: Decoder, settings: Mapping[str, Any]) -> int:
    """Return how many frames are the first minutes of a recording; 0 if they are not asked for.

    Raises UserError if they hold no window.
    """
    minutes, window = settings["first_unlabelled"], decoder.before + decoder.after + 1
    n = round(minutes * 60 * recording.frame_rate)
    if minutes and n < window:
        raise UserError(
            f"first_unlabelled: {minutes:g} min are {n} frames of {recording.path}, but a window "
            f"has {window}; give more minutes"
        )
    return min(n, len(recording))


def by_minutes(recording: Recording, n: int, decoder: Decoder, past: bool) -> Recording:
    """Return a recording as its first n frames know it: by what it is normalised and registered.

    As it is if n is 0; ROI signals too if they are normalised by the `past`.
    """
    if not n:
        return recording
    if isinstance(decoder, SignalDecoder):
        return recording if past else replace(recording, first=n)
    return by_first(recording, n)


def move_of(
    recording: Recording, known: Sequence[Recording], settings: Mapping[str, Any]
) -> np.ndarray | None:
    """Return the map that registers a recording to known mice; None where it is not asked for."""
    return onto(recording, known) if settings["register"] else None


def align(
    decoder: Decoder,
    sources: Sequence[Source],
    known: Sequence[Recording],
    settings: Mapping[str, Any],
    ends: Sequence[float] | None = None,
) -> Coral | None:
    """Give a decoder, in place, the BatchNorm statistics of sources; return what aligns features.

    `ends`: the frame of each source (of one recording) that statistics end before; None: all are
    taken. What aligns is None unless asked for, and where all sources are too short for a window.
    """
    if not any(len(source.centres) for source in sources):
        return None
    both = zip(sources, ends or [np.inf] * len(sources), strict=True)
    told = [source.centres[source.centres < end - decoder.after] for source, end in both]
    if (settings["batch_norm"] or settings["coral"]) and not any(map(len, told)):
        raise UserError(
            "first_unlabelled: no window lies in the first minutes, as segments are shorter than "
            "one; give more minutes"
        )
    others = [decoder.sample(one) for one in known] if settings["coral"] else []
    # before the BatchNorm layers, theirs too, change
    theirs = _sampled(decoder, others, [one.centres for one in others])
    if settings["batch_norm"]:
        images = [getattr(source, "images", source) for source in sources]
        set_batch_norm(decoder.frame_network, images, ends)
    if not settings["coral"]:
        return None
    both = _sampled(decoder, sources, told), theirs
    own, theirs = (torch.cat(each).cpu().numpy() for each in both)
    return Coral(own, theirs).to(decoder.device)


def _sampled(
    decoder: Decoder, sources: Sequence[Source], told: Sequence[torch.Tensor]
) -> list[torch.Tensor]:
    """Return features at some of the positions `told` of each source, of those that have any."""
    both = zip(sources, told, strict=True)
    return [decoder.features(one, spread(at, SAMPLED)) for one, at in both if len(at)]


def predict(
    decoder: Decoder,
    recordings: Sequence[Recording],
    known: Sequence[Recording],
    settings: Mapping[str, Any],
) -> dict[str, SessionPredictions]:
    """Return the predictions of run, of recordings of one mouse, by session (see `adapted`)."""
    return predictions_of(adapted(decoder, recordings, known, settings), recordings)


def predictions_of(
    made: Adapted, recordings: Sequence[Recording], target: Target = RUN
) -> dict[str, SessionPredictions]:
    """Return the predictions of an adapted decoder of a target for its recordings, by session.

    Raises UserError if no frame is left to decode.
    """
    predictions = {}
    for recording, source, at in zip(recordings, made.sources, made.scored(), strict=True):
        if len(at) or not len(source.centres):  # all of it labelled, or too short
            logits, frames = made.logits(source, at).cpu().numpy(), at.cpu().numpy()
            if target == RUN:  # SciPy's, as ever: torch's may differ in the last bit
                probability = expit(logits.astype("f8"))
            else:
                probability = predicted(torch.from_numpy(logits), target)
            predictions[recording.session] = SessionPredictions(
                recording.mouse, frames, recording.labels[frames], probability
            )
        else:
            say(
                f"session {recording.session}: not scored, as all of it is of the part that the "
                "decoder is given of its mouse (few_shot, first_unlabelled or warm_up)"
            )
    if not any(len(one.frame) for one in predictions.values()):
        raise UserError(
            f"mouse {recordings[0].mouse}: no frame is left to decode; lower few_shot, "
            "first_unlabelled or warm_up, or give sessions longer than a window"
        )
    return predictions
