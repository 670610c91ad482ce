"""Errors of the machine, not of the input: no memory, no space. One line that says what to do."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import fresh
from kept import assert_kept
from mesodecode import __version__, cli
from mesodecode.decoders import held_out, predictions, validation
from mesodecode.decoders.fitted import linear
from mesodecode.explain import shap_files
from mesodecode.recordings import recording
from mesodecode.simulation import simulate
from mesodecode.study import schema

SRC = Path(cli.__file__).parents[2]
FINETUNE = "--start s --train t --valid v --rnn gru --out o --history h"
TRAIN_ROI = "--train t --valid v --test s --decoder d --rnn gru --out o --history h --predictions p"


def fails_with(monkeypatch, capsys, error, line):
    """Run a verb that fails with an error; return its one line."""

    def fail(args):
        raise error

    verb = line.split()[0]
    monkeypatch.setattr(f"mesodecode.cli.{cli.VERBS[verb]}.run", fail)
    assert cli.main(line.split()) == 1
    (message,) = capsys.readouterr().err.splitlines()
    assert message.startswith(f"mesodecode {verb}: error: ")
    return message


CUDA = torch.cuda.OutOfMemoryError(
    "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 15 GiB.\nIf"
)
CPU = RuntimeError(
    "[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory: you "
    "tried to allocate 400 bytes. Error code 12 (Cannot allocate memory)"
)


@pytest.mark.parametrize(
    "error",
    [
        CUDA,
        CPU,
        MemoryError(),
        np._core._exceptions._ArrayMemoryError((10**6, 10**6), np.dtype("f8")),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
    ],
    ids=lambda e: type(e).__name__,
)
def test_out_of_memory_names_the_settings_to_lower(monkeypatch, capsys, error):
    line = fails_with(monkeypatch, capsys, error, f"finetune {FINETUNE}")
    assert "error: out of memory (" in line
    assert line.endswith("; lower batch_size or half_window (or raise run_length)")


@pytest.mark.parametrize(
    ("line", "settings"),
    [
        ("train-cnn --train t --valid v --out o --history h", "batch_size"),
        (f"train-roi {TRAIN_ROI}", "batch_size or half_window"),
        ("fit-linear --train t --valid-mice v --test s --out o --predictions p", "pixels"),
        ("extract --weights w --recordings r --features f", "image_size in"),
        (
            "cutout --weights w --recordings r --decoder d --masks edges --out o",
            "image_size in the config (or raise blocks)",
        ),
    ],
)
def test_every_verb_names_what_it_has(monkeypatch, capsys, line, settings):
    assert f"; lower {settings}" in fails_with(monkeypatch, capsys, CUDA, line)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            OSError(errno.ENOSPC, "x", "o.h5"),
            "o.h5: no space left (No space left on device); free s",
        ),
        (
            OSError(errno.EDQUOT, "said"),
            "[Errno 122] said: no space left (Disk quota exceeded); fr",
        ),
        (
            OSError(errno.EFBIG, "x", "o.h5"),
            "o.h5: no space left (File too large); take a disk of larger files (FAT ends at 4 GB), "
            "or raise `ulimit -f`, and run it again",
        ),
        (
            FileNotFoundError(errno.ENOENT, "x", "a.h5"),
            "a.h5: No such file or directory; check the path, from the folder that the command ru",
        ),
        (
            OSError(errno.EIO, "x", "a.h5"),
            "a.h5: Input/output error; the disk or its connection fa",
        ),
        (
            FileNotFoundError(errno.ENOENT, "Unable to open (name = 'a b.h5', errno = 2, x = 'y')"),
            "a b.h5: No such file or directory; check the path, from the folder",
        ),
        (OSError(errno.EIO, "in two\n lines"), "[Errno 5] in two lines"),
        (
            RuntimeError("HIP out of memory. Tried"),
            "out of memory (HIP out of memory); lower batch",
        ),
        (
            RuntimeError("not enough memory: you tried"),
            "out of memory (not enough memory: you trie",
        ),
        (MemoryError(), "out of memory (MemoryError); lower batch_size or half_window"),
        (
            OSError(errno.ENOMEM, "x. y"),
            "out of memory ([Errno 12] x. y); lower batch_size or half",
        ),
        (RuntimeError("a bug. Of ours"), None),
    ],
)
def test_errors_of_the_machine_are_a_line_with_what_to_do(error, said):
    args = SimpleNamespace(verb="train-roi", batch_size=3, half_window=2)
    found = cli._of_machine(error, args)
    assert found is None if said is None else found.startswith(said)
    assert said is None or "run_length" not in found
    if "out of memory" in str(said):
        assert cli._of_machine(error, SimpleNamespace(verb="cutout")).endswith(
            "; lower image_size in the config (or raise blocks)"
        )


@pytest.mark.parametrize(
    "read",
    [
        recording.read_recording,
        predictions.read,
        lambda path: validation.read(path, "a", "m"),
        held_out.read,
        linear.load,
        shap_files.read,
    ],
)
def test_a_folder_in_the_place_of_a_file_is_no_damaged_file(tmp_path, read):
    with pytest.raises(IsADirectoryError) as met:
        read(tmp_path)
    found = cli._of_machine(met.value, SimpleNamespace(verb="auc"))
    assert found == f"{tmp_path}: Is a directory; name a file in it"


def test_the_list_of_verbs_is_that_which_was_read(monkeypatch):
    """`HELP=write pytest -n 0 …` writes it anew."""
    monkeypatch.setenv("COLUMNS", "140")
    assert_kept(cli.parser().format_help(), Path(__file__).with_name("help.txt"), "HELP")


def test_without_words_of_a_caller_those_of_the_shell_are_taken(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["mesodecode", "--version"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert (ended.value.code, capsys.readouterr().out) == (0, f"mesodecode {__version__}\n")


def test_a_bug_keeps_its_traceback(monkeypatch, capsys):
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        fails_with(monkeypatch, capsys, RuntimeError("mat1 and mat2"), f"finetune {FINETUNE}")


def test_cheap_verbs_import_no_torch():
    code = "import sys, mesodecode.cli as c; c.parser(); print({'torch', 'h5py'} & {*sys.modules})"
    env = os.environ | {"PYTHONPATH": str(SRC)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_no_space_names_the_file(monkeypatch, capsys, number):
    ended = []  # at once, where HDF5 would crash as it frees the file
    monkeypatch.setattr(os, "_exit", ended.append)
    error = OSError(number, os.strerror(number), "/disk/o.h5")
    line = fails_with(monkeypatch, capsys, error, f"finetune {FINETUNE}")
    assert f"error: /disk/o.h5: no space left ({os.strerror(number)})" in line
    assert ended == [1]
    monkeypatch.delitem(sys.modules, "h5py")
    fails_with(monkeypatch, capsys, error, f"finetune {FINETUNE}")
    assert ended == [1]


# --- a disk that is really full ----------------------------------------------------------------


@pytest.fixture
def full_disk(tmp_path):
    """A file system of 128 KiB, where this machine lets us mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs the right to mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


