"""CNN decoders of pseudo-RGB images, and CNN-RNNs trained end to end.

REQUIRED INPUTS: recordings/{mouse}.txt; results/weights/{backbone}.pt for `pretrained: imagenet`
OUTPUTS: models/{decoder}/{allocation}.pt and .history.tsv, predictions/{decoder}/{allocation}.h5,
    validation/{decoder}/{allocation}.h5;
    features/{decoder}/{allocation}.h5 for CNNs that a frozen decoder starts from
"""


rule train_cnn:
    input:
        first=first_weights,
        train=recordings_of("train"),
        valid=recordings_of("valid"),
        tuned=tuned_for,
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
        mem_mb=grows(48000),  # 39 GB on a CPU: 33 of frames, 6 of a batch of 512
        runtime=grows(720),  # no GPU timed; out of time, it goes on from its checkpoint
        gpu=GPU,
        device=STUDY.config["device"],
    params:
        labels=labels_of("train", "valid"),
        settings=cnn_flags,
        tuned=tuned_flag,
        checkpoint=str(RESULTS / "checkpoints/{decoder}/{allocation}.pt"),
        code=code_version("train_cnn"),
    message:
        "Training {wildcards.decoder} on {wildcards.allocation}"
    shell:
        "mesodecode train-cnn --train {input.train} --valid {input.valid} {params.labels} "
        "{params.settings} {params.tuned} --device {resources.device} --threads {threads} "
        "--checkpoint {params.checkpoint} "
        "--out {output.weights} --history {output.history} 2> {log}"


rule finetune:
    input:
        start=weights_of_start,
        train=recordings_of("train"),
        valid=recordings_of("valid"),
    output:
        weights=RESULTS / "models/{decoder}/{allocation}.pt",
        history=RESULTS / "models/{decoder}/{allocation}.history.tsv",
    log:
        RESULTS / "logs/finetune/{decoder}/{allocation}.log",
    benchmark:
        RESULTS / "benchmarks/finetune/{decoder}/{allocation}.tsv"
    wildcard_constraints:
        decoder=names("cnn_rnn", lambda d: not is_frozen(d)),
    conda:
        "../../envs/mesodecode.yaml"
    threads: STUDY.config["threads"]
    resources:
        mem_mb=grows(48000),  # 36 GB on a CPU: 33 of frames, 3 of windows
        runtime=grows(1440),  # as train_cnn
        gpu=GPU,
        device=STUDY.config["device"],
    params:
        labels=labels_of("train", "valid"),
        settings=settings_flags,
        checkpoint=str(RESULTS / "checkpoints/{decoder}/{allocation}.pt"),
        code=code_version("finetune"),
    message:
        "Fine-tuning {wildcards.decoder} on {wildcards.allocation}"
    shell:
        "mesodecode finetune --start {input.start} --train {input.train} --valid {input.valid} "
        "{params.labels} {params.settings} --device {resources.device} --threads {threads} "
        "--checkpoint {params.checkpoint} "
        "--out {output.weights} --history {output.history} 2> {log}"


rule extract:
    input:
        weights=RESULTS / "models/{decoder}/{allocation}.pt",
        recordings=recordings_of("train", "valid", "test"),
    output:
        features=RESULTS / "features/{decoder}/{allocation}.h5",
        predictions=RESULTS / "predictions/{decoder}/{allocation}.h5",
        validation=RESULTS / "validation/{decoder}/{allocation}.h5",
    log:
        RESULTS / "logs/extract/{decoder}/{allocation}.log",
    benchmark:
        RESULTS / "benchmarks/extract/{decoder}/{allocation}.tsv"
    wildcard_constraints:
        decoder=names("cnn", feeds_frozen),
    conda:
        "../../envs/mesodecode.yaml"
    threads: STUDY.config["threads"]
    resources:
        mem_mb=grows(4000),  # 1.4 GB
        runtime=grows(480),  # on a CPU 6 min a session and core
        gpu=GPU,
        device=STUDY.config["device"],
    params:
        labels=labels_of("train", "valid", "test"),
        code=code_version("extract"),
    message:
        "Extracting features of {wildcards.decoder} on {wildcards.allocation}"
    shell:
        "mesodecode extract --weights {input.weights} --recordings {input.recordings} "
        "{params.labels} --decoder {wildcards.decoder} --device {resources.device} --threads {threads} "
        "--features {output.features} --predictions {output.predictions} "
        "--validation {output.validation} 2> {log}"


rule predict_images:
    input:
        weights=RESULTS / "models/{decoder}/{allocation}.pt",
        recordings=recordings_of("valid", "test"),
    output:
        predictions=RESULTS / "predictions/{decoder}/{allocation}.h5",
        validation=RESULTS / "validation/{decoder}/{allocation}.h5",
    log:
        RESULTS / "logs/predict_images/{decoder}/{allocation}.log",
    benchmark:
        RESULTS / "benchmarks/predict_images/{decoder}/{allocation}.tsv"
    wildcard_constraints:
        decoder=names_of(passes_images),
    conda:
        "../../envs/mesodecode.yaml"
    threads: STUDY.config["threads"]
    resources:
        mem_mb=grows(4000),  # 2.5 GB
        runtime=grows(240),  # on a CPU 5 min a session and core
        gpu=GPU,
        device=STUDY.config["device"],
    params:
        labels=labels_of("valid", "test"),
        code=code_version("predict"),
    message:
        "Predicting with {wildcards.decoder} on {wildcards.allocation}"
    shell:
        "mesodecode predict --weights {input.weights} --recordings {input.recordings} "
        "{params.labels} --decoder {wildcards.decoder} --device {resources.device} --threads {threads} "
        "--out {output.predictions} --validation {output.validation} 2> {log}"
