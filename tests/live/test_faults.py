"""What goes wrong at a rig: outputs so far are whole, memory does not grow, one line says it."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from make_live import RATE, live, make_weights, movie, offline, table, write
from mesodecode.base.files import UserError
from mesodecode.decoders.weights import load_trained
from mesodecode.live import written
from mesodecode.live.frame_sources import Frame
from mesodecode.live.outputs import COLUMNS, Hysteresis, Osc, Row, Table
from mesodecode.live.stream_corrections import Corrections
from mesodecode.recordings.recording import read_recording
from mesodecode.study import schema

HEAD = "\t".join(COLUMNS) + "\n"
ROW = Row(7, 0.25, 0.5, "run", 1.5, ["lost", "stuck"]).message()
LINE = "7\t0.250000\t0.5\trun\t1.500\tlost,stuck\n"


def words(tmp_path, *more, kind="gru"):
    files = make_weights(tmp_path, kind)
    return ["--weights", *files, "--out", tmp_path / "o.tsv", *more]


def whole(path):
    """The rows of a table, of which each line is whole."""
    text = path.read_text()
    assert text.startswith(HEAD) and text.endswith("\n")
    assert {line.count("\t") for line in text.splitlines()} == {len(COLUMNS) - 1}
    return table(path)


# --- the table ------------------------------------------------------------------------------------


def test_a_row_is_a_line_with_all_columns(tmp_path):
    out = Table(tmp_path / "a" / "new" / "o.tsv")
    out.write(ROW)
    out.write(Row(8, 0.3, None, "unsure", 1.0, ["no window"]).message())  # not decoded: left out
    path = tmp_path / "a" / "new" / "o.tsv"
    assert path.read_text() == HEAD + LINE  # before it is closed
    out.close()
    other = path.with_name("other")
    other.touch()
    assert path.stat().st_mode == other.stat().st_mode  # whoever may read other files may read it


@pytest.mark.parametrize("n", [0, 1, 300])
def test_a_line_that_was_cut_off_is_gone_when_it_goes_on(tmp_path, n):
    path = tmp_path / "o.tsv"
    path.write_text(HEAD + n * LINE + LINE[:9])
    out = Table(path, append=True)
    out.write(ROW)
    out.close()
    assert path.read_text() == HEAD + n * LINE + LINE


@pytest.mark.parametrize("text", ["frame\tprobability\n1\t0.5\n", "x"])
def test_another_table_is_not_gone_on_with(tmp_path, text):
    path = tmp_path / "o.tsv"
    path.write_text(text)
    with pytest.raises(UserError, match="no table of `mesodecode live`"):
        Table(path, append=True)
    with pytest.raises(UserError, match="is there already"):
        Table(path)
    assert path.read_text() == text


def test_a_full_disk_leaves_whole_lines(tmp_path, monkeypatch):
    out, write_, room = Table(tmp_path / "o.tsv"), os.write, [100]

    def short(fd, data):
        if not room[0]:
            raise OSError(28, "No space left on device")
        n = write_(fd, bytes(data)[: room[0]])
        room[0] -= n
        return n

    monkeypatch.setattr(os, "write", short)
    said = r"o\.tsv: no space .* the 2 rows so far are whole; free some, and go on with --append$"
    with pytest.raises(UserError, match=said):
        for _ in range(9):
            out.write(ROW)
    monkeypatch.undo()
    assert (tmp_path / "o.tsv").read_text() == HEAD + 2 * LINE

    def fails(fd, data):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "write", fails)
    with pytest.raises(OSError, match="Input/output error"):
        out.write(ROW)
    monkeypatch.undo()
    assert (tmp_path / "o.tsv").read_text() == HEAD + 2 * LINE


def test_a_reader_of_a_pipe_that_has_gone_is_said():
    reader, writer = os.pipe()
    out = Table(Path(f"/dev/fd/{writer}"))
    out.write(ROW)
    os.close(reader)
    with pytest.raises(UserError, match=r"who reads it has gone, after 1 rows"):
        out.write(ROW)
    out.close()
    os.close(writer)


# --- the thread that writes it --------------------------------------------------------------------


class Disk:
    """Takes rows while it is not hanging."""

    def __init__(self):
        self.rows, self.works, self.closed = [], threading.Event(), False

    def write(self, row):
        assert self.works.wait(60)
        self.rows.append(row)

    def close(self):
        self.closed = True


def rows_of(n):
    return [Row(i, i / 10, 0.5, "run", 1.5).message() for i in range(n)]


def test_rows_are_those_of_the_table_in_their_order(tmp_path):
    for path, out in (
        (tmp_path / "a.tsv", Table(tmp_path / "a.tsv")),
        (tmp_path / "b.tsv", written.Written(Table(tmp_path / "b.tsv"), "b.tsv")),
    ):
        for row in [*rows_of(300), Row(300, 30.0, None, "unsure", 1.0).message()]:
            out.write(row)
        out.close()
        assert len(whole(path)) == 300
    assert (tmp_path / "a.tsv").read_text() == (tmp_path / "b.tsv").read_text()


def test_a_disk_that_hangs_delays_no_frame_and_keeps_all_rows():
    disk = Disk()
    out = written.Written(disk, "o.tsv")
    for row in rows_of(5000):
        out.write(row)  # would wait for ever
    assert disk.rows == []
    disk.works.set()
    out.close()
    assert disk.rows == rows_of(5000) and disk.closed


def test_where_no_more_rows_can_wait_frames_do_and_none_is_left_out(monkeypatch, capsys):
    monkeypatch.setattr(written, "HELD", 3)
    disk = Disk()
    out = written.Written(disk, "o.tsv")

    def write_all():
        for row in rows_of(9):
            out.write(row)

    who_decodes = threading.Thread(target=write_all, daemon=True)
    who_decodes.start()
    who_decodes.join(0.1)
    assert who_decodes.is_alive()
    disk.works.set()
    who_decodes.join(60)
    out.close()
    assert disk.rows == rows_of(9)
    assert capsys.readouterr().err.count("o.tsv: 3 rows wait for the disk") == 1


@pytest.mark.parametrize("held", [3, 100])
def test_a_disk_that_hangs_at_the_end_is_given_up_and_rows_are_counted(monkeypatch, held):
    monkeypatch.setattr(written, "HELD", held)
    monkeypatch.setattr(written, "HANGS", 0.05)
    disk = Disk()
    out = written.Written(disk, "o.tsv")
    for row in rows_of(4):  # of which one is being written
        out.write(row)
    with pytest.raises(UserError, match=r"o\.tsv: took no row for 0\.05 s, and the last 4 are"):
        out.close()
    disk.works.set()


def test_a_disk_that_fails_at_the_last_row_says_so_at_the_end():
    def fails(row):
        raise UserError("o.tsv: no space left")

    disk = Disk()
    disk.write = fails
    out = written.Written(disk, "o.tsv")
    out.write(ROW)
    with pytest.raises(UserError, match="no space left"):
        out.close()
    assert disk.closed


def test_a_slow_disk_is_waited_for_as_long_as_it_takes_rows(monkeypatch):
    monkeypatch.setattr(written, "HELD", 8)
    monkeypatch.setattr(written, "HANGS", 0.5)
    disk = Disk()
    disk.write = lambda row: time.sleep(0.1) or disk.rows.append(row)
    out = written.Written(disk, "o.tsv")
    for row in rows_of(9):  # .8 s of them after the last is handed over
        out.write(row)
    out.close()
    assert disk.rows == rows_of(9)


def test_a_disk_that_is_full_in_the_midst_ends_it_with_a_line_and_whole_rows(
    tmp_path, monkeypatch, capsys
):
    files, path, write_ = words(tmp_path), write(tmp_path / "t1.h5"), os.write

    def short(fd, data):
        if not os.fstat(fd).st_size or os.fstat(fd).st_size + len(data) < 900:
            return write_(fd, data)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", short)
    assert live(*files, "--source", path) == 1
    monkeypatch.undo()
    said, found = capsys.readouterr().err.splitlines(), whole(tmp_path / "o.tsv")
    assert 5 < len(found) < 40
    assert f"o.tsv: no space left (No space left on device); the {len(found)} rows" in said[-1]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_device_that_is_full_is_one_line(tmp_path, capsys):
    path = write(tmp_path / "t1.h5")
    files = make_weights(tmp_path, "gru")
    assert live("--weights", *files, "--source", path, "--out", "/dev/full") == 1
    said = capsys.readouterr().err.splitlines()
    assert "/dev/full: no space left" in said[-1]


# --- who listens ----------------------------------------------------------------------------------


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_states_are_published_and_a_subscriber_that_hangs_delays_nobody(tmp_path):
    zmq = pytest.importorskip("zmq")
    from mesodecode.live.zeromq import Publisher

    port = free_port()
    out = Publisher(str(port))
    context = zmq.Context()
    heard, hung = (context.socket(zmq.SUB) for _ in range(2))
    try:
        for one in (heard, hung):
            one.setsockopt(zmq.LINGER, 0)
            one.setsockopt(zmq.SUBSCRIBE, b"")
            one.setsockopt(zmq.RCVTIMEO, 5000)
            one.connect(f"tcp://127.0.0.1:{port}")
        hung.setsockopt(zmq.RCVHWM, 1)
        for _ in range(500):  # until it listens
            out.write(ROW)
            if heard.poll(10):
                break
        assert json.loads(heard.recv()) == ROW
        start = time.monotonic()
        for _ in range(5000):
            out.write(ROW)
        assert time.monotonic() - start < 60  # it would wait for ever; a busy machine is slow
        heard.close()  # dies
        out.write(ROW)
    finally:
        context.destroy(linger=0)
        out.close()


def test_a_port_that_is_taken_is_said(tmp_path):
    pytest.importorskip("zmq")
    from mesodecode.live.zeromq import Publisher

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UserError, match=r"--publish tcp://127\.0\.0\.1:.*choose another port"):
            Publisher(str(taken.getsockname()[1]))


def test_states_are_sent_by_osc(tmp_path):
    pytest.importorskip("pythonosc")
    from pythonosc.osc_message import OscMessage

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        ear.settimeout(5)
        out = Osc(str(ear.getsockname()[1]))
        out.write(ROW)
        out.write(ROW | {"probability": None, "state": "unsure"})
        out.write(ROW | {"time_s": 1764340000.25})
        got = [OscMessage(ear.recv(4096)) for _ in range(3)]
    assert {one.address for one in got} == {"/mesodecode"}
    assert got[0].params == [7, 0.25, 0.5, "run", "lost,stuck"]
    assert got[1].params[2:4] == [-1.0, "unsure"]
    assert got[2].params[1] == 1764340000.25  # seconds since 1970: as 32 bits, off by half a minute
    Osc(str(free_port(socket.SOCK_DGRAM))).write(ROW)  # nobody listens


def test_osc_that_is_not_sent_is_said_once(capsys):
    pytest.importorskip("pythonosc")
    out = Osc("9")

    def away(content):
        raise OSError(101, "Network is unreachable")

    out._client.send = away
    out.write(ROW)
    out.write(ROW)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and "--osc: not sent ([Errno 101] Network is unreachable)" in said[0]


@pytest.mark.parametrize("text", ["", "x", "host:", "0", "65536"])
def test_an_osc_port_that_is_none(text):
    pytest.importorskip("pythonosc")
    with pytest.raises(UserError, match=f"^--osc {text}: needs a port, or HOST:PORT$"):
        Osc(text)
    for good in ("1", "65535", "localhost:9"):
        Osc(good)


# --- states ---------------------------------------------------------------------------------------


def test_the_state_stays_between_both_thresholds():
    state = Hysteresis(0.6, 0.4)
    found = [state(p) for p in (0.5, 0.6, 0.5, 0.4, 0.39, 0.5, 0.61)]
    assert found == ["rest", "run", "run", "run", "rest", "rest", "run"]
    with pytest.raises(UserError, match=r"--leave 0\.7: above --enter 0\.6"):
        Hysteresis(0.6, 0.7)
    one = Hysteresis(0.6, 0.6)  # a single threshold
    assert [one(p) for p in (0.6, 0.59, 0.61)] == ["run", "rest", "run"]


# --- the loop -------------------------------------------------------------------------------------


def test_a_row_says_when_how_late_and_what_was_lost_since_the_row_before(monkeypatch):
    from types import SimpleNamespace

    from mesodecode.live import rig as loop
    from mesodecode.live.stream_corrections import Corrected

    now, seen, late, rows = [50.0], [], [], []
    monkeypatch.setattr(loop.time, "monotonic", lambda: now[0])
    order = SimpleNamespace(lost=0, late=2)
    engine = SimpleNamespace(
        push=lambda values, begins: values[0],
        learn=lambda values: None,
        members=[SimpleNamespace(read="of the first"), SimpleNamespace(read="of the last")],
    )

    def see(frame, lost, read):
        seen.append(lost)
        assert read == "of the first"
        return ["lost"] if lost else []

    def behind(latency, waiting):
        late.append((round(latency, 6), waiting))
        return ["behind"] if latency > 25 else []

    made = loop.Rig(
        *(SimpleNamespace(order=order, settle=int), engine, Hysteresis(0.6, 0.4)),
        *(SimpleNamespace(see=see, behind=behind), [SimpleNamespace(write=rows.append)]),
    )
    # arrival and end (s), time of the source, probability, frames lost so far
    for arrived, end, time_, p, lost in (
        (50.5, 50.53, None, 0.7, 3),  # unsure, but run for those after it
        (51.0, 51.01, 9.25, 0.5, 3),
        (52.0, 52.02, None, None, 5),
    ):
        now[0], order.lost = end, lost
        made._decode(Corrected(len(rows), [p], None, None, time_, arrived, False))
    assert seen == [3, 0, 2] and late == [(30, 0), (10, 0), (20, 0)]
    assert [row["time_s"] for row in rows] == pytest.approx([0.5, 9.25, 2])
    assert [row["latency_ms"] for row in rows] == pytest.approx([30, 10, 20])
    assert [row["state"] for row in rows] == ["unsure", "run", "unsure"]
    assert [row["unsure_why"] for row in rows] == ["lost,behind", "", "no window,lost"]
    assert (made.counts.decoded, made.counts.unsure) == (2, 1)
    made.counts.latencies.clear()
    made.counts.latencies.extend(range(101))
    assert made.words() == (
        "0 frames, 2 decoded (1 unsure; lost 1; behind 1), 5 lost, 2 out of order; latency ms: p50 "
        "50.0, p95 95.0, p99 99.0, worst 100.0"
    )


def test_another_thread_keeps_the_decoder_waiting_for_half_a_millisecond_at_most():
    """What was set before is set again, however it ends."""
    from mesodecode.live.rig import Rig

    found, before = [], sys.getswitchinterval()

    def frames():
        found.append(sys.getswitchinterval())
        assert gc.get_freeze_count() > 0  # what is loaded is not looked through meanwhile
        raise UserError("over")
        yield

    with pytest.raises(UserError, match="over"):
        Rig(*[None] * 4, []).run(frames())
    assert found == [pytest.approx(5e-4)] and sys.getswitchinterval() == before
    assert gc.get_freeze_count() == 0


# --- sources that fail ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other", [np.zeros((4, 4), np.uint16), np.zeros((32, 32), np.uint8), np.zeros(32, np.uint16)]
)
def test_frames_of_another_size_or_type_end_it_with_a_line(tmp_path, other):
    made = Corrections(schema.defaults("corrections"), RATE, "tcp://127.0.0.1:5")
    assert len(made.push(Frame(0, movie()[0]))) == 1
    with pytest.raises(UserError, match=r"tcp://127\.0\.0\.1:5: frame 1 is of .* camera set anew"):
        made.push(Frame(1, other))


def test_weights_that_give_no_number_end_it(tmp_path, capsys):
    files = make_weights(tmp_path, "gru")
    trained = load_trained(files[0], "roi_rnn")
    trained.state["head.weight"][:] = np.nan
    trained.save(files[0])
    out = ["--out", tmp_path / "o.tsv"]
    assert live("--weights", *files, "--source", write(tmp_path / "t1.h5"), *out) == 1
    assert "the decoder gives no number" in capsys.readouterr().err
    assert len(whole(tmp_path / "o.tsv")) == 0


def test_a_source_that_stalls_ends_with_status_1_and_whole_rows(tmp_path, monkeypatch, capsys):
    ours, theirs = os.pipe()
    monkeypatch.setattr(sys, "stdin", os.fdopen(ours, "rb"))
    threading.Thread(target=os.write, args=(theirs, movie()[:40].tobytes()), daemon=True).start()
    files = words(tmp_path, "--timeout", "1", "--frame-rate", RATE, kind="cnn")
    assert live(*files, "--source", "-", "--shape", 32, 32, "--dtype", "uint16") == 1
    said = capsys.readouterr().err.splitlines()
    assert said[-1].startswith("mesodecode live: error: standard input: no frame for 1 s")
    os.close(theirs)
    assert len(whole(tmp_path / "o.tsv")) == 40 - 15 - 2


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_whole_rows(tmp_path, capsys, number, status):
    # a shell lets what it runs in the background ignore Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)
    out = tmp_path / "o.tsv"

    def ours(*_):
        """Stay alive where `live` doesn't listen."""

    def stop():
        while not out.exists() or out.read_text().count("\n") < 4:
            time.sleep(0.005)
        os.kill(os.getpid(), number)

    source = ["--source", write(tmp_path / "t1.h5"), "--rate", 40]
    before = signal.signal(signal.SIGTERM, ours)
    threading.Thread(target=stop, daemon=True).start()
    try:
        assert live(*words(tmp_path), *source) == status
        assert signal.getsignal(signal.SIGTERM) == ours
    finally:
        signal.signal(signal.SIGTERM, before)
    n = len(whole(out))
    assert 2 < n < 60
    said = capsys.readouterr().err.splitlines()
    assert said[-1].startswith("mesodecode live: stopped; ") and f" {n} decoded" in said[-1]


