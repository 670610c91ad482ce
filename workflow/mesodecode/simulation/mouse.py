"""The simulated mouse: where its cortex, vessels, ROIs and planted signal lie under the objective.

Part of `simulate`, which says what is simulated and how random numbers are drawn.
"""

from dataclasses import dataclass, make_dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, shift
from scipy.special import ndtr, ndtri

from mesodecode.base.files import UserError
from mesodecode.study import schema

# Atlas: x to the right and y to the back from the image's centre, as fractions of its side.
# ROIs 1-25 of the left hemisphere, (distance from the midline, y).
_ROI_ATLAS = np.array(
    [
        *[(0.055, -0.33), (0.130, -0.32), (0.070, -0.21), (0.160, -0.21)],  # 1-4 M2, M1
        (0.270, -0.15),  # 5 other somatosensory
        *[(0.195, -0.12), (0.225, -0.045), (0.115, -0.09), (0.120, -0.01)],  # 6-9 FL, HL
        *[(0.310, -0.03), (0.320, 0.06), (0.220, 0.05), (0.120, 0.07)],  # 10-13 barrel, trunk
        *[(0.120, 0.15), (0.200, 0.13), (0.045, 0.15), (0.045, 0.27)],  # 14-17 PT, RS
        *[(0.100, 0.23), (0.190, 0.21), (0.140, 0.32), (0.220, 0.29)],  # 18-21 Vm, V1
        *[(0.280, 0.19), (0.300, 0.27), (0.370, 0.13), (0.370, 0.21)],  # 22-25 Vl, A1
    ]
)
_FRONT, _BACK, _HALF_WIDTH = -0.44, 0.42, 0.43  # of the dorsal cortex
_OUTSIDE = 0.06  # light from beside the brain, as a share of the brightest cortex


# The settings of `tables/simulate.yaml`, where each is described with its unit.
Settings = make_dataclass("Settings", schema.properties("simulate"), frozen=True, kw_only=True)


@dataclass(frozen=True)
class Mouse:
    """What is the same in all sessions of a mouse; its signal, where it drifts, on one day.

    brain (H, W) 0 outside to 1 inside the cortex; light (H, W) photons a frame before bleaching;
    leak (H, W), what running adds to it with no neuron active; roi_xy (50, 2) px, pixel centres at
    whole numbers; rois: for each ROI, its pixels as indices into the flattened image; signal (H, W)
    planted ΔF/F; carrier (H, W), by its place in `signal_rois` the ROI that it is of; pupil
    (H, W) ΔF/F of an SD of the pupil; bleached: fraction lost to bleaching.
    """

    brain: np.ndarray
    light: np.ndarray
    leak: np.ndarray
    roi_xy: np.ndarray
    rois: list[np.ndarray]
    signal: np.ndarray
    carrier: np.ndarray
    pupil: np.ndarray
    bleached: float


def make_mouse(s: Settings, rng: np.random.Generator) -> Mouse:
    """Draw a mouse: its place, angle, brightness, vessels and bleaching.

    Turn, scale and a missing hemisphere are as set, so that the same mouse can be shifted by
    degrees: what is drawn does not depend on them.
    """
    # Normal within 2 SD, by the inverse of the distribution: one draw a number, whatever the draw.
    normal = ndtri(ndtr(-2) + rng.random(4) * (ndtr(2) - ndtr(-2)))
    angle = np.deg2rad(s.rotation + s.rotation_sd * normal[0])
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    place = s.position_jitter * normal[1:3]

    def to_pixels(atlas: np.ndarray) -> np.ndarray:  # (N, 2) atlas -> (N, 2) px
        return s.image_size * (s.scale * atlas @ rotation.T + place + 0.5) - 0.5

    rows, columns = np.mgrid[: s.image_size, : s.image_size]
    pixels = np.stack([columns, rows], -1)
    atlas = ((pixels + 0.5) / s.image_size - 0.5 - place) @ rotation / s.scale
    brain = _brain(atlas, edge=0.5 / s.image_size / s.scale)
    bleached = s.bleach_fraction * rng.uniform(0.5, 1.5)
    illumination = 1 - 0.9 * ((atlas - rng.uniform(-0.1, 0.1, 2)) ** 2).sum(-1)
    vessels = _vessels(rng, to_pixels, s.image_size)
    light = _OUTSIDE + (1 - _OUTSIDE) * brain * illumination * vessels
    light = light * np.where(atlas[..., 0] < 0, 1 - s.missing_left, 1)
    roi_xy = to_pixels(np.concatenate([_ROI_ATLAS * (-1, 1), _ROI_ATLAS]))
    distance = np.linalg.norm(pixels[None] - roi_xy[:, None, None], axis=-1)  # (50, H, W)
    photons = s.photons * np.exp(s.brightness_sd * normal[3])
    rois = [np.flatnonzero(d <= roi_radius_px(s)) for d in distance]
    outside = [n for n, roi in enumerate(rois, start=1) if not len(roi)]
    if outside:
        raise UserError(
            f"rotation {s.rotation:g}, scale {s.scale:g}: ROI {outside[0]} lies outside the image; "
            "turn or enlarge less"
        )
    way = rng.uniform(0, 2 * np.pi)  # last, so that nothing else hangs on it
    moved = s.image_size * s.signal_drift * s.day * np.array([np.cos(way), np.sin(way)])
    from_signal = np.linalg.norm(pixels[None] - (roi_xy + moved)[:, None, None], axis=-1)
    signal, carrier = _signal_map(s, from_signal)
    return Mouse(
        brain=brain,
        light=photons * light,
        leak=photons * (_while_running(s, light, vessels) - light),
        roi_xy=roi_xy,
        rois=rois,
        signal=signal * brain,
        carrier=carrier,
        pupil=_pupil_map(s, from_signal) * brain,
        bleached=float(bleached),
    )


