"""Recurrent ROI decoders that train side by side on a GPU (config: stack).

REQUIRED INPUTS: recordings/{mouse}.txt
OUTPUTS: stacks/{decoder}/{mouse}.pt: weights of all epochs, of every set of training mice whose newest
    mouse this is, or which the first mice have, as many as an allocation takes; models/, predictions/ and validation/ as of other ROI decoders
"""


rule stack_roi:
    input:
        lambda wildcards: lists_of(mice_of_group(wildcards), wildcards.decoder),
    output:
        stack=RESULTS / "stacks/{decoder}/{mouse}.pt",
    log:
        RESULTS / "logs/stack_roi/{decoder}/{mouse}.log",
    benchmark:
        RESULTS / "benchmarks/stack_roi/{decoder}/{mouse}.tsv"
    wildcard_constraints:
        decoder="|".join(dict.fromkeys(LINES.values())) or "no decoder",
    threads: STUDY.config["threads"]
    resources:
        **on_device(GPU),
        mem_mb=grows(8000),
        runtime=grows(240),  # no GPU timed; out of time, it goes on from its checkpoint
    params:
        sets=sets_of_group,
        decoders=decoders_of_group,
        labels=labels_of_group,
        settings=shared_flags,
        checkpoint=str(RESULTS / "checkpoints/stacks/{decoder}/{mouse}.pt"),
        code=code_version("stack_roi"),
    message:
        "Training {wildcards.decoder} side by side on sets of mice up to {wildcards.mouse}"
    shell:
        "mesodecode stack-roi --recordings {input} --sets {params.sets} "
        "--decoders {params.decoders} {params.labels} {params.settings} "
        "--device {resources.device} --threads {threads} --checkpoint {params.checkpoint} "
        "--out {output.stack} 2> {log}"


rule choose_roi:
    input:
        stack=stack_of,
        valid=recordings_of("valid"),
        test=recordings_of("test"),
    output:
        weights=RESULTS / "models/{decoder}/{allocation}.pt",
        history=RESULTS / "models/{decoder}/{allocation}.history.tsv",
        predictions=RESULTS / "predictions/{decoder}/{allocation}.h5",
        validation=RESULTS / "validation/{decoder}/{allocation}.h5",
    log:
        RESULTS / "logs/choose_roi/{decoder}/{allocation}.log",
    benchmark:
        RESULTS / "benchmarks/choose_roi/{decoder}/{allocation}.tsv"
    wildcard_constraints:
        decoder=names_of(lambda d: d in STACKED),
    threads: 1
    resources:
        mem_mb=grows(2000),  # as train_roi
        runtime=grows(60),
        device="cpu",
    params:
        train_mice=mice_with("train"),
        labels=labels_of("valid", "test"),
        settings=settings_flags,
        code=code_version("choose_roi"),
    message:
        "Choosing the epoch of {wildcards.decoder} on {wildcards.allocation}"
    shell:
        "mesodecode choose-roi --stack {input.stack} --train-mice {params.train_mice} "
        "--valid {input.valid} --test {input.test} {params.labels} --decoder {wildcards.decoder} "
        "{params.settings} --device {resources.device} --threads {threads} "
        "--out {output.weights} --history {output.history} "
        "--predictions {output.predictions} --validation {output.validation} 2> {log}"
