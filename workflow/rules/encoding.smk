"""Encoding studies (`kind: encoding`): what predicts the responses of neurons to images.

REQUIRED INPUTS: the files that `recordings:` names (none if `simulate:` is there)
OUTPUTS: responses/{session}.h5; predictions/{model}/{fold}.h5 of every model, and of networks
    models/{model}/{fold}.pt and .history.tsv; tables/encoding_neurons.tsv, _folds.tsv and
    _summary.tsv; diagnosis/{model}_checks.tsv, _neurons.tsv, _layers.tsv and _rates.tsv;
    sweep/{chunk}.tsv, tables/sweep.tsv; figures/*.svg and .png; report.html and references.bib
"""

if SIMULATED:

    rule simulate_encoding:
        output:
            session=RESULTS / "simulated/{session}.h5",
            truth=RESULTS / "simulated/{session}_truth.h5",
        log:
            RESULTS / "logs/simulate_encoding/{session}.log",
        resources:
            mem_mb=grows(4000),
            runtime=grows(30),
        params:
            out=RESULTS / "simulated",
            number=lambda wildcards: STUDY.sessions.index(wildcards.session),
            settings=options.as_flags(STUDY.config["simulate"], "encoding_simulate"),
            code=code_version("simulate_encoding"),
        message:
            "Simulating session {wildcards.session}"
        shell:
            "mesodecode simulate-encoding --session {wildcards.session} --number {params.number} "
            "--out {params.out} {params.settings} 2> {log}"


rule responses:
    input:
        unpack(files_of_responses),
    output:
        RESULTS / "responses/{session}.h5",
    log:
        RESULTS / "logs/responses/{session}.log",
    benchmark:
        RESULTS / "benchmarks/responses/{session}.tsv"
    resources:
        mem_mb=grows(8000),
        runtime=grows(60),
    params:
        events=lambda wildcards, input: shlex.join(
            ["--events", input.events] if input.get("events") else []
        ),
        record=str(RESULTS / "sources/{session}.json"),
        revision=lambda wildcards: revision_flag(wildcards.session),
        settings=options.as_flags(STUDY.config["responses"], "encoding_responses"),
        code=code_version("responses"),
    message:
        "Making responses of session {wildcards.session}"
    shell:
        "mesodecode responses --file {input.file:q} {params.events} "
        "--session {wildcards.session} {params.settings} --record {params.record} "
        "{params.revision} --out {output} 2> {log}"


rule fit_encoding:
    input:
        responses=responses_of(*STUDY.folds),
        first=lambda wildcards: first_weights(wildcards.model),
    output:
        expand(RESULTS / "predictions/{{model}}/{fold}.h5", fold=STUDY.folds),
    log:
        RESULTS / "logs/fit_encoding/{model}.log",
    benchmark:
        RESULTS / "benchmarks/fit_encoding/{model}.tsv"
    wildcard_constraints:
        model="|".join(LINEAR) or "no model",
    threads: 1
    resources:
        mem_mb=grows(8000),
        runtime=grows(60),
    params:
        data=fold_flags(*STUDY.folds),
        settings=lambda wildcards: model_flags(wildcards.model),
        folder=str(RESULTS / "predictions/{model}"),
        held=held(lambda wildcards: first_weights(wildcards.model)),
        code=code_version("fit_encoding"),
    message:
        "Fitting {wildcards.model}"
    shell:
        "mesodecode fit-encoding {params.data} --name {wildcards.model} {params.settings} "
        "--out {params.folder} 2> {log}"


