"""Passes of images as graphs, on a CPU: a recording keeps what it was given, and computes on it."""

from __future__ import annotations

import pytest
import torch

from cuda_rules import streams
from mesodecode.decoders import graphs
from mesodecode.decoders.graphs import MOST, RECURS, Replayed


@pytest.fixture
def recorded(monkeypatch):
    """Let graphs be recorded on a CPU: a replay fills what was made; returns the replays."""
    replays = []

    def record(step):
        step()
        made = step.__closure__  # the list that the step adds what it makes to
        (kept,) = (cell.cell_contents for cell in made if isinstance(cell.cell_contents, list))
        first = kept[0].clone()
        kept[0].fill_(float("nan"))  # recording does not compute

        def replay():
            replays.append(first.shape)
            with torch.inference_mode():  # a graph writes to memory, whatever the mode
                step()
                kept[0].copy_(kept.pop())

        return replay

    monkeypatch.setattr(graphs, "record", record)
    with streams(None):
        yield replays


def images(n, seed=0):
    return torch.randn(n, 3, 4, 4, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_batches_of_a_size_that_recurs_are_replayed_and_each_result_stays(recorded, mode):
    passed = Replayed(lambda given: given.mean((2, 3)) * 2)
    with mode():
        given = [images(5, seed) for seed in range(RECURS + 3)]
        found = [passed(each) for each in given]
        assert len(recorded) == 3
        for each, made in zip(given, found, strict=True):
            assert torch.equal(made, each.mean((2, 3)) * 2)
        assert torch.equal(passed(images(2)), images(2).mean((2, 3)) * 2)  # of another size
    assert len(recorded) == 3
    with torch.no_grad():  # after inference mode, whose tensors could not be filled now
        assert torch.equal(passed(images(5)), images(5).mean((2, 3)) * 2)


def test_a_pass_is_made_of_the_same_images_once_before_it_is_recorded(monkeypatch):
    """What libraries set up for a stream must be there: a recording could not do it."""
    done = []

    def record(step):
        done.append("recorded")
        step()
        return lambda: None

    monkeypatch.setattr(graphs, "record", record)
    with streams(None):
        passed = Replayed(lambda given: done.append(given.sum().item()) or given.mean((2, 3)))
        for _ in range(RECURS + 1):
            passed(images(2))
    each = images(2).sum().item()
    assert done == [*[each] * RECURS, each, "recorded", each]


def test_sizes_that_have_graphs_are_few(recorded):
    passed = Replayed(lambda given: given.mean((2, 3)))
    for n in range(1, MOST + 3):
        for _ in range(RECURS + 1):
            passed(images(n))
    assert len(recorded) == MOST


def test_what_cannot_be_recorded_is_passed_as_it_is_and_a_line_says_so(monkeypatch, capsys):
    tries = []

    def refuse(step):
        tries.append(step)
        raise RuntimeError("out of memory")

    monkeypatch.setattr(graphs, "record", refuse)
    passed = Replayed(lambda given: given + 1)
    with streams(None):
        for n in (3, 2):
            for _ in range(RECURS + 2):
                assert torch.equal(passed(images(n)), images(n) + 1)
    assert len(tries) == 1
    assert capsys.readouterr().err == "passes are not captured, slower (out of memory)\n"
