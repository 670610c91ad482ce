"""Recordings of mice whose truth is known: the simulated cohort.

A movie is made as a microscope makes it. Each mouse has a place and angle under the objective, a
brightness, vessels and bleaching of its own. The cortex shows slow spontaneous activity and, in
chosen ROIs, a signal that goes with running; both pass the kinetics of GCaMP6 (Chen et al. 2013,
Nature 499:295). Fast fluctuations that are not calcium (heart beat, small movements, lamp), shot
noise and a camera are on top. What goes with running without any neuron can be switched on: stray
light, movement of the brain, blood in its vessels. So can faults of a recording: frames that the
camera dropped, flashes, a lamp that flickers, bouts with the wrong label. ROIs are numbered as in
Ajioka et al. 2024: 1-25 left, ROI n+25 the mirror of ROI n.

Every random number comes from a stream named by (seed, mouse) or (seed, mouse, session, purpose):
adding mice or sessions changes no existing one, and the behaviour's stream is not the movie's.
Settings, their units and their defaults are in `workflow/schemas/tables/simulate.yaml`.
"""

import hashlib
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io
import tifffile
from scipy.signal import fftconvolve

from mesodecode.base.files import UserError, atomic_path
from mesodecode.simulation.kinetics import calcium
from mesodecode.simulation.mouse import Mouse, Settings, make_mouse, roi_radius_px
from mesodecode.study import schema, signal_table

RUN_SPEED_THRESHOLD = 0.5  # cm/s; above it a mouse runs (Ajioka et al. 2024)
# Of the five mice of Ajioka et al. 2024; the config's default too.
RUN_SHARES = schema.properties("config")["simulate"]["properties"]["run_shares"]["default"]
SHARE_LIMITS = (0.05, 0.95)  # beyond them a short session could have no bout of one state
PUPIL = 30.0, 5.0  # px, mean and SD
FLASH = 0.5  # light of a flash on the whole image, of the brightest cortex of an average mouse
CHUNK = 256  # frames made at a time: bounds the memory and does not change the numbers


@dataclass(frozen=True)
class Truth:
    """What a decoder should find; for tests and reports only.

    signal (H, W) planted ΔF/F while running, without the global component, below 0 where an area
    falls silent; brain (H, W) bool;
    roi_signal (50,) mean of `signal` in each ROI circle; roi_xy (50, 2) and roi_radius in px;
    run_drive (T,) what the signal is multiplied with in each frame, 0 to 1, free of noise (that of
    an area with a lead of its own is shifted by it); label (T,) uint8, whether the mouse runs,
    whatever the label on record; pupil (T,) its size in SDs from its mean, where it is planted,
    else None; attributes: mouse, session, run_share and every setting.
    """

    signal: np.ndarray
    brain: np.ndarray
    roi_signal: np.ndarray
    roi_xy: np.ndarray
    roi_radius: float
    run_drive: np.ndarray
    label: np.ndarray
    attributes: dict[str, Any]
    pupil: np.ndarray | None = None


@dataclass(frozen=True)
class Simulation:
    """One session: frames (T, H, W) uint16 counts, speed (T,) float32 cm/s, label (T,) uint8 as
    recorded (1 = speed > 0.5 cm/s, but in flipped bouts), rois (50, T) float32 mean counts in each
    ROI circle, and its truth.
    """

    frames: np.ndarray
    speed: np.ndarray
    label: np.ndarray
    rois: np.ndarray
    truth: Truth


def cohort(mice: int, sessions: int) -> list[tuple[str, str, float]]:
    """Return (mouse, session, run share) of a cohort m1, m2, … with sessions m1_s1, m1_s2, …

    Further mice repeat the run shares of the five mice of Ajioka et al. 2024.
    """
    for flag, count in (("mice", mice), ("sessions", sessions)):
        if count < 1:
            raise UserError(f"{flag}: {count} is too few; give at least 1")
    return [
        (f"m{m + 1}", f"m{m + 1}_s{s + 1}", RUN_SHARES[m % len(RUN_SHARES)])
        for m in range(mice)
        for s in range(sessions)
    ]


