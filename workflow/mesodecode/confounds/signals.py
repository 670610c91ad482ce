"""Control signals of a recording: what its movie shows that is none of neurons.

Each control is an array (T, K): a row a frame, K signals that stand for the same in every mouse.
Signals that differ over the image are means over its `tiles`; one with too few pixels gets the mean
of the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from PIL import Image
from scipy.ndimage import binary_dilation, gaussian_filter

from mesodecode.base import records
from mesodecode.base.files import UserError
from mesodecode.base.progress import Progress
from mesodecode.recordings.corrections.motion import Registration
from mesodecode.recordings.masks import tiles
from mesodecode.recordings.readers.image_files import read_image
from mesodecode.recordings.recording import Recording
from mesodecode.study.targets import RUN, Target

BLOCK = 32 << 20  # bytes of frames in memory, as float32
MARGIN = 0.03  # of the shorter side, 2 px at least: so far from the brain begins what is outside
BRIGHT = 0.3  # of the 99th percentile of the mean image: brain, where no mask says so
VESSEL = 0.1  # share of the brain's pixels, the darkest against their surround
SURROUND = 1 / 32  # of the image's shorter side: SD of the Gaussian that is the surround
FEWEST = 4  # pixels of a tile


@dataclass(frozen=True)
class ControlSignals:
    """The controls of one session: name -> (T, K); `missing`: name -> why there is none of it.

    labels (T,), uint8 or the values of another `target`; segment (T,) int64 or None.
    """

    session: str
    mouse: str
    labels: np.ndarray
    segment: np.ndarray | None
    signals: Mapping[str, np.ndarray]
    missing: Mapping[str, str]
    target: Target = RUN


def control_signals(
    recording: Recording, *, brain: np.ndarray | None = None, vessels: np.ndarray | None = None
) -> ControlSignals:
    """Return the controls of a recording; `brain`, `vessels`: masks (H, W) bool of its frames.

    Its labels are those of its target, as of `with_labels_of`.
    mean: of all pixels (K = 1). outside: of pixels farther than `MARGIN` from `brain` (K = tiles).
    vessels: ΔF/F of a tile's vessel pixels less that of the tissue beside them, so that activity,
    which both show, is left out (F0: mean over time less the darkest pixel's, for the camera's
    offset); vessels are the given ones or
    the `VESSEL` of the brain's pixels that are darkest relative to a Gaussian surround of the mean
    image, since haemoglobin absorbs the light (Ma et al. 2016, Phil Trans R Soc B 371: 20150360).
    movement: rows and columns (px) by which a frame lies off the mean image, from the middle, how
    far, and the step since the frame before (K = 4): the shifts of `corrections: motion`, or
    estimated as there. reference: of the tiles of the reference channel, kept by preprocessing.
    """
    dff = recording.unit == "dff"
    with h5py.File(recording.path) as file:
        corrected = file.get("corrections")
        shifts, reference = (
            corrected[name][:] if corrected is not None and name in corrected else None
            for name in ("shifts", "reference")
        )
    parts, missing = _parts(recording, brain, vessels)
    registration = None if shifts is not None or dff else Registration(recording.pixel_mean)
    if shifts is None and dff:
        missing["movement"] = "ΔF/F shows no brain to register (corrections.motion does before it)"
    means, moved = _read(recording, parts, registration)
    found = {"mean": means["mean"][0]}
    if "outside" in means:
        found["outside"] = _filled(means["outside"][0])
        spread = np.ptp(found["outside"], axis=0)
        if (spread <= 1e-6 * np.abs(found["outside"]).max(axis=0)).all():
            missing["outside"] = "corrections.brain_mask has blanked it: no decoder reads it"
    if "vessels" in means:
        found["vessels"] = _vessels(recording, *means["vessels"])
    if "movement" not in missing:
        found["movement"] = _moves(moved if shifts is None else shifts)
    if reference is None:
        missing["reference"] = "no reference channel was recorded (corrections.reference_channel)"
    else:
        found["reference"] = reference.astype(np.float32)
    return ControlSignals(
        session=recording.session,
        mouse=recording.mouse,
        labels=recording.labels,
        segment=recording.segment,
        signals={name: found[name] for name in SIGNALS if name not in missing},
        missing={name: missing[name] for name in SIGNALS if name in missing},
        target=recording.target,
    )


def _parts(
    recording: Recording, brain: np.ndarray | None, vessels: np.ndarray | None
) -> tuple[dict[str, list[np.ndarray]], dict[str, str]]:
    """Return masks (K, H, W) of pixels whose means make a control; why others cannot be made."""
    height, width = recording.shape[1:]
    parts, missing = {"mean": [np.ones((1, height, width), bool)]}, {}
    if brain is None:
        missing["outside"] = "no mask says where the brain is (confounds.brain_mask)"
    else:
        far = ~binary_dilation(brain, iterations=max(2, round(MARGIN * min(height, width))))
        parts["outside"] = [tiles(height, width) & far]
        if not far.any():
            missing["outside"] = "the mask leaves nothing outside the brain"
    if vessels is None and recording.unit != "dff":
        vessels = find_vessels(recording.pixel_mean, brain)
    if vessels is None:
        missing["vessels"] = (
            "vessels are no darker than tissue in ΔF/F, and no mask says where they are "
            "(confounds.vessel_mask)"
        )
    else:
        inside = np.ones_like(vessels) if brain is None else brain
        beside = binary_dilation(vessels, iterations=2) & ~vessels & inside
        grid = tiles(height, width)
        enough = ((grid & vessels).sum((1, 2)) >= FEWEST) & (grid & beside).any((1, 2))
        parts["vessels"] = [(grid & one) * enough[:, None, None] for one in (vessels, beside)]
        if not enough.any():
            missing["vessels"] = "vessels of too few pixels"
    return {name: masks for name, masks in parts.items() if name not in missing}, missing


def _vessels(recording: Recording, dark: np.ndarray, tissue: np.ndarray) -> np.ndarray:
    """Return ΔF/F of vessels (T, K) less that of the tissue beside them."""
    if recording.unit != "dff":
        # ΔF/F less the camera's offset, or activity would be a smaller share of darker pixels.
        offset = recording.pixel_mean.min()
        dark, tissue = (
            (values - values.mean(axis=0)) / (values.mean(axis=0) - offset)
            for values in (dark, tissue)
        )
    return _filled(dark - tissue)


def _read(
    recording: Recording,
    parts: Mapping[str, Sequence[np.ndarray]],
    registration: Registration | None,
) -> tuple[dict[str, list[np.ndarray]], np.ndarray]:
    """Return means (T, K) of each part's masks (K, H, W), NaN where empty, and shifts (T, 2)."""
    names = [(name, n) for name, masks in parts.items() for n in range(len(masks))]
    flat = np.concatenate([parts[name][n] for name, n in names])
    flat = flat.reshape(len(flat), -1)
    with np.errstate(invalid="ignore"):
        weights = (flat / flat.sum(axis=1, keepdims=True)).astype(np.float32).T
    means = np.empty((len(recording), weights.shape[1]))
    moved = np.zeros((len(recording), 2))
    with Progress(len(recording), "frames", recording.session) as progress:
        step = max(1, BLOCK // (4 * flat.shape[1]))
        for start in range(0, len(recording), step):
            block = recording.read_frames(start, start + step)
            # less the mean image, so that a float32 keeps small changes
            rest = block.reshape(len(block), -1) - recording.pixel_mean.ravel()
            means[start : start + len(block)] = rest @ np.nan_to_num(weights)
            if registration is not None:
                moved[start : start + len(block)] = [registration.shift(one) for one in block]
            progress.update(len(block))
    means += recording.pixel_mean.ravel() @ weights  # NaN where a mask is empty
    stops = np.cumsum([len(parts[name][n]) for name, n in names])[:-1]
    found: dict[str, list[np.ndarray]] = {}
    for (name, _), values in zip(names, np.split(means, stops, axis=1), strict=True):
        found.setdefault(name, []).append(values)
    return found, moved


def find_vessels(mean_image: np.ndarray, brain: np.ndarray | None = None) -> np.ndarray:
    """Return the vessels (H, W) bool of a mean image (H, W): see `control_signals`.

    The surround is a mean over pixels of the brain alone, so that the brain's edge is no vessel.
    """
    image = mean_image.astype(np.float64)
    inside = image >= BRIGHT * np.percentile(image, 99) if brain is None else brain
    sd = SURROUND * min(image.shape)
    share = gaussian_filter(inside.astype(float), sd)
    surround = gaussian_filter(np.where(inside, image, 0), sd) / np.maximum(share, 1e-6)
    ratio = np.where(inside, image / np.where(inside, surround, 1), np.inf)
    return (ratio <= np.quantile(ratio[inside], VESSEL)) & inside


def read_mask(path: str | Path, recording: Recording) -> np.ndarray:
    """Return a mask (H, W) bool for a recording's frames, True above 0.

    An image (.tif, .npy, .png) in pixels of the frames, or of the movie before binning and
    `image_size`; or the truth (.h5) of a simulated session, whose brain it is. Raises UserError if
    it is no such file or does not fit.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".h5":
        with h5py.File(path) as file:
            if "brain" not in file:
                raise UserError(f"{path}: no mask in it; give an image (.tif, .npy, .png)")
            image = file["brain"][:]
    else:
        image = read_image(path)
    size = recording.shape[1:]
    fits = image.ndim == 2 and any(
        image.shape[0] * width == image.shape[1] * height and image.shape[0] >= height
        for height, width in (size, recording.recorded_size or size)
    )
    if not fits:
        raise UserError(
            f"{path}: a mask of shape {image.shape}, but {recording.path} has frames of "
            f"{size[0]} x {size[1]} px; draw it on them"
        )
    mask = Image.fromarray((image > 0).astype(np.uint8)).resize(size[::-1], Image.Resampling.BOX)
    return np.asarray(mask) > 0


def write(path: str | Path, sessions: Sequence[ControlSignals]) -> None:
    """Write sessions to HDF5, a group each."""
    with records.creating(path) as file:
        for one in sessions:
            group = file.create_group(one.session)
            group.attrs["mouse"] = one.mouse
            group.attrs.update(one.target.attributes())
            group["labels"] = one.labels
            if one.segment is not None:
                group["segment"] = one.segment
            kept = group.create_group("signals")
            for name, values in one.signals.items():
                kept.create_dataset(name, data=values.astype(np.float32), compression="gzip")
            group.create_group("missing").attrs.update(one.missing)


def read(path: str | Path) -> list[ControlSignals]:
    """Read what `write` wrote. Raises UserError if the file is none."""
    with records.reading(path, "control signals", "control-signals") as file:
        return [
            ControlSignals(
                session=name,
                mouse=str(group.attrs["mouse"]),
                labels=group["labels"][:],
                segment=group["segment"][:] if "segment" in group else None,
                signals={key: values[:] for key, values in group["signals"].items()},
                missing={key: str(why) for key, why in group["missing"].attrs.items()},
                target=Target.of_attributes(group.attrs),
            )
            for name, group in file.items()
        ]


def _filled(values: np.ndarray) -> np.ndarray:
    """Return values (T, K) in which the columns of NaN, tiles without pixels, are the mean tile."""
    return np.where(np.isnan(values), np.nanmean(values, axis=1, keepdims=True), values)


def _moves(shifts: np.ndarray) -> np.ndarray:
    """Return place from the middle one (2 columns), its distance, and the step before (T, 4)."""
    place = shifts - np.median(shifts, axis=0)
    step = np.hypot(*np.diff(place, axis=0, prepend=place[:1]).T)
    return np.column_stack([place, np.hypot(*place.T), step])


# Names of the control signals, and what they are in words.
SIGNALS = {
    "mean": "the mean brightness of the whole image",
    "outside": "the pixels outside the brain",
    "vessels": "the vessels (relative to the tissue beside them)",
    "movement": "the movement of the brain",
    "reference": "the reference channel",
}
