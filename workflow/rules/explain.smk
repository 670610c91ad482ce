"""What decoders look at, and whether the maps are right.

REQUIRED INPUTS: recordings/{mouse}.txt, for SHAP by ROI with their signals; models/{decoder}/{allocation}.pt
    (.npz of the linear baseline); of a simulated cohort also simulated/{session}_truth.h5
OUTPUTS: of the decoder explained, of its null decoder and of its seeds
    importance/{importance}/{decoder}/{allocation}.h5 of SHAP, by ROI or by area and pixel,
    importance/{importance}/{decoder}/{allocation}/block{block}.tsv of cut-outs;
    importance/{importance}/{decoder}/{allocation}.check.h5 of the decoder explained, and
    importance/{importance}/maps.txt, checks.txt, null.txt and seed{n}.txt, lists of its maps, their
    checks and the maps that it is compared with;
    tables/importance_{importance}.tsv, _signed.tsv, _mice.tsv and _checks.tsv, of cut-outs also
    _sessions.tsv, of SHAP and of cut-outs with `times` also _times.tsv;
    tables/importance_{importance}_sides.tsv, where areas have mirror images; figures of the same
    names, .svg and .png
"""


include: "functions/explain.smk"


from mesodecode.study import importance, variants

IMPORTANCE = STUDY.config["importance"]
# Decoders that have maps: those explained, and those whose maps these are compared with.
MAPPED = {
    name
    for line in IMPORTANCE.values()
    for name in (line["decoder"], line.get("null_decoder"), *line.get("seeds", []))
    if name
}
# The lines of a family of maps, and SHAP of both kinds.
CUTOUTS, OF_ROIS, OF_PIXELS = map(lines_of, ("cutout", "shap", "pixels"))
SHAPS = [name for name in IMPORTANCE if name in OF_ROIS or name in OF_PIXELS]
# cut-outs of each image of the window alone
TIMED = [name for name in CUTOUTS if IMPORTANCE[name]["times"]]
# analyses in which each side is compared with the other
SIDED = [name for name, line in IMPORTANCE.items() if importance.is_sided(line)]


SHOWN_TABLES += expand(
    RESULTS / "tables/importance_{name}_{what}.tsv",
    name=IMPORTANCE,
    what=["mice", "checks"],
)
SHOWN_FIGURES += expand(
    RESULTS / "figures/importance_{name}{what}.svg",
    name=IMPORTANCE,
    what=["", "_mice", "_checks"],
)
SHOWN_FIGURES += expand(RESULTS / "figures/importance_{name}_sides.svg", name=SIDED)
SHOWN_FIGURES += expand(RESULTS / "figures/importance_{name}_signed.svg", name=SHAPS)
SHOWN_FIGURES += expand(RESULTS / "figures/importance_{name}_times.svg", name=TIMED)


wildcard_constraints:
    importance="|".join(IMPORTANCE) or "no importance",


rule shap:
    input:
        weights=RESULTS / "models/{decoder}/{allocation}.pt",
        test=recordings_of("test"),
        background=background_recordings,
    output:
        RESULTS / "importance/{importance}/{decoder}/{allocation}.h5",
    log:
        RESULTS / "logs/shap/{importance}/{decoder}/{allocation}.log",
    benchmark:
        RESULTS / "benchmarks/shap/{importance}/{decoder}/{allocation}.tsv"
    wildcard_constraints:
        importance="|".join(OF_ROIS) or "no importance",
        decoder="|".join(MAPPED) or "no decoder",
    threads: 1
    resources:
        mem_mb=grows(3000),  # 1.2 GB with a background of 10,000
        runtime=grows(60),  # 6 min a core: 27,000 pairs/s
        device="cpu",
    params:
        background=background_flag,
        settings=importance_flags,
        code=code_version("shap"),
    message:
        "Explaining {wildcards.decoder} on {wildcards.allocation}"
    shell:
        "mesodecode shap --weights {input.weights} --recordings {input.test} "
        "{params.background} --decoder {wildcards.decoder} {params.settings} "
        "--device {resources.device} --threads {threads} --out {output} 2> {log}"


