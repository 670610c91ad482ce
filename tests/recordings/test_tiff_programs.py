"""TIFF files of Micro-Manager, ScanImage, ImageJ and OME whose metadata say more than frames."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
import tifffile

from make_movies import FRAMES, GRAY, read, refusal, ring, without_pixels
from mesodecode.base.files import UserError
from mesodecode.recordings.preprocess import preprocess
from mesodecode.recordings.readers import open_movie
from mesodecode.recordings.readers.image_files import read_image
from mesodecode.study.schema import defaults

T, H, W = FRAMES.shape


def save_mmstack(path, pages, planned, n_channels=1, **summary):
    """Write a file of a Micro-Manager stack; pages: (channel, frame, position, image)."""
    about = {"MicroManagerVersion": "2.0.1", "Prefix": "rec", "Frames": planned, "Slices": 1}
    about |= {"Channels": n_channels, "Positions": 1, "TimeFirst": True, "SlicesFirst": True}
    text = json.dumps(about | summary).encode()
    text += b" " * (len(text) % 2)
    out = bytearray(b"II*\0" + bytes(28) + struct.pack("<II", 2355492, len(text)) + text)
    places = add_pages(out, [image for *_, image in pages])
    ends = len(out)
    out += struct.pack("<II", 3453623, len(pages))
    for (channel, time, position, _), at in zip(pages, places, strict=True):
        out += struct.pack("<5I", channel, 0, time, position, at)
    out[8:16] = struct.pack("<2I", 54773648, ends)
    path.write_bytes(out)


def add_pages(out, images):
    """Add pages as Micro-Manager lays them out; return where they begin."""
    link, places = 4, []
    for image in images:
        at, size = len(out), 2 * image.size
        out[link : link + 4] = struct.pack("<I", at)
        pixels = at + 162
        tags = [(256, 4, W), (257, 4, H), (258, 3, 16), (259, 3, 1), (262, 3, 1), (273, 4, pixels)]
        tags += [(277, 3, 1), (278, 3, H), (279, 4, size), (282, 5, pixels + size)]
        tags += [(283, 5, pixels + size + 8), (296, 3, 3), (51123, 2, pixels + size + 16)]
        out += struct.pack("<H", len(tags))
        for code, kind, value in tags:
            out += struct.pack("<HHII", code, kind, 3 if code == 51123 else 1, value)
        link = len(out)
        out += bytes(4) + image.astype("<u2").tobytes() + struct.pack("<4I", 1, 1, 1, 1) + b"{}\0\0"
        places.append(at)
    return places


def save_ndtiff(folder, pages, cut=14):
    """Write an NDTiff set of two files and their index; pages: (axes, image)."""
    index, text = b"", b'{"Prefix": "rec"}'
    for name, some in (
        ("rec_NDTiffStack.tif", pages[:cut]),
        ("rec_NDTiffStack_1.tif", pages[cut:]),
    ):
        head = struct.pack("<5I", 483729, 3, 3, 2355492, len(text)) + text + b" "
        out = bytearray(b"II*\0" + bytes(4) + head)
        places = add_pages(out, [image for _, image in some])
        (folder / name).write_bytes(out)
        for (axes, _), at in zip(some, places, strict=True):
            said = json.dumps(axes).encode()
            index += (
                struct.pack("<I", len(said)) + said + struct.pack("<I", len(name)) + name.encode()
            )
            index += struct.pack("<IiiiiIii", at + 162, W, H, 1, 0, at, 2, 0)
    (folder / "NDTiff.index").write_bytes(index)


def save_set(folder, planned=T, cut=14, frames=FRAMES):
    """Write a set of two files; return them."""
    files = [folder / "rec_MMStack_Pos0.ome.tif", folder / "rec_MMStack_Pos0_1.ome.tif"]
    pages = [(0, t, 0, frame) for t, frame in enumerate(frames)]
    save_mmstack(files[0], pages[:cut], planned)
    save_mmstack(files[1], pages[cut:], planned)
    return files


def test_an_ndtiff_set_is_one_movie(tmp_path):
    save_ndtiff(tmp_path, [({"time": t}, frame) for t, frame in enumerate(FRAMES)])
    for path in (tmp_path, tmp_path / "rec_NDTiffStack.tif", tmp_path / "rec_NDTiffStack_1.tif"):
        np.testing.assert_array_equal(read(path), FRAMES)
    pages = [({"time": t // 2, "channel": "BV"[t % 2]}, frame) for t, frame in enumerate(FRAMES)]
    save_ndtiff(tmp_path, pages)
    np.testing.assert_array_equal(read(tmp_path, channels=2), FRAMES)
    assert "a stack of 2 channels" in refusal(tmp_path / "rec_NDTiffStack.tif")
    pages = [({"position": t % 2, "time": t // 2}, frame) for t, frame in enumerate(FRAMES)]
    save_ndtiff(tmp_path, pages)
    assert "images of 2 positions" in refusal(tmp_path / "rec_NDTiffStack.tif")


@pytest.mark.parametrize("size", [1, 4, 100])
@pytest.mark.parametrize("planned", [T, 2 * T])
def test_a_micromanager_set_is_one_movie_up_to_its_last_frame(tmp_path, size, planned, capsys):
    files = save_set(tmp_path, planned)
    for path in (tmp_path, *files, files, str(tmp_path / "*.tif")):
        np.testing.assert_array_equal(read(path, size), FRAMES)
    told = f"{T} of {planned} planned frames" in capsys.readouterr().err
    assert told == (planned > T)


def test_a_micromanager_stack_of_one_file_that_was_stopped(tmp_path, caplog):
    path = tmp_path / "rec_MMStack_Pos0.ome.tif"
    save_mmstack(path, [(0, t, 0, frame) for t, frame in enumerate(FRAMES)], 5 * T)
    np.testing.assert_array_equal(read(path), FRAMES)
    assert not caplog.records


def test_a_micromanager_set_without_its_first_file_is_refused(tmp_path):
    files = save_set(tmp_path)
    files[0].unlink()
    assert "begins with frame 14 of its set, but 0 frames are before it" in refusal(files[1])


def test_a_micromanager_set_whose_files_were_renamed_is_read_in_their_order(tmp_path):
    for file, name in zip(save_set(tmp_path), ("m.tif", "m_1.tif"), strict=True):
        file.rename(tmp_path / name)
    np.testing.assert_array_equal(read(tmp_path), FRAMES)
    assert "begins with frame 14" in refusal(tmp_path / "m_1.tif")
    tifffile.imwrite(tmp_path / "m.tif", FRAMES[:9], **GRAY)
    with pytest.raises(UserError, match="begins with frame 14 of its set, but 9 frames"):
        read(tmp_path)


def test_a_gap_in_a_micromanager_set_is_refused(tmp_path):
    pages = [(0, t, 0, frame) for t, frame in enumerate(FRAMES) if t != 3]
    save_mmstack(tmp_path / "rec_MMStack_Pos0.ome.tif", pages[:9], T)
    save_mmstack(tmp_path / "rec_MMStack_Pos0_1.ome.tif", pages[9:], T)
    assert "frame 3 of its set is missing" in refusal(tmp_path / "rec_MMStack_Pos0.ome.tif")


def test_a_frame_of_a_micromanager_stack_that_lies_behind_its_end_is_refused(tmp_path):
    path = tmp_path / "rec_MMStack_Pos0.ome.tif"
    save_mmstack(path, [(0, t, 0, frame) for t, frame in enumerate(FRAMES)], T)
    content = path.read_bytes()
    path.write_bytes(content[:-4] + struct.pack("<I", len(content)))  # of the last, by the index
    assert f"frame {T - 1} of its set is cut off; truncated?" in refusal(path)


def test_channels_of_a_micromanager_stack_take_turns(tmp_path, capsys):
    path = tmp_path / "rec_MMStack_Pos0.ome.tif"
    pages = [(i % 2, i // 2, 0, frame) for i, frame in enumerate(FRAMES)]  # stopped in a cycle
    save_mmstack(path, pages, T, n_channels=2)
    np.testing.assert_array_equal(read(path, channels=2), FRAMES)
    assert f"{T} of {2 * T} planned frames" in capsys.readouterr().err
    assert "set channels: 2 and signal_channel" in refusal(path)
    files = [path, tmp_path / "rec_MMStack_Pos0_1.ome.tif"]
    for file, some in zip(files, (pages[:9], pages[9:]), strict=True):
        save_mmstack(file, some, T, n_channels=2)
    for given in (files, files[0]):  # a list of two files is no list of two wavelengths
        np.testing.assert_array_equal(read(given, channels=2), FRAMES)
    with pytest.raises(
        UserError, match="separate, but one movie is named: set wavelengths: in_turn"
    ):
        read(files, channels=2, wavelengths="separate")
    files[1].unlink()
    pages = [(1, i, 1, frame) for i, frame in enumerate(FRAMES)]  # all others were not taken
    for file, some in ((path, pages[:9]), (tmp_path / "rec_MMStack_Pos1.ome.tif", pages[9:])):
        save_mmstack(file, some, T, n_channels=2, Positions=3, ChNames=["405", "470"])
    np.testing.assert_array_equal(read(path), FRAMES)
    with open_movie(path) as movie:
        assert not list(movie.names)  # of two, as one was taken


def test_files_name_their_channels(tmp_path):
    pages = [(i % 2, i // 2, 0, frame) for i, frame in enumerate(FRAMES)]
    path = tmp_path / "rec_MMStack_Pos0.ome.tif"
    save_mmstack(path, pages, T, n_channels=2, ChNames=["405", "470"])
    with open_movie(path, channels=2) as movie:
        assert movie.names == ["405", "470"]
    named = {"axes": "TCYX", "Channel": {"Name": ["violet", "blue"]}}
    for i, part in enumerate(np.split(FRAMES[:20].reshape(10, 2, *FRAMES.shape[1:]), 2)):
        file = tmp_path / "parts" / f"s_{i}.ome.tif"
        file.parent.mkdir(exist_ok=True)
        tifffile.imwrite(file, part, ome=True, metadata=named, **GRAY)
    for path in (file, tmp_path / "parts"):
        with open_movie(path, channels=2) as movie:
            assert movie.names == ["violet", "blue"]
    files = {"movie": file, "behavior": "b.csv", "session": "s", "mouse": "m", "frame_rate": 30}
    settings = defaults("corrections") | {"channels": 2}
    with pytest.raises(UserError, match=r"signal_channel 1 is violet.*signal_channel: 2"):
        preprocess(tmp_path / "o.h5", **files, corrections=settings)


def test_several_positions_are_refused(tmp_path):
    path = tmp_path / "rec_MMStack_Pos0.ome.tif"
    pages = [(0, i // 2, i % 2, frame) for i, frame in enumerate(FRAMES)]
    save_mmstack(path, pages, T, Positions=2)
    assert "images of 2 positions" in refusal(path)


def save_scanimage(path, frames, **settings):
    """Write a BigTIFF of ScanImage: its settings stand before the first page."""
    text = "".join(f"SI.{key.replace('__', '.')} = {value}\n" for key, value in settings.items())
    text = text.encode() + b"\0"
    out = bytearray(b"II+\0" + struct.pack("<HHQ", 8, 0, 0))
    out += struct.pack("<IIII", 0x07030301, 4, len(text), 1) + text + b"\0"
    link, software = 8, b"SI.VERSION_MAJOR = 2020\0"
    for frame in frames:
        named, pixels = len(out), len(out) + len(software)
        out += software + frame.tobytes()
        out[link : link + 8] = struct.pack("<Q", len(out))
        tags = [(256, 4, W), (257, 4, H), (258, 3, 16), (259, 3, 1), (262, 3, 1), (273, 16, pixels)]
        tags += [(277, 3, 1), (278, 4, H), (279, 16, frame.nbytes), (305, 2, named)]
        out += struct.pack("<Q", len(tags))
        for code, kind, value in tags:
            out += struct.pack("<HHQQ", code, kind, len(software) if code == 305 else 1, value)
        link = len(out)
        out += bytes(8)
    path.write_bytes(out)


@pytest.mark.parametrize("planned", [1, 5, T, 100, "Inf"])
def test_scanimage_is_read_to_its_last_page_whatever_it_planned(tmp_path, planned):
    path = tmp_path / "file_00001.tif"
    settings = {"hChannels__channelSave": 1, "hStackManager__framesPerSlice": planned}
    save_scanimage(path, FRAMES, **settings)
    with tifffile.TiffFile(path) as tif:
        assert "SI.hStackManager.framesPerSlice" in tif.scanimage_metadata["FrameData"]
    np.testing.assert_array_equal(read(path), FRAMES)
    save_scanimage(path, FRAMES, **settings | {"hChannels__channelSave": "[1;2]"})
    assert "a stack of 2 channels" in refusal(path)
    np.testing.assert_array_equal(read(path, channels=2), FRAMES)
    save_scanimage(path, FRAMES[:-1], **settings | {"hChannels__channelSave": "[1;2]"})
    np.testing.assert_array_equal(read(path, channels=2), FRAMES[:-1])  # in mid-cycle
    planes = {"hStackManager__enable": "true", "hStackManager__actualNumSlices": 3}
    save_scanimage(path, FRAMES, **settings | planes)
    assert "3 planes of a volume" in refusal(path)
    save_scanimage(path, FRAMES, **settings | planes | {"hStackManager__enable": "false"})
    np.testing.assert_array_equal(read(path), FRAMES)  # planned and not taken
    path.write_bytes(path.read_bytes()[:-3])  # within what says that no page follows
    assert f"ends within page {T - 1}; truncated?" in refusal(path)


def test_imagej_frames_that_were_appended_are_read(tmp_path):
    path = tmp_path / "s.tif"
    said = "ImageJ=1.54f\nimages=4\nframes=4\n"
    with tifffile.TiffWriter(path) as tif:
        for i, frame in enumerate(FRAMES):
            text = {"description": said} if i == 0 else {}
            tif.write(frame, contiguous=False, metadata=None, **text, **GRAY)
    np.testing.assert_array_equal(read(path), FRAMES)


def test_one_image_of_an_ome_file_is_a_movie(tmp_path):
    path = tmp_path / "two.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as tif:
        for frames in (FRAMES, FRAMES[:9] // 2):
            tif.write(frames, metadata={"axes": "TYX"}, **GRAY)
    words = refusal(path)
    assert "2 images" in words and "movie_dataset: Image0, Image1" in words
    np.testing.assert_array_equal(read(path, dataset="Image0"), FRAMES)
    np.testing.assert_array_equal(read(path, dataset="1"), FRAMES[:9] // 2)
    assert "no image 'Image2'" in refusal(path, dataset="Image2")
    with tifffile.TiffWriter(tmp_path / "mask.ome.tif", ome=True) as tif:
        tif.write(FRAMES, metadata={"axes": "TYX"}, **GRAY)
        tif.write(FRAMES[0, :3] // 256, metadata={"axes": "YX"}, **GRAY)
    np.testing.assert_array_equal(read(tmp_path / "mask.ome.tif", dataset="0"), FRAMES)
    tifffile.imwrite(tmp_path / "two_1.ome.tif", FRAMES, ome=True, metadata={"axes": "TYX"}, **GRAY)
    assert "2 images" in refusal(path)  # and as a part of several
    with pytest.raises(Exception, match="2 images"):
        read(tmp_path)


def test_ome_pages_written_one_by_one_are_frames(tmp_path):
    path = tmp_path / "s.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as tif:
        for frame in FRAMES:
            tif.write(frame, contiguous=False, metadata={"axes": "YX"}, **GRAY)
    np.testing.assert_array_equal(read(path), FRAMES)


def test_a_file_that_names_time_has_no_other_axes(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, FRAMES, imagej=True, metadata={"axes": "TYX"})
    assert "names its axes itself; leave movie_axes out" in refusal(path, axes="YXT")
    first, _ = save_set(tmp_path)
    assert "names its axes itself; leave movie_axes out" in refusal(first, axes="YXT")
    tifffile.imwrite(path, FRAMES.transpose(1, 2, 0), photometric="minisblack")
    np.testing.assert_array_equal(read(path, axes="YXT"), FRAMES)


def test_channels_of_a_hyperstack_are_those_of_the_corrections(tmp_path):
    path, frames = tmp_path / "s.tif", FRAMES[:22].reshape(11, 2, H, W)
    tifffile.imwrite(path, frames, imagej=True, metadata={"axes": "TCYX"})
    np.testing.assert_array_equal(read(path, channels=2), FRAMES[:22])
    assert "a stack of 2 channels" in refusal(path, channels=3)
    assert "set channels: 2" in refusal(path, axes="TCYX")
    np.testing.assert_array_equal(read(path, axes="TCYX", channels=2), FRAMES[:22])
    np.testing.assert_array_equal(read(path, channels=None), FRAMES[:22])  # light sources tell
    tifffile.imwrite(path, frames, imagej=True, metadata={"axes": "ZCYX"})
    assert "set movie_axes" in refusal(path, channels=2)
    np.testing.assert_array_equal(read(path, axes="TCYX", channels=2), FRAMES[:22])


RINGS = {
    "to the first": (6, 0, {}),
    "to itself": (150, 149, {}),
    "longer than tifffile looks": (150, 20, {}),
    "compressed": (150, 0, {"compression": "zlib"}),
    "BigTIFF": (150, 75, {"bigtiff": True}),
}


@pytest.mark.parametrize(("n_pages", "back", "options"), RINGS.values(), ids=RINGS)
def test_pages_in_a_ring_are_refused_and_not_read_for_ever(tmp_path, n_pages, back, options):
    ring(tmp_path / "m.tif", n_pages, back, **options)
    said = f"a damaged TIFF file (page {n_pages - 1} is followed by page {back} again)"
    assert said in refusal(tmp_path / "m.tif")
    with pytest.raises(UserError, match="is followed by page"):
        read_image(tmp_path / "m.tif")


def test_pages_in_disorder_are_read_and_in_a_ring_refused(tmp_path):
    """A program may write a page anew behind the others: the first is last in the file here."""
    path = tmp_path / "m.tif"
    with tifffile.TiffWriter(path) as writer:
        for frame in FRAMES[:5]:
            writer.write(frame, contiguous=False, metadata=None)
    with tifffile.TiffFile(path) as tif:
        at = [page.offset for page in tif.pages]
    content = bytearray(path.read_bytes())
    (n_tags,) = struct.unpack_from("<H", content, at[0])
    length = 2 + n_tags * 12 + 4
    struct.pack_into("<I", content, 4, len(content))
    content += content[at[0] : at[0] + length]
    path.write_bytes(content)
    np.testing.assert_array_equal(read(path), FRAMES[:5])
    struct.pack_into("<I", content, at[4] + length - 4, at[1])
    path.write_bytes(content)
    assert "page 4 is followed by page 1 again" in refusal(path)


def test_pcoraw_is_a_bigtiff(tmp_path):
    path = tmp_path / "m.pcoraw"
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for frame in FRAMES:
            writer.write(frame, contiguous=False, metadata=None)
    np.testing.assert_array_equal(read(path), FRAMES)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_page_without_pixels_is_no_frame_of_zeros(tmp_path, compression):
    path = tmp_path / "m.tif"
    with tifffile.TiffWriter(path) as writer:
        for frame in FRAMES:
            writer.write(frame, contiguous=False, metadata=None, compression=compression)
    path.write_bytes(without_pixels(path.read_bytes(), path, 3))
    assert "page 3 is without some of its pixels" in refusal(path)
    with pytest.raises(UserError, match="page 3 is without some of its pixels"):
        read_image(path)


def test_a_page_that_lacks_one_of_its_strips_is_no_frame_with_a_black_bar(tmp_path):
    path = tmp_path / "m.tif"
    with tifffile.TiffWriter(path) as writer:
        for frame in FRAMES:
            writer.write(frame, contiguous=False, metadata=None, rowsperstrip=2)
    with tifffile.TiffFile(path, mode="r+b") as file:
        strips = file.pages[2].tags["StripByteCounts"]
        assert len(strips.value) > 1
        strips.overwrite([*strips.value[:-1], 0])
    assert "page 2 is without some of its pixels" in refusal(path)


def test_a_page_without_pixels_in_another_file_of_an_ome_series_is_refused(tmp_path):
    ids = [f"urn:uuid:00000000-0000-0000-0000-00000000000{i}" for i in range(2)]
    planes = "".join(
        f'<TiffData IFD="{t % 2}" FirstT="{t}" PlaneCount="1">'
        f'<UUID FileName="{t // 2}.ome.tif">{ids[t // 2]}</UUID></TiffData>'
        for t in range(4)
    )
    for i in range(2):
        about = (
            '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="{ids[i]}"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" '
            f'Type="uint16" SizeX="{FRAMES.shape[2]}" SizeY="{FRAMES.shape[1]}" SizeC="1" '
            f'SizeZ="1" SizeT="4"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>{planes}</Pixels>'
            "</Image></OME>"
        )
        with tifffile.TiffWriter(tmp_path / f"{i}.ome.tif") as writer:
            for n, frame in enumerate(FRAMES[2 * i : 2 * i + 2]):
                text = about if n == 0 else None
                writer.write(frame, contiguous=False, metadata=None, description=text)
    np.testing.assert_array_equal(read(tmp_path / "0.ome.tif"), FRAMES[:4])
    second = tmp_path / "1.ome.tif"
    second.write_bytes(without_pixels(second.read_bytes(), tmp_path / "part.tif", 1))
    assert "page 3 is without some of its pixels" in refusal(tmp_path / "0.ome.tif")
