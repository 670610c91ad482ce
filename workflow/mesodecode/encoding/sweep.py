"""One network trained with many settings, each line on its own and none lost to a killed job."""

import hashlib
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from mesodecode.base.files import say
from mesodecode.encoding.columns import SWEEP
from mesodecode.encoding.folds import Split
from mesodecode.encoding.presentations import Presentations, averaged
from mesodecode.encoding.responses import Responses
from mesodecode.encoding.study import SWEPT
from mesodecode.encoding.train import SETTINGS, Diverged, fit, mean_r2, network_of, sources


def grid(*values: Sequence[Any]) -> list[dict[str, Any]]:
    """Return every combination of learning rates, momenta, L2 values and initialisations."""
    return [dict(zip(SWEPT, line, strict=True)) for line in itertools.product(*values)]


def train_all(
    data: Responses,
    split: Split,
    settings: dict[str, Any],
    lines: Sequence[dict[str, Any]],
    device: torch.device | str = "cpu",
    partial: Path | None = None,
    identity: str = "",
) -> pd.DataFrame:
    """Train with `settings` changed by each of `lines`; return a row each (`columns.SWEEP`).

    Losses and R² are those of the best epoch, of single trials or averages as trained on. NaN
    where the loss became infinite. Finished lines are kept in `partial`, a JSON a line, and taken
    from there if their `identity` is the same.
    """
    digest = hashlib.sha256(identity.encode()).hexdigest()
    done = _read(partial, digest)
    rows = []
    train, valid, test, scaler = sources(data, split, settings, device)
    if settings["train_on"] == "averages":
        part = averaged(data, split.test)
        test = Presentations(part, np.arange(len(part.image)), scaler, device=device)
    for number, line in enumerate(lines, 1):
        key = json.dumps(line, sort_keys=True)
        if key not in done:
            done[key] = _train(data, settings | line, train, valid, test, device)
            if partial is not None:
                partial.parent.mkdir(parents=True, exist_ok=True)
                with open(partial, "a", encoding="utf-8") as file:
                    file.write(json.dumps({"of": digest, "line": key, "row": done[key]}) + "\n")
        rows.append(line | done[key])
        shown = f"valid R2 {done[key]['valid_r2']:.3f}"
        words = "diverged" if done[key]["diverged"] else shown
        say(f"{number}/{len(lines)} {key}: {words}")
    return pd.DataFrame(rows, columns=list(SWEEP))


def _read(path: Path | None, digest: str) -> dict[str, Any]:
    if path is None or not path.exists():
        return {}
    found = {}
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            line = json.loads(text)
        except ValueError:  # cut short when the job was killed
            continue
        if line["of"] == digest:
            found[line["line"]] = line["row"]
    return found


def _train(
    data: Responses,
    settings: dict[str, Any],
    train: Presentations,
    valid: Presentations,
    test: Presentations,
    device: torch.device | str,
) -> dict[str, Any]:
    """Train one network; return its row, without the settings."""
    network = network_of(data, settings).to(device)
    for source in (train, valid, test):
        source.freeze(network)
    nothing = dict.fromkeys(SWEEP[len(SWEPT) + 3 :], float("nan"))
    try:
        chosen = {key: settings[key] for key in SETTINGS}
        fitted = fit(network, train, valid, **chosen, device=device, quiet=True)
    except Diverged:
        return {"diverged": True, "epochs": 0, "best_epoch": 0} | nothing
    history = fitted.history
    best = history.loc[history["valid_loss"].idxmin()]
    network.load_state_dict(fitted.state)
    outputs, labels = test.logits(network, test.centres), test.labels[test.centres]
    return {
        "diverged": False,
        "epochs": len(history),
        "best_epoch": int(best["epoch"]),
        **{key: float(best[key]) for key in ("train_loss", "valid_loss", "train_r2", "valid_r2")},
        "test_loss": torch.nn.functional.mse_loss(outputs, labels).item(),
        "test_r2": mean_r2(outputs, labels),
    }