def simulate_session(*, mouse: str, session: str, run_share: float, **settings: Any) -> Simulation:
    """Return one simulated session of `mouse`, which runs in about `run_share` of its frames.

    `settings` are all fields of `Settings`; ``schema.defaults("simulate")`` gives the defaults.
    The share is met within `share_jitter` and rounding. The same arguments give the same arrays.
    Raises UserError for a name that is no file name, a share beyond `SHARE_LIMITS` or a setting
    out of the schema's range, TypeError for a missing setting.
    """
    check_names(mouse, session)
    if not SHARE_LIMITS[0] <= run_share <= SHARE_LIMITS[1]:
        low, high = SHARE_LIMITS
        raise UserError(f"run_share: {run_share} is out of range; give {low} to {high}")
    s = _checked(settings)
    animal = make_mouse(s, _stream(s.seed, mouse))
    speed, label = _behavior(s, run_share, _stream(s.seed, mouse, session, "behavior"))
    drive = _run_drive(s, label)
    planted, pupil = _planted(s, animal, label, drive), _pupil(s, mouse, session)
    if pupil is not None:
        answer = _answered(s, pupil, s.lead_s).astype(np.float32)
        planted.append((answer, animal.pupil.astype(np.float32)))
    frames = _movie(s, animal, planted, _leak_drive(s, label), mouse, session)
    truth = Truth(
        signal=animal.signal,
        brain=animal.brain > 0.5,
        roi_signal=np.array([animal.signal.flat[pixels].mean() for pixels in animal.rois]),
        roi_xy=animal.roi_xy,
        roi_radius=roi_radius_px(s),
        run_drive=drive,
        label=label,
        attributes={"mouse": mouse, "session": session, "run_share": float(run_share)} | asdict(s),
        pupil=pupil,
    )
    flat = frames.reshape(s.n_frames, -1)
    rois = np.stack([flat[:, pixels].mean(1) for pixels in animal.rois]).astype(np.float32)
    recorded = _flipped(label, s.flipped_bouts, _stream(s.seed, mouse, session, "flipped"))
    return Simulation(frames, speed, recorded, rois, truth)


def write_session(simulation: Simulation, folder: str | Path) -> None:
    """Write the files a lab has, and the truth, into `folder` under the session's name.

    `{session}.tif`, `{session}_behavior.mat` (`runrest` and `speed_rs`, 1 x T; with a pupil that is
    planted also `pupil`, px, and `state`: 0 rest, 1 run with a small and 2 with a large pupil),
    `{session}_roi.mat` (`dat_roi`, 50 x T) and `{session}_truth.h5`. No file holds a date.
    """
    truth = simulation.truth
    stem = Path(folder) / truth.attributes["session"]
    with atomic_path(f"{stem}.tif") as path:
        # No metadata: tifffile would write its own shape and name, which no camera's file has.
        tifffile.imwrite(
            path, simulation.frames, photometric="minisblack", metadata=None, software=False
        )
    behavior = {"runrest": simulation.label, "speed_rs": simulation.speed}
    if truth.pupil is not None:
        behavior["pupil"] = PUPIL[0] + PUPIL[1] * truth.pupil
        behavior["state"] = np.where(truth.label, np.where(truth.pupil > 0, 2, 1), 0)
    _write_mat(f"{stem}_behavior.mat", {k: v[None].astype(float) for k, v in behavior.items()})
    _write_mat(f"{stem}_roi.mat", {"dat_roi": simulation.rois.astype(float)})
    with atomic_path(f"{stem}_truth.h5") as path, h5py.File(path, "w") as file:
        for name in ("signal", "brain", "roi_signal", "roi_xy", "roi_radius", "run_drive", "label"):
            file[name] = getattr(truth, name)
        if truth.pupil is not None:
            file["pupil"] = truth.pupil
        file.attrs.update(truth.attributes)


