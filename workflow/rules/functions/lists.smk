"""Lists of files are there only while their files are. No rules.

Jobs that read many files depend on a list of them, as Snakemake plans a study the faster, the fewer
files a job has. It looks behind no file that is there: recordings, predictions or maps that were
deleted would not be made again for a job that needs them.
"""

from types import SimpleNamespace

from mesodecode.base.files import keep_with


def put_aside():
    """Have each list of this study there only while what it stands for is."""
    for variant in [None, *STUDY.variants]:
        folder = RESULTS if variant is None else RESULTS / f"variants/{variant}"
        for mouse, sessions in STUDY.mice.items():
            recordings = expand(folder / "recordings/{session}.h5", session=sessions)
            keep_with(folder / f"recordings/{mouse}.txt", recordings)
    for decoder in STUDY.decoders:
        predictions = expand(
            RESULTS / "{role}/{decoder}/{allocation}.h5",
            role=["predictions", "validation"],
            decoder=decoder,
            allocation=STUDY.allocations,
        )
        keep_with(RESULTS / f"predicted/{decoder}.txt", predictions)
    for importance in IMPORTANCE:
        maps = maps_of("decoder")(SimpleNamespace(importance=importance))
        keep_with(RESULTS / f"importance/{importance}/maps.txt", maps)


if workflow.is_main_process:  # jobs see the study as it was planned
    put_aside()
