"""Networks whose epoch is chosen by every so many frames: they predict all frames afterwards.

REQUIRED INPUTS: trained/{decoder}/{training}.pt, passed/{decoder}/{training}/{mouse}.h5;
    recordings/{mouse}.txt, of frozen decoders features/{decoder}/{allocation}.h5
OUTPUTS: models/{decoder}/{allocation}.pt and .history.tsv, predictions/{decoder}/{allocation}.h5,
    validation/{decoder}/{allocation}.h5
"""


rule choose_epoch:
    input:
        trained=unless_started(trained_file),
        start=epoch_of_start,
        behind=behind_start,
        valid=passed_to("valid", network=True),
    output:
        model=RESULTS / "models/{decoder}/{allocation}.pt",
        epoch=RESULTS / "models/{decoder}/{allocation}.epoch.txt",
        history=RESULTS / "models/{decoder}/{allocation}.history.tsv",
    log:
        RESULTS / "logs/choose/{decoder}/{allocation}.log",
    benchmark:
        RESULTS / "benchmarks/choose/{decoder}/{allocation}.tsv"
    wildcard_constraints:
        decoder=names_of(
            lambda d: trains_once(d) and is_network(d) and predicts_after_choice(d)
        ),
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),  # seconds
    params:
        start=start_flag,
        code=code_version("choose"),
    message:
        "Choosing the epoch of {wildcards.decoder} on {wildcards.allocation}"
    shell:
        "mesodecode choose --trained {input.trained} --valid {input.valid} {params.start} "
        "--epoch {output.epoch} --out {output.model} --history {output.history} 2> {log}"


# What an allocation predicts of images, where the pass that chose its epoch has not seen all.
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
        decoder=names_of(
            lambda d: predicts_after_choice(d)
            and passes_images(d)
            and not feeds_frozen(d)
        ),
    threads: STUDY.config["threads"]
    resources:
        **on_device(GPU),
        mem_mb=grows(4000),  # 2.5 GB
        runtime=grows(240),  # on a CPU 5 min a session and core
    params:
        verb="predict",
        labels=labels_of("valid", "test"),
        code=code_version("predict"),
    message:
        "Predicting with {wildcards.decoder} on {wildcards.allocation}"
    shell:
        "mesodecode {params.verb} --weights {input.weights} --recordings {input.recordings} "
        "{params.labels} --decoder {wildcards.decoder} --device {resources.device} --threads {threads} "
        "--out {output.predictions} --validation {output.validation} 2> {log}"


# The same of features, by a frozen CNN and by what reads it.
rule predict_features:
    input:
        weights=RESULTS / "models/{decoder}/{allocation}.pt",
        features=features_joined,
    output:
        predictions=RESULTS / "predictions/{decoder}/{allocation}.h5",
        validation=RESULTS / "validation/{decoder}/{allocation}.h5",
    log:
        RESULTS / "logs/predict_features/{decoder}/{allocation}.log",
    benchmark:
        RESULTS / "benchmarks/predict_features/{decoder}/{allocation}.tsv"
    wildcard_constraints:
        decoder=names_of(lambda d: predicts_after_choice(d) and reads_features(d)),
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


# ROI networks that were judged by every so many frames predict all of them.
use rule predict_images as predict_rois with:
    log:
        RESULTS / "logs/predict_rois/{decoder}/{allocation}.log",
    benchmark:
        RESULTS / "benchmarks/predict_rois/{decoder}/{allocation}.tsv"
    wildcard_constraints:
        decoder=names_of(lambda d: reads_rois(d) and predicts_after_choice(d)),
    threads: 1
    resources:
        mem_mb=grows(2000),  # 0.8 GB
        runtime=grows(30),  # a minute
        device="cpu",
    params:
        verb="predict-rois",
        labels=labels_of("valid", "test"),
        code=code_version("predict_rois"),
