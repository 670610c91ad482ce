"""Recordings: simulated or a lab's own files, checked and written as HDF5.

REQUIRED INPUTS: the files that `recordings:` in the config names (none if `simulate:` is there;
    internet for those that are missing if `fetch:` names a record)
OUTPUTS: recordings/{session}.h5, recordings/{mouse}.txt (a list of them), measures/{session}.h5
    (what rule qc checks; those of a variant under variants/{variant}/), sources/{session}.json (which files it was made of: of no use to jobs),
    tables/cohort.tsv; with `fetch:`, the missing files; tables/qc.tsv, figures/qc.svg and .png of all
    sessions, figures/qc/{session}.svg and .png; tables/roi_correlation.tsv and _summary.tsv,
    figures/roi_correlation.svg and .png. `snakemake qc` checks the quality of the recordings alone,
    before anything is trained
"""


include: "functions/recordings.smk"


import glob

from mesodecode.base.natural_order import matching
from mesodecode.recordings.source_files import check_apart
from mesodecode.study import (
    cohort_table,
    correction_table,
    file_formats,
    schema,
    session_ids,
    variants,
)

# Keys of `recordings` that name files.
SOURCES = session_ids.OWN_FILES
CORRECTION_FILES = correction_table.FILES  # keys of `corrections` that do


if "simulate" in STUDY.config:

    rule simulate:
        output:
            movie=RESULTS / "simulated/{session}.tif",
            behavior=RESULTS / "simulated/{session}_behavior.mat",
            rois=RESULTS / "simulated/{session}_roi.mat",
            truth=RESULTS / "simulated/{session}_truth.h5",
        log:
            RESULTS / "logs/simulate/{session}.log",
        resources:
            mem_mb=grows(2000),  # 0.8 GB
            runtime=grows(10),  # 18 s
        params:
            out=RESULTS / "simulated",
            mouse=lambda wildcards: STUDY.mouse_of[wildcards.session],
            run_share=lambda wildcards: STUDY.run_share(wildcards.session),
            settings=lambda wildcards: options.as_flags(
                STUDY.simulation(wildcards.session), "simulate"
            ),
            code=code_version("simulate"),
        message:
            "Simulating session {wildcards.session}"
        shell:
            "mesodecode simulate --session {wildcards.session} --mouse {params.mouse} "
            "--run-share {params.run_share} --out {params.out} {params.settings} 2> {log}"


check_files_apart()
TABLES = cohort_table.all_tables(STUDY.config)
FETCHED_FILES = files_to_fetch()
NATIVE = (
    "recorded" if STUDY.harmonised else "recordings"
)  # the folder that preprocess writes to


if FETCHED_FILES:

    # On the machine that runs Snakemake. `update`: Snakemake deletes no recording, --forceall or
    # not; what is there and whole is left alone.
    rule fetch:
        output:
            update("{source_file}"),
        log:
            RESULTS / "logs/fetch/{source_file}.log",
        wildcard_constraints:
            source_file="|".join(map(re.escape, FETCHED_FILES)),
        localrule: True
        params:
            folder=lambda wildcards: Path(wildcards.source_file).parent,
            name=lambda wildcards: Path(wildcards.source_file).name,
            record=lambda wildcards: FETCHED_FILES[wildcards.source_file],
        message:
            "Fetching {wildcards.source_file}"
        shell:
            "mesodecode fetch {params.record:q} "
            "--only {params.name:q} --out {params.folder:q} 2> {log:q}"


rule preprocess:
    input:
        unpack(source_files),
    output:
        recording=RESULTS / f"{NATIVE}/{{session}}.h5",
        measures=RESULTS / "measures/{session}.h5",
    log:
        RESULTS / "logs/preprocess/{session}.log",
    benchmark:
        RESULTS / "benchmarks/preprocess/{session}.tsv"
    resources:
        mem_mb=grows(2000),  # 0.35 GB
        # 18 s, and the reading of 590 MB
        runtime=grows(240 if any(t["corrections"]["motion"] for t in TABLES) else 60),
    params:
        flags=preprocess_flags,
        record=str(RESULTS / "sources/{session}.json"),
        code=code_version("preprocess"),
    message:
        "Preprocessing session {wildcards.session}"
    shell:
        "mesodecode preprocess {params.flags} --out {output.recording} "
        "--measures {output.measures} --record {params.record} 2> {log}"


if STUDY.config["areas"] == "common":

    rule common_areas:
        input:
            expand(RESULTS / "recorded/{session}.h5", session=STUDY.mouse_of),
        output:
            RESULTS / "recorded/areas.txt",
        log:
            RESULTS / "logs/common_areas.log",
        localrule: True
        params:
            names=lambda wildcards: json.dumps(
                {s: n for s in STUDY.mouse_of if (n := area_names(s))}, sort_keys=True
            ),
            order=list(STUDY.mouse_of),
            code=code_version("common_areas"),
        message:
            "Finding the areas that all recordings have"
        shell:
            "mesodecode common-areas --recordings {input} --names {params.names:q} "
            "--out {output} 2> {log}"


