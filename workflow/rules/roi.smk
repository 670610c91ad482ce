"""ROI decoders: recurrent and classical decoders of windows of ROI signals.

REQUIRED INPUTS: recordings/{mouse}.txt, of recordings with ROI signals
OUTPUTS: models/{decoder}/{allocation}.pt and .history.tsv (.joblib if classical),
    predictions/{decoder}/{allocation}.h5, validation/{decoder}/{allocation}.h5;
    tables/roi_correlation.tsv and _summary.tsv, figures/roi_correlation.svg and .png
"""


rule train_roi:
    input:
        train=recordings_of("train"),
        valid=recordings_of("valid"),
        test=recordings_of("test"),
        tuned=tuned_for,
    output:
        weights=RESULTS / "models/{decoder}/{allocation}.pt",
        history=RESULTS / "models/{decoder}/{allocation}.history.tsv",
        predictions=RESULTS / "predictions/{decoder}/{allocation}.h5",
        validation=RESULTS / "validation/{decoder}/{allocation}.h5",
    log:
        RESULTS / "logs/train_roi/{decoder}/{allocation}.log",
    benchmark:
        RESULTS / "benchmarks/train_roi/{decoder}/{allocation}.tsv"
    wildcard_constraints:
        decoder=names("roi_rnn"),
    conda:
        "../../envs/mesodecode.yaml"
    threads: 1
    resources:
        mem_mb=grows(2000),  # 0.8 GB
        runtime=grows(90),  # 25 min on a core
        device="cpu",
    params:
        labels=labels_of("train", "valid", "test"),
        settings=settings_flags,
        tuned=tuned_flag,
        checkpoint=str(RESULTS / "checkpoints/{decoder}/{allocation}.pt"),
        code=code_version("train_roi"),
    message:
        "Training {wildcards.decoder} on {wildcards.allocation}"
    shell:
        "mesodecode train-roi --train {input.train} --valid {input.valid} --test {input.test} "
        "{params.labels} --decoder {wildcards.decoder} {params.settings} {params.tuned} "
        "--device {resources.device} --threads {threads} --checkpoint {params.checkpoint} "
        "--out {output.weights} --history {output.history} "
        "--predictions {output.predictions} --validation {output.validation} 2> {log}"


rule fit_roi:
    input:
        train=recordings_of("train"),
        valid=recordings_of("valid"),
        test=recordings_of("test"),
        tuned=tuned_for,
    output:
        model=RESULTS / "models/{decoder}/{allocation}.joblib",
        predictions=RESULTS / "predictions/{decoder}/{allocation}.h5",
        validation=RESULTS / "validation/{decoder}/{allocation}.h5",
    log:
        RESULTS / "logs/fit_roi/{decoder}/{allocation}.log",
    benchmark:
        RESULTS / "benchmarks/fit_roi/{decoder}/{allocation}.tsv"
    wildcard_constraints:
        decoder=names("roi_classical"),
    conda:
        "../../envs/mesodecode.yaml"
    threads: 1
    resources:
        mem_mb=grows(6000),  # 3.8 GB (linear_svm)
        runtime=grows(120),  # minutes on simulated sessions; real ones converge later
    params:
        labels=labels_of("train", "valid", "test"),
        settings=settings_flags,
        tuned=tuned_flag,
        code=code_version("fit_roi"),
    message:
        "Fitting {wildcards.decoder} on {wildcards.allocation}"
    shell:
        "mesodecode fit-roi --train {input.train} --valid {input.valid} --test {input.test} "
        "{params.labels} --decoder {wildcards.decoder} {params.settings} {params.tuned} "
        "--out {output.model} --predictions {output.predictions} "
        "--validation {output.validation} 2> {log}"


rule roi_correlation:
    input:
        expand(RESULTS / "recordings/{session}.h5", session=STUDY.mouse_of),
    output:
        table=RESULTS / "tables/roi_correlation.tsv",
        summary=report(
            RESULTS / "tables/roi_correlation_summary.tsv",
            category="ROIs",
            caption="../report/roi_correlation.rst",
            labels={"kind": "table"},
        ),
        svg=report(
            RESULTS / "figures/roi_correlation.svg",
            category="ROIs",
            caption="../report/roi_correlation.rst",
            labels={"kind": "figure"},
        ),
        png=RESULTS / "figures/roi_correlation.png",
    log:
        RESULTS / "logs/roi_correlation.log",
    conda:
        "../../envs/mesodecode.yaml"
    resources:
        mem_mb=grows(2000),  # as train_roi
        runtime=grows(10),
    params:
        baseline=correlation_baseline(),
        prefix=RESULTS / "figures/roi_correlation",
        code=code_version("roi_correlation"),
    message:
        "Correlating ROI signals with running"
    shell:
        "mesodecode roi-correlation --recordings {input} {params.baseline} --out {output.table} "
        "--summary {output.summary} --figure {params.prefix} 2> {log}"
