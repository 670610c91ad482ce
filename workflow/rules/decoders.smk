"""Decoders that are trained: the linear baseline, CNNs and CNN-RNNs of images, and ROI decoders.

Beside them frozen.smk, predict.smk and stack.smk, where the study has decoders of theirs.

REQUIRED INPUTS: recordings/{mouse}.txt; results/weights/{backbone}.pt for `pretrained: imagenet`
OUTPUTS: trained/{decoder}/{training}.pt (.npz if linear, .joblib if classical), all epochs of a
    training, which belongs to its training mice; passed/{decoder}/{training}/{mouse}.h5, other mice
    passed through them; models/{decoder}/{allocation}.pt (…), what an allocation keeps, and of
    networks .history.tsv; predictions/{decoder}/{allocation}.h5 of test mice, validation/… of
    validation mice
"""


include: "functions/tune.smk"
include: "functions/stack.smk"
include: "functions/decoders.smk"


# Snakemake compares each file with the patterns of all rules that may make it: those of decoders
# that the study has not are left out.
if STACKED:

    include: "stack.smk"


if has(is_frozen):

    include: "frozen.smk"


if has(predicts_after_choice):

    include: "predict.smk"


# Kinds that are fitted in one step, a line of study/kinds.py each.
for kind in FITTED.values():

    rule:
        name:
            kind.fits.fit
        input:
            train=recordings_of("train"),
            dropped=dropped_rois_of,
            tuned=tuned_for,
        output:
            RESULTS / f"trained/{{decoder}}/{{training}}{kind.suffix}",
        log:
            RESULTS / "logs" / kind.fits.fit / "{decoder}/{training}.log",
        benchmark:
            RESULTS / "benchmarks" / kind.fits.fit / "{decoder}/{training}.tsv"
        wildcard_constraints:
            decoder=names(kind.name),
        threads: 1
        resources:
            mem_mb=grows(kind.fits.mem_mb),
            runtime=grows(kind.fits.runtime),
        params:
            verb=kind.fits.fit.replace("_", "-"),
            labels=labels_of("train"),
            settings=settings_flags,
            tuned=tuned_flag,
            dropped=dropped_flag,
            code=code_version(kind.fits.fit),
        message:
            "Fitting {wildcards.decoder} on {wildcards.training}"
        shell:
            "mesodecode {params.verb} --train {input.train} {params.labels} {params.settings} "
            "{params.tuned} {params.dropped} --alone {output} 2> {log}"


# Networks that start from no other: CNNs of pseudo-RGB images, recurrent ones on ROI signals.
for kind in TRAINING:

    rule:
        name:
            kind.trains.train
        input:
            first=first_weights,
            train=recordings_of("train"),
            dropped=dropped_rois_of,
            tuned=tuned_for,
        output:
            RESULTS / "trained/{decoder}/{training}.pt",
        log:
            RESULTS / "logs" / kind.trains.train / "{decoder}/{training}.log",
        benchmark:
            RESULTS / "benchmarks" / kind.trains.train / "{decoder}/{training}.tsv"
        wildcard_constraints:
            decoder=names(kind.name, lambda d: d not in STACKED),
        threads: STUDY.config["threads"] if kind.of_images else 1
        resources:
            **(on_device(GPU) if kind.of_images else {"device": "cpu"}),
            mem_mb=grows(kind.trains.mem_mb),
            runtime=grows(kind.trains.runtime),
        params:
            verb=kind.trains.train.replace("_", "-"),
            labels=labels_of("train"),
            settings=first_flags,
            tuned=tuned_flag,
            dropped=dropped_flag,
            checkpoint=str(RESULTS / "checkpoints/{decoder}/{training}.pt"),
            held=held(first_weights),
            code=code_version(kind.trains.train),
        message:
            "Training {wildcards.decoder} on {wildcards.training}"
        shell:
            "mesodecode {params.verb} --train {input.train} {params.labels} {params.settings} "
            "{params.tuned} {params.dropped} --device {resources.device} --threads {threads} "
            "--checkpoint {params.checkpoint} --all-epochs {output} 2> {log}"


# From each epoch of the CNN that an allocation of the training has chosen.
rule finetune:
    input:
        start=training_of_start,
        valid=passed_by_choosers,
        train=recordings_of("train"),
    output:
        # what was trained from other epochs is kept, when a mouse more adds one
        update(RESULTS / "trained/{decoder}/{training}.pt"),
    log:
        RESULTS / "logs/finetune/{decoder}/{training}.log",
    benchmark:
        RESULTS / "benchmarks/finetune/{decoder}/{training}.tsv"
    wildcard_constraints:
        decoder=names("cnn_rnn", lambda d: not is_frozen(d)),
    threads: STUDY.config["threads"]
    resources:
        **on_device(GPU),
        mem_mb=grows(48000),  # 36 GB on a CPU: 33 of frames, 3 of windows
        runtime=grows(1440),  # as train_cnn
    params:
        labels=labels_of("train"),
        settings=settings_flags,
        chosen_by=choosers,
        checkpoint=str(RESULTS / "checkpoints/{decoder}/{training}.pt"),
        code=code_version("finetune"),
    message:
        "Fine-tuning {wildcards.decoder} on {wildcards.training}"
    shell:
        "mesodecode finetune --start {input.start} {params.chosen_by} "
        "--train {input.train} {params.labels} {params.settings} "
        "--device {resources.device} --threads {threads} --checkpoint {params.checkpoint} "
        "--all-epochs {output} 2> {log}"