rule train_encoding:
    input:
        responses=lambda wildcards: responses_of(wildcards.fold),
        first=lambda wildcards: first_weights(wildcards.model),
    output:
        predictions=RESULTS / "predictions/{model}/{fold}.h5",
        weights=RESULTS / "models/{model}/{fold}.pt",
        history=RESULTS / "models/{model}/{fold}.history.tsv",
    log:
        RESULTS / "logs/train_encoding/{model}/{fold}.log",
    benchmark:
        RESULTS / "benchmarks/train_encoding/{model}/{fold}.tsv"
    wildcard_constraints:
        model="|".join(sorted({*NETWORKS} - {*READOUTS})) or "no model",
    threads: STUDY.config["threads"]
    resources:
        **on_device(GPU),
        mem_mb=grows(16000),
        runtime=grows(720),
    params:
        data=lambda wildcards: fold_flags(wildcards.fold),
        settings=lambda wildcards: model_flags(wildcards.model),
        checkpoint=str(RESULTS / "checkpoints/{model}/{fold}.pt"),
        held=held(lambda wildcards: first_weights(wildcards.model)),
        code=code_version("train_encoding"),
    message:
        "Training {wildcards.model} on {wildcards.fold}"
    shell:
        "mesodecode train-encoding {params.data} --name {wildcards.model} "
        "--fold {wildcards.fold} {params.settings} --device {resources.device} "
        "--threads {threads} --checkpoint {params.checkpoint} --weights {output.weights} "
        "--history {output.history} --out {output.predictions} 2> {log}"


# Of a frozen backbone: minutes, several to a cluster job (slurm/config.yaml).
use rule train_encoding as train_readout with:
    wildcard_constraints:
        model="|".join(READOUTS) or "no model",
    resources:
        **on_device(GPU),
        mem_mb=grows(16000),
        runtime=grows(60),


rule score_encoding:
    input:
        expand(
            RESULTS / "predictions/{model}/{fold}.h5",
            model=STUDY.models,
            fold=STUDY.folds,
        ),
    output:
        *[
            shown(
                f"tables/encoding_{table}.tsv",
                "Encoding",
                f"encoding_{table}",
                table=table,
            )
            for table in ("neurons", "folds", "summary")
        ],
    log:
        RESULTS / "logs/score_encoding.log",
    resources:
        mem_mb=grows(4000),
        runtime=grows(60),
    params:
        predictions=RESULTS / "predictions",
        models=list(STUDY.models),
        folds=list(STUDY.folds),
        permutations=STUDY.config["permutations"],
        prefix=RESULTS / "tables/encoding",
        code=code_version("score_encoding"),
    message:
        "Scoring {params.models}"
    shell:
        "mesodecode score-encoding --predictions {params.predictions} --models {params.models} "
        "--folds {params.folds} --permutations {params.permutations} --out {params.prefix} "
        "2> {log}"


rule diagnose:
    input:
        responses=responses_of(FIRST),
        first=lambda wildcards: first_weights(wildcards.model),
        history=RESULTS / f"models/{{model}}/{FIRST}.history.tsv",
    output:
        shown(
            "diagnosis/{model}_checks.tsv",
            "Diagnosis",
            "encoding_checks",
            model="{model}",
        ),
        expand(
            RESULTS / "diagnosis/{{model}}_{table}.tsv",
            table=["neurons", "layers", "rates"],
        ),
    log:
        RESULTS / "logs/diagnose/{model}.log",
    benchmark:
        RESULTS / "benchmarks/diagnose/{model}.tsv"
    wildcard_constraints:
        model="|".join(DIAGNOSED) or "no model",
    threads: STUDY.config["threads"]
    resources:
        **on_device(GPU),
        mem_mb=grows(16000),
        runtime=grows(240),
    params:
        data=fold_flags(FIRST),
        settings=lambda wildcards: model_flags(wildcards.model),
        prefix=str(RESULTS / "diagnosis/{model}"),
        held=held(lambda wildcards: first_weights(wildcards.model)),
        code=code_version("diagnose"),
    message:
        "Diagnosing {wildcards.model}"
    shell:
        f"mesodecode diagnose --fold {FIRST} "
        "{params.data} {params.settings} --history {input.history} "
        "--device {resources.device} --threads {threads} --out {params.prefix} 2> {log} >&2"


