"""How well each decoder decodes: thresholds, calibration, errors by time.

REQUIRED INPUTS: predictions/{decoder}/{allocation}.h5, and validation/{decoder}/{allocation}.h5 for
    thresholds; recordings/{mouse}.txt
OUTPUTS: tables/quality.tsv, tables/quality/{decoder}.tsv, tables/quality_curves/{decoder}.tsv,
    figures/quality_{decoder}.svg and .png; tables/calibration.tsv, tables/prediction_sets.tsv,
    figures/calibration.svg and .png
"""

# Probabilities learnt from labels of other sessions are right of nothing.
CALIBRATED = [
    name
    for name, decoder in STUDY.decoders.items()
    if decoder.settings.get("labels", "own") == "own" and SCORED.name == "run"
]


if STUDY.decoders and SCORED.name == "run":
    SHOWN_TABLES += [RESULTS / "tables/quality.tsv"]
    SHOWN_FIGURES += expand(
        RESULTS / "figures/quality_{decoder}.svg", decoder=STUDY.decoders
    )
    if CALIBRATED:
        SHOWN_TABLES += [
            RESULTS / "tables/calibration.tsv",
            RESULTS / "tables/prediction_sets.tsv",
        ]
        SHOWN_FIGURES += [RESULTS / "figures/calibration.svg"]

    rule quality:
        input:
            allocations=RESULTS / "allocations.tsv",
            predictions=RESULTS / "predicted/{decoder}.txt",
            recordings=lists_of(STUDY.mice),
        output:
            **svg_png(
                "figures/quality_{decoder}", "Quality", "quality", decoder="{decoder}"
            ),
            table=RESULTS / "tables/quality/{decoder}.tsv",
            curves=RESULTS / "tables/quality_curves/{decoder}.tsv",
        log:
            RESULTS / "logs/quality/{decoder}.log",
        wildcard_constraints:
            decoder="|".join(STUDY.decoders),
        resources:
            mem_mb=grows(1000),  # 0.4 GB
            runtime=grows(30),  # seconds
        params:
            predictions=RESULTS / "predictions",
            validation=RESULTS / "validation",
            recordings=RESULTS / "recordings",
            prefix=str(RESULTS / "figures/quality_{decoder}"),
            code=code_version("quality"),
        message:
            "Scoring the quality of {wildcards.decoder}"
        shell:
            "mesodecode quality --decoder {wildcards.decoder} --predictions {params.predictions} "
            "--validation {params.validation} --allocations {input.allocations} "
            "--recordings {params.recordings} "
            "--out {output.table} --curves {output.curves} --figure {params.prefix} 2> {log}"

    rule quality_table:
        input:
            expand(RESULTS / "tables/quality/{decoder}.tsv", decoder=STUDY.decoders),
        output:
            RESULTS / "tables/quality.tsv",
        log:
            RESULTS / "logs/quality_table.log",
        localrule: True
        params:
            order=list(STUDY.decoders),
        message:
            "Joining the quality of all decoders"
        shell:
            "awk 'FNR > 1 || NR == 1' {input} > {output} 2> {log}"

    # One job: reading predictions is all there is to it.
    rule calibrate:
        input:
            allocations=RESULTS / "allocations.tsv",
            predictions=predicted_by(CALIBRATED),
        output:
            **svg_png("figures/calibration", "Quality", "calibration", decoder="all"),
            table=RESULTS / "tables/calibration.tsv",
            sets=RESULTS / "tables/prediction_sets.tsv",
        log:
            RESULTS / "logs/calibrate.log",
        benchmark:
            RESULTS / "benchmarks/calibrate.tsv"
        resources:
            mem_mb=grows(4000),
            runtime=grows(60),
        params:
            predictions=RESULTS / "predictions",
            validation=RESULTS / "validation",
            decoders=CALIBRATED,
            prefix=RESULTS / "figures/calibration",
            code=code_version("calibrate"),
        message:
            "Recalibrating {params.decoders}"
        shell:
            "mesodecode calibrate --decoders {params.decoders} --predictions {params.predictions} "
            "--validation {params.validation} --allocations {input.allocations} "
            "--out {output.table} --sets {output.sets} --figure {params.prefix} 2> {log}"
