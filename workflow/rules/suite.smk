"""What the ground-truth benchmark reads of a study of simulated mice: the target `benchmark`.

REQUIRED INPUTS: tables of AUC, calibration, chance, quality control, shift, confounds, importance
OUTPUTS: none of its own; `mesodecode suite` puts the studies together (docs/benchmark-suite.md)
"""


rule benchmark:
    input:
        RESULTS / "config.json",
        *[
            RESULTS / f"tables/{name}.tsv"
            for name, made in {
                "auc": STUDY.decoders,
                "calibration": CALIBRATED,
                "qc": STUDY.decoders,
                "chance": STUDY.nulls or SHIFTS,
                "shift": SHIFTED,
                "confounds": control_windows(),
            }.items()
            if made
        ],
        expand(RESULTS / "tables/importance_{name}.tsv", name=IMPORTANCE),
