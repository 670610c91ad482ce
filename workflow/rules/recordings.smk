"""Recordings: simulated or a lab's own files, checked and written as HDF5.

REQUIRED INPUTS: the files that `recordings:` in the config names (none if `simulate:` is there;
    internet for those that are missing if `fetch:` names a record)
OUTPUTS: recordings/{session}.h5, recordings/{mouse}.txt (a list of them), measures/{session}.h5
    (what qc.smk checks), sources/{session}.json (which files it was made of: of no use to jobs),
    tables/cohort.tsv; with `fetch:`, the missing files
"""

if "simulate" in STUDY.config:

    rule simulate:
        output:
            movie=RESULTS / "simulated/{session}.tif",
            behavior=RESULTS / "simulated/{session}_behavior.mat",
            rois=RESULTS / "simulated/{session}_roi.mat",
            truth=RESULTS / "simulated/{session}_truth.h5",
        log:
            RESULTS / "logs/simulate/{session}.log",
        conda:
            "../../envs/mesodecode.yaml"
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


if STUDY.config["fetch"]:

    # On the machine that runs Snakemake. `update`: Snakemake deletes no recording, --forceall or
    # not; what is there and whole is left alone.
    rule fetch:
        output:
            update("{source_file}"),
        log:
            RESULTS / "logs/fetch/{source_file}.log",
        wildcard_constraints:
            source_file="|".join(map(re.escape, files_to_fetch())),
        localrule: True
        conda:
            "../../envs/mesodecode.yaml"
        params:
            folder=lambda wildcards: Path(wildcards.source_file).parent,
            name=lambda wildcards: Path(wildcards.source_file).name,
        message:
            "Fetching {wildcards.source_file}"
        shell:
            f"mesodecode fetch {STUDY.config['fetch']} "
            "--only {params.name:q} --out {params.folder:q} 2> {log:q}"


rule preprocess:
    input:
        unpack(source_files),
    output:
        recording=RESULTS / "recordings/{session}.h5",
        measures=RESULTS / "measures/{session}.h5",
    log:
        RESULTS / "logs/preprocess/{session}.log",
    benchmark:
        RESULTS / "benchmarks/preprocess/{session}.tsv"
    conda:
        "../../envs/mesodecode.yaml"
    resources:
        mem_mb=grows(2000),  # 0.35 GB
        # 18 s, and the reading of 590 MB
        runtime=grows(240 if STUDY.config["corrections"]["motion"] else 60),
    params:
        flags=preprocess_flags,
        record=str(RESULTS / "sources/{session}.json"),
        code=code_version("preprocess"),
    message:
        "Preprocessing session {wildcards.session}"
    shell:
        "mesodecode preprocess {params.flags} --out {output.recording} "
        "--measures {output.measures} --record {params.record} 2> {log}"


rule recordings_of_mouse:
    input:
        lambda wildcards: expand(
            RESULTS / "recordings/{session}.h5",
            session=STUDY.mice[wildcards.mouse],
        ),
    output:
        RESULTS / "recordings/{mouse}.txt",
    log:
        RESULTS / "logs/recordings_of_mouse/{mouse}.log",
    localrule: True
    conda:
        "../../envs/mesodecode.yaml"
    message:
        "Listing the recordings of mouse {wildcards.mouse}"
    shell:
        "printf '%s\\n' {input:q} > {output} 2> {log}"


rule cohort:
    input:
        expand(RESULTS / "recordings/{session}.h5", session=STUDY.mouse_of),
    output:
        report(
            RESULTS / "tables/cohort.tsv",
            category="Cohort",
            caption="../report/cohort.rst",
            labels={"table": "recordings"},
        ),
    log:
        RESULTS / "logs/cohort.log",
    conda:
        "../../envs/mesodecode.yaml"
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    params:
        code=code_version("cohort"),
    message:
        "Listing the recordings"
    shell:
        "mesodecode cohort --recordings {input} --out {output} 2> {log}"
