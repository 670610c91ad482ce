"""Where an atlas lies in each session: by landmarks, or by the mean image of another session.

A transform takes (x, y) of the atlas to (x, y) of a session's movie, in pixels as recorded; x grows
to the right, y down, the centre of the first pixel is (0, 0). Areas of the atlas, taken to each
session, are ROIs and cut-out masks of the same names in all mice: what is averaged over mice is
averaged area by area. No atlas comes with this package: its licence is the user's choice.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile
from scipy.ndimage import gaussian_filter
from scipy.optimize import minimize
from skimage import transform

from mesodecode.base.files import UserError, atomic_path, read_json, write_text
from mesodecode.base.tables import read_table
from mesodecode.recordings import wfield
from mesodecode.recordings.corrections.motion import Registration
from mesodecode.recordings.masks import of_polygons, whole_labels
from mesodecode.recordings.readers.image_files import read_image
from mesodecode.recordings.recording import Recording

ATLAS = "atlas"  # what the atlas is called in a table of landmarks
KINDS = {"similarity": 2, "affine": 3}  # transform -> landmarks that it needs
ANGLES = np.arange(-20, 21, 4)  # degrees that a session may be turned against another
# Correlation of images below which they are not taken for one mouse: outline and sinus alone make
# it 0.5 to 0.6 for simulated mice of other vessels.
WORST_MATCH = 0.65
COLUMNS = [
    *("mouse", "session", "by", "transform", "landmarks", "rms_px", "worst", "worst_px"),
    *("correlation", "xx", "xy", "x0", "yx", "yy", "y0"),
]


@dataclass(frozen=True)
class Alignment:
    """The atlas in a session: x' = xx x + xy y + x0, y' = yx x + yy y + y0, `matrix` (3, 3).

    `by` landmarks, or the session whose image it was registered to with `correlation`. `points`
    are the session's own landmarks, name -> (x, y) px, and `errors` their distances in px from
    where the transform takes those of the atlas.
    """

    mouse: str
    session: str
    by: str
    matrix: np.ndarray
    points: dict[str, np.ndarray]
    errors: dict[str, float]
    correlation: float = float("nan")

    def row(self, kind: str) -> tuple:
        """Return the row of `COLUMNS`."""
        distances = list(self.errors.values())
        rms = np.sqrt(np.mean(np.square(distances))) if distances else np.nan
        worst = max(self.errors, key=lambda name: self.errors[name]) if distances else ""
        about = self.mouse, self.session, self.by, kind, len(distances), rms, worst
        return (*about, self.errors.get(worst, np.nan), self.correlation, *self.matrix[:2].ravel())


def read_landmarks(
    path: str | Path, recordings: Sequence[Recording] = (), atlas: str | Path = ""
) -> dict[str, dict[str, np.ndarray]]:
    """Read a table of landmarks: columns session (or "atlas"), landmark, x and y in px.

    A path that holds {session} names a file of wfield for each of the `recordings`; if the file
    `atlas` is wfield's, in mm, so are the atlas's landmarks.
    """
    if "{session}" in str(path):
        sessions = [(recording.mouse, recording.session) for recording in recordings]
        mm = Path(atlas).suffix.lower() == ".json" and wfield.areas(atlas) is not None
        return wfield.landmarks(path, sessions, atlas=ATLAS, mm=mm)
    table = read_table(path, ("session", "landmark", "x", "y"), ("x", "y"))
    found: dict[str, dict[str, np.ndarray]] = {}
    for row in table.itertuples():
        mine = found.setdefault(row.session, {})
        if row.landmark in mine:
            raise UserError(f"{path}: landmark {row.landmark} of {row.session} is there twice")
        if not np.isfinite([row.x, row.y]).all():
            raise UserError(f"{path}: landmark {row.landmark} of {row.session} has no x or y")
        mine[row.landmark] = np.array([row.x, row.y])
    if ATLAS not in found:
        raise UserError(
            f"{path}: no row with session '{ATLAS}'; it needs the atlas's landmarks too"
        )
    return found


def align(
    sessions: Sequence[tuple[Recording, np.ndarray]],
    landmarks: Mapping[str, Mapping[str, np.ndarray]],
    kind: str,
) -> Iterator[Alignment]:
    """Yield where the atlas lies in each session, given with its mean image (H, W) as recorded.

    A session without landmarks is registered to the first one of its mouse that has some, by its
    mean image. Raises UserError where neither works.
    """
    unknown = set(landmarks) - {r.session for r, _ in sessions} - {ATLAS}
    if unknown:
        raise UserError(f"landmarks of '{min(unknown)}', which is no session here; check its name")
    for recording, image in sessions:
        mouse, session = recording.mouse, recording.session
        if session in landmarks:
            matrix, errors = fit_landmarks(landmarks[ATLAS], landmarks[session], kind, session)
            yield Alignment(mouse, session, "landmarks", matrix, dict(landmarks[session]), errors)
            continue
        marked = [(r, i) for r, i in sessions if r.mouse == mouse and r.session in landmarks]
        if not marked:
            raise UserError(
                f"session '{session}': no landmarks of it, nor of another session of mouse {mouse}"
            )
        (other, reference) = marked[0]
        between, correlation = register(image, reference)
        if correlation < WORST_MATCH:
            raise UserError(
                f"session '{session}': its mean image does not match that of '{other.session}' "
                f"(correlation {correlation:.2f}); give it landmarks of its own"
            )
        matrix, _ = fit_landmarks(landmarks[ATLAS], landmarks[other.session], kind, other.session)
        yield Alignment(mouse, session, other.session, between @ matrix, {}, {}, correlation)


def fit_landmarks(
    atlas: Mapping[str, np.ndarray], points: Mapping[str, np.ndarray], kind: str, session: str
) -> tuple[np.ndarray, dict[str, float]]:
    """Return the transform (3, 3) that fits landmarks best, by least squares, and their errors, px.

    A `similarity` turns, scales and shifts, an `affine` also shears: with few landmarks it follows
    their errors. Raises UserError for landmarks that the atlas has not, too few, or on a line.
    """
    unknown = set(points) - set(atlas)
    if unknown:
        raise UserError(f"session '{session}': the atlas has no landmark '{min(unknown)}'")
    names = list(points)
    source, target = (np.array([marks[n] for n in names]) for marks in (atlas, points))
    needs = KINDS[kind]
    if len(names) < needs or np.linalg.matrix_rank(source - source.mean(0), tol=1e-6) < needs - 1:
        raise UserError(
            f"session '{session}': {len(names)} landmarks; a transform that is {kind} needs "
            f"{needs} or more" + (", not on one line" if needs > 2 else " in different places")
        )
    if kind == "similarity":
        matrix = transform.SimilarityTransform.from_estimate(source, target).params
    else:  # AffineTransform.from_estimate minimises something else than distances in the target
        columns = np.column_stack([source, np.ones(len(source))])
        matrix = np.vstack([np.linalg.lstsq(columns, target, rcond=None)[0].T, (0, 0, 1)])
    distances = np.linalg.norm(transform.matrix_transform(source, matrix) - target, axis=1)
    return matrix, dict(zip(names, distances.tolist(), strict=True))


def register(image: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the similarity (3, 3) from a reference image to an image, and their correlation.

    Both (H, W) of one mouse: vessels are what is matched. First the best of `ANGLES`, each with the
    shift of a phase correlation, then angle, scale and shift together (Nelder & Mead 1965).
    """
    if image.shape != reference.shape:
        raise UserError(
            f"mean images of {image.shape} and {reference.shape} px; they must be alike"
        )
    registration, target = Registration(reference), _detail(reference)

    def moved(parameters: np.ndarray) -> np.ndarray:
        return transform.warp(image, _similarity(parameters, image.shape), order=1, mode="edge")

    def mismatch(parameters: np.ndarray) -> float:
        return -float(np.corrcoef(_detail(moved(parameters)).ravel(), target.ravel())[0, 1])

    image = image.astype(np.float64)
    starts = []
    for angle in ANGLES:
        start = np.array([angle, 0.0, 0.0, 0.0])
        rows, columns = registration.shift(moved(start))
        # To shift the turned image is to look it up elsewhere, before it was turned.
        start[2:] = _similarity(start, image.shape)[:2, :2] @ (-columns, -rows)
        starts.append((mismatch(start), start))
    best = min(starts, key=lambda item: item[0])[1]
    steps = np.array([2.0, 2.0, 1.0, 1.0])  # degrees, %, px, px
    simplex = np.vstack([best, best + np.diag(steps)])
    found = minimize(
        mismatch,
        best,
        method="Nelder-Mead",
        options={"initial_simplex": simplex, "xatol": 1e-3, "fatol": 1e-6, "maxiter": 400},
    )
    return _similarity(found.x, image.shape), -float(found.fun)


