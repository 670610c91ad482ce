"""CNN-RNNs that read the features of a frozen CNN.

REQUIRED INPUTS: trained/{decoder}/{training}.pt and models/{decoder}/{allocation}.epoch.txt of the CNN,
    recordings/{mouse}.txt
OUTPUTS: features/{decoder}/{training}/{mouse}.h5 of the CNN and, as links to them,
    features/{decoder}/{allocation}.h5; trained/{decoder}/{training}.pt and
    passed/{decoder}/{training}/{mouse}.h5 of what reads them
"""


# What frozen decoders read: features of each mouse, under the epochs that allocations have chosen.
rule extract:
    input:
        trained=training_passed,
        valid=passed_by_choosers,
        recordings=recordings_of_one,
    output:
        RESULTS / "features/{decoder}/{training}/{mouse}.h5",
    log:
        RESULTS / "logs/extract/{decoder}/{training}/{mouse}.log",
    benchmark:
        RESULTS / "benchmarks/extract/{decoder}/{training}.{mouse}.tsv"
    wildcard_constraints:
        decoder=names("cnn", feeds_frozen),
    threads: STUDY.config["threads"]
    resources:
        **on_device(GPU),
        mem_mb=grows(4000),  # 1.4 GB
        runtime=grows(240),  # on a CPU 6 min a session, core and epoch
    params:
        labels=labels_of_one,
        chosen_by=choosers,
        code=code_version("extract"),
    message:
        "Extracting features of {wildcards.mouse} under {wildcards.decoder} of {wildcards.training}"
    shell:
        "mesodecode extract --trained {input.trained} {params.chosen_by} "
        "--recordings {input.recordings} {params.labels} --device {resources.device} "
        "--threads {threads} --features {output} 2> {log}"


rule join_features:
    input:
        epoch=RESULTS / "models/{decoder}/{allocation}.epoch.txt",
        features=settled(features_of("train", "valid", "test")),
        recordings=recordings_of("train", "valid", "test"),
        made_by=RESULTS / "trained/{decoder}/made_by.txt",
    output:
        RESULTS / "features/{decoder}/{allocation}.h5",
    log:
        RESULTS / "logs/join_features/{decoder}/{allocation}.log",
    wildcard_constraints:
        decoder=names("cnn", feeds_frozen),
    localrule: True
    params:
        seen=mice_with("train", "valid"),
        code=code_version("join_features"),
    message:
        "Joining features of {wildcards.decoder} on {wildcards.allocation}"
    shell:
        "mesodecode join-features --features {input.features} --epoch {input.epoch} "
        "--seen {params.seen} --out {output} 2> {log}"


# Recurrent decoders over windows of frozen CNN features, from each of these epochs.
rule train_rnn:
    input:
        features_of("train"),
    output:
        # what was trained from other epochs is kept, when a mouse more adds one
        update(RESULTS / "trained/{decoder}/{training}.pt"),
    log:
        RESULTS / "logs/train_rnn/{decoder}/{training}.log",
    benchmark:
        RESULTS / "benchmarks/train_rnn/{decoder}/{training}.tsv"
    wildcard_constraints:
        decoder=names("cnn_rnn", is_frozen),
    threads: STUDY.config["threads"]
    resources:
        **on_device(GPU),
        mem_mb=grows(6000),  # 3.3 GB: the features of 53 sessions
        runtime=grows(240),  # no GPU timed; out of time, it goes on from its checkpoint
    params:
        settings=settings_flags,
        checkpoint=str(RESULTS / "checkpoints/{decoder}/{training}.pt"),
        code=code_version("train_rnn"),
    message:
        "Training {wildcards.decoder} on {wildcards.training}"
    shell:
        "mesodecode train-rnn --features {input} {params.settings} "
        "--device {resources.device} --threads {threads} "
        "--checkpoint {params.checkpoint} --all-epochs {output} 2> {log}"


rule pass_features:
    input:
        trained=training_passed,
        features=features_of_one,
    output:
        RESULTS / "passed/{decoder}/{training}/{mouse}.h5",
    log:
        RESULTS / "logs/pass/{decoder}/{training}/{mouse}.log",
    benchmark:
        RESULTS / "benchmarks/pass/{decoder}/{training}.{mouse}.tsv"
    wildcard_constraints:
        decoder=names("cnn_rnn", is_frozen),
    threads: STUDY.config["threads"]
    resources:
        **on_device(GPU),
        mem_mb=grows(4000),  # 1 GB: the features of 13 sessions
        runtime=grows(60),  # minutes
    params:
        code=code_version("pass_features"),
    message:
        "Passing {wildcards.mouse} through {wildcards.decoder} of {wildcards.training}"
    shell:
        "mesodecode pass-features --trained {input.trained} --features {input.features} "
        "--device {resources.device} --threads {threads} --out {output} 2> {log}"
