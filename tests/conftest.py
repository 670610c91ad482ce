"""What all tests share."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

import fresh
from make import STUDY, add_files

# A busy machine is no failure: examples that write files take longer beside other jobs.
hypothesis.settings.register_profile("unhurried", deadline=None, max_examples=25)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=100)
hypothesis.settings.load_profile("unhurried")

# Files of ten seconds and more: begun last, one of them would end alone.
LONGEST = ("test_workflow", "test_tiny", "test_bad_data", "test_equal", "test_device")
LONGEST += ("test_deepshap", "test_target_maps", "test_first_look", "test_report", "test_steps")
LONGEST += ("test_provenance", "test_predict", "test_readers", "test_options", "test_sources")
LONGEST += ("test_setting_up", "test_cutout", "test_public_layouts", "test_plan", "test_qc")
LONGEST += ("test_quality_figure", "test_roi_decoders", "test_inference", "test_fingerprints")


QUIET = ("confounds", "encoding", "scores", "shift")  # rooms whose numbers may be undefined

gc.disable()  # while modules are imported and tests collected, all of which stay


def pytest_configure(config: pytest.Config) -> None:
    """Import heavy libraries once for the fresh processes of all workers, not once for each.

    Workers collect the rooms from another one on each: what one has compiled, the others read.
    """
    if config.getoption("numprocesses", None) and fresh.ADDRESS not in os.environ:
        fresh.share()
    if config.args == ["tests"] and (worker := os.environ.get("PYTEST_XDIST_WORKER")):
        rooms = sorted({str(file.parent) for file in Path("tests").glob("*/test_*.py")})
        at = len(rooms) * int(worker[2:]) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
        config.args[:] = rooms[at:] + rooms[:at]


def pytest_collection_finish() -> None:
    """Collect garbage from now on, but not among what is there already."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files of `LONGEST` first, others by name; what divides by nothing gives NaN alone."""
    for item in items:
        if item.path.parent.name in QUIET:
            item.add_marker(pytest.mark.filterwarnings("error::RuntimeWarning:mesodecode.*"))
    place = {name: at for at, name in enumerate(LONGEST)}
    items.sort(key=lambda item: (place.get(item.path.stem, len(LONGEST)), item.path))


@pytest.fixture
def lab(tmp_path) -> Path:
    """A folder with the source files of `make.STUDY`."""
    add_files(tmp_path, STUDY)
    return tmp_path


@pytest.fixture
def one_thread() -> Iterator[None]:
    """PyTorch on one thread, as tests that train have it: beside each other more would wait."""
    import torch  # which most tests need not import

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session", autouse=True)
def counted_to_the_end() -> Iterator[None]:
    """Whatever counts its progress, and does not fail, has come to its total as it ends."""
    from mesodecode.base.progress import Progress

    close = Progress.__exit__

    def checked(self: Progress, kind: type | None, *more: object) -> None:
        close(self, kind, *more)
        assert kind or self._done == self._total, f"{self._what}: {self._done} of {self._total}"

    Progress.__exit__ = checked
    yield
    Progress.__exit__ = close
