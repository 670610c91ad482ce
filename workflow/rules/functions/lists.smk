"""Lists of files are there only while their files are. No rules.

Jobs that read many files depend on a list of them, as Snakemake plans a study the faster, the fewer
files a job has. It looks behind no file that is there: recordings, predictions or maps that were
deleted would not be made again for a job that needs them.
"""

import itertools

from mesodecode.base.files import keep_with


def put_aside():
    """Have each list of this study there only while what it stands for is."""
    for variant, mouse in itertools.product([None, *STUDY.variants], STUDY.mice):
        listing = f"{folder_of(variant)}/{mouse}.txt"
        keep_with(listing, recordings_listed(mouse, variant))
    for decoder in STUDY.decoders:
        (listing,) = predicted_by([decoder])
        keep_with(listing, predictions_listed(decoder))
    for importance in IMPORTANCE:
        for listed, files in map_lists(importance).items():
            keep_with(RESULTS / f"importance/{importance}/{listed}.txt", files)


if workflow.is_main_process:  # jobs see the study as it was planned
    put_aside()