# Of decoders that a mouse more adds an epoch to (functions/decoders.smk says why).
rule made_by:
    output:
        RESULTS / "trained/{decoder}/made_by.txt",
    log:
        RESULTS / "logs/made_by/{decoder}.log",
    wildcard_constraints:
        decoder=names_of(lambda d: reads_features(d) or "start_from" in d.settings),
    localrule: True
    params:
        text=made_by,
    message:
        "Writing how {wildcards.decoder} is made"
    shell:
        "printf '%s\\n' {params.text:q} > {output} 2> {log}"


# ROIs that some recording of the study lacks.
rule dropped_rois:
    input:
        recordings=lambda wildcards: lists_of(STUDY.mice, wildcards.decoder),
    output:
        RESULTS / "dropped/{decoder}.json",
    log:
        RESULTS / "logs/dropped_rois/{decoder}.log",
    wildcard_constraints:
        decoder=names_of(lambda d: d.settings.get("drop")),
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),  # seconds
    params:
        settings=drop_flags,
        code=code_version("dropped_rois"),
    message:
        "Listing the ROIs that {wildcards.decoder} does without"
    shell:
        "mesodecode dropped-rois --recordings {input.recordings} {params.settings} "
        "--out {output} 2> {log}"


# Mice that a training has not seen, passed through its epochs.
rule pass_images:
    input:
        trained=training_passed,
        recordings=recordings_of_one,
    output:
        RESULTS / "passed/{decoder}/{training}/{mouse}.h5",
    log:
        RESULTS / "logs/pass/{decoder}/{training}/{mouse}.log",
    benchmark:
        RESULTS / "benchmarks/pass/{decoder}/{training}.{mouse}.tsv"
    wildcard_constraints:
        decoder=names_of(lambda d: trains_once(d) and passes_images(d)),
    threads: STUDY.config["threads"]
    resources:
        **on_device(GPU),
        mem_mb=grows(4000),  # 1.4 GB
        runtime=grows(240),  # on a CPU 5 min a session, core and epoch
    params:
        verb="pass-images",
        labels=labels_of_one,
        compute=compute_flags,
        code=code_version("pass_images"),
    message:
        "Passing {wildcards.mouse} through {wildcards.decoder} of {wildcards.training}"
    shell:
        "mesodecode {params.verb} --trained {input.trained} --recordings {input.recordings} "
        "{params.labels} {params.compute} --out {output} 2> {log}"


use rule pass_images as pass_signals with:
    wildcard_constraints:
        decoder=names_of(lambda d: trains_once(d) and reads_rois(d)),
    threads: 1
    resources:
        mem_mb=grows(2000),  # 0.8 GB
        runtime=grows(30),  # a minute
        device="cpu",
    params:
        verb="pass-signals",
        labels=labels_of_one,
        compute=compute_flags,
        code=code_version("pass_signals"),


use rule pass_signals as pass_pixels with:
    wildcard_constraints:
        decoder=names_of(
            lambda d: trains_once(d) and not (is_network(d) or reads_rois(d))
        ),
    params:
        verb="pass-pixels",
        labels=labels_of_one,
        compute="",
        code=code_version("pass_pixels"),


# What an allocation keeps of a training that it shares: its own best epoch.
rule choose_and_predict:
    input:
        trained=unless_started(trained_file),
        start=epoch_of_start,
        behind=behind_start,
        valid=passed_to("valid", network=True),
        test=passed_to("test", network=True),
    output:
        model=RESULTS / "models/{decoder}/{allocation}.pt",
        epoch=RESULTS / "models/{decoder}/{allocation}.epoch.txt",
        history=RESULTS / "models/{decoder}/{allocation}.history.tsv",
        predictions=RESULTS / "predictions/{decoder}/{allocation}.h5",
        validation=RESULTS / "validation/{decoder}/{allocation}.h5",
    log:
        RESULTS / "logs/choose/{decoder}/{allocation}.log",
    benchmark:
        RESULTS / "benchmarks/choose/{decoder}/{allocation}.tsv"
    wildcard_constraints:
        decoder=names_of(
            lambda d: trains_once(d) and is_network(d) and not predicts_after_choice(d)
        ),
    resources:
        mem_mb=grows(2000),
        runtime=grows(15),  # seconds
    params:
        start=start_flag,
        network=network_flags,
        code=code_version("choose"),
    message:
        "Choosing the epoch of {wildcards.decoder} on {wildcards.allocation}, predicting"
    shell:
        "mesodecode choose --trained {input.trained} --valid {input.valid} --test {input.test} "
        "--decoder {wildcards.decoder} --out {output.model} {params.start} {params.network} "
        "--predictions {output.predictions} --validation {output.validation} 2> {log}"


# Fitted models have no epochs to choose among.
for kind in FITTED.values():

    rule:
        name:
            kind.fits.keep
        input:
            trained=trained_file,
            valid=passed_to("valid"),
            test=passed_to("test"),
        output:
            model=RESULTS / f"models/{{decoder}}/{{allocation}}{kind.suffix}",
            predictions=RESULTS / "predictions/{decoder}/{allocation}.h5",
            validation=RESULTS / "validation/{decoder}/{allocation}.h5",
        log:
            RESULTS / "logs/keep/{decoder}/{allocation}.log",
        benchmark:
            RESULTS / "benchmarks/keep/{decoder}/{allocation}.tsv"
        wildcard_constraints:
            decoder=names(kind.name),
        resources:
            mem_mb=grows(2000),
            runtime=grows(15),  # seconds
        params:
            code=code_version("keep_fitted"),
        message:
            "Predicting with {wildcards.decoder} on {wildcards.allocation}"
        shell:
            "mesodecode keep-fitted --trained {input.trained} --valid {input.valid} "
            "--test {input.test} --decoder {wildcards.decoder} --out {output.model} "
            "--predictions {output.predictions} --validation {output.validation} 2> {log}"