def test_memory_does_not_grow(tmp_path):
    """Frames, rows and messages go through; nothing of them stays (of a minute)."""
    from mesodecode.live.engine import Engine, Member, open_members
    from mesodecode.live.frame_sources import Feed, Opened
    from mesodecode.live.rig import Rig
    from mesodecode.live.watch import Watch

    (loaded,) = open_members(make_weights(tmp_path, "gru", base=50))
    settings = schema.defaults("live")
    corrections = Corrections(schema.defaults("corrections"), RATE, "camera")
    out, process, seen = Table(tmp_path / "o.tsv"), psutil.Process(), {}
    rng = np.random.default_rng(0)

    def frames():
        for i in range(2400):
            if i in (600, 2399):
                seen[i] = process.memory_info().rss
            yield Frame(i, rng.normal(10, 1, 3).astype(np.float32), arrived=time.monotonic())

    rig = Rig(
        *(corrections, Engine([Member(loaded, RATE)]), Hysteresis(0.6, 0.4)),
        *(Watch(settings, RATE), [out]),
    )
    with Feed(Opened("camera", frames()), 5) as feed:
        rig.run(feed)
    out.close()
    assert rig.counts.decoded == 2400 - 15 - 4
    assert seen[2399] - seen[600] < 20 << 20


def test_nothing_is_decoded_for_nobody(tmp_path, capsys):
    files = make_weights(tmp_path, "gru")
    assert live("--weights", *files, "--source", write(tmp_path / "t1.h5")) == 1
    assert "--out, --publish, --osc or --show: give one" in capsys.readouterr().err


