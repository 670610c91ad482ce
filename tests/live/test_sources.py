"""Where frames come from: files that grow, replays, ZeroMQ, standard input; and what is refused."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import pickle
import re
import socket
import sys
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import tifffile

from make_live import RATE, live, make_weights, movie, offline, table, write
from make_movies import ring, save_h5, without_pixels
from mesodecode.base.files import UserError
from mesodecode.live import frame_sources, growing, zeromq
from mesodecode.live.frame_sources import Feed, Frame, Opened, open_source
from mesodecode.recordings.axes import Asked
from mesodecode.recordings.recording import Recording, read_recording

FRAMES = np.random.default_rng(3).integers(0, 65536, (9, 6, 8)).astype(np.uint16)
ASKED = Asked(None, None, None, None, None)
FLAT = ["--shape", 32, 32, "--dtype", "uint16"]


def taken(opened, timeout=0.3):
    with Feed(opened, timeout) as feed:
        return list(feed)


def check(frames, expected=FRAMES):
    assert [frame.number for frame in frames] == list(range(len(expected)))
    np.testing.assert_array_equal([frame.pixels for frame in frames], expected)
    assert {frame.pixels.dtype for frame in frames} == {expected.dtype}


# --- files that grow ------------------------------------------------------------------------------


def grow(write_one, n=9, pause=0.02):
    def run():
        for i in range(n):
            time.sleep(pause)
            write_one(i)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def followed(opened, thread):
    """Frames of a file that a thread writes, however long the disk makes it wait."""
    with Feed(opened, 30) as feed:
        frames = list(itertools.islice(feed, len(FRAMES)))
    thread.join()
    assert opened.rest() == ""
    return frames


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ({}, {"metadata": None}),
        ({"bigtiff": True}, {"metadata": None, "compression": "zlib"}),
        ({"byteorder": ">"}, {"metadata": None, "compression": "zlib"}),
        ({"bigtiff": True, "byteorder": ">"}, {"rowsperstrip": 2}),
        ({"bigtiff": True, "ome": True}, {}),
        ({}, {"subifds": 0, "tile": (16, 16)}),
    ],
)
def test_a_growing_tiff_file_is_followed(tmp_path, capfd, kind, options):
    path = tmp_path / "m.tif"
    options = {"contiguous": False, "photometric": "minisblack"} | options
    opened = open_source(str(path))  # before it is there
    with tifffile.TiffWriter(path, **kind) as tif:

        def one(i):
            tif.write(FRAMES[i], **options)
            tif.filehandle.flush()

        thread = grow(one)
        frames = followed(opened, thread)
    check(frames)
    assert np.diff([frame.arrived for frame in frames]).sum() > 0.1  # as they came
    assert capfd.readouterr().err == ""  # tifffile's log knows no file that is not whole


def test_a_page_whose_pixels_are_still_being_written_is_not_read(tmp_path):
    """Its place is known before its pixels are there."""
    whole, path = tmp_path / "whole.tif", tmp_path / "m.tif"
    with tifffile.TiffWriter(whole) as tif:
        for frame in FRAMES[:3]:
            tif.write(frame, contiguous=False, metadata=None)
    held = whole.read_bytes()
    with tifffile.TiffFile(whole) as tif:
        first, last = ([page.offset, *page.dataoffsets] for page in (tif.pages[1], tif.pages[2]))
    assert first[0] < first[1] and last[0] < last[1]  # pages before their pixels
    tail = growing.TiffTail(path)
    for size, n in ((first[1] + 5, 1), (last[1] + 95, 1), (len(held), 1), (len(held), 0)):
        path.write_bytes(held[:size])
        assert len(list(tail.frames())) == n
    ends = [first[0], first[1] + 96, last[1] + 96]  # the first page lies before the second
    for size in range(0, len(held), 7):  # wherever its header and its tags are cut off
        path.write_bytes(held[:size])
        tail = growing.TiffTail(path)
        n = len(list(tail.frames()))
        assert n == sum(size >= end for end in ends), size
        assert tail.rest() in ("", f"page {n} is not whole")


@pytest.mark.parametrize(("n_pages", "back"), [(6, 0), (3, 2)])
def test_pages_of_a_growing_tiff_in_a_ring_are_refused(tmp_path, n_pages, back):
    ring(tmp_path / "m.tif", n_pages, back)
    said = f"page {n_pages - 1} is followed by page {back} again"
    with pytest.raises(UserError, match=said):
        for n, _ in enumerate(growing.TiffTail(tmp_path / "m.tif").frames()):
            assert n < n_pages
    with pytest.raises(UserError, match=said):
        taken(open_source(str(tmp_path / "m.tif")))


def test_pages_of_a_growing_tiff_are_not_remembered(tmp_path):
    """Hours of frames: what is kept of a file whose pages follow each other does not grow."""
    path = tmp_path / "m.tif"
    pages(path, np.zeros((400, 2, 2), np.uint16))
    tail = growing.TiffTail(path)
    sizes = [len(pickle.dumps(tail._chain)) for _ in tail.frames()]
    assert len(sizes) == 400 and sizes[-1] < sizes[1] + 20  # digits of a number more


def test_a_flat_file_is_followed_and_a_frame_is_read_once_whole(tmp_path):
    path = tmp_path / "m_6_8_uint16.dat"
    bytes_, step = FRAMES.tobytes(), 37
    with open(path, "wb", buffering=0) as file:
        thread = grow(lambda i: file.write(bytes_[i * step : (i + 1) * step]), 24, 0.002)
        frames = followed(open_source(str(path)), thread)
    check(frames)


def test_a_file_that_does_not_grow_is_looked_at_now_and_then(monkeypatch):
    looks = []
    tail = SimpleNamespace(frames=lambda: looks.append(1) or [])
    monkeypatch.setattr(frame_sources, "PATIENCE", 0.02)
    assert next(frame_sources._followed(tail, False)) is None
    assert len(looks) <= 1 + 0.02 / growing.POLL


def test_a_flat_file_that_ends_within_a_frame_is_said(tmp_path):
    path = tmp_path / "m_6_8_uint16.dat"
    path.write_bytes(FRAMES.tobytes()[:-7])
    with pytest.raises(UserError, match=r"m_6_8_uint16\.dat: ends within a frame, 89 of 96 bytes"):
        taken(open_source(str(path)), 0.05)


def test_a_growing_flat_file_gives_pixels_in_the_order_of_this_machine(tmp_path):
    path = tmp_path / "m_6_8_uint16.dat"
    FRAMES.tofile(path)
    layout = growing.flat.layout_of(path, Asked(None, None, None, None, None))
    turned = replace(layout, dtype=layout.dtype.newbyteorder())
    found = list(growing.FlatTail(path, turned).frames())
    assert all(frame.dtype.isnative for frame in found)
    np.testing.assert_array_equal(found, FRAMES.byteswap())


def test_flat_files_of_another_layout(tmp_path):
    turned = tmp_path / "Frames_6_8_uint16_0001.dat"  # of MATLAB: columns first
    turned = tmp_path / "Frames_1_8_6_uint16_0001.dat"
    FRAMES.transpose(0, 2, 1).tofile(turned)
    check(taken(open_source(str(turned)), 0.05))
    two = tmp_path / "x_2_6_8_uint16.bin"  # of labcams: two channels a time
    FRAMES[:8].tofile(two)
    check(taken(open_source(str(two), channels=2), 0.05), FRAMES[:8])


def pages(path, frames, **options):
    with tifffile.TiffWriter(path) as tif:
        for frame in frames:
            tif.write(frame, contiguous=False, metadata=None, **options)


WRITERS = {"m_6_8_uint16.dat": lambda path, frames: frames.tofile(path), "m.tif": pages}


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_that_lost_what_was_read_ends_it_and_one_that_lost_none_does_not(tmp_path, name):
    path = tmp_path / name
    WRITERS[name](path, FRAMES[:5])
    frames = open_source(str(path)).frames
    assert len(list(itertools.islice(frames, 5))) == 5
    whole = path.stat().st_size
    with open(path, "ab") as file:
        file.write(b"x" * 5)  # of the next one
        assert next(frames) is None
        file.truncate(whole)
        assert next(frames) is None
        file.truncate(whole - 1)
    with pytest.raises(UserError, match=f"{name}: written anew while it was followed"):
        next(frames)


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_is_written_anew_ends_it(tmp_path, name, replaced):
    """Its frames would go on in the middle of others."""
    path, write_ = tmp_path / name, WRITERS[name]
    write_(path, FRAMES[:5])
    opened = open_source(str(path))
    assert len(list(itertools.islice(opened.frames, 5))) == 5
    new = tmp_path / f"new_{name}" if replaced else path
    write_(new, FRAMES[:7] if replaced else FRAMES[:2])
    new.replace(path)
    with pytest.raises(UserError, match=f"{name}: written anew while it was followed"):
        next(opened.frames)


def test_a_file_that_is_put_elsewhere_is_read_to_its_end(tmp_path):
    path = tmp_path / "m_6_8_uint16.dat"
    with open(path, "wb", buffering=0) as file:
        file.write(FRAMES[:5].tobytes())
        opened = open_source(str(path))
        frames = list(itertools.islice(opened.frames, 5))
        path.rename(tmp_path / "done")
        file.write(FRAMES[5:].tobytes())
        check([*frames, *itertools.islice(opened.frames, 4)])


def test_a_damaged_or_missing_page_of_a_tiff_file_is_named(tmp_path):
    path = tmp_path / "m.tif"
    pages(path, FRAMES, compression="zlib")
    with tifffile.TiffFile(path) as tif:
        at = tif.pages[5].dataoffsets[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:at] + b"\xff" * 9 + whole[at + 9 :])
    with pytest.raises(UserError, match=r"m\.tif: page 5 is damaged"):
        taken(open_source(str(path)), 0.05)
    for held in (whole[:at], without_pixels(whole, path, 5)):
        path.write_bytes(held)
        with pytest.raises(UserError, match=r"m\.tif: ends within a frame, page 5 is not whole"):
            taken(open_source(str(path)), 0.05)


def test_a_tiff_file_that_grows_as_it_is_opened_is_followed(tmp_path, monkeypatch):
    path, before = tmp_path / "m.tif", growing.open_movie
    pages(path, FRAMES[:4])

    def then_grows(*args, **options):
        movie = before(*args, **options)
        tifffile.imwrite(path, FRAMES[4], append=True, contiguous=False, metadata=None)
        return movie

    monkeypatch.setattr(growing, "open_movie", then_grows)
    opened = open_source(str(path))
    assert opened.endless
    check(list(itertools.islice(opened.frames, 5)), FRAMES[:5])


def test_a_whole_tiff_file_of_more_pages_than_frames_is_not_followed(tmp_path, monkeypatch):
    """As an LSM file, of which every second page is a small picture of the one before."""
    path = tmp_path / "m.tif"
    pages(path, FRAMES[:6])
    assert growing.tail_of(path, ASKED) is not None
    movie = contextlib.nullcontext(SimpleNamespace(shape=(3, 6, 8)))
    monkeypatch.setattr(growing, "open_movie", lambda *_, **__: movie)
    assert growing.tail_of(path, ASKED) is None


@pytest.mark.parametrize("name", ["typo.tif", "typo_6_8_uint16.dat"])
def test_a_file_that_never_comes_is_an_error(tmp_path, name):
    with pytest.raises(UserError, match=rf"{name}: no frame for 0\.05 s"):
        taken(open_source(str(tmp_path / name)), 0.05)


@pytest.mark.parametrize("imagej", [False, True])
def test_a_finished_tiff_file_is_read_whatever_wrote_it(tmp_path, imagej):
    path = tmp_path / "m.tif"
    tifffile.imwrite(path, FRAMES, imagej=imagej)
    check(taken(open_source(str(path)), 0.05))


def test_frames_of_a_file_that_is_over_do_not_wait(tmp_path):
    """Its rows are not late; those of a file that is being written are, until it is caught up."""
    path = tmp_path / "m_6_8_uint16.dat"
    FRAMES.tofile(path)
    for written, waits in ((time.time(), True), (time.time() - 60, False)):
        os.utime(path, (written, written))
        opened = open_source(str(path), timeout=30)
        frames = list(itertools.islice(opened.frames, len(FRAMES)))
        check(frames)
        assert {frame.arrived > 0 for frame in frames} == {waits}


# --- replays --------------------------------------------------------------------------------------


def test_a_replay_keeps_its_rate(tmp_path):
    np.save(tmp_path / "m.npy", FRAMES)
    frames = taken(open_source(f"{tmp_path}/m.npy", rate=100.0))
    check(frames)
    np.testing.assert_allclose(np.diff([f.arrived for f in frames]), 0.01, atol=1e-6)


def test_a_replay_at_its_own_rate_counts_wavelengths(tmp_path):
    np.save(tmp_path / "m.npy", FRAMES[:8])
    opened = open_source(f"{tmp_path}/m.npy", rate="own", frame_rate=50.0, channels=2)
    arrived = [frame.arrived for frame in taken(opened)]
    np.testing.assert_allclose(np.diff(arrived), 0.01, atol=1e-6)


@pytest.mark.parametrize("held", ["frames", "stack_sd"])
def test_a_movie_in_hdf5_is_no_recording_by_one_name_alone(tmp_path, held):
    save_h5(tmp_path / "m.h5", **{held: FRAMES})
    opened = open_source(f"{tmp_path}/m.h5", rate=4000.0)
    assert opened.recording is None
    check(taken(opened))


def test_a_replay_that_waits_can_be_ended(tmp_path):
    np.save(tmp_path / "m.npy", FRAMES)
    frames = open_source(f"{tmp_path}/m.npy", rate=0.001).frames
    assert next(frames).number == 0
    assert next(frames) is None  # and not a quarter of an hour later


def test_a_recording_is_replayed_with_its_segments_and_times(tmp_path):
    path = write(tmp_path / "t1.h5", segment=np.repeat([0, 5], [30, 50]))
    frames = taken(open_source(str(path), rate=4000.0))
    check(frames, movie())
    assert [frame.number for frame in frames if frame.begins] == [30]
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(80) / RATE)


@pytest.mark.parametrize(("held", "step"), [(3, 3), (0, 1), (1000, 1000)])
def test_a_replay_reads_a_block_ahead(tmp_path, monkeypatch, held, step):
    path, read, asked = write(tmp_path / "t1.h5"), Recording.read_frames, []

    def noted(self, start, stop):
        asked.append((start, stop))
        return read(self, start, stop)

    monkeypatch.setattr(Recording, "read_frames", noted)
    monkeypatch.setattr(frame_sources, "BLOCK", held * 32 * 32 * 4 + 9)
    check(taken(open_source(str(path))), movie())
    assert asked == [(start, min(start + step, 80)) for start in range(0, 80, step)]


@pytest.mark.parametrize(("rate", "pause"), [("own", 1 / RATE), (500.0, 1 / 500)])
def test_a_recording_is_replayed_at_its_own_rate_or_another(tmp_path, rate, pause):
    opened = open_source(str(write(tmp_path / "t1.h5")), rate=rate, frame_rate=9.0, channels=2)
    three = list(itertools.islice((one for one in opened.frames if one is not None), 3))
    np.testing.assert_allclose(np.diff([one.arrived for one in three]), pause, atol=1e-6)


def test_a_frame_whose_clock_gave_no_time_has_that_of_its_arrival(tmp_path, capsys):
    pytest.importorskip("zmq")
    path, out = write(tmp_path / "t1.h5"), tmp_path / "o.tsv"
    times = 1000 + np.arange(80) / RATE
    times[40:43] = np.nan
    with h5py.File(path, "a") as file:
        file["time"] = times
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    files = make_weights(tmp_path, "gru")
    assert live("--weights", *files, "--source", path, "--out", out, "--publish", port) == 0
    found = table(out).set_index("frame").time_s
    assert (found.loc[40:42] < 500).all() and found[43] == times[43]
    assert "goes back" not in capsys.readouterr().err


@pytest.mark.parametrize("known", [True, False])
def test_a_movie_is_replayed_with_the_segments_and_times_of_its_file(monkeypatch, known):
    class Movie(contextlib.nullcontext):
        shape = FRAMES.shape
        time = np.arange(9) / 7 if known else None
        segment = np.repeat([0, 2, 3], 3) if known else None

        def __enter__(self):
            return self

        def blocks(self, step):
            assert step == 4
            yield from ((0, FRAMES[:2]), (2, FRAMES[2:]))

    monkeypatch.setattr(frame_sources, "BLOCK", 4 * 6 * 8 * 4)
    monkeypatch.setattr(frame_sources, "open_movie", lambda *_, **__: Movie())
    frames = list(frame_sources._of_movie("m.nwb", 1, None, None))
    check(frames)
    assert [frame.number for frame in frames if frame.begins] == [3, 6] * known
    assert [frame.time for frame in frames] == [n / 7 if known else None for n in range(9)]


# --- standard input -------------------------------------------------------------------------------


def test_frames_come_by_standard_input(tmp_path, monkeypatch):
    files = make_weights(tmp_path, "cnn")
    path = write(tmp_path / "t1.h5")
    with open(tmp_path / "pixels", "wb") as file:
        file.write(movie().tobytes())
    monkeypatch.setattr(sys, "stdin", open(tmp_path / "pixels", "rb"))  # noqa: SIM115
    words = ["--weights", *files, "--source", "-", *FLAT, "--frame-rate", RATE]
    assert live(*words, "--out", tmp_path / "o.tsv") == 0
    frames, probability = offline(files, read_recording(path))
    found = table(tmp_path / "o.tsv")
    assert found.frame.tolist() == frames.tolist()
    np.testing.assert_allclose(found.probability, probability, atol=1e-5)


def test_standard_input_cut_off_within_a_frame(monkeypatch):
    ours, theirs = os.pipe()
    monkeypatch.setattr(sys.stdin, "fileno", lambda: ours, raising=False)
    opened = open_source("-", shape=(6, 8), dtype="uint16")
    os.write(theirs, FRAMES.tobytes()[:-7])
    os.close(theirs)
    before, one = time.monotonic(), next(opened.frames)
    assert before < one.arrived < time.monotonic() and (one.number, one.time) == (0, None)
    frames = []
    with Feed(opened, 1) as feed, pytest.raises(UserError, match=r"89 of 96 bytes of frame 8"):
        frames.extend(feed)
    os.close(ours)


def test_frames_of_the_other_byte_order_keep_their_counts(monkeypatch):
    ours, theirs = os.pipe()
    monkeypatch.setattr(sys.stdin, "fileno", lambda: ours, raising=False)
    opened = open_source("-", shape=(6, 8), dtype=">u2")
    os.write(theirs, FRAMES[:2].astype(">u2").tobytes())
    os.close(theirs)
    found = [frame.pixels for frame in opened.frames if frame]
    os.close(ours)
    np.testing.assert_array_equal(found, FRAMES[:2])
    assert found[0].dtype == np.uint16  # as torch takes


@pytest.mark.parametrize("told", [{"dtype": "uint16"}, {"shape": (6, 8)}])
def test_frames_without_a_header_need_their_size_and_type(told):
    with pytest.raises(UserError, match=r"give --shape HEIGHT WIDTH and --dtype"):
        open_source("-", **told)


# --- ZeroMQ ---------------------------------------------------------------------------------------


@pytest.fixture
def camera():
    """A publisher of frames; `address`, and `send` of parts."""
    zmq = pytest.importorskip("zmq")

    class Camera:
        def __init__(self):
            self.context = zmq.Context()
            self.socket = self.context.socket(zmq.XPUB)
            self.socket.setsockopt(zmq.LINGER, 1000)
            self.address = f"tcp://127.0.0.1:{self.socket.bind_to_random_port('tcp://127.0.0.1')}"

        def wait(self):
            assert self.socket.poll(10_000) and self.socket.recv() == b"\1"  # one who listens

        def send(self, number, pixels, **more):
            header = {"frame": number, "shape": pixels.shape, "dtype": str(pixels.dtype)}
            self.socket.send_multipart([json.dumps(header | more).encode(), pixels.tobytes()])
            time.sleep(0.001)

        def end(self):
            self.socket.send_multipart([b'{"end": true}'])

    made = Camera()
    yield made
    made.socket.close()
    made.context.term()


def published(camera, send, opened, timeout=5):
    def run():
        camera.wait()
        send()
        camera.end()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        return taken(opened, timeout)
    finally:
        thread.join()


def test_frames_come_by_zeromq(camera):
    def send():
        for i, frame in enumerate(FRAMES):
            camera.send(i, frame, time=100 + i, light="470")

    frames = published(camera, send, open_source(camera.address))
    check(frames)
    assert [frame.time for frame in frames] == list(range(100, 109))
    assert {frame.light for frame in frames} == {"470"}


def test_messages_that_are_no_frames_are_left_out_and_said_once(camera, capsys):
    import pickle

    def send():
        camera.socket.send_multipart([pickle.dumps({"frame": 0}), b""])
        camera.socket.send_multipart([b"[1]", b"", b""])
        camera.socket.send(b"{" * 5000)
        for i, frame in enumerate(FRAMES):
            camera.send(i, frame)

    check(published(camera, send, open_source(camera.address)))
    said = capsys.readouterr().err.splitlines()
    assert said == [f"{camera.address}: a message left out: a header that is not JSON"]


def test_a_message_above_the_bound_is_never_taken_in(camera):
    full, big = np.zeros((1024, 1024), np.uint8), np.zeros((1025, 1024), np.uint8)  # 1 MB

    def send():
        camera.send(0, full)
        camera.send(1, big)

    opened = open_source(camera.address, max_message=1)
    kept, frames = [], opened.frames
    opened = replace(opened, frames=(kept.append(one) or one for one in frames))
    with pytest.raises(UserError, match=r"no frame for 0\.5 s"):
        published(camera, send, opened, 0.5)
    assert [one.number for one in kept if one is not None] == [0]


GOOD = {"frame": 0, "shape": [2, 3], "dtype": "uint8"}


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (GOOD | {"frame": -1}, "frame"),
        (GOOD | {"frame": True}, "frame"),
        (GOOD | {"frame": 1.5}, "frame"),
        (GOOD | {"shape": [2, 3, 1]}, "shape"),
        (GOOD | {"shape": [-2, -3]}, "shape"),
        (GOOD | {"shape": [1 << 30, 1 << 30]}, "shape"),
        (GOOD | {"dtype": "object"}, "dtype"),
        (GOOD | {"dtype": ["uint8"]}, "dtype"),
        (GOOD | {"dtype": "uint16"}, "6 bytes of pixels"),
        (GOOD | {"time": "now"}, "time"),
        (GOOD | {"time": 10**400}, "time"),
        (GOOD | {"light": [1]}, "light"),
    ],
)
def test_a_header_that_is_wrong_is_named(header, says):
    with pytest.raises(ValueError, match=says):
        zeromq.frame_of([json.dumps(header).encode(), bytes(6)])
    _, pixels = zeromq.frame_of([json.dumps(GOOD).encode(), bytes(range(6))])
    assert pixels.tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("change", "parts", "says"),
    [
        ({"frame": (1 << 53) - 1, "time": -9e299, "light": 3}, [bytes(6)], None),
        ({"frame": 1 << 53}, [bytes(6)], '"frame" is no whole number from 0'),
        ({"shape": [6]}, [bytes(6)], None),
        ({"shape": []}, [bytes(6)], '"shape" is no [height, width]'),
        ({"shape": [6, 0]}, [b""], '"shape" is no [height, width]'),
        ({"shape": [(1 << 20) - 1]}, [bytes(6)], "6 bytes of pixels; [1048575] uint8 are 1048575"),
        ({"shape": [1 << 20]}, [bytes(6)], '"shape" is no [height, width]'),
        ({"time": 1e300}, [bytes(6)], '"time" is no number of s'),
        ({"time": True}, [bytes(6)], '"time" is no number of s'),
        ({"light": 1.5}, [bytes(6)], '"light" is neither a number nor a word'),
        ({"dtype": "uint16"}, [bytes(12)], None),
        ({"dtype": "uint16"}, [bytes(11)], "11 bytes of pixels; [2, 3] uint16 are 12"),
        ({}, [], "no bytes of pixels; [2, 3] uint8 are 6"),
        ({}, [bytes(6), b"1"], "6 and 1 bytes of pixels; [2, 3] uint8 are 6"),
        ({"more": "x" * 4037}, [bytes(6)], None),
        ({"more": "x" * 4038}, [bytes(6)], "a header of more than 4096 bytes"),
        ({"end": 1}, [bytes(6)], None),
    ],
)
def test_the_largest_of_a_message_is_taken_and_one_more_is_named(change, parts, says):
    message = [json.dumps(GOOD | change).encode(), *parts]
    if says is None:
        header, pixels = zeromq.frame_of(message)
        assert header == GOOD | change and pixels.size == 6
    else:
        with pytest.raises(ValueError, match=rf"^{re.escape(says)}$"):
            zeromq.frame_of(message)
    assert zeromq.frame_of([b'{"end": true}']) is None
    with pytest.raises(ValueError, match="a header of more than 4096 bytes"):
        zeromq.frame_of([])


@pytest.mark.parametrize("header", [b"", b"{", b"\xff\xfe", b"[" * 4000])
def test_a_header_that_cannot_be_read_is_no_json(header):
    with pytest.raises(ValueError, match=r"^a header that is not JSON$"):
        zeromq.frame_of([header, b""])


def test_not_a_number_as_time_is_no_time():
    with pytest.raises(ValueError, match="time"):
        zeromq.frame_of([b'{"frame": 0, "shape": [1], "dtype": "uint8", "time": NaN}', b"1"])


def test_a_port_is_one_of_this_machine():
    assert zeromq.local("5555") == "tcp://127.0.0.1:5555"
    assert zeromq.local("tcp://10.0.0.2:5") == "tcp://10.0.0.2:5"
    for none in ("0", "70000", "tcp://10.0.0.2:70000"):  # ZeroMQ would take port 4464
        with pytest.raises(UserError, match=f"{none}: a port is a number from 1 to 65535"):
            zeromq.local(none)
    assert not zeromq.is_address("movie.tif")


def test_frames_that_zeromq_lost_are_a_segment_of_their_own_offline(tmp_path, camera):
    """Numbers say it live, `segment` offline; late frames, and those sent twice, are left out."""
    kept = np.r_[0:40, 43:47, 50:80]
    files = make_weights(tmp_path, "finetuned")
    segment = np.repeat([0, 1, 2], [40, 4, 30])
    path = write(tmp_path / "t1.h5", movie()[kept], segment=segment)
    frames, probability = offline(files, read_recording(path))

    def send():
        camera.wait()
        for t in kept:
            camera.send(int(t), movie()[t], time=float(t))
            if t == 60:
                camera.send(41, movie()[41])
                camera.send(60, movie()[60])
        camera.end()

    thread = threading.Thread(target=send)
    thread.start()
    words = ["--weights", *files, "--source", camera.address, "--frame-rate", RATE]
    assert live(*words, "--out", tmp_path / "o.tsv") == 0
    thread.join()
    found = table(tmp_path / "o.tsv")
    assert found.frame.tolist() == kept[frames].tolist() == found.time_s.tolist()
    np.testing.assert_allclose(found.probability, probability, atol=1e-5)


# --- what goes wrong ------------------------------------------------------------------------------


def test_a_source_that_falls_silent_ends_with_a_line():
    def silent():
        yield Frame(0, FRAMES[0], arrived=time.monotonic())
        while True:
            time.sleep(0.01)
            yield None

    before = threading.active_count()
    with Feed(Opened("camera", silent()), 0.1) as feed:
        frames = iter(feed)
        assert next(frames).number == 0
        with pytest.raises(UserError, match=r"camera: no frame for 0\.1 s"):
            next(frames)
    assert threading.active_count() == before


def test_a_source_waits_where_nobody_takes_its_frames():
    made = []

    def fast():
        for i in range(10_000):
            made.append(i)
            yield Frame(i, FRAMES[0])

    with Feed(Opened("camera", fast()), 1) as feed:
        next(iter(feed))
        time.sleep(0.1)
        assert len(made) <= frame_sources.HELD + 3  # memory does not grow


def test_what_a_source_raises_is_raised():
    def broken():
        yield Frame(0, FRAMES[0])
        raise UserError("x.tif: page 1 is damaged")

    with Feed(Opened("x", broken()), 1) as feed, pytest.raises(UserError, match="damaged"):
        list(feed)


def test_sources_that_cannot_be_are_named(tmp_path, monkeypatch):
    (tmp_path / "m.txt").write_text("1 2 3")
    with pytest.raises(UserError, match=r"m\.txt: neither a recording with ROI signals nor a mov"):
        open_source(f"{tmp_path}/m.txt", signals=True)
    np.save(tmp_path / "m.npy", FRAMES)
    with pytest.raises(UserError, match=r"m\.npy: --rate own needs --frame-rate"):
        open_source(f"{tmp_path}/m.npy", rate="own", channels=2)
    path = write(tmp_path / "t1.h5")
    with h5py.File(path, "a") as file:
        del file["rois"]
    with pytest.raises(UserError, match=r"t1\.h5: no ROI signals in it; give recordings\.rois"):
        taken(open_source(str(path), signals=True))
    assert len(taken(open_source(str(path)))) == 80  # its images need none
    with pytest.raises(UserError, match=r"--source tcp://\*x: .*; needs tcp://HOST:PORT"):
        taken(open_source("tcp://*x"))
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UserError, match="--source -: standard input is closed"):
        open_source("-", shape=(6, 8), dtype="uint16")


def test_a_file_that_is_no_movie_is_refused(tmp_path, capsys):
    files = make_weights(tmp_path, "cnn")
    (tmp_path / "m.txt").write_text("1 2 3")
    words = ["--weights", *files, "--frame-rate", RATE, "--out", tmp_path / "o.tsv"]
    assert live(*words, "--source", tmp_path / "m.txt") == 1
    unknown, said = capsys.readouterr().err.splitlines()
    assert said.startswith(f"mesodecode live: error: {tmp_path}/m.txt: no known format; movies are")
    assert unknown == (
        "no --known: distance and noise are not watched, and brightness only against the session "
        "so far"
    )
