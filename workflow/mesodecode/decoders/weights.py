"""Trained networks as files: what was trained, on which mice, and its weights."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mesodecode.base.files import UserError, atomic_path
from mesodecode.decoders import kept_settings
from mesodecode.decoders.backbones import _load_safely
from mesodecode.decoders.device import found_device, reduced_dtype
from mesodecode.decoders.networks import (
    CNNDecoder,
    Make,
    cnn_decoder,
    finetuned_decoder,
    rnn_decoder,
)
from mesodecode.study.allocation import Allocation

# Files of weights are of these kinds, and of no other.
MADE_BY: dict[str, Make] = {
    "cnn": cnn_decoder,
    "finetuned": finetuned_decoder,
    "cnn_rnn": rnn_decoder,
    "roi_rnn": rnn_decoder,
}
OF_CHOICE = ("frame_step", "early_stopping")  # what `choose` asks of all epochs of a training
OTHER_SIZES = "weights of other sizes than its settings say; train it anew"


@dataclass(frozen=True)
class Trained:
    """A trained network, and what it must never be tested on.

    `kind` ("cnn"; "cnn_rnn" on features; "finetuned", CNN and RNN together; …) and `settings` say
    how to build it; `state` is its state dict; `train_mice` and `valid_mice` are the mice it has
    seen; `path` is the file that it was read from, if any, which messages name.
    """

    kind: str
    settings: dict[str, Any]
    train_mice: tuple[str, ...]
    valid_mice: tuple[str, ...]
    state: dict[str, torch.Tensor]
    path: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        self.allocate(())  # refuses a mouse in two roles

    def with_state(self, state: dict[str, torch.Tensor]) -> Trained:
        """Return the same with the weights `state`."""
        return replace(self, state=state)

    def save(self, path: str | Path) -> None:
        """Write to `path`, whole or not at all."""
        _save(self, path)

    def allocate(self, test_mice: Sequence[str]) -> Allocation:
        """Return the allocation of this network with `test_mice`.

        Raises UserError if the network was trained or validated on one of them.
        """
        return Allocation(tuple(self.train_mice), tuple(self.valid_mice), tuple(test_mice))

    def build(self, device: torch.device | str = "cpu") -> nn.Module:
        """Return the network in evaluation mode; of `precision: mixed` its CNN passes in that.

        Raises UserError if there is no such network or device, or the weights are those of another.
        """
        device = found_device(device)
        try:
            model = _made(MADE_BY[self.kind], self.state, self.settings)
            model.load_state_dict(self.state, strict=True)
        except RuntimeError as error:
            raise UserError(f"{self.path}: {OTHER_SIZES}") from error
        if self.settings.get("precision") == "mixed":
            for part in model.modules():
                if isinstance(part, CNNDecoder):
                    part.passed_in = reduced_dtype(device)
        return model.to(device).eval()


@dataclass(frozen=True)
class TrainedEpochs:
    """A training of some mice with all its epochs, of which allocations choose (`choose`).

    `kind` and `settings` as of `Trained`; `states` are the weights after each epoch, `history` its
    lines (`train.Epoch`), without validation. `starts`: of a decoder that starts from a CNN, the
    epoch of it, from 1, that each of the states was trained from; all epochs of one start after
    those of another. `identities`: start -> digest of what its weights depend on, so that a mouse
    more, whose allocations choose another epoch of the CNN, trains from that one alone.
    """

    kind: str
    settings: dict[str, Any]
    train_mice: tuple[str, ...]
    states: list[dict[str, torch.Tensor]]
    history: list[dict[str, Any]]
    starts: list[int] = field(default_factory=list)
    identities: dict[int, str] = field(default_factory=dict)
    path: str = field(default="", compare=False)

    def save(self, path: str | Path) -> None:
        """Write to `path`, whole or not at all."""
        _save(self, path)

    def at(self, epoch: int, valid_mice: Sequence[str] = ()) -> Trained:
        """Return the network after an epoch, from 0, as chosen by `valid_mice`."""
        state = self.states[epoch]
        mice = self.train_mice, tuple(valid_mice)
        return Trained(self.kind, self.settings, *mice, state, self.path)

    def rows(self, start: int | None = None) -> list[int]:
        """Return which states are of a training, from an epoch of its CNN where it starts from one.

        Raises UserError if none are, or an epoch is needed.
        """
        if not self.starts and start is None:
            return list(range(len(self.states)))
        found = [row for row, epoch in enumerate(self.starts) if epoch == start]
        if not found:
            known = ", ".join(map(str, sorted({*self.starts}))) or "none"
            raise UserError(f"not trained from epoch {start} of a CNN; trained from: {known}")
        return found


def digest(state: dict[str, torch.Tensor]) -> str:
    """Return the SHA-256 of weights."""
    hashed = hashlib.sha256()
    for name, value in state.items():
        hashed.update(name.encode() + value.contiguous().numpy().tobytes())
    return hashed.hexdigest()


def _save(trained: Trained | TrainedEpochs, path: str | Path) -> None:
    content = {key: value for key, value in vars(trained).items() if key != "path"}
    with atomic_path(path) as part:
        torch.save(content, part)


def load_epochs(path: str | Path, *kinds: str) -> TrainedEpochs:
    """Read what `TrainedEpochs.save` wrote.

    Raises UserError if the file is something else, or of none of `kinds`, where they are given.
    """
    no_training = (
        f"{path}: not all epochs of a training; make it with --all-epochs of a verb that trains"
    )
    try:
        trained = TrainedEpochs(**_load_safely(Path(path)) | {"path": str(path)})
    except TypeError as error:
        raise UserError(no_training) from error
    if kinds and trained.kind not in kinds:
        raise UserError(f"{path}: of a '{trained.kind}' decoder; needs '{kinds[0]}'")
    lists = trained.states, trained.history, trained.starts
    if not (all(isinstance(one, list) for one in lists) and isinstance(trained.identities, dict)):
        raise UserError(no_training)
    kept_settings.check_mice(path, train_mice=trained.train_mice)
    _check_states(path, trained, trained.states, OF_CHOICE)
    of_each = {len(trained.history), len(trained.starts) or len(trained.states)}
    if of_each != {len(trained.states)}:
        raise UserError(f"{path}: not as many lines of history as epochs; train it anew")
    return trained


def load_trained(path: str | Path, *kinds: str) -> Trained:
    """Read weights that `Trained.save` wrote. Raises UserError if they are of none of `kinds`."""
    content = _load_safely(Path(path))
    try:
        trained = Trained(**content | {"path": str(path)})
    except TypeError as error:
        raise UserError(f"{path}: not weights of a mesodecode decoder") from error
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    if trained.kind not in kinds:
        needed = " or ".join(f"'{kind}'" for kind in kinds)
        raise UserError(f"{path}: weights of a '{trained.kind}' decoder; needs {needed}")
    mice = {"train_mice": trained.train_mice, "valid_mice": trained.valid_mice}
    kept_settings.check_mice(path, **mice)
    _check_states(path, trained, [trained.state])
    return trained


def _check_states(
    path: str | Path,
    trained: Trained | TrainedEpochs,
    states: list[dict[str, torch.Tensor]],
    also: Sequence[str] = (),
) -> None:
    """Raise UserError unless each weight has all its values in the file, and the network no more.

    A tensor may claim any shape over one value, and settings any number of units. All epochs are of
    one network. `also` as of `kept_settings.check`.
    """
    if trained.kind not in [*MADE_BY]:
        raise UserError(f"{path}: of a '{trained.kind}' decoder, a kind that is not known here")
    kept_settings.check(path, trained.kind, trained.settings, also)
    for state in states:
        known = isinstance(state, dict) and len(state) > 0
        for name, value in state.items() if known else [("state", None)]:
            if not _is_whole(value):
                raise UserError(f"{path}: weight '{name}' is no tensor that has all its values")
    sizes = [{name: value.shape for name, value in state.items()} for state in states]
    for epoch, of in enumerate(sizes, 1):
        if of != sizes[0]:
            raise UserError(f"{path}: weights of epoch {epoch} are not of epoch 1's network")
    if trained.kind == "cnn" or not states:  # its backbone's name says the sizes
        return
    prefix = "rnn." if trained.kind == "finetuned" else ""
    read = {n.removeprefix(prefix): v for n, v in states[0].items() if n.startswith(prefix)}
    shapes = {name: value.shape for name, value in read.items()}
    try:
        make = rnn_decoder if prefix else MADE_BY[trained.kind]
        fits = trained.settings.get("num_layers", 0) <= len(shapes)
        if fits:
            with torch.device("meta"):  # which takes no memory
                wanted = _made(make, read, trained.settings).state_dict()
            fits = {name: value.shape for name, value in wanted.items()} == shapes
    except (TypeError, RuntimeError) as error:
        raise UserError(f"{path}: settings that are those of no network ({error!r})") from error
    if not fits:
        raise UserError(f"{path}: {OTHER_SIZES}")


def _made(make: Make, state: dict[str, torch.Tensor], settings: dict[str, Any]) -> nn.Module:
    """Return a new network for weights; no others that its settings name are read for it."""
    return make(_n_features(state), settings | {"pretrained": "none"})


def _n_features(state: dict[str, torch.Tensor]) -> int:
    """Return the length of the vectors that a network reads: the columns of its first weight."""
    first = next(iter(state.values()))
    return first.shape[1] if first.dim() > 1 else 0


def _is_whole(value: Any) -> bool:
    return (
        isinstance(value, torch.Tensor)
        and value.device.type == "cpu"
        and value.layout == torch.strided
        and value.numel() * value.element_size() <= value.untyped_storage().nbytes()
    )
