"""Maps of pixels x time of decoders that decode well: which checks do right and wrong ones pass?

python benchmarks/pixel_maps.py      eight minutes on a core

Four simulated mice, one session of 30 s each. A CNN is trained on three, and end to end with a GRU
over 11 images, and its map is made in the fourth, in turn. Planted are two areas that rise while
the mouse runs and lead by 0.1 s, and two that fall silent and lag by as much. Beside the maps of
these decoders stand wrong ones: of the same networks, all weights drawn anew. The checks are those
of `mesodecode pixels-check`; permuted labels are those of other mice, a third of a session later.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from cutout_fill import recordings

from mesodecode.base.roc_auc import roc_auc
from mesodecode.decoders import train
from mesodecode.decoders.applied import ImageDecoder, Loaded
from mesodecode.decoders.inputs import Images, ImageWindows
from mesodecode.decoders.networks import CNNDecoder, CNNRNNDecoder, RNNDecoder
from mesodecode.explain import map_verdicts, maps, pixel_check
from mesodecode.explain.map_check import untaught
from mesodecode.explain.pixel_shap import pixel_shap
from mesodecode.explain.shap_files import Map
from mesodecode.recordings.sample import Sample
from mesodecode.study import schema

BACKBONE, HALF_WINDOW = "test_efficientnet", 5
COHORT = {
    "signal_rois": [6, 31, 20, 45],
    "signal_leads_s": [0.1, 0.1, -0.1, -0.1],
    "signal_gains": [1.0, 1.0, -1.0, -1.0],
    "signal_radius": 0.09,
    "left_right": 1.0,
    "global_fraction": 0.0,
    "lead_s": 0.0,
    "tau_decay_s": 0.1,
    "cycle_s": 2.0,
    "photons": 1000,
    "position_jitter": 0.01,
    "rotation_sd": 2.0,
    "brightness_sd": 0.2,
}
OPTIONS = {"epochs": 4, "frame_step": 2, "seed": 1}
ANALYSIS = {"windows": 20, "background": 10, "output": "logit"}


def trained(known: Sequence[Sample]) -> CNNRNNDecoder:
    """Return a CNN-GRU, trained end to end from a CNN that was trained before."""
    images = Images(known, feed="memory")
    of_images = {"batch_size": 32, "max_lr": 0.003}
    fitted = train.fit(lambda: CNNDecoder(BACKBONE), images, None, **of_images, **OPTIONS)
    cnn = CNNDecoder(BACKBONE)
    cnn.load_state_dict(fitted.states[-1])

    def joined() -> CNNRNNDecoder:
        return CNNRNNDecoder(cnn, RNNDecoder(cnn.n_features, cell="gru", hidden_size=32))

    windows = ImageWindows(known, HALF_WINDOW, feed="memory")
    of_windows = {"batch_size": 64, "max_lr": 0.002, "run_length": 16}
    fitted = train.fit(joined, windows, None, **of_windows, **OPTIONS)
    network = joined()
    network.load_state_dict(fitted.states[-1])
    return network.eval()


def loaded(network: CNNRNNDecoder, known: Sequence[Sample]) -> Loaded:
    """Return a decoder as it is read from its file."""
    mice = tuple(one.mouse for one in known)
    return Loaded(ImageDecoder(network, HALF_WINDOW), "finetuned", {}, mice, ())


def tested(network: CNNRNNDecoder, one: Sample) -> float:
    """Return the AUC of a session."""
    windows = ImageWindows([one], HALF_WINDOW, feed="memory")
    logits = windows.logits(network, windows.centres)
    return roc_auc(windows.labels[windows.centres].numpy(), logits.numpy())


def judged(made: Sequence[Map], decoders: Sequence[tuple], null: Sequence[Map], noise: int):
    """Return the verdicts on maps of decoders; (decoder, session, known, truth) of each."""
    scores = maps.of_shap(made)
    settings = schema.defaults("importance_pixels", **ANALYSIS)
    about = {"maps": scores, "signed": made, "limit": 120, "draws": 10, "noise_draws": noise}
    checks = [
        pixel_check.check_pixels(decoder, [one], known, settings, truth=[truth], **about)
        for decoder, one, known, truth in decoders
    ]
    found = map_verdicts.gather(scores, checks, null=maps.of_shap(null), timed=made)
    return map_verdicts.table(found).set_index("check")


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    began, settings = time.perf_counter(), schema.defaults("importance_pixels", **ANALYSIS)
    with tempfile.TemporaryDirectory() as folder:
        sessions, truth = recordings(Path(folder), 1, **COHORT)
        n = len(sessions)
        others = [
            np.roll(sessions[(i + 1) % n].labels, len(one) // 3) for i, one in enumerate(sessions)
        ]
        permuted = [replace(one, labels=each) for one, each in zip(sessions, others, strict=True)]
        decoders, aucs, right, wrong, null = [], [], [], [], []
        for i in range(n):
            of_mouse = []
            for cohort in (sessions, permuted):
                known = [cohort[j] for j in range(n) if j != i]
                of_mouse.append(loaded(trained(known), known))
            decoder, unknowing = of_mouse
            one, known = sessions[i], [sessions[j] for j in range(n) if j != i]
            aucs.append(tested(decoder.decoder.network, one))
            shuffled = untaught(decoder.decoder.network, 77, [one], "cpu")
            decoders.append((decoder, one, known, truth[i]))
            explained = decoder, loaded(shuffled, known), unknowing
            for each, found in zip(explained, (right, wrong, null), strict=True):
                found.append(pixel_shap(each, [one], known, settings, decoder="cnn_gru")[0])
        tables = [judged(right, decoders, null, 1), judged(wrong, decoders, null, 0)]
    print(f"AUC {', '.join(f'{auc:.3f}' for auc in aucs)}")
    print(f"completeness error {max(one.completeness_error for one in right):.1e}")
    print("| check | map | weights drawn anew |\n|---|---|---|")
    for check in tables[0].index:
        cells = [
            f"{table.loc[check, 'verdict']}, {table.loc[check, 'value']:.3f} "
            f"({table.loc[check, 'limit']:.3f})"
            for table in tables
        ]
        print(f"| {check} | {' | '.join(cells)} |")
    for title, table in zip(("map", "weights drawn anew"), tables, strict=True):
        for check, row in table.iterrows():
            print(f"{title}, {check}: {row['sentence']}")
    print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