def _while_running(s: Settings, light: np.ndarray, vessels: np.ndarray) -> np.ndarray:
    """Return the light (H, W) of a running mouse whose neurons are silent: its vessels hold more
    blood, its brain has moved back, and a lamp shines on all.
    """
    dilated = light + (light - _OUTSIDE) * (vessels**s.vessel_dilation - 1)  # of 0 exactly light
    moved = shift(dilated, (s.movement * s.image_size, 0), order=1, mode="nearest")
    return moved + s.stray_light


def roi_radius_px(s: Settings) -> float:
    """Return the radius of the ROI circles in px."""
    return max(1.0, s.roi_radius * s.image_size)  # a smaller circle can miss all pixel centres


def _brain(atlas: np.ndarray, *, edge: float) -> np.ndarray:
    """Return the outline of the dorsal cortex, (H, W) 0 to 1: an egg, narrow in front."""
    along = np.clip((atlas[..., 1] - _FRONT) / (_BACK - _FRONT), 0, 1)
    half_width = _HALF_WIDTH * np.cbrt(np.sin(np.pi * along**1.5))
    return np.clip((half_width - np.abs(atlas[..., 0])) / (2 * edge) + 0.5, 0, 1)


def _vessels(rng: np.random.Generator, to_pixels, size: int) -> np.ndarray:
    """Return the light that passes the vessels, (size, size) 0 to 1: the sinus and its branches."""
    step, n_steps, n_branches = 0.004, 90, 14
    y = np.arange(_FRONT, _BACK, step)
    sinus = np.stack([np.zeros_like(y), y], -1)
    # Branches leave the sinus sideways on both sides and wander, thinning out as they go.
    side = np.where(np.arange(n_branches) % 2, 1, -1)
    start = rng.uniform(_FRONT + 0.1, _BACK - 0.05, n_branches)
    turns = 0.1 * rng.standard_normal((n_branches, n_steps)).cumsum(1)
    heading = rng.normal(0, 0.5, (n_branches, 1)) + turns
    walk = step * np.stack([side[:, None] * np.cos(heading), np.sin(heading)], -1).cumsum(1)
    branches = walk + np.stack([np.zeros(n_branches), start], -1)[:, None]
    thinning = np.tile(np.linspace(0.8, 0.15, n_steps), n_branches)
    xy = np.rint(to_pixels(np.concatenate([sinus, branches.reshape(-1, 2)]))).astype(int)
    weight = np.concatenate([np.full(len(y), 1.5), thinning])
    inside = ((xy >= 0) & (xy < size)).all(1)
    blood = np.zeros((size, size))
    np.add.at(blood, (xy[inside, 1], xy[inside, 0]), weight[inside])
    # Blood a unit length of vessel, whatever the pixel's size; 0.007 is a vessel's half-width.
    return np.exp(-0.9 * gaussian_filter(blood * step * size, 0.007 * size) * 0.0175 * size)


def _signal_map(s: Settings, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the planted ΔF/F (H, W), and which of the signal ROIs it is of (H, W).

    A raised cosine around each signal ROI, zero beyond it: it has an edge (a Gaussian has none), so
    that ROIs without a signal truly have none. Where two overlap the larger counts.
    """
    chosen = np.array(s.signal_rois) - 1
    amplitude = np.where(chosen < 25, s.run_signal, s.run_signal / s.left_right)
    if s.signal_gains:
        amplitude = amplitude * np.array(s.signal_gains)
    each = amplitude[:, None, None] * _cosines(s, distance[chosen])
    carrier = np.abs(each).argmax(0)
    return np.take_along_axis(each, carrier[None], 0)[0], carrier


def _pupil_map(s: Settings, distance: np.ndarray) -> np.ndarray:
    """Return the ΔF/F (H, W) of an SD of the pupil, with edges as the signal of running has."""
    chosen = np.array(s.pupil_rois) - 1
    amplitude = np.where(chosen < 25, s.pupil_signal, s.pupil_signal / s.left_right)
    return (amplitude[:, None, None] * _cosines(s, distance[chosen])).max(0)


def _cosines(s: Settings, distance: np.ndarray) -> np.ndarray:
    """Return raised cosines (K, H, W) of distances (K, H, W) px: 1 at the centre, then 0."""
    reach = np.clip(distance / (s.signal_radius * s.image_size), 0, 1)
    return 0.5 * (1 + np.cos(np.pi * reach))
