"""Results as NWB files for other tools: `snakemake export`, no part of `all`.

REQUIRED INPUTS: recordings/{session}.h5, measures/{session}.h5,
    predictions/{decoder}/{allocation}.h5, the table that `nwb.sessions` of the config names
OUTPUTS: nwb/{session}.nwb
"""

if STUDY.decoders:

    # All sessions in one job: each is done in less time than pynwb takes to be imported.
    rule export:
        input:
            config=RESULTS / "config.json",
            recordings=expand(
                RESULTS / "recordings/{session}.h5", session=STUDY.mouse_of
            ),
            measures=expand(RESULTS / "measures/{session}.h5", session=STUDY.mouse_of),
            predictions=expand(
                RESULTS / "predictions/{decoder}/{allocation}.h5",
                decoder=STUDY.decoders,
                allocation=STUDY.allocations,
            ),
            sessions=STUDY.config["nwb"]["sessions"] or [],
        output:
            expand(RESULTS / "nwb/{session}.nwb", session=STUDY.mouse_of),
        log:
            RESULTS / "logs/export.log",
        resources:
            mem_mb=grows(4000),
            runtime=grows(60),
        params:
            recordings=RESULTS / "recordings",
            measures=RESULTS / "measures",
            predictions=RESULTS / "predictions",
            folder=RESULTS / "nwb",
            settings=options.as_flags(STUDY.config["nwb"], "nwb"),
            held=held(STUDY.config["nwb"]["sessions"] or []),
            code=code_version("export_nwb"),
        message:
            "Writing NWB files"
        shell:
            "mesodecode export-nwb --config {input.config} --recordings {params.recordings} "
            "--predictions {params.predictions} --measures {params.measures} "
            "--out {params.folder} {params.settings} 2> {log}"
