"""How well each decoder decodes: thresholds, calibration, errors by time.

REQUIRED INPUTS: predictions/{decoder}/{allocation}.h5, the models and what they predict from
OUTPUTS: validation/{decoder}/{allocation}.h5 (predictions of validation mice, for thresholds),
    tables/quality.tsv, tables/quality/{decoder}.tsv, tables/quality_curves/{decoder}.tsv,
    figures/quality_{decoder}.svg and .png; tables/calibration.tsv, tables/prediction_sets.tsv,
    figures/calibration.svg and .png
"""

if STUDY.decoders:
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

    # All allocations in one job: each is done in less time than Python takes to start.
    rule predict_validation:
        input:
            allocations=RESULTS / "allocations.tsv",
            models=model_files,
            sources=sources_of_validation,
        output:
            expand(
                RESULTS / "validation/{{decoder}}/{allocation}.h5",
                allocation=STUDY.allocations,
            ),
        log:
            RESULTS / "logs/predict_validation/{decoder}.log",
        benchmark:
            RESULTS / "benchmarks/predict_validation/{decoder}.tsv"
        wildcard_constraints:
            decoder=names_of(lambda d: d.kind in TRAINED and not passes_images(d)),
        conda:
            "../../envs/mesodecode.yaml"
        threads: 1
        resources:
            mem_mb=grows(3000),  # as predict_rnn, an allocation after the other; 0.7 GB
            runtime=grows(240),  # 20 allocations of a minute
            device="cpu",
        params:
            models=str(RESULTS / "models/{decoder}"),
            folder=str(RESULTS / "validation/{decoder}"),
            inputs=validation_flags,
            code=code_version("predict_validation"),
        message:
            "Predicting the validation mice of {wildcards.decoder}"
        shell:
            "mesodecode predict-validation --models {params.models} --decoder {wildcards.decoder} "
            "--allocations {input.allocations} {params.inputs} "
            "--device {resources.device} --threads {threads} --out {params.folder} 2> {log}"

    rule predict_validation_images:
        input:
            weights=RESULTS / "models/{decoder}/{allocation}.pt",
            recordings=recordings_of("valid"),
        output:
            RESULTS / "validation/{decoder}/{allocation}.h5",
        log:
            RESULTS / "logs/predict_validation_images/{decoder}/{allocation}.log",
        benchmark:
            RESULTS / "benchmarks/predict_validation_images/{decoder}/{allocation}.tsv"
        wildcard_constraints:
            decoder=names_of(passes_images),
        conda:
            "../../envs/mesodecode.yaml"
        threads: STUDY.config["threads"]
        resources:
            mem_mb=grows(4000),  # as predict_images; 2.5 GB
            runtime=grows(120),  # as predict_images
            gpu=GPU,
            device=STUDY.config["device"],
        params:
            models=lambda wildcards, input: Path(input.weights).parent,
            folder=lambda wildcards, output: Path(output[0]).parent,
            labels=labels_of("valid"),
            code=code_version("predict_validation"),
        message:
            "Predicting the validation mouse of {wildcards.decoder} on {wildcards.allocation}"
        shell:
            "mesodecode predict-validation --models {params.models} --decoder {wildcards.decoder} "
            "--only {wildcards.allocation} "
            "--recordings {input.recordings} {params.labels} "
            "--device {resources.device} --threads {threads} --out {params.folder} 2> {log}"

    rule quality:
        input:
            allocations=RESULTS / "allocations.tsv",
            predictions=expand(
                RESULTS / "predictions/{{decoder}}/{allocation}.h5",
                allocation=STUDY.allocations,
            ),
            validation=lambda wildcards: expand(
                RESULTS / "validation/{decoder}/{allocation}.h5",
                decoder=members_of(wildcards.decoder),
                allocation=STUDY.allocations,
            ),
            recordings=lists_of(STUDY.mice),
        output:
            table=RESULTS / "tables/quality/{decoder}.tsv",
            curves=RESULTS / "tables/quality_curves/{decoder}.tsv",
            svg=report(
                RESULTS / "figures/quality_{decoder}.svg",
                category="Quality",
                caption="../report/quality.rst",
                labels={"decoder": "{decoder}"},
            ),
            png=RESULTS / "figures/quality_{decoder}.png",
        log:
            RESULTS / "logs/quality/{decoder}.log",
        wildcard_constraints:
            decoder="|".join(STUDY.decoders),
        conda:
            "../../envs/mesodecode.yaml"
        resources:
            mem_mb=grows(1000),  # 0.4 GB
            runtime=grows(30),  # seconds
        params:
            predictions=RESULTS / "predictions",
            validation=RESULTS / "validation",
            recordings=RESULTS / "recordings",
            members=lambda wildcards: members_of(wildcards.decoder),
            prefix=str(RESULTS / "figures/quality_{decoder}"),
            code=code_version("quality"),
        message:
            "Scoring the quality of {wildcards.decoder}"
        shell:
            "mesodecode quality --decoder {wildcards.decoder} --predictions {params.predictions} "
            "--validation {params.validation} --average-of {params.members} "
            "--allocations {input.allocations} --recordings {params.recordings} "
            "--out {output.table} --curves {output.curves} --figure {params.prefix} 2> {log}"

    rule quality_table:
        input:
            expand(RESULTS / "tables/quality/{decoder}.tsv", decoder=STUDY.decoders),
        output:
            RESULTS / "tables/quality.tsv",
        log:
            RESULTS / "logs/quality_table.log",
        localrule: True
        conda:
            "../../envs/mesodecode.yaml"
        message:
            "Joining the quality of all decoders"
        shell:
            "awk 'FNR > 1 || NR == 1' {input} > {output} 2> {log}"

    # One job: reading predictions is all there is to it.
    rule calibrate:
        input:
            allocations=RESULTS / "allocations.tsv",
            predictions=expand(
                RESULTS / "predictions/{decoder}/{allocation}.h5",
                decoder=CALIBRATED,
                allocation=STUDY.allocations,
            ),
            validation=expand(
                RESULTS / "validation/{decoder}/{allocation}.h5",
                decoder=sorted({m for name in CALIBRATED for m in members_of(name)}),
                allocation=STUDY.allocations,
            ),
        output:
            table=RESULTS / "tables/calibration.tsv",
            sets=RESULTS / "tables/prediction_sets.tsv",
            svg=report(
                RESULTS / "figures/calibration.svg",
                category="Quality",
                caption="../report/calibration.rst",
                labels={"decoder": "all"},
            ),
            png=RESULTS / "figures/calibration.png",
        log:
            RESULTS / "logs/calibrate.log",
        benchmark:
            RESULTS / "benchmarks/calibrate.tsv"
        conda:
            "../../envs/mesodecode.yaml"
        resources:
            mem_mb=grows(4000),
            runtime=grows(60),
        params:
            predictions=RESULTS / "predictions",
            validation=RESULTS / "validation",
            decoders=CALIBRATED,
            members=" ".join(
                flag_if("--average-of", [name, *members_of(name)])
                for name in CALIBRATED
                if members_of(name) != [name]
            ),
            prefix=RESULTS / "figures/calibration",
            code=code_version("calibrate"),
        message:
            "Recalibrating {params.decoders}"
        shell:
            "mesodecode calibrate --decoders {params.decoders} --predictions {params.predictions} "
            "--validation {params.validation} {params.members} --allocations {input.allocations} "
            "--out {output.table} --sets {output.sets} --figure {params.prefix} 2> {log}"
