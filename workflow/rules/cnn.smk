"""CNN decoders of pseudo-RGB images.

REQUIRED INPUTS: recordings/{session}.h5
OUTPUTS: models/{decoder}/{allocation}.pt and .history.tsv, predictions/{decoder}/{allocation}.h5;
    features/{decoder}/{allocation}.h5 for CNNs that a frozen decoder starts from
"""


rule train_cnn:
    input:
        train=recordings_of("train"),
        valid=recordings_of("valid"),
    output:
        weights=RESULTS / "models/{decoder}/{allocation}.pt",
        history=RESULTS / "models/{decoder}/{allocation}.history.tsv",
    log:
        RESULTS / "logs/train_cnn/{decoder}/{allocation}.log",
    benchmark:
        RESULTS / "benchmarks/train_cnn/{decoder}/{allocation}.tsv"
    wildcard_constraints:
        decoder=names("cnn"),
    conda:
        "../../envs/mesodecode.yaml"
    threads: STUDY.config["threads"]
    resources:
        mem_mb=48000,
        runtime=720,
    params:
        settings=settings_flags,
        device=STUDY.config["device"],
        code=code_version("train_cnn"),
    message:
        "Training {wildcards.decoder} on {wildcards.allocation}"
    shell:
        "mesodecode train-cnn --train {input.train} --valid {input.valid} {params.settings} "
        "--device {params.device} --threads {threads} "
        "--out {output.weights} --history {output.history} 2> {log}"


rule extract:
    input:
        weights=RESULTS / "models/{decoder}/{allocation}.pt",
        recordings=recordings_of("train", "valid", "test"),
    output:
        features=RESULTS / "features/{decoder}/{allocation}.h5",
        predictions=RESULTS / "predictions/{decoder}/{allocation}.h5",
    log:
        RESULTS / "logs/extract/{decoder}/{allocation}.log",
    benchmark:
        RESULTS / "benchmarks/extract/{decoder}/{allocation}.tsv"
    wildcard_constraints:
        decoder=names("cnn", frozen_start=True),
    conda:
        "../../envs/mesodecode.yaml"
    threads: STUDY.config["threads"]
    resources:
        mem_mb=8000,
        runtime=240,
    params:
        device=STUDY.config["device"],
        code=code_version("extract"),
    message:
        "Extracting features of {wildcards.decoder} on {wildcards.allocation}"
    shell:
        "mesodecode extract --weights {input.weights} --recordings {input.recordings} "
        "--decoder {wildcards.decoder} --device {params.device} --threads {threads} "
        "--features {output.features} --predictions {output.predictions} 2> {log}"


rule predict_cnn:
    input:
        weights=RESULTS / "models/{decoder}/{allocation}.pt",
        recordings=recordings_of("test"),
    output:
        RESULTS / "predictions/{decoder}/{allocation}.h5",
    log:
        RESULTS / "logs/predict_cnn/{decoder}/{allocation}.log",
    benchmark:
        RESULTS / "benchmarks/predict_cnn/{decoder}/{allocation}.tsv"
    wildcard_constraints:
        decoder=names("cnn", frozen_start=False),
    conda:
        "../../envs/mesodecode.yaml"
    threads: STUDY.config["threads"]
    resources:
        mem_mb=8000,
        runtime=120,
    params:
        device=STUDY.config["device"],
        code=code_version("predict"),
    message:
        "Predicting with {wildcards.decoder} on {wildcards.allocation}"
    shell:
        "mesodecode predict --weights {input.weights} --recordings {input.recordings} "
        "--decoder {wildcards.decoder} --device {params.device} --threads {threads} "
        "--out {output} 2> {log}"
