"""A training run that is killed goes on as if nothing had happened, to the same bits."""

from __future__ import annotations

import argparse
import os
import re
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import fresh
from make_decoders import assert_same_bits
from mesodecode.base.files import Stopped, UserError
from mesodecode.cli import main
from mesodecode.cli.decoders import _training
from mesodecode.decoders.checkpoint import Checkpoint
from mesodecode.recordings.preprocess import preprocess
from mesodecode.recordings.recording import Recording
from mesodecode.running import provenance
from mesodecode.simulation import simulate
from mesodecode.study import schema


def state_of(path: Path) -> tuple[int, int]:
    """Epoch and batches of a checkpoint."""
    state = torch.load(path, weights_only=True)["state"]
    return state["epoch"], state["batches"]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    settings = schema.defaults("simulate", n_frames=150, image_size=32)
    for mouse in ("m1", "m2"):
        made = simulate.simulate_session(mouse=mouse, session=mouse, run_share=0.5, **settings)
        simulate.write_session(made, folder)
        preprocess(
            folder / f"{mouse}.h5",
            movie=folder / f"{mouse}.tif",
            behavior=folder / f"{mouse}_behavior.mat",
            session=mouse,
            mouse=mouse,
            frame_rate=30,
        )
    return folder


class Death(BaseException):
    """What no code expects, as a kill."""


# the signal comes from within: from outside a slow machine sees the checkpoint an epoch too late
SIGNALLED = """
import os, sys
from mesodecode.cli import main
from mesodecode.decoders.checkpoint import Checkpoint

(epoch, batches, how), words = map(int, sys.argv[1:4]), sys.argv[4:]
save = Checkpoint.save

def saved(kept, state):
    save(kept, state)
    if (state["epoch"], state["batches"]) == (epoch, batches):
        os.kill(os.getpid(), how)

Checkpoint.save = saved
sys.exit(main(words))
"""


class Training:
    """`mesodecode train-cnn` of a tiny network, checkpointed after every step: 3 epochs of 10."""

    def __init__(self, recordings: Path, folder: Path) -> None:
        self.recordings, self.out = recordings, folder / "cnn.pt"
        self.kept = folder / "kept" / "cnn.pt"
        self.words = [
            *("train-cnn", "--threads", "1", "--device", "cpu"),
            *("--train", recordings / "m1.h5", "--valid", recordings / "m2.h5"),
            *("--backbone", "test_efficientnet", "--pretrained", "none", "--batch-size", "15"),
            *("--out", self.out, "--history", self.out.with_suffix(".tsv")),
            *("--checkpoint", self.kept, "--checkpoint-every", "0"),
        ]

    def run(self, *flags: str) -> int:
        """Train in this process; return the status."""
        return main([*map(str, self.words), *flags])

    def run_to(self, epoch: int, batches: int, then: Callable[[], None]) -> int:
        """Train in this process, and call `then` in the step after this checkpoint."""
        save, called = Checkpoint.save, []

        def saved(kept: Checkpoint, state: dict) -> None:
            save(kept, state)
            if (state["epoch"], state["batches"]) >= (epoch, batches) and not called:
                called.append(then)
                then()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Checkpoint, "save", saved)
            status = self.run()
        assert not self.out.exists()
        return status

    def die_at(self, epoch: int, batches: int) -> None:
        def die() -> None:
            raise Death

        with pytest.raises(Death):
            self.run_to(epoch, batches, die)

    def end_at(self, epoch: int, batches: int, how: signal.Signals) -> tuple[int, str]:
        """Train in a process of its own, which gets a signal in the step after this checkpoint."""
        training = fresh.Process("fresh:execute", SIGNALLED, epoch, batches, int(how), *self.words)
        done = training.finish()
        assert done.returncode != 0, "it finished in spite of the signal"
        assert not self.out.exists()
        return done.returncode, done.stderr

    def weights(self) -> dict[str, torch.Tensor]:
        return torch.load(self.out, weights_only=True)["state"]


@pytest.fixture(scope="module")
def unbroken(recordings, tmp_path_factory):
    training = Training(recordings, tmp_path_factory.mktemp("unbroken"))
    assert training.run() == 0
    # a finished run keeps what it trained, and no checkpoint
    assert [path.name for path in training.kept.parent.iterdir()] == ["cnn.finished.pt"]
    return training.weights()