def _write_mat(path: str, variables: dict[str, np.ndarray]) -> None:
    with atomic_path(path) as name:
        scipy.io.savemat(name, variables, appendmat=False)
        with open(name, "r+b") as file:  # the first 116 bytes are free text; scipy writes the date
            file.write(b"MATLAB 5.0 MAT-file, simulated by mesodecode".ljust(116))


def _checked(settings: dict[str, Any]) -> Settings:
    schema.check(settings, "simulate", "simulate")
    for key, value in settings.items():
        if key in signal_table.LISTS:
            settings = settings | {key: [float(each) for each in value]}
        if schema.properties("simulate")[key]["type"] == "number":
            settings = settings | {key: float(value)}  # 2 and 2.0 make the same bytes
    s = Settings(**settings)
    signal_table.check(asdict(s))
    return s


def check_names(mouse: str, session: str) -> None:
    """Raise UserError unless both names are safe as file names (no folder, no leading dot)."""
    for what, name in (("mouse", mouse), ("session", session)):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
            raise UserError(
                f"{what}: {name!r} is no name; use letters, digits, '_', '.' and '-', "
                "and begin with a letter or digit"
            )


def _stream(seed: int, *names: str) -> np.random.Generator:
    # Not Python's hash(), which differs from one process to the next. No name holds a "/".
    digest = hashlib.sha256("/".join(names).encode()).digest()
    return np.random.default_rng([seed, *np.frombuffer(digest, "<u4").tolist()])


def _behavior(s: Settings, run_share: float, rng: np.random.Generator):
    """Return speed (T,) float32 in cm/s and label (T,) uint8, 1 where speed > 0.5 cm/s."""
    running, bout = _bouts(s, run_share, rng)
    n = s.n_frames
    # Seconds to the nearer end of the bout: a mouse needs about 0.3 s to reach its speed.
    ends = np.flatnonzero(np.diff(bout)) + 0.5
    ends = ends if len(ends) else np.array([-0.5])
    to_end = np.abs(np.arange(n)[:, None] - ends).min(1) / s.frame_rate
    vigour = rng.lognormal(-0.1, 0.4, bout.max() + 1)[bout]
    gait = np.exp(0.2 * _filtered(rng, _exponential(0.2 * s.frame_rate), n, 1)[:, 0])
    run = RUN_SPEED_THRESHOLD * 1.02 + s.run_speed * vigour * gait * -np.expm1(-to_end / 0.3)
    rest = np.minimum(0.1 * np.abs(rng.standard_normal(n)), RUN_SPEED_THRESHOLD * 0.9)
    speed = np.where(running, run, rest).astype(np.float32)
    return speed, (speed > RUN_SPEED_THRESHOLD).astype(np.uint8)


def _bouts(s: Settings, run_share: float, rng: np.random.Generator):
    """Return running (T,) bool and the number of each frame's bout (T,).

    Gamma-distributed bouts are scaled to the session's share, then turned by a random amount, so
    that a short session has both states and the share asked for, and starts anywhere in a bout.
    """
    n = s.n_frames
    share = run_share + 4 * run_share * (1 - run_share) * s.share_jitter * rng.uniform(-1, 1)
    share = np.clip(share, *SHARE_LIMITS)
    shortest = min(share, 1 - share) * n / 3  # so many bouts of 3 frames fit, no more
    cycles = max(1, min(max(3, round(n / (s.cycle_s * s.frame_rate))), int(shortest)))
    weights = 0.15 + rng.gamma(2.0, 0.5, (cycles, 2))
    lengths = n * weights / weights.sum(0) * (share, 1 - share)
    bout = np.searchsorted(np.rint(lengths.ravel().cumsum()), np.arange(n), side="right")
    bout = np.roll(np.minimum(bout, 2 * cycles - 1), rng.integers(n))
    return bout % 2 == 0, bout