def test_it_ends_after_so_many_frames(tmp_path):
    command = [*words(tmp_path), "--source", write(tmp_path / "t1.h5"), "--frames", 9]
    before = threading.active_count()
    assert live(*command) == 0
    assert len(whole(tmp_path / "o.tsv")) == 9
    assert threading.active_count() == before


def test_the_terminal_shows_it(tmp_path, capsys):
    pytest.importorskip("rich")
    path = write(tmp_path / "t1.h5")
    assert live(*words(tmp_path), "--source", path, "--show") == 0
    shown = capsys.readouterr().err
    assert all(word in shown for word in ("probability", "state", "latency", "lost"))
    frames, _ = offline([tmp_path / "gru.pt"], read_recording(path))
    assert len(whole(tmp_path / "o.tsv")) == len(frames)


def test_the_terminal_is_drawn_by_who_decodes_four_times_a_second(monkeypatch):
    """A thread that draws would delay frames in their midst."""
    pytest.importorskip("rich")
    from mesodecode.live import view

    now, drawn = [100.0], []
    monkeypatch.setattr(view.time, "monotonic", lambda: now[0])
    threads = threading.active_count()
    made = view.View(lambda: drawn.append(now[0]) or {})
    try:
        assert threading.active_count() == threads
        drawn.clear()
        for _ in range(60):  # a second of frames
            made.write(ROW)
            now[0] += 1 / 60
        assert len(drawn) == pytest.approx(4, abs=1)
    finally:
        made.close()


@pytest.mark.parametrize(
    ("module", "flags", "package"),
    [
        ("zmq", ["--publish", "5"], "pyzmq"),
        ("pythonosc.udp_client", ["--osc", "9"], "python-osc"),
        ("rich.live", ["--show"], "rich"),
    ],
)
def test_what_is_not_installed_is_named(tmp_path, capsys, monkeypatch, module, flags, package):
    monkeypatch.setitem(sys.modules, module, None)
    with contextlib.suppress(SystemExit):
        assert live(*words(tmp_path), "--source", write(tmp_path / "t1.h5"), *flags) == 1
    assert f"pip install 'mesodecode[live]' or {package}" in capsys.readouterr().err