@pytest.mark.slow
def test_killed_three_times_and_once_truncated_it_ends_in_the_same_weights(
    recordings, unbroken, tmp_path, capsys
):
    training = Training(recordings, tmp_path)
    training.die_at(1, 3)
    training.die_at(2, 0)
    training.end_at(2, 6, signal.SIGKILL)
    whole = training.kept.read_bytes()
    training.kept.write_bytes(whole[: len(whole) // 2])  # the end of the newest is lost
    assert training.run() == 0
    words = capsys.readouterr().err
    assert "set aside" in words and words.rindex("going on at epoch 2") > words.rindex("set aside")
    assert training.kept.with_name("cnn.pt.broken").exists()
    assert_same_bits(training.weights(), unbroken)
    history = training.out.with_suffix(".tsv").read_text().splitlines()
    assert [line.split("\t")[0] for line in history] == ["epoch", "1", "2", "3"]


@pytest.mark.slow
def test_signals_keep_the_state_and_other_settings_are_refused(
    recordings, unbroken, tmp_path, capsys
):
    training = Training(recordings, tmp_path)
    status, words = training.end_at(1, 2, signal.SIGTERM)  # Slurm sends either
    assert status == 143 and "the same command goes on" in words
    assert state_of(training.kept) == (1, 3)  # the step under way was finished
    assert training.run_to(2, 2, lambda: os.kill(os.getpid(), signal.SIGUSR1)) == 143
    assert "the same command goes on" in capsys.readouterr().err
    assert state_of(training.kept) == (2, 3)
    assert training.run("--max-lr", "0.01") == 1
    words = capsys.readouterr().err
    assert "max_lr was 0.001, now 0.01" in words and "delete it" in words
    assert training.run() == 0
    assert "going on at epoch 2" in capsys.readouterr().err
    assert_same_bits(training.weights(), unbroken)


@pytest.mark.slow
def test_a_finished_run_is_not_repeated_when_its_outputs_are_lost(
    recordings, unbroken, tmp_path, capsys
):
    training = Training(recordings, tmp_path)
    training.kept.parent.mkdir()
    training.out.mkdir()  # it cannot write its weights
    assert training.run() == 1
    assert "epoch 3/3" in capsys.readouterr().err
    training.out.rmdir()
    assert training.run() == 0
    words = capsys.readouterr().err
    assert "trained before" in words and "epoch" not in words
    assert_same_bits(training.weights(), unbroken)
    history = training.out.with_suffix(".tsv").read_text().splitlines()
    assert [line.split("\t")[0] for line in history] == ["epoch", "1", "2", "3"]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_a_signal_is_a_checkpoint_after_the_step_under_way(tmp_path, how):
    kept = Checkpoint(tmp_path / "c.pt", {"seed": 1})
    before = signal.signal(how, mine := lambda *_: None)
    with kept.signals():
        assert not kept.due()
        os.kill(os.getpid(), how)
        assert kept.due()  # the step goes on to its end
        with pytest.raises(Stopped, match="goes on from"):
            kept.save({"epoch": 1})
    assert signal.signal(how, before) == mine  # as a program has set it
    assert kept.load() == {"epoch": 1}


def test_a_second_ctrl_c_ends_at_once_and_a_second_word_of_slurm_does_not(tmp_path):
    with Checkpoint(tmp_path / "c.pt", {}).signals():
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), Checkpoint(tmp_path / "c.pt", {}).signals():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
    with Checkpoint(tmp_path / "c.pt", {}).signals():  # a scheduler may ask twice
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGUSR1)


def test_both_copies_broken_start_anew(tmp_path, capsys):
    kept = Checkpoint(tmp_path / "c.pt", {"seed": 1})
    kept.save({"epoch": 1})
    kept.save({"epoch": 2})
    for path in tmp_path.iterdir():
        path.write_bytes(b"PK")
    assert Checkpoint(tmp_path / "c.pt", {"seed": 1}).load() is None
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.previous.pt.broken", "c.pt.broken"]


def test_a_copy_of_which_a_byte_was_changed_is_set_aside(tmp_path, capsys):
    kept = Checkpoint(tmp_path / "c.pt", {"seed": 1})
    kept.save({"weights": torch.zeros(2)})
    kept.save({"weights": torch.ones(999)})
    content = bytearray((tmp_path / "c.pt").read_bytes())
    content[content.index(torch.ones(9).numpy().tobytes()) + 40] ^= 1
    (tmp_path / "c.pt").write_bytes(content)
    assert Checkpoint(tmp_path / "c.pt", {"seed": 1}).load()["weights"].tolist() == [0, 0]
    assert "were changed on the way" in capsys.readouterr().err