WRITERS = {  # every library that writes outputs, a megabyte
    "torch": "torch.save({'x': torch.rand(250_000)}, part)",
    "HDF5": "f = h5py.File(part, 'w'); f.__enter__(); f['x'] = np.random.rand(125_000)",
    "HDF5 chunks": """
with h5py.File(part, 'w') as f:
    x = f.create_dataset('x', (1000, 125), 'f8', chunks=(10, 125))
    for i in range(1000): x[i] = np.random.rand(125)
""",
    "TIFF": "tifffile.imwrite(part, np.zeros((10, 100, 1000), 'u1'))",
    "text": "part.write_text('x' * 1_000_000)",
}


@pytest.mark.slow
@pytest.mark.parametrize("writer", ["torch", "HDF5 chunks", "TIFF"])
def test_a_file_that_may_grow_no_further_is_one_line_and_nothing_half(tmp_path, writer):
    """As on a disk of FAT, or under a limit or quota: libraries say it in words of their own."""
    body = "\n        ".join(WRITERS[writer].strip().splitlines())
    code = f"""
import resource, sys, h5py, numpy as np, tifffile, torch
from mesodecode import cli
from mesodecode.decoders import held_out, predictions, validation
from mesodecode.decoders.fitted import linear
from mesodecode.explain import shap_files
from mesodecode.recordings import recording
from mesodecode.cli.scores import summary
from mesodecode.base.files import atomic_path
def run(args):
    with atomic_path("{tmp_path}/out.h5") as part:
        {body}
summary.run = run
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
sys.exit(cli.main(["summary", "--auc", "a", "--report", "r"]))
"""
    done = fresh.Process("fresh:execute", code).finish()
    (line,) = done.stderr.splitlines()
    assert f"{tmp_path}/out.h5: no space left (File too large); take a disk of larger" in line
    assert done.returncode == 1 and not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_is_one_line_and_nothing_half(full_disk, writer):
    body = "\n        ".join(WRITERS[writer].strip().splitlines())
    code = f"""
import sys, h5py, numpy as np, tifffile, torch
from mesodecode import cli
from mesodecode.cli.scores import summary
from mesodecode.base.files import atomic_path
def run(args):
    with atomic_path("{full_disk}/out.dat") as part:
        {body}
summary.run = run
sys.exit(cli.main(["summary", "--auc", "a", "--report", "r"]))
"""
    done = fresh.Process("fresh:execute", code).finish()
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"mesodecode summary: error: {full_disk}/out.dat: no space left (")
    assert done.returncode == 1
    assert not list(full_disk.iterdir())