def _flipped(label: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Return labels (T,) in which that share of the bouts, rounded down, has the other state.

    Drawn again where one state alone would be left.
    """
    bout = np.concatenate([[0], np.diff(label) != 0]).cumsum()
    n = bout[-1] + 1
    while True:
        chosen = np.zeros(n, np.uint8)
        chosen[rng.choice(n, int(share * n + 1e-9), replace=False)] = 1
        flipped = label ^ chosen[bout]
        if np.ptp(flipped):
            return flipped


def _calcium_kernel(s: Settings) -> np.ndarray:
    """Return the indicator's answer to a unit of neural drive, one value a frame, sum 1."""
    t = np.arange(int(np.ceil(8 * s.tau_decay_s * s.frame_rate)) + 2) / s.frame_rate
    kernel = calcium(t, s.tau_rise_s, s.tau_decay_s)
    return kernel / kernel.sum()


def _exponential(decay_frames: float) -> np.ndarray:
    return np.exp(-np.arange(int(np.ceil(6 * decay_frames)) + 1) / decay_frames)


def _run_drive(s: Settings, label: np.ndarray, more_s: float = 0.0) -> np.ndarray:
    """Return the indicator's answer to running (T,), 0 to 1, shifted by the lead and `more_s`.

    The states of the first and last frame are taken to hold before and after the session.
    """
    return _answered(s, label, s.lead_s + more_s)


def _answered(s: Settings, trace: np.ndarray, lead_s: float) -> np.ndarray:
    """Return the indicator's answer to a trace (T,), earlier by a lead, held at its ends."""
    kernel = _calcium_kernel(s)
    time = np.arange(1 - len(kernel), s.n_frames)
    drive = np.interp(time + lead_s * s.frame_rate, np.arange(s.n_frames), trace)
    return np.convolve(drive, kernel, "valid")


def _pupil(s: Settings, mouse: str, session: str) -> np.ndarray | None:
    """Return the size of the pupil (T,) in SDs from its mean, None where it is not planted.

    Slow noise that knows nothing of running, of mean 0 and SD 1 in each session.
    """
    if not s.pupil_signal:
        return None
    stream = _stream(s.seed, mouse, session, "pupil")
    slow = _exponential(s.pupil_time_s * s.frame_rate)
    trace = _filtered(stream, np.convolve(slow, slow), s.n_frames, 1)[:, 0]
    return (trace - trace.mean()) / trace.std()


def _planted(
    s: Settings, animal: Mouse, label: np.ndarray, drive: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return what is planted as pairs of a drive (T,) and the ΔF/F (H, W) that follows it.

    First that of the common lead, `drive`, which all cortex shares in; then those of other leads.
    """
    leads = np.array(s.signal_leads_s or [0.0] * len(s.signal_rois))
    of_pixel = leads[animal.carrier]
    shared = s.global_fraction * s.run_signal * animal.brain
    parts = [(drive, animal.signal * (of_pixel == 0) + shared)]
    for more in sorted({*leads} - {0.0}):
        parts.append((_run_drive(s, label, more), animal.signal * (of_pixel == more)))
    return [(each.astype(np.float32), of.astype(np.float32)) for each, of in parts]


def _leak_drive(s: Settings, label: np.ndarray) -> np.ndarray:
    """Return how far what is no activity follows running (T,), 0 to 1: within about 0.3 s."""
    response = _exponential(0.3 * s.frame_rate)
    before = np.full(len(response) - 1, label[0])
    return np.convolve(np.concatenate([before, label]), response / response.sum(), "valid")


def _filtered(rng: np.random.Generator, response: np.ndarray, n: int, width: int) -> np.ndarray:
    """Return noise (n, width) of unit variance with the given impulse response in time."""
    white = rng.standard_normal((n + len(response) - 1, width))
    response = response / np.sqrt((response**2).sum())
    return fftconvolve(white, response[:, None], "valid", axes=0)


class _Field:
    """Noise of unit variance, smooth in space: Gaussian bumps on a lattice, each with its noise.

    Two pixels at distance d correlate as exp(-d^2 / 4 length^2). `frames(a, b)` is (b - a, H, W).
    """

    def __init__(self, rng, response: np.ndarray, length: float, n_frames: int, size: int):
        nodes = np.arange(-2, np.ceil(1 / length) + 3) * length
        bumps = np.exp(-0.5 * (((np.arange(size)[:, None] + 0.5) / size - nodes) / length) ** 2)
        bumps /= np.sqrt((bumps**2).sum(1, keepdims=True))
        self.bumps = bumps.astype(np.float32)
        noise = _filtered(rng, response, n_frames, len(nodes) ** 2).astype(np.float32)
        self.noise = noise.reshape(n_frames, len(nodes), len(nodes))

    def frames(self, start: int, stop: int) -> np.ndarray:
        # einsum and not matmul: the sums of a threaded BLAS depend on the number of threads.
        rows = np.einsum("tkl,hk->thl", self.noise[start:stop], self.bumps)
        return np.einsum("thl,wl->thw", rows, self.bumps)


def _movie(
    s: Settings,
    animal: Mouse,
    planted: list[tuple[np.ndarray, np.ndarray]],
    leaking: np.ndarray,
    mouse: str,
    session: str,
) -> np.ndarray:
    """Return the camera's frames (T, H, W) uint16; `planted` as of `_planted`."""
    n, size, rate = s.n_frames, s.image_size, s.frame_rate
    kernels = {
        "slow": np.convolve(_exponential(s.slow_time_s * rate), _calcium_kernel(s)),
        "fast": _exponential(s.fast_time_s * rate),
    }
    lengths = {"slow": s.slow_length, "fast": s.fast_length}
    slow, fast = (
        _Field(_stream(s.seed, mouse, session, k), kernels[k], lengths[k], n, size) for k in kernels
    )
    shot = _stream(s.seed, mouse, session, "shot")
    lamp, flash, source = _faults(s, mouse, session)
    brain, light, leak = (
        getattr(animal, name).astype(np.float32) for name in ("brain", "light", "leak")
    )
    bleach = 1 + animal.bleached * np.expm1(-np.arange(n) / rate / s.bleach_time_s)
    frames = np.empty((n, size, size), np.uint16)
    for start in range(0, n, CHUNK):
        stop = min(start + CHUNK, n)
        photons = np.float32(s.slow_amplitude) * slow.frames(start, stop)
        photons += np.float32(s.fast_amplitude) * fast.frames(start, stop)
        photons *= brain
        for drive, signal in planted:
            photons += drive[start:stop, None, None] * signal
        photons += 1
        lit = (bleach * lamp)[start:stop, None, None].astype(np.float32) * light
        if animal.leak.any():
            lit += leaking[start:stop, None, None].astype(np.float32) * leak
        photons *= lit
        photons += flash[start:stop, None, None]
        np.maximum(photons, 0, out=photons)
        # Shot noise: a Poisson count is as good as normal at this many photons, and far cheaper.
        noise = shot.standard_normal(photons.shape, np.float32)
        photons += np.sqrt(photons) * noise
        counts = np.rint(s.dark_offset + s.gain * photons)
        frames[start:stop] = np.clip(counts, 0, 65535)
    return frames if s.dropped_frames == 0 else frames[source]


def _faults(s: Settings, mouse: str, session: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the lamp's brightness (T,), photons of flashes (T,) and the frame that was kept (T,).

    The first two are 1 and 0, the last the frame's own number, where nothing is wrong.
    """
    n = s.n_frames
    flicker, lit, lost = (_stream(s.seed, mouse, session, k) for k in ("flicker", "flash", "lost"))
    lamp = np.maximum(1 + s.flicker * flicker.standard_normal(n), 0)
    flash = np.zeros(n, np.float32)
    flash[lit.choice(n, round(s.flashes * n), replace=False)] = FLASH * s.photons
    source = np.arange(n)
    source[1 + lost.choice(n - 1, round(s.dropped_frames * n), replace=False)] = 0
    return lamp, flash, np.maximum.accumulate(source)