rule shap_pixels:
    input:
        unpack(pixel_inputs),
    output:
        RESULTS / "importance/{importance}/{decoder}/{allocation}.h5",
    log:
        RESULTS / "logs/shap_pixels/{importance}/{decoder}/{allocation}.log",
    benchmark:
        RESULTS / "benchmarks/shap_pixels/{importance}/{decoder}/{allocation}.tsv"
    wildcard_constraints:
        importance="|".join(OF_PIXELS) or "no importance",
        decoder="|".join(MAPPED) or "no decoder",
    threads: STUDY.config["threads"]
    resources:
        **on_device(gpu_of_network),
        mem_mb=grows(5000),  # 1.7 GB with EfficientNet-B0 on 11 images of 128 px
        runtime=grows(pixel_minutes(10, lambda line: 1)),
    params:
        cnn=lambda wildcards, input: flag_if("--cnn", input.cnn),
        background=background_flag,
        settings=importance_flags,
        held=held(pixel_inputs),
        code=code_version("shap_pixels"),
    message:
        "Explaining {wildcards.decoder} on {wildcards.allocation}, pixel by pixel"
    shell:
        "mesodecode shap-pixels --weights {input.weights} {params.cnn} "
        "--recordings {input.recordings} {params.background} --decoder {wildcards.decoder} "
        "{params.settings} --device {resources.device} --threads {threads} --out {output} 2> {log}"


rule shap_summary:
    input:
        unpack(shap_picture),
        maps=RESULTS / "importance/{importance}/maps.txt",
        null=lists_called("null"),
    output:
        **svg_png(
            "figures/importance_{importance}",
            "Importance",
            "importance",
            importance="{importance}",
            kind="figure",
        ),
        table=shown(
            "tables/importance_{importance}.tsv",
            "Importance",
            "importance_table",
            importance="{importance}",
            kind="table",
        ),
        signed=RESULTS / "tables/importance_{importance}_signed.tsv",
        times=RESULTS / "tables/importance_{importance}_times.tsv",
        signed_svg=shown(
            "figures/importance_{importance}_signed.svg",
            "Importance",
            "importance_signed",
            importance="{importance}, with signs",
            kind="figure",
        ),
        signed_png=RESULTS / "figures/importance_{importance}_signed.png",
    log:
        RESULTS / "logs/shap_summary/{importance}.log",
    wildcard_constraints:
        importance="|".join(SHAPS) or "no importance",
    resources:
        mem_mb=grows(1000),
        runtime=grows(10),
    params:
        null=lambda wildcards, input: flag_if("--null-maps", input.null),
        place=place_flags,
        prefix=str(RESULTS / "figures/importance_{importance}"),
        held=held(shap_picture),
        code=code_version("shap_summary"),
    message:
        "Summarising the importance {wildcards.importance}"
    shell:
        "mesodecode shap-summary --maps {input.maps} {params.null} "
        "--name {wildcards.importance} --out {output.table} --figure {params.prefix} "
        "--signed {output.signed} --times {output.times} --signed-figure {params.prefix}_signed "
        "{params.place} 2> {log}"


rule cutout:
    input:
        unpack(cutout_inputs),
    output:
        RESULTS / "importance/{importance}/{decoder}/{allocation}/block{block}.tsv",
    log:
        RESULTS / "logs/cutout/{importance}/{decoder}/{allocation}/block{block}.log",
    benchmark:
        RESULTS
        / "benchmarks/cutout/{importance}/{decoder}/{allocation}/block{block}.tsv"
    wildcard_constraints:
        importance="|".join(CUTOUTS) or "no importance",
        decoder=names_of(lambda d: KINDS[d.kind].of_images),
        block=r"\d+",
    threads: STUDY.config["threads"]
    resources:
        **on_device(gpu_of_network),
        mem_mb=grows(8000),  # not measured; predict_images, the same passes, 2.5 GB
        runtime=grows(720),  # not measured at this size
    params:
        cnn=lambda wildcards, input: flag_if("--cnn", input.cnn),
        labels=labels_of("test"),
        blocks=lambda wildcards: IMPORTANCE[wildcards.importance]["blocks"],
        settings=importance_flags,
        held=held(cutout_inputs),
        code=code_version("cutout"),
    message:
        "Cutting areas out of the images of {wildcards.decoder} on {wildcards.allocation}"
    shell:
        "mesodecode cutout --weights {input.weights} {params.cnn} --recordings {input.recordings} "
        "{params.labels} --decoder {wildcards.decoder} {params.settings} "
        "--block {wildcards.block}/{params.blocks} "
        "--device {resources.device} --threads {threads} --out {output} 2> {log}"


rule cutout_summary:
    input:
        unpack(cutout_picture),
        maps=RESULTS / "importance/{importance}/maps.txt",
    output:
        **svg_png(
            "figures/importance_{importance}",
            "Importance",
            "importance_cutout",
            importance="{importance}",
        ),
        table=RESULTS / "tables/importance_{importance}.tsv",
        sessions=RESULTS / "tables/importance_{importance}_sessions.tsv",
        signed=RESULTS / "tables/importance_{importance}_signed.tsv",
    log:
        RESULTS / "logs/cutout_summary/{importance}.log",
    wildcard_constraints:
        importance="|".join(CUTOUTS) or "no importance",
    resources:
        mem_mb=grows(2000),
        runtime=grows(10),
    params:
        place=place_flags,
        settings=importance_flags,
        prefix=str(RESULTS / "figures/importance_{importance}"),
        held=held(cutout_picture),
        code=code_version("cutout_summary"),
    message:
        "Summarising the importance {wildcards.importance}"
    shell:
        "mesodecode cutout-summary --scores {input.maps} "
        "{params.place} {params.settings} --name {wildcards.importance} --out {output.table} "
        "--sessions {output.sessions} --signed {output.signed} --figure {params.prefix} 2> {log}"


