"""An atlas in simulated mice, whose places and angles are known."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scipy.io
import tifffile
from skimage import transform

from mesodecode.base.files import UserError
from mesodecode.base.tables import read_table
from mesodecode.cli import main
from mesodecode.recordings import alignment
from mesodecode.recordings.masks import read_masks
from mesodecode.recordings.recording import read_recording
from mesodecode.simulation.simulate import simulate_session
from mesodecode.study import schema

SIZE, N = 96, 120
LIMBS = {"FL left": 5, "HL left": 7, "FL right": 30, "HL right": 32, "RS": 16}  # of 50 ROIs


def simulated(mouse: str, session: str, **settings):
    settings = {"n_frames": N, "image_size": SIZE, "fast_amplitude": 0.0} | settings
    return simulate_session(
        mouse=mouse, session=session, run_share=0.5, **schema.defaults("simulate", **settings)
    )


UPRIGHT = {"rotation_sd": 0.0, "position_jitter": 0.0}
TURNED = {"rotation_sd": 8.0, "position_jitter": 0.03}


@pytest.fixture(scope="module")
def atlas():
    """A label image of all 50 ROIs of a mouse that lies straight, and their centres (x, y)."""
    truth = simulated("atlas", "atlas", **UPRIGHT).truth
    labels = np.zeros((SIZE, SIZE), np.uint16)
    y, x = np.mgrid[:SIZE, :SIZE]
    for number, (cx, cy) in enumerate(truth.roi_xy, start=1):
        labels[np.hypot(x - cx, y - cy) <= truth.roi_radius] = number
    return labels, truth.roi_xy


def points(xy) -> dict[str, np.ndarray]:
    return {name: xy[i] for name, i in LIMBS.items()}


@pytest.mark.parametrize("kind", ["similarity", "affine"])
def test_planted_landmarks_give_the_planted_transform(atlas, kind):
    _, home = atlas
    for mouse in ("m1", "m2", "m3"):
        away = simulated(mouse, "s1", **TURNED).truth.roi_xy
        matrix, errors = alignment.fit_landmarks(points(home), points(away), kind, "s1")
        # a mouse is turned and shifted, nothing else: all 50 ROIs follow from 5 landmarks
        found = transform.matrix_transform(home, matrix)
        np.testing.assert_allclose(found, away, atol=1e-6)
        assert max(errors.values()) < 1e-6 and list(errors) == list(LIMBS)
        assert np.abs(away - home).max() > 1  # the test can fail


def test_errors_are_of_least_squares_worked_by_hand():
    square = {"a": (0, 0), "b": (2, 0), "c": (0, 2), "d": (2, 2)}
    square = {name: np.array(xy, float) for name, xy in square.items()}
    moved = {name: xy + np.array([10, 20]) for name, xy in square.items()}
    moved["d"] += 1  # one landmark is off along the diagonal
    matrix, errors = alignment.fit_landmarks(square, moved, "affine", "s")
    # of a square's corners an affine cannot follow what has the signs + - - +: a quarter of it
    np.testing.assert_allclose(list(errors.values()), np.sqrt(2) / 4)
    np.testing.assert_allclose(matrix[:2, 2], [9.75, 19.75])


def test_a_row_of_the_table_has_the_errors_of_all_landmarks_and_the_worst():
    matrix = np.arange(1.0, 10).reshape(3, 3)
    by_hand = alignment.Alignment("m1", "s1", "landmarks", matrix, {}, {"a": 3.0, "b": 4.0})
    by_image = alignment.Alignment("m1", "s2", "s1", matrix, {}, {}, correlation=0.9)
    table = alignment.table([by_hand, by_image], "affine")
    assert table["session"].tolist() == ["s1", "s2"] and set(table["transform"]) == {"affine"}
    errors = table[["landmarks", "rms_px", "worst", "worst_px", "correlation"]].to_numpy().tolist()
    nan = pytest.approx(np.nan, nan_ok=True)
    assert errors[0] == [2, pytest.approx(np.sqrt((3**2 + 4**2) / 2)), "b", 4, nan]
    assert errors[1] == [0, nan, "", nan, 0.9]
    assert table.iloc[0][["xx", "xy", "x0", "yx", "yy", "y0"]].tolist() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("angle", "percent", "x", "y"), [(0, 0, 0, 0), (4, 3, 3, -2), (-9, -4, -5, 6), (15, 0, 2, 2)]
)
def test_a_planted_turn_between_sessions_is_found(angle, percent, x, y):
    image = simulated("m1", "s1").frames.mean(axis=0)
    planted = alignment._similarity(np.array([angle, percent, x, y], float), image.shape)
    reference = transform.warp(image, planted, order=3, mode="edge", preserve_range=True)
    rng = np.random.default_rng(0)
    image, reference = (a + rng.normal(0, 2, a.shape) for a in (image, reference))
    found, correlation = alignment.register(image, reference)
    grid = np.stack(np.meshgrid([20, 48, 76], [20, 48, 76]), -1).reshape(-1, 2)
    error = transform.matrix_transform(grid, found) - transform.matrix_transform(grid, planted)
    assert np.linalg.norm(error, axis=1).max() < 0.3
    assert correlation > 0.9


def test_the_image_of_another_mouse_is_refused(atlas):
    _, home = atlas
    made = {mouse: simulated(mouse, "s1") for mouse in ("m1", "m2")}
    images = {mouse: one.frames.mean(axis=0) for mouse, one in made.items()}
    longer = made["m1"].truth.roi_xy * (1, 1.2)  # which no similarity follows
    landmarks = {"atlas": points(home), "s1": points(longer)}
    first, second = (SimpleNamespace(mouse="m1", session=name) for name in ("s1", "s2"))
    good = list(
        alignment.align([(first, images["m1"]), (second, images["m1"])], landmarks, "affine")
    )
    assert good[1].by == "s1" and good[1].correlation > 0.99
    np.testing.assert_allclose(good[1].matrix, good[0].matrix, atol=0.05)
    with pytest.raises(UserError, match=r"'s2': its mean image does not match that of 's1' \(corr"):
        list(alignment.align([(first, images["m1"]), (second, images["m2"])], landmarks, "affine"))


def preprocessed(folder, name, frames, *flags):
    tifffile.imwrite(folder / f"{name}.tif", frames, photometric="minisblack")
    scipy.io.savemat(folder / f"{name}.mat", {"runrest": (np.arange(N) // 20 % 2)[None]})
    words = ["--movie", folder / f"{name}.tif", "--behavior", folder / f"{name}.mat"]
    words += ["--session", name, "--mouse", name[:2], "--out", folder / f"{name}.h5"]
    words += ["--measures", folder / f"{name}_m.h5", *flags]
    assert main(["preprocess", *map(str, words)]) == 0


@pytest.fixture(scope="module")
def cohort(tmp_path_factory, atlas):
    """Two mice, the second with a session that lies otherwise and has no landmarks."""
    folder = tmp_path_factory.mktemp("cohort")
    labels, home = atlas
    tifffile.imwrite(folder / "atlas.tif", labels)
    rows, truth = [("atlas", name, *xy) for name, xy in points(home).items()], {}
    for mouse in ("m1", "m2"):
        made = simulated(mouse, f"{mouse}_s1", **TURNED)
        truth[f"{mouse}_s1"] = made.truth.roi_xy
        preprocessed(folder, f"{mouse}_s1", made.frames)
        rows += [(f"{mouse}_s1", name, *xy) for name, xy in points(made.truth.roi_xy).items()]
    move = alignment._similarity(np.array([3.0, 0.0, 2.0, -1.0]), (SIZE, SIZE))
    turned = [
        transform.warp(f, move, order=1, mode="edge", preserve_range=True) for f in made.frames
    ]
    preprocessed(folder, "m2_s2", np.array(turned).astype(np.uint16), "--image-size", "48")
    truth["m2_s2"] = transform.matrix_transform(truth["m2_s1"], np.linalg.inv(move))
    pd.DataFrame(rows, columns=["session", "landmark", "x", "y"]).to_csv(
        folder / "points.tsv", sep="\t", index=False
    )
    return folder, truth


def run(folder, *words, sessions=("m1_s1", "m2_s1", "m2_s2")) -> int:
    files = ["--recordings", *(folder / f"{s}.h5" for s in sessions)]
    files += ["--measures", *(folder / f"{s}_m.h5" for s in sessions)]
    flags = {"--landmarks": folder / "points.tsv", "--atlas": folder / "atlas.tif"}
    flags["--out"] = folder / "areas"
    given = dict(zip(words[::2], words[1::2], strict=True))
    return main(["align", *map(str, files), *(str(w) for p in (flags | given).items() for w in p)])


def test_areas_lie_on_the_true_rois_and_are_read_as_rois(cohort):
    folder, truth = cohort
    assert run(folder) == 0
    y, x = np.mgrid[:SIZE, :SIZE]
    for session, xy in truth.items():
        labels = tifffile.imread(folder / "areas" / f"{session}.tif")
        assert set(np.unique(labels)) == set(range(51))
        # circles of 2 px radius: their centres of mass are known to about half a pixel
        centres = [(x[labels == n].mean(), y[labels == n].mean()) for n in range(1, 51)]
        assert np.linalg.norm(np.array(centres) - xy, axis=1).max() < 1.0, session
    table = read_table(folder / "areas" / "alignment.tsv", alignment.COLUMNS)
    assert table["by"].tolist() == ["landmarks", "landmarks", "m2_s1"]
    assert (folder / "areas" / "alignment.png").stat().st_size > 10_000
    svg = (folder / "areas" / "alignment.svg").read_text()
    assert "5 landmarks, 0.00 px" in svg and "as m2_s1, r = 1.00" in svg
    flags = ["--roi-masks", folder / "areas" / "m1_s1.tif"]
    frames = tifffile.imread(folder / "m1_s1.tif")
    preprocessed(folder, "m1_s1", frames, *flags)
    recording = read_recording(folder / "m1_s1.h5")
    assert recording.rois.shape == (N, 50) and recording.roi_names[:2] == ("1", "2")
    labels = tifffile.imread(folder / "areas" / "m1_s1.tif")
    np.testing.assert_allclose(recording.rois[:, 5], frames[:, labels == 6].mean(1), rtol=1e-6)


def test_polygons_keep_their_names_and_lost_areas_are_named(cohort, capsys):
    folder, truth = cohort
    box = np.array([[-3, -3], [3, -3], [3, 3], [-3, 3]])
    home = {
        name: xy for name, xy in points(simulated("atlas", "a", **UPRIGHT).truth.roi_xy).items()
    }
    shapes = {name: (xy + box).tolist() for name, xy in home.items()}
    shapes["far away"] = (box + 900).tolist()
    (folder / "atlas.json").write_text(json.dumps({"far away": shapes["far away"]}))
    assert run(folder, "--atlas", folder / "atlas.json") == 1
    assert "no area lies in the images of all sessions" in capsys.readouterr().err
    (folder / "atlas.json").write_text(json.dumps(shapes))
    assert run(folder, "--atlas", folder / "atlas.json", "--transform", "affine") == 0
    assert "left out, since not every session shows them: areas far away" in capsys.readouterr().err
    for session, xy in truth.items():
        found = json.loads((folder / "areas" / f"{session}.json").read_text())
        assert list(found) == list(LIMBS)
        for name, i in LIMBS.items():
            assert np.linalg.norm(np.mean(found[name], axis=0) - xy[i]) < 0.5


def test_an_atlas_whose_sign_tells_hemispheres(cohort, tmp_path):
    """As wfield's: real numbers, NaN outside, the right hemisphere negative."""
    folder, truth = cohort
    labels = tifffile.imread(folder / "atlas.tif").astype(float)
    signed = np.where(labels > 25, 25 - labels, labels)  # -1 to -25 on the right
    np.save(tmp_path / "atlas.npy", np.where(labels == 0, np.nan, signed))
    assert run(folder, "--atlas", tmp_path / "atlas.npy", "--out", tmp_path / "areas") == 0
    assert run(folder) == 0
    for session in truth:
        found = tifffile.imread(tmp_path / "areas" / f"{session}.tif").astype(int)
        same = tifffile.imread(folder / "areas" / f"{session}.tif").astype(int)
        np.testing.assert_array_equal(found, np.where(same > 25, 25 - same, same))
        names = read_masks(tmp_path / "areas" / f"{session}.tif", SIZE, SIZE).names
        assert names[0] == "1 left" and names[25] == "1 right" and len(names) == 50


