"""Maps of pixels x time: Deep SHAP of a decoder of images, from the pixels to its output.

As `shap_maps` has them of ROIs, with areas of the image in their place: the value of an area is the
sum of those of its pixels. `signed` is so too: each pixel has the sign by its own brightness, and
their sum may be larger than mean |SHAP| of the area, in which pixels cancel. (By the area's mean
brightness, a planted area at the edge of a square had the sign of what the network reads against
it.) Areas may overlap; where they do, their values do not add up to the output, those of all pixels
do. Beside it stands the map of single pixels, whose values are small and noisy.

What is explained are the images of a window as the decoder reads them; the values of a frame, a
channel of up to three images, are added. It costs far more than a map of ROIs or a cut-out, as
every pair of a window and a reference passes the whole CNN there and back, once for each output.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mesodecode.base.files import UserError
from mesodecode.base.progress import Progress
from mesodecode.base.windows import IMAGE_REACH, offsets
from mesodecode.decoders.applied import ImageDecoder, Loaded, load
from mesodecode.decoders.inputs import Images, ImageWindows
from mesodecode.decoders.networks import CNNDecoder, CNNRNNDecoder
from mesodecode.decoders.predict import BATCH as PASSED
from mesodecode.explain import explained, recording_noise
from mesodecode.explain.cutout_masks import CutoutMasks, masks_of
from mesodecode.explain.cutout_tables import inside
from mesodecode.explain.deepshap import explain_deep
from mesodecode.explain.shap_files import OF_PIXELS, Map, Pixels
from mesodecode.explain.shap_maps import (
    Sums,
    about_of,
    check_background,
    directed,
    drawn,
    evenly,
    map_of,
)
from mesodecode.recordings.baseline import prepared
from mesodecode.recordings.recording import (
    Recording,
    check_frames,
    mice_of,
    read_recordings,
    target_of,
    with_labels_of,
)

BATCH = 5  # windows explained at once; of each batch the background's outputs are had anew
CHANNELS = 2 * IMAGE_REACH + 1


def read_inputs(
    weights: str | Path,
    cnn: str | Path | None,
    recordings: Sequence[Path],
    background: Sequence[Path],
    device: torch.device | str,
) -> tuple[Loaded, list[Recording], list[Recording]]:
    """Read a decoder of images, test recordings and those of the background.

    Raises UserError as `applied.load` does, and if the decoder is of another target, or of other
    frames, than the recordings.
    """
    loaded = load(weights, cnn, device)
    test = with_labels_of(read_recordings(recordings), None)
    loaded.target.check_same(target_of(test), weights)
    check_frames(loaded.settings, test, weights)
    return loaded, test, read_recordings(background) if background else []


def pixel_shap(
    loaded: Loaded,
    recordings: Sequence[Recording],
    background_recordings: Sequence[Recording],
    settings: Mapping[str, Any],
    *,
    decoder: str,
    noise_seed: int | None = None,
) -> tuple[Map, Pixels]:
    """Explain windows of test recordings against those of a background, area by area and by pixel.

    `loaded`: a CNN, or one with a recurrent network, whose frozen CNN's features are not rounded
    here; `settings`, those of importance/pixels.yaml; windows and background are chosen as in
    `shap_maps.shap_map`, `decoder` is a name. `noise_seed` draws noise for the images that are
    explained (`recording_noise`), not for the background.
    Raises UserError as `shap_map`, `masks_of` and `explain_deep` do, if the decoder is no such
    network, and if images or areas of recordings differ.
    """
    network, target = loaded.decoder.network, loaded.target
    if not isinstance(network, CNNDecoder | CNNRNNDecoder):
        raise UserError(
            f"a '{loaded.kind}' decoder has no CNN to explain; give weights of train-cnn, finetune "
            "or train-rnn"
        )
    allocation = loaded.allocate(mice_of(recordings))
    check_background(allocation, background_recordings)
    source = pool = _Windows(loaded.decoder, recordings, settings)
    if background_recordings:
        pool = _Windows(loaded.decoder, background_recordings, settings)
        _check_alike(source, pool)
    at = source.centres[evenly(len(source.centres), settings["windows"])]
    chosen = pool.centres[drawn(len(pool.centres), settings["background"], settings["seed"])]
    references = pool.images(chosen)
    usual = frames_of(references).mean(0)
    outputs, n_areas = explained.outputs(target), len(source.names)
    of_pixels = [Sums(usual.shape, one, usual.device) for one in outputs]
    of_areas = [Sums((len(usual), n_areas), one, usual.device) for one in outputs]
    model = _OfImages(explained.network_of(network, target), source.size)
    output = "logit" if target.kind.explained else settings["output"]
    sides = explained.one_side(source.labels[at], target)
    if noise_seed is not None:
        source.add_noise(at, noise_seed)
    words = f"windows against {len(references)}"
    with Progress(len(at) * len(of_pixels), words, "SHAP of pixels") as progress:
        for part, side in zip(at.split(BATCH), sides.split(BATCH, dim=1), strict=True):
            images = source.images(part)
            frames = frames_of(images)
            for pixels, areas, mine in zip(of_pixels, of_areas, side, strict=True):
                found = explain_deep(
                    *(model, images.flatten(2), references.flatten(2)),
                    output=output,
                    index=pixels.output.index,
                )
                found = replace(found, values=folded(found.values.view_as(images)))
                signed = directed(found.values, frames, usual)
                pixels.add(found, signed, mine)
                summed = replace(found, values=source.total(found.values, part))
                areas.add(summed, source.total(signed, part), mine)
                progress.update(len(part))
    about = about_of(allocation, recordings, background_recordings, settings, target) | {
        "decoder": decoder,
        "method": OF_PIXELS,
        "frame": offsets(loaded.decoder.reach, causal=loaded.decoder.causal),
        "roi": np.arange(1, len(source.names) + 1),
        "names": source.names,
        "n_windows": len(at),
        "n_background": len(references),
    }
    return map_of(of_areas, target, about), _single(of_pixels, source.size, recordings[0])


def _single(made: Sequence[Sums], size: tuple[int, int], first: Recording) -> Pixels:
    """Return what was made of single pixels, of each output, on the mean image of a recording."""
    means = [one.means() for one in made]
    return Pixels(
        pixel_abs=np.mean([one["mean_abs"] for one in means], axis=0).reshape(-1, *size),
        pixel_signed=np.array([one["signed"].reshape(-1, *size) for one in means]),
        image=np.asarray(first.pixel_mean),
        session=first.session,
    )


class _OfImages(nn.Module):
    """A decoder of windows of images (N, L, 3 H W), as `explain_deep` takes them."""

    def __init__(self, network: CNNDecoder | CNNRNNDecoder, size: tuple[int, int]) -> None:
        super().__init__()
        self.network, self.size = network, size

    def forward(self, windows: Tensor) -> Tensor:
        images = windows.unflatten(2, (CHANNELS, *self.size)).flatten(0, 1)
        if not isinstance(self.network, CNNRNNDecoder):
            return self.network(images)
        features = self.network.cnn.features(images)
        return self.network.rnn(features.unflatten(0, windows.shape[:2]))


class _Windows:
    """Windows of images of recordings, as a decoder reads them, and areas of each recording.

    `centres` (N,), positions of the windows that can be had, `labels` of all positions; `names` of
    the M areas; `size`, height and width of an image. Raises UserError if there is no window, or
    areas of recordings have different names.
    """

    def __init__(
        self, decoder: ImageDecoder, recordings: Sequence[Recording], settings: Mapping[str, Any]
    ) -> None:
        ready = list(prepared(recordings, decoder.normalising))
        source: Images | ImageWindows
        if decoder.half_window is None:
            source = self._images = Images(ready, decoder.device)
        else:
            source = ImageWindows(ready, decoder.half_window, decoder.device)
            self._images = source.images
        self.centres, self.labels, self.size = source.centres, source.labels, source.image_size
        if not len(self.centres):
            raise UserError(f"{recordings[0].path}: no frame has a window of images")
        self._window, self._noise = decoder.offsets, None
        found = [areas_of(settings, one) for one in recordings]
        self.names = found[0].names
        for recording, one in zip(recordings, found, strict=True):
            if one.names != self.names:
                raise UserError(
                    f"{recording.path}: other areas than {recordings[0].path}; give files of "
                    "areas of the same names"
                )
        areas = np.array([one.areas.reshape(len(one), -1) for one in found], np.float32)
        self._areas = torch.as_tensor(areas, device=decoder.device)  # (recordings, M, H W)
        ends = np.cumsum([len(recording) for recording in recordings])
        self._ends = torch.as_tensor(ends, device=decoder.device)

    def images(self, at: Tensor) -> Tensor:
        """Return the images (N, L, 3, H, W) of the windows of the positions `at` (N,)."""
        places = (at[:, None] + self._window).flatten()
        images = self._images.batch(places)
        if self._noise is not None:
            sd, seed = self._noise
            images = images + sd * recording_noise.white(places, images, seed)
        return images.unflatten(0, (len(at), -1)).contiguous()

    def add_noise(self, at: Tensor, seed: int) -> None:
        """Add noise from now on, of each pixel as much as it has in the windows `at` (N,)."""
        places = torch.unique(at[:, None] + self._window)
        sd = recording_noise.pixel_sd(self._images, places, PASSED[places.device.type])
        self._noise = sd, seed

    def total(self, frames: Tensor, at: Tensor) -> Tensor:
        """Return sums over areas (N, T, M) of frames (N, T, H W) of the windows `at` (N,)."""
        areas = self._areas[torch.bucketize(at, self._ends, right=True)]
        return torch.einsum("nmp,ntp->ntm", areas.to(frames), frames)


def areas_of(settings: Mapping[str, Any], recording: Recording) -> CutoutMasks:
    """Return the areas (M, H, W) that settings of importance/pixels.yaml ask for, in a session."""
    masks = masks_of(settings, recording, "areas")
    kept = np.flatnonzero(inside(masks))
    return CutoutMasks(tuple(masks.names[one] for one in kept), masks.areas[kept])


def _check_alike(source: _Windows, pool: _Windows) -> None:
    if source.size != pool.size:
        both = (" x ".join(map(str, one.size)) for one in (source, pool))
        raise UserError("images of {} px, but a background of {} px; give one size".format(*both))
    if source.names != pool.names:
        raise UserError("areas: other names in the background; give files of the same areas")


def frames_of(images: Tensor) -> Tensor:
    """Return the frames (N, L + 2, H W) of windows of images (N, L, 3, H, W), as normalised."""
    return torch.cat((images[:, :, 0], images[:, -1, 1:]), dim=1).flatten(2)


def folded(values: Tensor) -> Tensor:
    """Return the values of frames (N, L + 2, H W): the sum of those of all images with them."""
    n, length, channels, *size = values.shape
    total = values.new_zeros(n, length + channels - 1, *size)
    for channel in range(channels):
        total[:, channel : channel + length] += values[:, :, channel]
    return total.flatten(2)