if STUDY.harmonised:

    rule harmonise:
        input:
            recording=RESULTS / "recorded/{session}.h5",
            common=(
                [RESULTS / "recorded/areas.txt"]
                if STUDY.config["areas"] == "common"
                else []
            ),
        output:
            RESULTS / "recordings/{session}.h5",
        log:
            RESULTS / "logs/harmonise/{session}.log",
        benchmark:
            RESULTS / "benchmarks/harmonise/{session}.tsv"
        resources:
            mem_mb=grows(2000),
            runtime=grows(60),
        params:
            flags=harmonise_flags,
            common=lambda wildcards, input: flag_if("--areas-from", input.common),
            code=code_version("harmonise"),
        message:
            "Bringing session {wildcards.session} to the rate and areas of all"
        shell:
            "mesodecode harmonise --recording {input.recording} {params.flags} "
            "{params.common} --out {output} 2> {log}"


# The same sessions, preprocessed as a variant of the study has them.
use rule preprocess as preprocess_variant with:
    output:
        recording=RESULTS / "variants/{variant}/recordings/{session}.h5",
        measures=RESULTS / "variants/{variant}/measures/{session}.h5",
    log:
        RESULTS / "logs/preprocess_variant/{variant}/{session}.log",
    benchmark:
        RESULTS / "benchmarks/preprocess_variant/{variant}/{session}.tsv"
    resources:
        mem_mb=grows(2000),
        runtime=grows(240),
    params:
        flags=preprocess_flags,
        record=str(RESULTS / "variants/{variant}/sources/{session}.json"),
        code=code_version("preprocess"),
    message:
        "Preprocessing session {wildcards.session} as {wildcards.variant}"


rule recordings_of_mouse:
    input:
        lambda wildcards: recordings_listed(wildcards.mouse),
    output:
        RESULTS / "recordings/{mouse}.txt",
    log:
        RESULTS / "logs/recordings_of_mouse/{mouse}.log",
    localrule: True
    params:
        time=TIME,
        order=lambda wildcards: STUDY.mice[wildcards.mouse],
    message:
        "Listing the recordings of mouse {wildcards.mouse}"
    shell:
        "{{ {params.time}; printf '%s\\n' {input:q}; }} > {output} 2> {log}"


use rule recordings_of_mouse as recordings_of_mouse_of_variant with:
    input:
        lambda wildcards: recordings_listed(wildcards.mouse, wildcards.variant),
    output:
        RESULTS / "variants/{variant}/recordings/{mouse}.txt",
    log:
        RESULTS / "logs/recordings_of_mouse/{variant}/{mouse}.log",


rule cohort:
    input:
        lists_of(STUDY.mice),
    output:
        shown("tables/cohort.tsv", "Cohort", "cohort", table="recordings"),
    log:
        RESULTS / "logs/cohort.log",
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    params:
        order=list(STUDY.mice),
        code=code_version("cohort"),
    message:
        "Listing the recordings"
    shell:
        "mesodecode cohort --recordings {input} --out {output} 2> {log}"


SHOWN_TABLES += [RESULTS / "tables/qc.tsv"]
SHOWN_FIGURES += [RESULTS / "figures/qc.svg"]
SHOWN_FIGURES += expand(RESULTS / "figures/qc/{session}.svg", session=STUDY.mouse_of)


rule qc:
    input:
        recordings=expand(RESULTS / f"{NATIVE}/{{session}}.h5", session=STUDY.mouse_of),
        measures=expand(RESULTS / "measures/{session}.h5", session=STUDY.mouse_of),
    output:
        *[
            shown(f"figures/qc/{session}.svg", "Quality", "qc", session=session)
            for session in STUDY.mouse_of
        ],
        table=RESULTS / "tables/qc.tsv",
        page=shown("figures/qc.svg", "Quality", "qc", session="all"),
        png=expand(
            RESULTS / "figures/{name}.png",
            name=["qc", *(f"qc/{session}" for session in STUDY.mouse_of)],
        ),
    log:
        RESULTS / "logs/qc.log",
    resources:
        mem_mb=grows(2000),  # 0.6 GB
        runtime=grows(30),  # 1 min
    params:
        prefix=RESULTS / "figures/qc",
        settings=options.as_flags(STUDY.config["qc"], "qc"),
        order=list(STUDY.mouse_of),
        code=code_version("qc"),
    message:
        "Checking the quality of the recordings"
    shell:
        "mesodecode qc --recordings {input.recordings} --measures {input.measures} "
        "--table {output.table} --out {params.prefix} {params.settings} 2> {log}"


rule roi_correlation:
    input:
        lists_of(STUDY.mice),
    output:
        **svg_png("figures/roi_correlation", "ROIs", "roi_correlation", kind="figure"),
        table=RESULTS / "tables/roi_correlation.tsv",
        summary=shown(
            "tables/roi_correlation_summary.tsv",
            "ROIs",
            "roi_correlation",
            kind="table",
        ),
    log:
        RESULTS / "logs/roi_correlation.log",
    resources:
        mem_mb=grows(2000),  # as train_roi
        runtime=grows(10),
    params:
        baseline=correlation_baseline(),
        order=list(STUDY.mice),
        prefix=RESULTS / "figures/roi_correlation",
        code=code_version("roi_correlation"),
    message:
        "Correlating ROI signals with running"
    shell:
        "mesodecode roi-correlation --recordings {input} {params.baseline} --out {output.table} "
        "--summary {output.summary} --figure {params.prefix} 2> {log}"