def write_wfield(folder, truth, home, sessions=("m1_s1", "m2_s1")):
    """What wfield writes: landmarks of sessions, and areas of an atlas of 0.05 mm a px."""

    def table(xy):
        return {"x": xy[:, 0].tolist(), "y": xy[:, 1].tolist(), "name": list(LIMBS)}

    limbs, offset = list(LIMBS.values()), np.array([48.0, 40.0])
    mm = (home - offset) * 0.05
    for session in sessions:
        about = {"landmarks": table(mm[limbs]), "landmarks_im": table(home[limbs])}
        about |= {"landmarks_match": table(truth[session][limbs]), "resolution": 0.05}
        (folder / f"{session}.json").write_text(json.dumps(about))
    corners = 0.05 * np.array([(-3, -3), (3, -3), (3, 3), (-3, 3)])
    areas = {"acronym": {"0": "FL", "1": "HL"}}
    for side, numbers in (("left", (5, 7)), ("right", (30, 32))):
        for axis, name in enumerate("xy"):
            column = [(mm[n] + corners)[:, axis].tolist() for n in numbers]
            areas[f"{side}_{name}"] = dict(zip("01", column, strict=True))
    (folder / "labels.json").write_text(json.dumps(areas))


def test_landmarks_and_areas_of_wfield(cohort, atlas, tmp_path, capsys):
    """In mm with its own areas, in px of the atlas's image with a label image."""
    folder, truth = cohort
    write_wfield(tmp_path, truth, atlas[1])
    words = ["--landmarks", tmp_path / "{session}.json", "--out", tmp_path / "areas"]
    assert run(folder, *words, "--atlas", tmp_path / "labels.json") == 0
    for session in ("m1_s1", "m2_s1", "m2_s2"):
        masks = read_masks(tmp_path / "areas" / f"{session}.json", SIZE, SIZE)
        assert masks.names == ("FL left", "HL left", "FL right", "HL right")
        for name, pixels in zip(masks.names, masks.pixels, strict=True):
            centre = np.mean(np.divmod(pixels, SIZE), axis=1)[::-1]
            assert np.linalg.norm(centre - truth[session][LIMBS[name]]) < 1, (session, name)
    assert run(folder, *words) == 0  # the label image of the atlas, in px
    in_table = folder / "again"
    assert run(folder, "--out", in_table) == 0
    same = [tifffile.imread(at / "m1_s1.tif") for at in (tmp_path / "areas", in_table)]
    np.testing.assert_array_equal(*same)


