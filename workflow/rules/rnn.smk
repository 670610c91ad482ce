"""Recurrent decoders over windows of frozen CNN features.

REQUIRED INPUTS: features/{start_from}/{allocation}.h5
OUTPUTS: models/{decoder}/{allocation}.pt and .history.tsv, predictions/{decoder}/{allocation}.h5,
    validation/{decoder}/{allocation}.h5
"""


rule train_rnn:
    input:
        features=features_of_start,
    output:
        weights=RESULTS / "models/{decoder}/{allocation}.pt",
        history=RESULTS / "models/{decoder}/{allocation}.history.tsv",
    log:
        RESULTS / "logs/train_rnn/{decoder}/{allocation}.log",
    benchmark:
        RESULTS / "benchmarks/train_rnn/{decoder}/{allocation}.tsv"
    wildcard_constraints:
        decoder=names("cnn_rnn", is_frozen),
    conda:
        "../../envs/mesodecode.yaml"
    threads: STUDY.config["threads"]
    resources:
        mem_mb=grows(6000),  # 3.3 GB: the features of 53 sessions
        runtime=grows(240),  # no GPU timed; out of time, it goes on from its checkpoint
        gpu=GPU,
        device=STUDY.config["device"],
    params:
        train_mice=mice_with("train"),
        valid_mice=mice_with("valid"),
        settings=settings_flags,
        checkpoint=str(RESULTS / "checkpoints/{decoder}/{allocation}.pt"),
        code=code_version("train_rnn"),
    message:
        "Training {wildcards.decoder} on {wildcards.allocation}"
    shell:
        "mesodecode train-rnn --features {input.features} --train-mice {params.train_mice} "
        "--valid-mice {params.valid_mice} {params.settings} "
        "--device {resources.device} --threads {threads} "
        "--checkpoint {params.checkpoint} "
        "--out {output.weights} --history {output.history} 2> {log}"


rule predict_rnn:
    input:
        weights=RESULTS / "models/{decoder}/{allocation}.pt",
        features=features_of_start,
    output:
        predictions=RESULTS / "predictions/{decoder}/{allocation}.h5",
        validation=RESULTS / "validation/{decoder}/{allocation}.h5",
    log:
        RESULTS / "logs/predict_rnn/{decoder}/{allocation}.log",
    benchmark:
        RESULTS / "benchmarks/predict_rnn/{decoder}/{allocation}.tsv"
    wildcard_constraints:
        decoder=names("cnn_rnn", is_frozen),
    conda:
        "../../envs/mesodecode.yaml"
    threads: STUDY.config["threads"]
    resources:
        mem_mb=grows(2000),  # 0.7 GB
        runtime=grows(30),  # 1 min
        device="cpu",
    params:
        test_mice=mice_with("test"),
        code=code_version("predict"),
    message:
        "Predicting with {wildcards.decoder} on {wildcards.allocation}"
    shell:
        "mesodecode predict --weights {input.weights} --features {input.features} "
        "--test-mice {params.test_mice} --decoder {wildcards.decoder} "
        "--device {resources.device} --threads {threads} --out {output.predictions} "
        "--validation {output.validation} 2> {log}"