@pytest.mark.slow
def test_preprocess_on_a_full_disk(full_disk, tmp_path):
    """A verb that fills HDF5 block by block."""
    made = simulate.simulate_session(
        mouse="m", session="s", run_share=0.5, **schema.defaults("simulate", n_frames=300)
    )
    simulate.write_session(made, tmp_path)
    words = f"--movie {tmp_path}/s.tif --behavior {tmp_path}/s_behavior.mat --session s --mouse m "
    words += f"--out {full_disk}/s.h5"
    done = fresh.Process("mesodecode.cli:main", "preprocess", *words.split()).finish()
    (line,) = done.stderr.splitlines()
    assert f"{full_disk}/s.h5: no space left" in line
    assert done.returncode == 1
    assert not list(full_disk.iterdir())


def test_a_file_that_is_read_is_not_written_over(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rows = "\n".join(f"{name},{i},0.{i + 5}" for name in "ab" for i in range(4))
    Path("auc.csv").write_text(table := f"decoder,allocation,auc\n{rows}\n")
    Path("link.csv").symlink_to("auc.csv")
    for out in ("auc.csv", "./auc.csv", "link.csv"):
        assert cli.main(["compare", "--auc", "auc.csv", "--by", "decoder", "--out", out]) == 1
        assert "auc.csv: is read (--auc), and --out would write over it" in capsys.readouterr().err
        assert Path("auc.csv").read_text() == table and Path("link.csv").is_symlink()
    words = ["compare", "--auc", "auc.csv", "--by", "decoder", "--name", "ab.tsv"]
    assert cli.main([*words, "--out", "ab.tsv"]) == 0  # a name that no file has
    Path("m.h5").write_bytes(b"raw")
    line = "preprocess --movie m.h5 --behavior m.h5 --session s --mouse m --out m.h5"
    assert cli.main(line.split()) == 1
    assert "m.h5: is read (--movie), and --out would" in capsys.readouterr().err
    assert Path("m.h5").read_bytes() == b"raw"
    assert cli.main(f"train-roi {TRAIN_ROI.replace('--history h', '--history o')}".split()) == 1
    assert "o: to be written by both --out and --history" in capsys.readouterr().err
    line = "auc --allocations auc.csv --predictions p --out auc.tsv --sessions ./auc.csv"
    assert cli.main(line.split()) == 1
    assert "auc.csv: is read (--allocations), and --sessions would" in capsys.readouterr().err
    for file in ("f.svg", "f.png"):  # --figure f writes both
        line = "score --allocations auc.csv --predictions p --decoders a --out a.tsv --figure f"
        assert cli.main([*line.split(), "--sessions", file]) == 1
        assert f"{file}: to be written by both --sessions and --figure" in capsys.readouterr().err
    assert Path("auc.csv").read_text() == table


def test_auc_is_no_column_of_groups(tmp_path, capsys):
    (tmp_path / "auc.csv").write_text("decoder,auc\na,0.5\nb,0.6\n")
    words = ["compare", "--auc", tmp_path / "auc.csv", "--out", tmp_path / "o.tsv", "--by", "auc"]
    assert cli.main([*map(str, words)]) == 1
    assert "auc is what is compared" in capsys.readouterr().err