def test_files_of_wfield_that_do_not_fit(cohort, atlas, tmp_path, capsys):
    folder, truth = cohort
    words = ["--landmarks", tmp_path / "{session}.json"]
    assert run(folder, *words) == 1
    assert "{session}.json: no session has such a file of landmarks" in capsys.readouterr().err
    write_wfield(tmp_path, truth, atlas[1])
    write_wfield(tmp_path, truth, atlas[1] + 1, ["m2_s1"])
    assert run(folder, *words) == 1
    assert "m2_s1.json: its atlas has other landmarks" in capsys.readouterr().err
    (tmp_path / "m1_s1.json").write_text('{"landmarks_im": {}}')
    assert run(folder, *words) == 1
    assert "m1_s1.json: no landmarks_match of wfield in it" in capsys.readouterr().err


def test_what_cannot_be_aligned_is_said(cohort, tmp_path, capsys):
    folder, _ = cohort
    table = pd.read_csv(folder / "points.tsv", sep="\t")
    cases = {
        "no landmarks of it": table[table["session"] != "m1_s1"],
        "no row with session 'atlas'": table[table["session"] != "atlas"],
        "1 landmarks; a transform that is similarity needs 2": table.drop(table.index[6:10]),
        "the atlas has no landmark 'RS'": table.drop(table.index[4]),
        "is there twice": pd.concat([table, table.tail(1)]),
        "which is no session here": table.replace("m1_s1", "m9_s1"),
    }
    for words, rows in cases.items():
        rows.to_csv(tmp_path / "points.tsv", sep="\t", index=False)
        assert run(folder, "--landmarks", tmp_path / "points.tsv") == 1, words
        error = capsys.readouterr().err
        assert words in error and error.count("\n") == 1
    for name, image, words in (
        ("real.npy", np.full((4, 4), 0.5), "whole numbers"),
        ("blank.npy", np.zeros((4, 4)), "no area lies in the images"),
    ):
        np.save(tmp_path / name, image)
        assert run(folder, "--atlas", tmp_path / name) == 1
        assert words in capsys.readouterr().err


