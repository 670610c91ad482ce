"""How far test mice are from the mice that a decoder knows, and whether it can be believed there.

REQUIRED INPUTS: predictions/{decoder}/{allocation}.h5, validation/{decoder}/{allocation}.h5, the
    models and what they predict from; tables/session_auc.tsv, for the AUC to expect of a session
    (of another target session_regression.tsv or session_states.tsv, for its score)
OUTPUTS: tables/image_shift.tsv, tables/shift/{decoder}.tsv, tables/shift.tsv, figures/shift.svg
    and .png
"""


include: "functions/shift.smk"


SHIFTED = STUDY.config["shift"]["decoders"]  # of which the shift report speaks


if SHIFTED:
    SHOWN_TABLES += [RESULTS / "tables/shift.tsv"]
    SHOWN_FIGURES += [RESULTS / "figures/shift.svg"]

    # Once for all decoders: images are compared, whatever decodes them.
    rule image_shift:
        input:
            lists_of(STUDY.mice),
        output:
            RESULTS / "tables/image_shift.tsv",
        log:
            RESULTS / "logs/image_shift.log",
        benchmark:
            RESULTS / "benchmarks/image_shift.tsv"
        resources:
            mem_mb=grows(4000),
            runtime=grows(120),
        params:
            order=list(STUDY.mice),
            code=code_version("image_shift"),
        message:
            "Comparing the images of all sessions"
        shell:
            "mesodecode image-shift --recordings {input} --out {output} 2> {log}"

    # All allocations in one job: a hundred frames of a session are read once for all of them.
    rule shift:
        input:
            allocations=RESULTS / "allocations.tsv",
            models=model_files,
            recordings=lambda wildcards: lists_of(STUDY.mice, wildcards.decoder),
            features=features_files,
            predictions=RESULTS / "predicted/{decoder}.txt",
        output:
            RESULTS / "tables/shift/{decoder}.tsv",
        log:
            RESULTS / "logs/shift/{decoder}.log",
        benchmark:
            RESULTS / "benchmarks/shift/{decoder}.tsv"
        wildcard_constraints:
            decoder="|".join(SHIFTED),
        threads: STUDY.config["threads"]
        resources:
            **on_device(gpu_of_network),
            mem_mb=grows(8000),
            runtime=grows(240),
        params:
            predictions=lambda wildcards: RESULTS / "predictions" / wildcards.decoder,
            validation=lambda wildcards: RESULTS / "validation" / wildcards.decoder,
            inputs=shift_flags,
            code=code_version("shift"),
        message:
            "Measuring how far test mice are from those that {wildcards.decoder} knows"
        shell:
            "mesodecode shift --decoder {wildcards.decoder} {params.inputs} "
            "--allocations {input.allocations} --recordings {input.recordings} "
            "--predictions {params.predictions} --validation {params.validation} "
            "--device {resources.device} --threads {threads} --out {output} 2> {log}"

    rule shift_report:
        input:
            shift=expand(RESULTS / "tables/shift/{decoder}.tsv", decoder=SHIFTED),
            images=RESULTS / "tables/image_shift.tsv",
            sessions=RESULTS / f"tables/session_{SCORED.table}.tsv",
        output:
            **svg_png("figures/shift", "Shift", "shift", kind="figure"),
            table=shown("tables/shift.tsv", "Shift", "shift", kind="table"),
        log:
            RESULTS / "logs/shift_report.log",
        resources:
            mem_mb=grows(4000),
            runtime=grows(30),
        params:
            thresholds=lambda wildcards: json.dumps(STUDY.config["shift"]),
            prefix=RESULTS / "figures/shift",
            code=code_version("shift_report"),
        message:
            "Judging the shift of test mice"
        shell:
            "mesodecode shift-report --shift {input.shift} --images {input.images} "
            "--sessions {input.sessions} --thresholds {params.thresholds:q} "
            "--out {output.table} --figure {params.prefix} 2> {log}"
