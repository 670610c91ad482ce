"""One movie under two sessions, in whatever files, and files that two sessions share."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
import tifffile

from make import STUDY as PLANNED
from make import fails
from make_movies import save_h5, save_zarr
from mesodecode.base.files import UserError
from mesodecode.cli import main
from mesodecode.recordings import source_files
from mesodecode.recordings.harmonise import harmonise
from mesodecode.recordings.preprocess import preprocess
from mesodecode.recordings.qc_measures import frame_codes
from mesodecode.recordings.same_frames import check_apart
from mesodecode.running.preflight import FAIL
from mesodecode.study import schema
from mesodecode.study import study as studies

T, H, W = 40, 20, 23  # more than the middle, of both parities
FRAMES = np.random.default_rng(4).integers(0, 4000, (T, H, W)).astype(np.uint16)
OTHER = np.random.default_rng(5).integers(0, 4000, (T, H, W)).astype(np.uint16)


def recording(folder, name, save, **settings):
    """Preprocess a movie that `save` writes; return the recording's path."""
    movie = folder / f"{name}.{save[0]}"
    n_frames = save[1](movie) or T
    labels = folder / f"{name}.csv"
    labels.write_text("run\n" + "\n".join(str(i // 4 % 2) for i in range(n_frames)))
    out = folder / f"{name}.rec.h5"
    about = {"session": name, "mouse": f"mouse of {name}", "frame_rate": 30.0}
    more = {"behavior_labels": "run"} | settings
    preprocess(out, movie=movie, behavior=labels, **about, **more)
    return out


def tiff(frames, **options):
    def write(path):
        tifffile.imwrite(path, frames, photometric="minisblack", **options)
        return len(frames)

    return "tif", write


def hdf5(frames):
    return "h5", lambda path: save_h5(path, mov=frames)


CUT = FRAMES[7:31]
BOTH = np.stack([FRAMES, OTHER], axis=1).reshape(-1, H, W)
COPIES = {  # the same frames in other files
    "compressed": (tiff(FRAMES, compression="zlib"), {}),
    "real numbers": (tiff(FRAMES.astype(np.float32)), {}),
    "HDF5": (hdf5(FRAMES.astype(np.float64)), {}),
    "MAT": (("mat", lambda p: scipy.io.savemat(p, {"m": FRAMES.transpose(1, 2, 0)})), {}),
    "NPY, turned": (("npy", lambda p: np.save(p, FRAMES.transpose(0, 2, 1))), {}),
    "Zarr, mirrored": (("zarr", lambda p: save_zarr(p, FRAMES[:, :, ::-1])), {}),
    "cut": (tiff(CUT), {}),
    "every second frame": (tiff(FRAMES[::2]), {}),
    "binned after reading": (tiff(FRAMES), {"image_size": 8}),
}


@pytest.mark.parametrize(("save", "settings"), COPIES.values(), ids=COPIES)
def test_a_copy_of_a_movie_under_another_mouse_is_refused(tmp_path, save, settings):
    paths = [
        recording(tmp_path, "a", tiff(FRAMES)),
        recording(tmp_path, "b", tiff(OTHER)),
        recording(tmp_path, "c", save, **settings),
    ]
    check_apart(paths[:2])
    check_apart(paths[1:])
    with pytest.raises(UserError) as caught:
        check_apart(paths)
    message = str(caught.value)
    assert message.startswith(f"{paths[2]}: session c of mouse mouse of c: ")
    assert f" {paths[0]}, session a of mouse mouse of a: one recording under two" in message
    assert "\n" not in message


def test_a_copy_of_one_wavelength_of_both_is_refused(tmp_path):
    channels = schema.defaults("corrections") | {"channels": 2}
    calls = "b", tiff(BOTH)
    a = recording(tmp_path, "a", tiff(FRAMES))
    labels = "run\n" + "\n".join(str(i // 4 % 2) for i in range(T))
    calls[1][1](tmp_path / "b.tif")
    (tmp_path / "b.csv").write_text(labels)
    files = {"movie": tmp_path / "b.tif", "behavior": tmp_path / "b.csv"}
    about = {"session": "b", "mouse": "m2", "frame_rate": 30.0, "behavior_labels": "run"}
    preprocess(tmp_path / "b.rec.h5", **files, **about, corrections=channels)
    with pytest.raises(UserError, match=f"{T} frames of its movie are also in"):
        check_apart([a, tmp_path / "b.rec.h5"])


def test_the_cohort_is_not_listed_and_other_rates_hide_nothing(tmp_path, capsys):
    paths = [recording(tmp_path, n, s) for n, s in (("a", tiff(FRAMES)), ("b", hdf5(FRAMES)))]
    slow = tmp_path / "b.slow.h5"
    harmonise(paths[1], slow, frame_rate=15.0)
    words = ["cohort", "--out", str(tmp_path / "c.tsv"), "--recordings", str(paths[0])]
    assert main([*words, str(slow)]) == 1
    assert f"{T} frames of its movie are also in" in capsys.readouterr().err
    assert not (tmp_path / "c.tsv").exists()
    assert main(words) == 0


def codes_of(path, codes):
    with h5py.File(path, "w") as file:
        file["frame_codes"] = np.asarray(codes, np.uint64)
        file.attrs.update(session=Path(path).stem, mouse="m")
    return path


def test_frames_that_are_alike_by_chance_are_no_copy(tmp_path):
    """Of a movie of few values codes come again, but in no order; so do frames all of one value."""
    rng = np.random.default_rng(1)
    few = [codes_of(tmp_path / f"{i}.h5", rng.permutation(300)[:200] + 1) for i in range(3)]
    check_apart(few)
    check_apart([codes_of(tmp_path / f"{i}.h5", np.zeros(99)) for i in "ab"])
    twice = [
        np.concatenate([np.repeat(np.arange(50) + 1, 2), np.arange(50) + n]) for n in (99, 999)
    ]
    check_apart([codes_of(tmp_path / f"{i}.h5", codes) for i, codes in enumerate(twice)])
    own = [np.arange(1000) + 1000 * i + 1 for i in range(2)]
    check_apart([codes_of(tmp_path / f"{i}.h5", own[i] - 30 * i) for i in range(2)])  # 3 %
    with pytest.raises(UserError, match="100 frames of its movie"):
        check_apart([codes_of(tmp_path / f"{i}.h5", own[i] - 100 * i) for i in range(2)])
    with pytest.raises(UserError, match="30 frames of its movie"):  # 5 % of a cut of it
        check_apart(
            [codes_of(tmp_path / f"{i}.h5", own[i][: 600 + 400 * i] - 430 * i) for i in range(2)]
        )


@pytest.mark.parametrize("shape", [(16, 16), (3, 4), (17, 31), (40, 25), (128, 128)])
def test_a_frame_is_known_again_whatever_way_it_is_turned(shape):
    frames = np.random.default_rng(2).integers(0, 9, (30, *shape)).astype(np.uint8)
    codes = frame_codes(frames)
    assert len(set(codes.tolist())) == 30 and codes.all()
    for turned in (frames[:, ::-1], frames[:, :, ::-1], frames.transpose(0, 2, 1)):
        assert frame_codes(turned.astype(np.float64)).tolist() == codes.tolist()
        assert frame_codes(np.rot90(turned, axes=(1, 2))).tolist() == codes.tolist()
    signed = np.where(frames == 0, np.float32(-0.0), frames)  # as arithmetic may leave it
    assert np.signbit(signed).any() and frame_codes(signed).tolist() == codes.tolist()
    changed = frames.copy()
    changed[:, shape[0] // 2, shape[1] // 2] += 1
    assert not set(frame_codes(changed).tolist()) & set(codes.tolist())
    shuffled = np.sort(frames.reshape(30, -1), axis=1).reshape(frames.shape)
    assert not set(frame_codes(shuffled).tolist()) & set(codes.tolist())
    assert not frame_codes(np.full((2, *shape), 7, np.uint8)).any()


# --- files, before anything runs ---------------------------------------------------------------

STUDY = {
    "study": "lab",
    "recordings": {"movie": "d/{session}.tif", "behavior": "d/{session}.csv"},
    "mice": {f"m{n}": [f"s{n}"] for n in range(1, 6)},
    "decoders": {"linear": {"model": "logistic_regression"}},
}


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("d").mkdir()
    for n in range(1, 6):
        Path(f"d/s{n}.csv").touch()
        tifffile.imwrite(f"d/s{n}.tif", FRAMES[n : n + 1])
    return Path("d")


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_file_that_is_the_movie_of_two_sessions_is_refused(files, link):
    study = studies.resolve(STUDY)
    source_files.check_apart(study)
    (files / "s4.tif").unlink()
    link(os.path.abspath(files / "s2.tif"), files / "s4.tif")
    words = "d/s4.tif: is the movie of session 's4' of mouse 'm4' and 's2' of mouse 'm2': one"
    with pytest.raises(UserError, match=words):
        source_files.check_apart(study)
    found = source_files.data(study)
    assert found.state == FAIL and words in found.words
    fewer = {"exclude": {"s4": "a link"}, "allocation": {"train": 2}}
    source_files.check_apart(studies.resolve(STUDY | fewer))


def test_a_file_of_behaviour_of_two_sessions_is_said(files, capsys):
    (files / "s4.csv").unlink()
    (files / "s4.csv").symlink_to("s2.csv")
    source_files.check_apart(studies.resolve(STUDY))
    said = "d/s4.csv: behavior of session 's4' of mouse 'm4' and 's2' of mouse 'm2'; do its times"
    assert said in capsys.readouterr().err


def test_folders_and_shared_parts_of_movies(files):
    for name in ("s1", "s2", "s3", "s4", "s5"):
        (files / name).mkdir()
        shutil.move(files / f"{name}.tif", files / name / "1.tif")
        (files / f"{name}_U.npy").symlink_to("U.npy")
    np.save(files / "U.npy", np.zeros(1))
    spatial = STUDY["recordings"] | {"movie": ["d/{session}_U.npy", "d/{session}/1.tif"]}
    source_files.check_apart(studies.resolve(STUDY | {"recordings": spatial}))
    folders = STUDY | {"recordings": STUDY["recordings"] | {"movie": "d/{session}"}}
    source_files.check_apart(studies.resolve(folders))
    shutil.rmtree(files / "s5")
    (files / "s5").symlink_to("s1")
    with pytest.raises(UserError, match="d/s5: is the movie of session 's5'"):
        source_files.check_apart(studies.resolve(folders))


def test_snakemake_says_it_before_anything_runs(lab):
    movies = sorted((lab / "my data").glob("*.tif"))
    movies[1].unlink()
    movies[1].symlink_to(movies[0])
    text = fails(lab, config=PLANNED)
    assert "one recording under two names" in text and movies[1].name in text