def test_landmarks_on_a_line_fit_no_affine():
    for digits in (15, 6):  # thirds, as a table may have them
        line = {name: np.array([round(i / 3, digits), 2.0 * i]) for i, name in enumerate("abcd")}
        with pytest.raises(UserError, match="not on one line"):
            alignment.fit_landmarks(line, line, "affine", "s")
        alignment.fit_landmarks(line, line, "similarity", "s")
    two = "; a transform that is similarity needs 2 or more in different places$"
    for places in ({"a": line["a"]}, {"a": line["a"], "b": line["a"]}):
        with pytest.raises(UserError, match=f"'s': {len(places)} landmarks{two}"):
            alignment.fit_landmarks(places, places, "similarity", "s")


# --- by hand, without a mouse -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("most", "least", "dtype"),
    [
        (65535, 0, np.uint16),
        (65536, 0, np.int32),
        (7, -1, np.int32),
        (7, 0, np.uint16),
    ],
)
def test_areas_are_moved_and_turned_and_keep_their_numbers(most, least, dtype):
    labels = np.array([[1, 1, 2, 2], [1, 1, 2, least], [3, 3, most, most]])
    shift = np.array([[1, 0, 2], [0, 1, 1], [0, 0, 1.0]])
    found = alignment.warp_labels(labels, shift, (3, 5))
    assert found.dtype == dtype
    assert found.tolist() == [[0, 0, 0, 0, 0], [0, 0, 1, 1, 2], [0, 0, 1, 1, 2]]
    turn = np.array([[0, -1, 2], [1, 0, 0], [0, 0, 1.0]])  # a quarter, clockwise as y grows down
    found = alignment.warp_labels(labels, turn, (4, 3))
    assert found.tolist() == np.rot90(labels, -1).tolist()
    larger = alignment.warp_labels(labels, np.diag([2.0, 2, 1]), (6, 8))
    assert set(np.unique(larger)) == {*np.unique(labels), 0} and larger[0, 0] == 1