rule cutout_times:
    input:
        unpack(cutout_picture),
        maps=RESULTS / "importance/{importance}/maps.txt",
    output:
        **map_figure("times", "as time goes by"),
        table=RESULTS / "tables/importance_{importance}_times.tsv",
    log:
        RESULTS / "logs/cutout_times/{importance}.log",
    wildcard_constraints:
        importance="|".join(TIMED) or "no importance",
    resources:
        mem_mb=grows(2000),
        runtime=grows(10),
    params:
        settings=importance_flags,
        prefix=str(RESULTS / "figures/importance_{importance}_times"),
        code=code_version("cutout_times"),
    message:
        "Summarising when areas matter in the importance {wildcards.importance}"
    shell:
        "mesodecode cutout-times --scores {input.maps} --recording {input.recording} "
        "{params.settings} --name {wildcards.importance} --out {output.table} "
        "--figure {params.prefix} 2> {log}"


rule sides:
    input:
        unpack(sided_inputs),
    output:
        **map_figure("sides", "left and right"),
        table=RESULTS / "tables/importance_{importance}_sides.tsv",
    log:
        RESULTS / "logs/sides/{importance}.log",
    wildcard_constraints:
        importance="|".join(SIDED) or "no importance",
    resources:
        mem_mb=grows(2000),
        runtime=grows(10),
    params:
        source=sided_flags,
        mirror=mirror_flag,
        prefix=str(RESULTS / "figures/importance_{importance}_sides"),
        code=code_version("sides"),
    message:
        "Comparing left and right of the importance {wildcards.importance}"
    shell:
        "mesodecode sides {params.source} {params.mirror} --name {wildcards.importance} "
        "--out {output.table} --figure {params.prefix} 2> {log}"


# One list in the place of all maps, in each job that reads them.
rule maps_of_analysis:
    input:
        listed_of_analysis,
    output:
        RESULTS / "importance/{importance}/{listed}.txt",
    log:
        RESULTS / "logs/maps_of_analysis/{importance}.{listed}.log",
    wildcard_constraints:
        listed=r"maps|checks|null|seed\d+",
    localrule: True
    params:
        order=list(STUDY.allocations),
        time=TIME,
    message:
        "Listing the {wildcards.listed} of {wildcards.importance}"
    shell:
        "{{ {params.time}; printf '%s\\n' {input:q}; }} > {output} 2> {log}"


rule shap_check:
    input:
        weights=RESULTS / "models/{decoder}/{allocation}.pt",
        test=recordings_of("test"),
        background=background_recordings,
        maps=RESULTS / "importance/{importance}/maps.txt",
        truth=truth_of_test,
    output:
        RESULTS / "importance/{importance}/{decoder}/{allocation}.check.h5",
    log:
        RESULTS / "logs/shap_check/{importance}/{decoder}/{allocation}.log",
    benchmark:
        RESULTS / "benchmarks/shap_check/{importance}/{decoder}/{allocation}.tsv"
    wildcard_constraints:
        importance="|".join(OF_ROIS) or "no importance",
        decoder="|".join(MAPPED) or "no decoder",
    threads: 1
    resources:
        mem_mb=grows(3000),  # as shap; 0.5 GB
        runtime=grows(120),  # not measured at this size
        device="cpu",
    params:
        background=background_flag,
        truth=lambda wildcards, input: flag_if("--truth", input.truth),
        settings=importance_flags,
        checks=check_flags,
        code=code_version("shap_check"),
    message:
        "Checking the map of {wildcards.decoder} on {wildcards.allocation}"
    shell:
        "mesodecode shap-check --weights {input.weights} --recordings {input.test} "
        "{params.background} --maps {input.maps} {params.truth} {params.settings} {params.checks} "
        "--device {resources.device} --threads {threads} --out {output} 2> {log}"


