"""Decoders made of trained ones: averages, frame by frame, and other use of the test mouse (strict,
first_unlabelled, transductive, few_shot).

REQUIRED INPUTS: predictions/{member}/{allocation}.h5 and validation/{member}/{allocation}.h5 of the
    decoders in `average_of` and `adaptive_of`; models/{adapted_from}/{allocation}.pt (.npz, .joblib),
    recordings/{mouse}.txt
OUTPUTS: predictions/{decoder}/{allocation}.h5, validation/{decoder}/{allocation}.h5;
    adaptive/{decoder}.tsv: which decoder an adaptive one takes for each test mouse, and why
"""


include: "functions/applied.smk"


rule average:
    input:
        unpack(files_of_members),
    output:
        predictions=RESULTS / "predictions/{decoder}/{allocation}.h5",
        validation=RESULTS / "validation/{decoder}/{allocation}.h5",
    log:
        RESULTS / "logs/average/{decoder}/{allocation}.log",
    wildcard_constraints:
        decoder=names("average"),
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    params:
        order=lambda wildcards: members_of(wildcards.decoder),
        code=code_version("average"),
    message:
        "Averaging into {wildcards.decoder} on {wildcards.allocation}"
    shell:
        "mesodecode average --predictions {input.predictions} --of-validation {input.validation} "
        "--decoder {wildcards.decoder} --out {output.predictions} "
        "--validation {output.validation} 2> {log}"


# For all test mice in one job: what is known of one are the mice that validate beside it.
rule choose_variant:
    input:
        predictions=lambda wildcards: predicted_by(members_of(wildcards.decoder)),
        allocations=RESULTS / "allocations.tsv",
        recordings=lists_of(STUDY.mice),
    output:
        RESULTS / "adaptive/{decoder}.tsv",
    log:
        RESULTS / "logs/choose_variant/{decoder}.log",
    benchmark:
        RESULTS / "benchmarks/choose_variant/{decoder}.tsv"
    wildcard_constraints:
        decoder=names("adaptive"),
    resources:
        mem_mb=grows(2000),
        runtime=grows(60),
    params:
        predictions=RESULTS / "predictions",
        validation=RESULTS / "validation",
        of=lambda wildcards: members_of(wildcards.decoder),
        settings=settings_flags,
        code=code_version("choose_variant"),
    message:
        "Choosing a decoder for each test mouse of {wildcards.decoder}"
    shell:
        "mesodecode choose-variant --decoders {params.of} --predictions {params.predictions} "
        "--validation {params.validation} --allocations {input.allocations} "
        "--recordings {input.recordings} {params.settings} --out {output} 2> {log}"


rule adaptive:
    input:
        unpack(files_of_members),
        choice=RESULTS / "adaptive/{decoder}.tsv",
    output:
        predictions=RESULTS / "predictions/{decoder}/{allocation}.h5",
        validation=RESULTS / "validation/{decoder}/{allocation}.h5",
    log:
        RESULTS / "logs/adaptive/{decoder}/{allocation}.log",
    wildcard_constraints:
        decoder=names("adaptive"),
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    params:
        settings=settings_flags,
        code=code_version("adaptive"),
    message:
        "Taking what {wildcards.decoder} has chosen on {wildcards.allocation}"
    shell:
        "mesodecode adaptive --choice {input.choice} --predictions {input.predictions} "
        "--of-validation {input.validation} --decoder {wildcards.decoder} {params.settings} "
        "--out {output.predictions} --validation {output.validation} 2> {log}"


rule adapt:
    input:
        unpack(networks_of_start),
        train=recordings_of("train"),
        valid=recordings_of("valid"),
        test=recordings_of("test"),
    output:
        predictions=RESULTS / "predictions/{decoder}/{allocation}.h5",
        validation=RESULTS / "validation/{decoder}/{allocation}.h5",
    log:
        RESULTS / "logs/adapt/{decoder}/{allocation}.log",
    benchmark:
        RESULTS / "benchmarks/adapt/{decoder}/{allocation}.tsv"
    wildcard_constraints:
        decoder=names("adapted"),
    threads: STUDY.config["threads"]
    resources:
        **on_device(gpu_of_network),
        mem_mb=grows(16000),
        runtime=grows(240),
    params:
        cnn=lambda wildcards, input: flag_if("--cnn", input.get("cnn", [])),
        settings=settings_flags,
        code=code_version("adapt"),
    message:
        "Applying {wildcards.decoder} on {wildcards.allocation}"
    shell:
        "mesodecode adapt --weights {input.weights} {params.cnn} --train {input.train} "
        "--valid {input.valid} --test {input.test} --decoder {wildcards.decoder} "
        "{params.settings} --device {resources.device} --threads {threads} "
        "--out {output.predictions} --validation {output.validation} 2> {log}"