def test_the_place_of_a_session_is_told_in_shares_of_the_image():
    rng = np.random.default_rng(0)
    scene = alignment.gaussian_filter(rng.normal(size=(60, 70)), 1.5)
    reference, image = scene[5:45, 5:55], scene[3:43, 8:58]  # moved by (-3, 2) px of 50 x 40
    found = alignment.place(image, reference)
    assert found["x"] == pytest.approx(-6, abs=0.3) and found["y"] == pytest.approx(5, abs=0.3)
    assert abs(found["rotation"]) < 0.3 and found["match"] > 0.99
    turned = transform.rotate(scene, -5, order=3)[5:45, 5:55]
    assert alignment.place(turned, reference)["rotation"] == pytest.approx(5, abs=0.3)
    assert np.isnan(list(alignment.place(image, reference[1:]).values())).all()
    assert list(found) == ["x", "y", "rotation", "match"]
    with pytest.raises(UserError) as caught:
        alignment.register(image, reference[1:])
    assert str(caught.value) == "mean images of (40, 50) and (39, 50) px; they must be alike"


def test_corners_beyond_the_image_are_moved_to_its_edge_and_areas_that_all_show_are_kept(tmp_path):
    areas = {
        "both": [[1, 1], [4.12345, 1], [4, 3], [1, 3]],
        "one": [[7, 0], [9, 0], [9, 3], [7, 3]],
        "none": [[90, 90], [99, 90], [99, 99]],
    }
    (tmp_path / "atlas.json").write_text(json.dumps(areas))
    shift = np.array([[1, 0, -2], [0, 1, 1], [0, 0, 1.0]])
    found = [
        alignment.Alignment("m1", name, "landmarks", matrix, {}, {})
        for name, matrix in (("s1", np.eye(3)), ("s2", shift))
    ]
    lost = alignment.write_areas(tmp_path / "atlas.json", found, [(5, 7), (6, 8)], tmp_path)
    assert lost == ["one", "none"]
    first, second = (json.loads((tmp_path / f"s{i}.json").read_text()) for i in (1, 2))
    assert first == {"both": [[1, 1], [4.123, 1], [4, 3], [1, 3]]}
    assert second == {"both": [[0, 2], [2.123, 2], [2, 4], [0, 4]]}
    (tmp_path / "atlas.json").write_text('{"a": [1, 2, 3]}')
    with pytest.raises(UserError, match=r'atlas\.json: needs \{"name": \[\[x, y\], …\], …\} \('):
        alignment.write_areas(tmp_path / "atlas.json", found, [(5, 7), (6, 8)], tmp_path)


