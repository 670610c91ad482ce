"""What should be said of simulated cohorts that differ on purpose: is anything lost between them?

Decoders of pixels lose where the brains of a cohort lie otherwise, decoders of ROIs by name do not;
both where running is in other areas. Another rate, size or light is brought together, so that
nothing should be lost; of anything else either may be.
"""

import pandas as pd

from mesodecode.study import study as studies
from mesodecode.study.cohort_table import all_tables
from mesodecode.study.kinds import KINDS

STAGE = "cohorts"
LOSS = (STAGE, "loss")
LEAST = 0.01  # AUC; frames of another sharpness and noise, once resized, cost less
ELSEWHERE = frozenset({"signal_rois"})
MOVED = frozenset({"rotation", "scale", "missing_left"})
BROUGHT = frozenset({"frame_rate", "n_frames", "image_size", "photons", "gain", "dark_offset"})


def differences(study: studies.Study) -> set[str]:
    """Return the settings of the simulation in which cohorts differ; none without cohorts."""
    tables = [table["simulate"] for table in all_tables(study.config) if "simulate" in table]
    first = tables[0] if tables else {}
    return {key for key in first if any(table[key] != first[key] for table in tables)}


def expected(study: studies.Study, decoder: str) -> tuple[set, set]:
    """Return what should be said of a decoder, and what may be said too.

    Test mice may be called shifted where cohorts differ: from another cohort they are.
    """
    unlike = differences(study)
    may = {("shift", mouse) for mouse in study.mice} if unlike else set()
    lost = ELSEWHERE | (MOVED if KINDS[study.decoders[decoder].kind].of_images else frozenset())
    if unlike & lost:
        return {LOSS}, may
    return set(), may | ({LOSS} if unlike - BROUGHT else set())


def said(table: pd.DataFrame) -> bool:
    """Return whether a loss that matters is shown between any two cohorts.

    `table` of `cohort_matrix.table`.
    """
    return bool((table["loss_low"] > LEAST).any())