def _detail(image: np.ndarray) -> np.ndarray:
    """Return the vessels of an image: detail of 1 px to 1/16 of it, fading towards the edges."""
    image = image.astype(np.float32)
    detail = gaussian_filter(image, 1) - gaussian_filter(image, max(2.0, min(image.shape) / 16))
    return detail * np.outer(*(np.hanning(length + 2)[1:-1] for length in image.shape))


def _similarity(parameters: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the matrix of a turn (degrees) and scaling (%) about the centre and a shift (px)."""
    angle, percent, x, y = parameters
    centre = (np.array(shape[::-1]) - 1) / 2
    turn = transform.SimilarityTransform(scale=1 + percent / 100, rotation=np.deg2rad(angle)).params
    back, forth = np.eye(3), np.eye(3)
    back[:2, 2], forth[:2, 2] = -centre, centre + np.array([x, y])
    return forth @ turn @ back


# --- the areas of the atlas in each session ----------------------------------------------------


def write_areas(
    atlas: str | Path, found: Sequence[Alignment], sizes: Sequence[tuple[int, int]], out: Path
) -> list[str]:
    """Write the atlas's areas in each session: OUT/{session}.tif, or .json if they are polygons.

    `sizes` are height and width of the movies. An area that a session does not show is left out of
    all, so that ROIs are the same everywhere; returns the names of these. Corners of polygons that
    lie beyond the image are moved to its edge. Raises UserError if the atlas is neither a label
    image nor polygons, or no area is left.
    """
    if Path(atlas).suffix.lower() == ".json":
        return _write_polygons(atlas, found, sizes, out)
    labels = whole_labels(read_image(atlas), atlas)
    images = [warp_labels(labels, a.matrix, size) for a, size in zip(found, sizes, strict=True)]
    everywhere = set.intersection(*(set(np.unique(image).tolist()) for image in images)) - {0}
    lost = sorted(set(np.unique(labels).tolist()) - everywhere - {0})
    _check_left(everywhere, atlas)
    for alignment, image in zip(found, images, strict=True):
        kept = np.where(np.isin(image, lost), 0, image)
        with atomic_path(out / f"{alignment.session}.tif") as part:
            tifffile.imwrite(part, kept, photometric="minisblack", compression="zlib")
    return [f"{int(number)}" for number in lost]


def warp_labels(labels: np.ndarray, matrix: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return a label image of the atlas as it lies in a session, `size` (height, width).

    It is uint16, or int32 where labels need it (negative ones are of the right hemisphere).
    """
    back = np.linalg.inv(matrix)
    fits = labels.min() >= 0 and labels.max() <= np.iinfo(np.uint16).max
    return transform.warp(labels, back, output_shape=size, order=0, preserve_range=True).astype(
        np.uint16 if fits else np.int32
    )


def _write_polygons(
    atlas: str | Path, found: Sequence[Alignment], sizes: Sequence[tuple[int, int]], out: Path
) -> list[str]:
    try:
        polygons = wfield.areas(atlas) or read_json(atlas)
        shapes = {name: np.array(xy, dtype=float).reshape(-1, 2) for name, xy in polygons.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(f'{atlas}: needs {{"name": [[x, y], …], …}} ({error})') from error
    every = []
    for alignment, (height, width) in zip(found, sizes, strict=True):
        moved = {}
        for name, corners in shapes.items():
            xy = transform.matrix_transform(corners, alignment.matrix)
            xy = np.clip(xy, 0, (width - 1, height - 1))
            shape = {name: xy.round(3).tolist()}
            if len(dict(of_polygons(shape, height, width, atlas))[name]):
                moved |= shape
        every.append(moved)
    everywhere = set.intersection(*map(set, every))
    _check_left(everywhere, atlas)
    for alignment, moved in zip(found, every, strict=True):
        kept = {name: xy for name, xy in moved.items() if name in everywhere}
        write_text(out / f"{alignment.session}.json", json.dumps(kept))
    return [name for name in polygons if name not in everywhere]


def _check_left(areas: set, atlas: str | Path) -> None:
    if not areas:
        raise UserError(
            f"{atlas}: no area lies in the images of all sessions; are its landmarks in its px?"
        )


def table(found: Sequence[Alignment], kind: str) -> pd.DataFrame:
    """Return `COLUMNS`, a row a session."""
    return pd.DataFrame([alignment.row(kind) for alignment in found], columns=COLUMNS)


def place(image: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """Return x, y, rotation and match of a mean image (H, W) against another."""
    if image.shape != reference.shape:
        return dict.fromkeys(("x", "y", "rotation", "match"), np.nan)
    matrix, match = register(image, reference)
    middle = (np.array(image.shape[::-1]) - 1) / 2
    x, y = (matrix[:2, :2] @ middle + matrix[:2, 2] - middle) / image.shape[::-1] * 100
    rotation = np.rad2deg(np.arctan2(matrix[1, 0], matrix[0, 0]))
    return {"x": x, "y": y, "rotation": rotation, "match": match}
