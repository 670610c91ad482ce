"""Files of cameras' and microscopes' own programs: Andor's, those that bioio reads, Motion JPEG."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from typing import ClassVar

import numpy as np
import pytest

from make_movies import FRAMES, H, T, W, read, refusal
from mesodecode.base.files import UserError
from mesodecode.recordings.readers import open_movie, video


def sif_header(n_frames, ticks, image=(1, H, W, 1, 1, 1)):
    """Return what stands before the pixels of a .sif file of version 65567."""
    words = " ".join(["0"] * 16)
    lines = [
        "Andor Technology Multi-Channel File",
        "65538 1",
        f"65567 0 0 1 1540956289 -60{' ' * 11}0 0.01 0.03 0.03 1 \0 0.03 1e-09 0 1 1 0 0 0 "
        f"{words} 0 x",
        "Zyla",
        f"{W} {H}",
        "5",
        "a.sif ",
        "65538 2",
        "ab",
        "65538 \1 \2 \3 \4 0.01 0.02",
    ]
    lines += ["0"] * 8 + ["0 none", "0", "0 0 0 1 0 0 0 0"] + ["0"] * 9
    lines += ["65539 0 1 0 0", "0 1 0 0", "0 1 0 0", "0", "422", "13", "13"]
    axes = "".join(f"{len(name)}\n{name}" for name in ("Pixel number", "Counts", "Pixel number"))
    area = " ".join(map(str, (*image[:4], *image[4:])))
    size = H * W
    head = f"{axes}65541 1 {H} {W} 1 {n_frames} 1 {n_frames * size} {size}\n65538 {area}\n"
    times = "".join(f"{tick}\n" for tick in ticks)
    return ("\n".join(lines) + "\n" + head + times + "0\n").encode()


TICKS = [(4294960000 + 33000 * i) % (1 << 32) for i in range(T)]  # begins again after the first


def test_sif_with_its_time_stamps(tmp_path):
    path = tmp_path / "a.sif"
    path.write_bytes(sif_header(T, TICKS) + FRAMES.astype("<f4").tobytes())
    np.testing.assert_array_equal(read(path), FRAMES)
    with open_movie(path) as movie:
        np.testing.assert_allclose(np.diff(movie.time), 0.033)
    assert "leave movie_axes out" in refusal(path, axes="TXY")
    twice = [*TICKS[:5], TICKS[4], *TICKS[6:]]
    for n, ticks in ((T, [0] * T), (T, twice), (1, TICKS[:1])):  # which tell no times
        path.write_bytes(sif_header(n, ticks) + FRAMES[:n].astype("<f4").tobytes())
        with open_movie(path) as movie:
            assert movie.time is None


@pytest.mark.parametrize("keep", [20, 700, -4])
def test_a_damaged_sif(tmp_path, keep):
    path = tmp_path / "a.sif"
    whole = sif_header(T, TICKS) + FRAMES.astype("<f4").tobytes()
    path.write_bytes(whole[:keep])
    assert "truncated" in refusal(path)


def spool(folder, per_file=2, padding=3, n_frames=T):
    """Write frames as Solis spools them: padded lines and files, numbers with digits reversed."""
    folder.mkdir(exist_ok=True)
    stride, size = 2 * (W + padding), 2 * (W + padding) * H + 40
    about = {"AOIHeight": H, "AOIWidth": W, "AOIStride": stride, "ImageSizeBytes": size}
    text = "".join(f"{key} = {value}\n" for key, value in about.items())
    (folder / "acquisitionmetadata.ini").write_text(f"[data]\n{text}PixelEncoding = Mono16\n")
    (folder / "Spooled files.sifx").write_bytes(sif_header(n_frames, TICKS[:n_frames]))
    images = np.full((-(-T // per_file) * per_file, size), 7, np.uint8)
    lines = np.pad(FRAMES, ((0, 0), (0, 0), (0, padding)), constant_values=9)
    images[:T, : stride * H] = lines.reshape(T, -1).view(np.uint8)
    for i, part in enumerate(np.split(images, len(images) // per_file)):
        part.tofile(folder / f"{str(i)[::-1]:0<10}spool.dat")
    return folder


@pytest.mark.parametrize(("per_file", "padding"), [(1, 0), (2, 3), (5, 1)])
def test_a_folder_that_solis_spooled_to(tmp_path, per_file, padding):
    folder = spool(tmp_path / "s", per_file, padding)
    np.testing.assert_array_equal(read(folder, axes="TYX"), FRAMES)  # as it has them
    np.testing.assert_array_equal(read(folder, size=50), FRAMES)
    np.testing.assert_array_equal(read(folder / "Spooled files.sifx"), FRAMES)
    os.replace(folder / "Spooled files.sifx", folder / "A.SIFX")
    np.testing.assert_array_equal(read(folder / "A.SIFX"), FRAMES)
    np.testing.assert_array_equal(read(folder), FRAMES)
    assert "leave movie_dataset out" in refusal(folder, dataset="frames")
    assert "leave movie_axes out" in refusal(folder, axes="TXY")


def test_a_spooled_folder_that_is_not_whole(tmp_path):
    folder = spool(tmp_path / "s")
    (folder / "1000000000spool.dat").unlink()
    assert f"{T} frames were spooled, but 11 files hold 22; is one not there" in refusal(folder)
    (folder / "acquisitionmetadata.ini").write_text("AOIHeight = 6\nPixelEncoding = Mono12Packed\n")
    assert "without AOIStride, AOIWidth, ImageSizeBytes" in refusal(folder)
    spool(folder)
    ini = folder / "acquisitionmetadata.ini"
    ini.write_text(ini.read_text().replace("Mono16", "Mono12Packed"))
    assert "spooled pixels of type Mono12Packed" in refusal(folder)
    for file in folder.glob("*spool.dat"):
        file.unlink()
    assert "but without a file …spool.dat" in refusal(folder)


# --- bioio, an extra -----------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["nd2", "czi", "lif"])
def test_without_bioio_a_line_says_what_to_install(tmp_path, monkeypatch, suffix):
    monkeypatch.setitem(sys.modules, "bioio", None)  # an import of it fails
    (tmp_path / f"a.{suffix}").write_bytes(b"x")
    assert "pip install 'mesodecode[bioio]'" in refusal(tmp_path / f"a.{suffix}")


class Image:
    """As much of a BioImage as a movie is read by: arrays (T, C, Z, Y, X) by scene."""

    arrays: ClassVar[dict] = {}
    channel_names = ("GCaMP", "405")

    def __init__(self, path):
        self.scenes = tuple(self.arrays)
        self.set_scene(self.scenes[0])

    def set_scene(self, scene):
        self.array = self.arrays[scene]
        lengths = zip("TCZYX", self.array.shape, strict=True)
        self.dims = Dims({axis: (length,) for axis, length in lengths})

    def get_image_dask_data(self, axes):
        assert axes == "TCYX"
        return self.array[:, :, 0].view(Lazy)


class Dims(dict):
    order = "TCZYX"


class Lazy(np.ndarray):
    def compute(self, scheduler):
        return np.asarray(self)


def test_scenes_planes_and_channels_of_bioio(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "bioio", types.SimpleNamespace(BioImage=Image))
    path = tmp_path / "a.nd2"
    path.write_bytes(b"x")
    both = np.stack([FRAMES, FRAMES + 1], axis=1)[:, :, None]
    monkeypatch.setattr(Image, "arrays", {"P1": FRAMES[:, None, None], "P2": both})
    assert "2 scenes" in refusal(path) and "P1, P2" in refusal(path, dataset="P3")
    np.testing.assert_array_equal(read(path, dataset="P1"), FRAMES)
    got = read(path, dataset="P2", channels=2, size=6)
    np.testing.assert_array_equal(got[1::2], FRAMES + 1)
    with open_movie(path, dataset="P2", channels=2) as movie:
        assert movie.names == ["GCaMP", "405"]
    monkeypatch.setattr(Image, "arrays", {"P1": FRAMES[:, None, None]})
    np.testing.assert_array_equal(read(path), FRAMES)  # the only one needs no name
    assert "1 scenes" in refusal(path, dataset="P2") and "P1" in refusal(path, dataset="P2")
    monkeypatch.setattr(Image, "arrays", {"P1": np.stack([FRAMES, FRAMES], 1)[:, None]})
    assert "2 planes" in refusal(path)


def test_a_czi_file_that_its_own_library_wrote(tmp_path):
    """Run where the extra is installed."""
    pytest.importorskip("bioio_czi")
    from pylibCZIrw import czi

    path = tmp_path / "a.czi"
    with czi.create_czi(str(path)) as document:
        for t, frame in enumerate(FRAMES):
            for c in (0, 1):
                document.write(frame + c, plane={"C": c, "T": t, "Z": 0})
    got = read(path, size=6, channels=2)
    np.testing.assert_array_equal(got[::2], FRAMES)
    np.testing.assert_array_equal(got[1::2], FRAMES + 1)
    path.write_bytes(path.read_bytes()[:3000])
    assert "not readable by bioio" in refusal(path)


# --- Motion JPEG 2000 ----------------------------------------------------------------------------


@pytest.mark.parametrize(("wavelet", "kept"), [("dwt53", True), ("dwt97int", False)])
def test_motion_jpeg_2000_says_whether_it_keeps_all(tmp_path, capsys, wavelet, kept):
    import imageio_ffmpeg

    frames = np.repeat(np.repeat(FRAMES, 8, axis=1), 8, axis=2)
    frames.tofile(tmp_path / "raw")
    size = f"{frames.shape[2]}x{frames.shape[1]}"
    words = ["-f", "rawvideo", "-pix_fmt", "gray16le", "-s", size, "-r", "30", "-i", "raw"]
    words += ["-c:v", "jpeg2000", "-pred", wavelet, "-pix_fmt", "gray16le", "a.mov"]
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    subprocess.run([ffmpeg, "-v", "error", *words], cwd=tmp_path, check=True)
    os.replace(tmp_path / "a.mov", tmp_path / "a.mj2")
    got = read(tmp_path / "a.mj2")
    assert np.array_equal(got, frames) is kept
    assert ("compression changes" in capsys.readouterr().err) is not kept
    (tmp_path / "a.mj2").write_bytes(b"x")
    with pytest.raises(UserError, match="not a readable video"):
        read(tmp_path / "a.mj2")


@pytest.mark.parametrize(
    ("before", "style", "lossless"),
    [(b"", 1, True), (b"", 0, False), (b"\xff\x52" + b"\1" * 20, 0, False), (b"", None, False)],
)
def test_a_wavelet_of_whole_numbers_is_told_by_the_image_and_not_by_what_is_before_it(
    tmp_path, before, style, lossless
):
    """Markers SOC and SIZ begin an image; the 14th byte of its segment COD is its wavelet."""
    coding = b"" if style is None else b"\xff\x52" + bytes(11) + bytes([style])
    (tmp_path / "a.mj2").write_bytes(b"mdat" + before + b"\xff\x4f\xff\x51" + bytes(40) + coding)
    assert video._reversible(tmp_path / "a.mj2") == lossless


@pytest.mark.parametrize(
    "error",
    [OSError("no ffmpeg"), RuntimeError("no ffmpeg"), AssertionError("no\n\n no ffmpeg \n \n")],
)
def test_whatever_imageio_raises_of_a_video_is_its_reason(tmp_path, monkeypatch, error):
    import imageio_ffmpeg

    def frames(*_, **__):
        raise error

    monkeypatch.setattr(imageio_ffmpeg, "read_frames", frames)
    (tmp_path / "a.avi").write_bytes(b"x")
    assert refusal(tmp_path / "a.avi").endswith("a.avi: not a readable video (no ffmpeg)")


@pytest.mark.parametrize(("codec", "kept"), [("ffv1,", True), ("rawvideo", True), ("h264,", False)])
def test_codecs_that_keep_all_are_known_with_a_comma_too(tmp_path, monkeypatch, codec, kept):
    import imageio_ffmpeg

    about = {"pix_fmt": "gray(tv)", "codec": codec, "size": (4, 2)}
    monkeypatch.setattr(imageio_ffmpeg, "read_frames", lambda *_, **__: (x for x in (about, b"")))
    assert video.VideoMovie(tmp_path / "a.avi").lossless == kept