if SWEEP:

    rule sweep_encoding:
        input:
            responses=responses_of(FIRST),
            first=first_weights(SWEEP["model"]),
        output:
            RESULTS / "sweep/{chunk}.tsv",
        log:
            RESULTS / "logs/sweep_encoding/{chunk}.log",
        benchmark:
            RESULTS / "benchmarks/sweep_encoding/{chunk}.tsv"
        threads: STUDY.config["threads"]
        resources:
            **on_device(GPU),
            mem_mb=grows(16000),
            runtime=grows(1440),
        params:
            data=fold_flags(FIRST),
            settings=model_flags(SWEEP["model"]),
            swept=sweep_flags(),
            chunks=SWEEP["chunks"],
            partial=str(RESULTS / "checkpoints/sweep/{chunk}.jsonl"),
            held=held(first_weights(SWEEP["model"])),
            code=code_version("sweep_encoding"),
        message:
            "Sweep: part {wildcards.chunk} of {params.chunks}"
        shell:
            f"mesodecode sweep-encoding --fold {FIRST} "
            "{params.data} {params.settings} {params.swept} "
            "--chunk {wildcards.chunk} --chunks {params.chunks} --partial {params.partial} "
            "--device {resources.device} --threads {threads} --out {output} 2> {log}"

    rule sweep_table:
        input:
            expand(RESULTS / "sweep/{chunk}.tsv", chunk=range(1, SWEEP["chunks"] + 1)),
        output:
            RESULTS / "tables/sweep.tsv",
        log:
            RESULTS / "logs/sweep_table.log",
        localrule: True
        message:
            "Joining the sweep"
        shell:
            "awk 'FNR > 1 || NR == 1' {input} > {output} 2> {log}"


rule figure_encoding:
    input:
        figure_tables,
    output:
        **svg_png("figures/{figure}", "Encoding", "encoding_figure", figure="{figure}"),
    log:
        RESULTS / "logs/figure_encoding/{figure}.log",
    wildcard_constraints:
        figure="|".join(path.stem for path in drawn()),
    localrule: True  # seconds: not worth a submission
    resources:
        mem_mb=grows(2000),
        runtime=grows(10),
    params:
        kind=lambda wildcards: wildcards.figure.partition("_")[0],
        name=lambda wildcards: wildcards.figure.partition("_")[2]
        or (SWEEP or {}).get("model", "models"),
        prefix=str(RESULTS / "figures/{figure}"),
        code=code_version("encoding_figures"),
    message:
        "Drawing {wildcards.figure}"
    shell:
        "mesodecode encoding-figures --kind {params.kind} --name {params.name} --tables {input} "
        "--out {params.prefix} 2> {log}"


BEFORE_RUNTIMES = [RESULTS / "tables/encoding_summary.tsv", *drawn()]


rule encoding_report:
    input:
        config=RESULTS / "config.json",
        summary=RESULTS / "tables/encoding_summary.tsv",
        neurons=RESULTS / "tables/encoding_neurons.tsv",
        diagnoses=expand(RESULTS / "diagnosis/{model}_checks.tsv", model=DIAGNOSED),
        sweep=[RESULTS / "tables/sweep.tsv"] if SWEEP else [],
        truth=expand(
            RESULTS / "simulated/{session}_truth.h5",
            session=STUDY.sessions if SIMULATED else [],
        ),
        runtimes=RESULTS / "tables/runtimes.tsv",
        figures=drawn(),
    output:
        html=RESULTS / "report.html",
        references=RESULTS / "references.bib",
    log:
        RESULTS / "logs/encoding_report.log",
    localrule: True
    resources:
        mem_mb=grows(2000),
        runtime=grows(10),
    params:
        diagnoses=" ".join(
            f"--diagnosis {name} {RESULTS}/diagnosis/{name}_checks.tsv"
            for name in DIAGNOSED
        ),
        sweep=f"--sweep {RESULTS}/tables/sweep.tsv" if SWEEP else "",
        truth=lambda wildcards, input: shlex.join(
            ["--truth", *input.truth] if input.truth else []
        ),
        code=code_version(
            "encoding_report",
            "encoding/templates/encoding.html.j2",
            *report_files(),
        ),
    message:
        "Writing the report"
    shell:
        "mesodecode encoding-report --config {input.config} --summary {input.summary} "
        "--neurons {input.neurons} {params.diagnoses} {params.sweep} {params.truth} "
        "--runtimes {input.runtimes} --figures {input.figures} --out {output.html} "
        "--references {output.references} 2> {log}"