def test_labels_that_not_every_session_shows_are_left_out_of_all(tmp_path):
    np.save(tmp_path / "atlas.npy", np.array([[1, 1, 0, 4], [2, 2, 0, 3]]))
    left, up = (np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]]) for x, y in ((-2, 0), (0, -1)))
    for matrix, kept, lost in (
        (left, [[0, 0, 0, 4], [0, 0, 0, 3]], ["1", "2"]),
        (up, [[0, 0, 0, 0], [2, 2, 0, 3]], ["1", "4"]),
    ):
        found = [
            alignment.Alignment("m1", name, "landmarks", one, {}, {})
            for name, one in (("s1", np.eye(3)), ("s2", matrix))
        ]
        sizes = [(2, 4), (2, 4)]
        assert alignment.write_areas(tmp_path / "atlas.npy", found, sizes, tmp_path) == lost
        assert tifffile.imread(tmp_path / "s1.tif").tolist() == kept


def test_tables_of_landmarks_by_name(tmp_path):
    head = "session\tlandmark\tx\ty\n"
    path = tmp_path / "points.tsv"
    for rows, words in (
        ("atlas\ta\t1\t2\natlas\ta\t3\t4\n", "landmark a of atlas is there twice"),
        ("atlas\ta\t1\t\n", "landmark a of atlas has no x or y"),
        ("s1\ta\t1\t2\n", "no row with session 'atlas'; it needs the atlas's landmarks too"),
    ):
        path.write_text(head + rows)
        with pytest.raises(UserError) as caught:
            alignment.read_landmarks(path)
        assert str(caught.value) == f"{path}: {words}"
    path.write_text(head + "s1\ta\t1\t2\natlas\ta\t3\t4\ns1\tb\t5\t6\n")
    found = alignment.read_landmarks(path)
    told = {s: {n: xy.tolist() for n, xy in marks.items()} for s, marks in found.items()}
    assert told == {"s1": {"a": [1, 2], "b": [5, 6]}, "atlas": {"a": [3, 4]}}


@pytest.mark.parametrize(("kind", "n"), [("similarity", 2), ("affine", 3)])
def test_as_many_landmarks_as_a_transform_needs_are_enough(kind, n):
    """Twice as large, a quarter turned and moved by (5, 7)."""
    atlas = dict(zip("abc", np.array([[0.0, 0], [4, 0], [0, 3]]), strict=True))
    atlas = {name: atlas[name] for name in "abc"[:n]}
    points = {name: np.array([5 - 2 * y, 7 + 2 * x]) for name, (x, y) in atlas.items()}
    matrix, errors = alignment.fit_landmarks(atlas, points, kind, "s")
    np.testing.assert_allclose(matrix, [[0, -2, 5], [2, 0, 7], [0, 0, 1]], atol=1e-9)
    assert errors == pytest.approx(dict.fromkeys(atlas, 0), abs=1e-9)


@pytest.mark.parametrize(
    "text", ["3", '["V1"]', '{"V1": 3}', '{"V1": {}}', '{"V1": [[1, 2], [3]]}', '{"V1": ["a", 1]}']
)
def test_an_atlas_of_what_is_no_polygons_is_named(tmp_path, text):
    for name in ("a.json", "a.JSON"):
        (tmp_path / name).write_text(text)
        with pytest.raises(UserError, match=rf'{name}: needs {{"name": '):
            alignment.write_areas(tmp_path / name, [], [], tmp_path)


def test_an_atlas_of_wfield_in_upper_case_is_in_mm_too(tmp_path, monkeypatch):
    rows = [{"acronym": "V1"} | {f"{s}_{a}": [0, 1, 1] for s in ("left", "right") for a in "xy"}]
    asked = []
    monkeypatch.setattr(alignment.wfield, "landmarks", lambda *_, mm, **__: asked.append(mm))
    for name, content in (("a.JSON", rows), ("b.json", {"V1": []}), ("c.tif", rows)):
        (tmp_path / name).write_text(json.dumps(content))
        alignment.read_landmarks("l/{session}.json", [], tmp_path / name)
    assert asked == [True, False, False]
