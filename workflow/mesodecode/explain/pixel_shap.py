"""Maps of pixels x time: Deep SHAP of a decoder of images, from the pixels to its output.

As `shap_maps` has them of ROIs, with pixels in their place. What is explained are the images of a
window as the decoder reads them; the values of a frame, a channel of up to three images, are added.

A pixel's value is small and noisy: read areas, of many windows. It costs far more than a map of
ROIs or a cut-out, as every pair of a window and a reference passes the whole CNN there and back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mesodecode.base import records
from mesodecode.base.files import UserError
from mesodecode.base.progress import Progress
from mesodecode.base.windows import IMAGE_REACH, offsets
from mesodecode.decoders.applied import ImageDecoder, Loaded
from mesodecode.decoders.inputs import Images, ImageWindows, Source
from mesodecode.decoders.networks import CNNDecoder, CNNRNNDecoder
from mesodecode.explain import explained
from mesodecode.explain.deepshap import Explanation, explain_deep
from mesodecode.explain.shap_maps import Sums, check_background, drawn, evenly
from mesodecode.recordings.baseline import prepared
from mesodecode.recordings.recording import Recording, mice_of
from mesodecode.study.targets import RUN

BATCH = 5  # windows explained at once; of each batch the background's outputs are had anew
CHANNELS = 2 * IMAGE_REACH + 1


@dataclass(frozen=True)
class PixelMap:
    """Mean SHAP values of pixels (frames, H, W) of one decoder in one allocation.

    Fields as of `shap_files.ShapMap`; image (H, W), the mean image of `session`, the first one.
    """

    decoder: str
    allocation: str
    test_mouse: str
    session: str
    mean_abs: np.ndarray
    signed: np.ndarray
    in_run: np.ndarray
    in_rest: np.ndarray
    frame: np.ndarray
    image: np.ndarray
    frame_rate: float
    output: str
    n_windows: int
    n_run: int
    n_background: int
    background_from: str
    base: float
    completeness_error: float

    def write(self, path: str | Path) -> None:
        """Write the map to `path` (HDF5, float32), whole or not at all."""
        records.write(self, path, single=True)


def read(path: str | Path) -> PixelMap:
    """Read a map. Raises UserError if the file is none."""
    return records.read(path, PixelMap, "shap-pixels")


def pixel_shap(
    loaded: Loaded,
    recordings: Sequence[Recording],
    background_recordings: Sequence[Recording],
    *,
    decoder: str,
    windows: int = 20,
    background: int = 20,
    output: str = "probability",
    seed: int = 123,
) -> PixelMap:
    """Explain `windows` windows of test recordings against `background` windows, pixel by pixel.

    `loaded`: a CNN, or one with a recurrent network, whose frozen CNN's features are not rounded
    here; windows and background are chosen as in `shap_maps.shap_map`, `decoder` is a name.
    Raises UserError as `shap_map` and `explain_deep` do, and if the decoder is no such network.
    """
    network = loaded.decoder.network
    if not isinstance(network, CNNDecoder | CNNRNNDecoder):
        raise UserError(
            f"a '{loaded.kind}' decoder has no CNN to explain; give weights of train-cnn, finetune "
            "or train-rnn"
        )
    allocation = loaded.allocate(mice_of(recordings))
    check_background(allocation, background_recordings)
    source = pool = _source(loaded.decoder, recordings)
    if background_recordings:
        pool = _source(loaded.decoder, background_recordings)
    size = source.image_size
    if size != pool.image_size:
        both = (" x ".join(map(str, one)) for one in (size, pool.image_size))
        raise UserError("images of {} px, but a background of {} px; give one size".format(*both))
    at = source.centres[evenly(len(source.centres), windows)]
    references = _images(pool, pool.centres[drawn(len(pool.centres), background, seed)])
    sums = Sums(frames_of(references), explained.outputs(RUN)[0])
    model = _OfImages(network, size)
    with Progress(len(at), f"windows against {len(references)}", "SHAP of pixels") as progress:
        for part in at.split(BATCH):
            images = _images(source, part)
            found = explain_deep(model, images.flatten(2), references.flatten(2), output=output)
            values = folded(found.values.view_as(images))
            added = Explanation(values, found.base, found.completeness_error)
            sums.add(added, frames_of(images), source.labels[part] > 0.5)
            progress.update(len(part))
    half = (loaded.decoder.half_window or 0) + IMAGE_REACH
    rates = {one.frame_rate for one in recordings}
    return PixelMap(
        decoder=decoder,
        allocation=allocation.id,
        test_mouse=allocation.joined("test"),
        session=recordings[0].session,
        **{key: found.reshape(-1, *size) for key, found in sums.means().items()},
        frame=offsets(half, causal=loaded.decoder.causal),
        image=np.asarray(recordings[0].pixel_mean),
        frame_rate=rates.pop() if len(rates) == 1 else 0.0,
        output=output,
        n_windows=len(at),
        n_run=sums.n_run,
        n_background=len(references),
        background_from="train" if background_recordings else "test",
        base=sums.base,
        completeness_error=sums.error,
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


def _source(decoder: ImageDecoder, recordings: Sequence[Recording]) -> Source:
    recordings = list(prepared(recordings, decoder.normalising))
    if decoder.half_window is None:
        source = Images(recordings, decoder.device)
    else:
        source = ImageWindows(recordings, decoder.half_window, decoder.device)
    if not len(source.centres):
        raise UserError(f"{recordings[0].path}: no frame has a window of images")
    return source


def _images(source: Source, at: Tensor) -> Tensor:
    """Return the images (N, L, 3, H, W) of the windows of the positions `at` (N,)."""
    if isinstance(source, Images):
        return source.batch(at)[:, None].contiguous()
    images, windows = source.batch(at)
    return images[windows].contiguous()


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