rule pixels_check:
    input:
        unpack(pixel_inputs),
        maps=RESULTS / "importance/{importance}/maps.txt",
        truth=truth_of_test,
    output:
        RESULTS / "importance/{importance}/{decoder}/{allocation}.check.h5",
    log:
        RESULTS / "logs/pixels_check/{importance}/{decoder}/{allocation}.log",
    benchmark:
        RESULTS / "benchmarks/pixels_check/{importance}/{decoder}/{allocation}.tsv"
    wildcard_constraints:
        importance="|".join(OF_PIXELS) or "no importance",
        decoder="|".join(MAPPED) or "no decoder",
    threads: STUDY.config["threads"]
    resources:
        **on_device(gpu_of_network),
        mem_mb=grows(8000),  # as cutout
        runtime=grows(
            pixel_minutes(
                60,  # areas removed, as of cutout_check
                lambda line: 2 + line["checks"]["noise_draws"],
            )
        ),
    params:
        cnn=lambda wildcards, input: flag_if("--cnn", input.cnn),
        background=background_flag,
        truth=lambda wildcards, input: flag_if("--truth", input.truth),
        settings=importance_flags,
        checks=check_flags,
        code=code_version("pixels_check"),
    message:
        "Checking the map of pixels of {wildcards.decoder} on {wildcards.allocation}"
    shell:
        "mesodecode pixels-check --weights {input.weights} {params.cnn} "
        "--recordings {input.recordings} {params.background} --maps {input.maps} {params.truth} "
        "{params.settings} {params.checks} "
        "--device {resources.device} --threads {threads} --out {output} 2> {log}"


rule cutout_check:
    input:
        unpack(cutout_inputs),
        maps=RESULTS / "importance/{importance}/maps.txt",
        truth=truth_of_test,
    output:
        RESULTS / "importance/{importance}/{decoder}/{allocation}.check.h5",
    log:
        RESULTS / "logs/cutout_check/{importance}/{decoder}/{allocation}.log",
    benchmark:
        RESULTS / "benchmarks/cutout_check/{importance}/{decoder}/{allocation}.tsv"
    wildcard_constraints:
        importance="|".join(CUTOUTS) or "no importance",
        decoder="|".join(MAPPED) or "no decoder",
    threads: STUDY.config["threads"]
    resources:
        **on_device(gpu_of_network),
        mem_mb=grows(8000),  # as cutout
        runtime=grows(120),  # not measured at this size
    params:
        cnn=lambda wildcards, input: flag_if("--cnn", input.cnn),
        labels=labels_of("test"),
        truth=lambda wildcards, input: flag_if("--truth", input.truth),
        settings=importance_flags,
        checks=check_flags,
        code=code_version("cutout_check"),
    message:
        "Checking the map of {wildcards.decoder} on {wildcards.allocation}"
    shell:
        "mesodecode cutout-check --weights {input.weights} {params.cnn} "
        "--recordings {input.recordings} {params.labels} --maps {input.maps} {params.truth} "
        "{params.settings} {params.checks} "
        "--device {resources.device} --threads {threads} --out {output} 2> {log}"


rule map_checks:
    input:
        maps=RESULTS / "importance/{importance}/maps.txt",
        checks=RESULTS / "importance/{importance}/checks.txt",
        null=lists_called("null"),
        seeds=lists_called("seed"),
    output:
        **map_figure("checks", "checks"),
        table=RESULTS / "tables/importance_{importance}_checks.tsv",
    log:
        RESULTS / "logs/map_checks/{importance}.log",
    resources:
        mem_mb=grows(2000),
        runtime=grows(10),
    params:
        companions=companion_flags,
        prefix=str(RESULTS / "figures/importance_{importance}_checks"),
        code=code_version("map_checks"),
    message:
        "Judging the maps of {wildcards.importance}"
    shell:
        "mesodecode map-checks --maps {input.maps} --checks {input.checks} {params.companions} "
        "--name {wildcards.importance} --out {output.table} --figure {params.prefix} 2> {log}"


rule map_mice:
    input:
        maps=RESULTS / "importance/{importance}/maps.txt",
        null=lists_called("null"),
    output:
        **map_figure("mice", "intervals over mice"),
        table=RESULTS / "tables/importance_{importance}_mice.tsv",
    log:
        RESULTS / "logs/map_mice/{importance}.log",
    resources:
        mem_mb=grows(2000),
        runtime=grows(10),
    params:
        null=lambda wildcards, input: flag_if("--null-maps", input.null),
        decoder=lambda wildcards: IMPORTANCE[wildcards.importance]["decoder"],
        prefix=str(RESULTS / "figures/importance_{importance}_mice"),
        code=code_version("map_mice"),
    message:
        "Intervals over mice of the maps of {wildcards.importance}"
    shell:
        "mesodecode map-mice --maps {input.maps} {params.null} --decoder {params.decoder} "
        "--name {wildcards.importance} --out {output.table} --figure {params.prefix} 2> {log}"
