"""One cluster for all tests of this folder, and one run on it that nothing disturbs."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from checkout import Checkout
from cluster import Cluster, Unavailable

from mesodecode.study import study

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.slurm)


@pytest.fixture(scope="session")
def cluster():
    try:
        with Cluster() as running:
            yield running
    except Unavailable as why:
        pytest.skip(str(why))


@pytest.fixture(scope="session")
def allocations() -> list[str]:
    return list(study.resolve(yaml.safe_load((HERE / "study.yaml").read_text())).allocations)


@pytest.fixture(scope="session")
def undisturbed(cluster, tmp_path_factory) -> Checkout:
    """The study, run by `snakemake --profile slurm` without a fault."""
    checkout = Checkout(tmp_path_factory.mktemp("slurm") / "undisturbed", cluster)
    assert checkout.run() == 0, checkout.said()
    return checkout