def test_the_one_before_is_used_and_another_identity_is_named(tmp_path):
    kept = Checkpoint(tmp_path / "c.pt", {"seed": 1, "inputs": [Path("a")]})
    assert kept.load() is None
    kept.save({"epoch": 1})
    kept.save({"epoch": 2})
    assert kept.load() == {"epoch": 2}
    (tmp_path / "c.pt").unlink()
    assert kept.load() == {"epoch": 1}
    same = Checkpoint(tmp_path / "c.pt", {"inputs": ["a"], "seed": 1})  # in whatever order
    assert same.load() == {"epoch": 1}
    with pytest.raises(UserError, match=r"\(seed was 1, now 2\)"):
        Checkpoint(tmp_path / "c.pt", {"seed": 2, "inputs": [Path("a")]}).load()
    kept.finish({"weights": 3})
    assert [path.name for path in tmp_path.iterdir()] == ["c.finished.pt"]
    assert kept.finished() == {"weights": 3}
    # another run is no error here: its result is not this one's, and will be replaced
    assert Checkpoint(tmp_path / "c.pt", {"seed": 2, "inputs": ["a"]}).finished() is None


# --- what a checkpoint of a verb is bound to -----------------------------------------------------


def test_the_end_sweeps_what_a_kill_left_half_written_and_nothing_of_others(tmp_path):
    mine = [".c.azo7nz68.pt", ".c.finished.0_ab12cd.pt"]
    others = [".c.tuned-m1.azo7nz68.pt", ".cc.azo7nz68.pt", "c.tuned-m1.pt", ".c.azo7nz68.tsv"]
    for name in (*mine, *others):
        (tmp_path / name).write_bytes(b"half")
    checkpoint = Checkpoint(tmp_path / "c.pt", {})
    checkpoint.save({"epoch": 1})
    checkpoint.finish({"state": {}})
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {*others, "c.finished.pt"}


def bound(path, inputs=("m1/s1",), settings=(("seed", 1),)):
    asked = argparse.Namespace(checkpoint=path, checkpoint_every=300.0)
    identity = _training.identity_of(dict(settings), list(inputs), "train_cnn")
    return _training.checkpoint_of(asked, lambda: identity)


def test_another_recording_setting_or_code_is_refused_and_no_finished_run(tmp_path, monkeypatch):
    path = tmp_path / "c.pt"
    bound(path).save({"epoch": 2})
    assert bound(path).load() == {"epoch": 2}
    others = {
        "inputs was ['m1/s1'], now ['m1/s2']": {"inputs": ["m1/s2"]},
        "seed was 1, now 2": {"settings": {"seed": 2}.items()},
    }
    for words, change in others.items():
        with pytest.raises(UserError, match=re.escape(words)):
            bound(path, **change).load()
    bound(path).finish({"state": 3})
    assert bound(path).finished() == {"state": 3}
    assert all(bound(path, **change).finished() is None for change in others.values())
    bound(path).save({"epoch": 2})
    monkeypatch.setattr(provenance, "code_version", lambda verb: f"edited {verb}")
    with pytest.raises(UserError, match=r"code was '\w+', now 'edited train_cnn'"):
        bound(path).load()
    assert bound(path).finished() is None


def test_a_recording_is_known_by_all_that_is_read_of_it():
    """Labels by another speed, areas drawn anew or a turned movie are another training."""
    arrays = {
        "labels": np.array([0, 1, 1], np.uint8),
        "decoded": np.array([0.5, 1, 2], np.float32),
        "segment": np.array([0, 0, 1]),
        "rois": np.array([[1, 2], [3, 4], [5, 6]], np.float32),
        "pixel_mean": np.array([[1, 2], [3, 4]], np.float32),
    }
    one = Recording(
        **{"path": Path("a.h5"), "session": "s1", "mouse": "m1", "frame_rate": 30.0, "speed": None},
        **{"stack_sd": 2.5, "shape": (3, 2, 2)} | arrays,
    )
    (first,) = _training.fingerprint([one])
    assert first.startswith("m1/s1: 3 frames, ")
    assert _training.fingerprint([replace(one, path=Path("moved.h5"))]) == [first]
    others = [{name: array[::-1]} for name, array in arrays.items()]
    others += [{name: None} for name in ("decoded", "segment", "rois")]
    others += [{"mouse": "m2"}, {"session": "s2"}, {"stack_sd": 2.5000001}, {"shape": (4, 2, 2)}]
    found = [_training.fingerprint([replace(one, **other)])[0] for other in others]
    assert len({first, *found}) == 1 + len(others)
