"""What jobs of importance read. No rules."""


def lines_of(family):
    """The importance analyses that are of a family of maps, by its schema."""
    return [
        name
        for name, line in IMPORTANCE.items()
        if importance.kind_of(line) == f"importance_{family}"
    ]


def maps_of(name, decoder):
    """The maps of a decoder in an importance analysis, of all allocations.

    The rule that makes them is called as their family, but for that of pixels, whose maps lie where
    those of ROIs do.
    """
    line = IMPORTANCE[name]
    family = importance.kind_of(line).removeprefix("importance_")
    return expand(
        getattr(rules, "shap" if family == "pixels" else family).output,
        importance=name,
        decoder=decoder,
        allocation=STUDY.allocations,
        block=range(1, line.get("blocks", 1) + 1),
    )


def map_lists(name):
    """The lists of an importance analysis: how each is called -> the files in it."""
    line = IMPORTANCE[name]
    decoder, null, seeds = line["decoder"], line.get("null_decoder"), line.get("seeds")
    compared = {"null": null} if null else {}
    compared |= {f"seed{n}": seed for n, seed in enumerate(seeds or [], 1)}
    maps = {"maps": decoder, **compared}
    checks = expand(
        RESULTS / "importance/{importance}/{decoder}/{allocation}.check.h5",
        importance=name,
        decoder=decoder,
        allocation=STUDY.allocations,
    )
    return {"checks": checks} | {
        listed: maps_of(name, of) for listed, of in maps.items()
    }


def listed_of_analysis(wildcards):
    """The files in a list of an importance analysis."""
    return map_lists(wildcards.importance)[wildcards.listed]


def lists_called(start):
    """An input function: the lists of an importance analysis that are called so, in order."""

    def lists(wildcards):
        folder = RESULTS / f"importance/{wildcards.importance}"
        named = map_lists(wildcards.importance)
        return [folder / f"{one}.txt" for one in named if one.startswith(start)]

    return lists


def map_figure(what, words):
    """The outputs svg and png of a rule that draws `what` of the maps of an importance analysis."""
    path = f"figures/importance_{{importance}}_{what}"
    label = f"{{importance}}, {words}"
    return svg_png(path, "Importance", f"importance_{what}", importance=label)


def companion_flags(wildcards, input):
    """The maps that a map is compared with, as flags: of permuted labels, and of each seed."""
    seeds = [flag_if("--seed-maps", [maps]) for maps in input.seeds]
    return " ".join([flag_if("--null-maps", input.null), *seeds])


def truth_of_test(wildcards):
    """What is planted in the test recordings, if they are simulated with these ROIs."""
    masks = [
        t["recordings"]["roi_masks"] for t in cohort_table.all_tables(STUDY.config)
    ]
    # numbers of ROIs are those of the simulation, unless recordings are brought to areas
    other = any(masks) or (
        STUDY.config["areas"] is not None and wildcards.importance in OF_ROIS
    )
    if "simulate" not in STUDY.config or other:
        return []
    return expand(
        RESULTS / "simulated/{session}_truth.h5",
        session=STUDY.sessions(wildcards.allocation, "test"),
    )


def background_recordings(wildcards):
    """The recordings of training mice that a background is drawn from, if from these."""
    from_train = IMPORTANCE[wildcards.importance]["background_from"] == "train"
    return recordings_of("train")(wildcards) if from_train else []


def background_flag(wildcards, input):
    """The same as a flag."""
    return flag_if("--background-recordings", input.background)


def importance_flags(wildcards):
    """The settings of an importance analysis as flags."""
    line = IMPORTANCE[wildcards.importance]
    return options.as_flags(line, importance.kind_of(line))


def check_flags(wildcards):
    """What the checks of an importance map look at, as flags."""
    return options.as_flags(
        IMPORTANCE[wildcards.importance]["checks"], "importance_checks"
    )


def cutout_inputs(wildcards):
    """What a cut-out reads: a decoder, which may be of two files, and areas drawn by hand."""
    decoder = STUDY.decoders[wildcards.decoder]
    sessions = STUDY.sessions(wildcards.allocation, "test")
    files = {
        "weights": model_file(decoder, wildcards.allocation),
        "recordings": recordings_of("test")(wildcards),
        "areas": areas_of(wildcards.importance, sessions),
        "cnn": [],
    }
    if is_frozen(decoder):
        files["cnn"] = [weights_of_start(wildcards)]
    return files


def pixel_inputs(wildcards):
    """What a map of pixels reads: what a cut-out does, and a background with its areas."""
    background = background_recordings(wildcards)
    roles = ("test", "train") if background else ("test",)
    sessions = [s for role in roles for s in STUDY.sessions(wildcards.allocation, role)]
    areas = areas_of(wildcards.importance, sessions)
    return cutout_inputs(wildcards) | {"background": background, "areas": areas}


def check_backbones():
    """End a run that would make maps of pixels before it trains a CNN that cannot have one.

    By the Python that its jobs run by: no torch may be where Snakemake is. Of an environment inside
    a container the maps' jobs say so.
    """
    jobs = workflow.dag.needrun_jobs()
    maps = [job for job in jobs if job.wildcards.get("importance") in OF_PIXELS]
    if not maps:
        return
    python = Path(sys.executable)
    if CONDA:
        python = Path(maps[0].conda_env.address, "bin/python")
        if not python.exists():
            return
    names = importance.backbones_of_pixels(IMPORTANCE, STUDY.decoders)
    done = subprocess.run(
        [python, "-m", "mesodecode", "check-backbone", "--backbone", *names],
        env=os.environ | {"PYTHONPATH": str(PACKAGE)},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise WorkflowError(done.stderr.strip())


SECONDS = 0.09  # of one core, measured 2026-11-29


def pixel_minutes(least, maps):
    """A function of `least` minutes, and those of so many maps of pixels, by line, on one core, twice.

    Each pair of a window and a reference passes the CNN with all images of both, once an output.
    EfficientNet-B0 takes SECONDS an image of 128 px and pair.
    """

    def minutes(wildcards):
        line, decoder = (
            IMPORTANCE[wildcards.importance],
            STUDY.decoders[wildcards.decoder],
        )
        pairs = line["windows"] * line["background"]
        outputs = len(STUDY.config["recordings"]["target_states"] or [""])
        images = 2 * decoder.settings.get("half_window", 0) + 1
        made = variants.preprocessing(STUDY.config, STUDY.variant(decoder.name))
        own = STUDY.config.get("simulate", {}).get("image_size")
        area = ((made["image_size"] or own or 128) / 128) ** 2
        seconds = 2 * SECONDS * maps(line) * pairs * outputs * images * area
        return least + round(seconds / 60)

    return minutes


def areas_of(name, sessions):
    """The files of areas that maps hide or add up in sessions; none where masks are made."""
    masks = IMPORTANCE[name].get("masks") or IMPORTANCE[name]["areas"]
    if masks in importance.MASKS:
        return []
    named = [STUDY.filled(masks, s) for s in sessions]
    return list(dict.fromkeys(named))


def cutout_picture(wildcards):
    """What the figure of a cut-out is drawn on: a session, and where its ROIs are."""
    session = next(iter(STUDY.mouse_of))
    folder = recordings_folder(IMPORTANCE[wildcards.importance]["decoder"])
    return {
        "recording": [f"{folder}/{session}.h5"],
        "areas": areas_of(wildcards.importance, [session]),
        "rois": place_of_rois(session),
    }


def shap_picture(wildcards):
    """What the signed figure of SHAP is drawn on, where it is known where ROIs are."""
    session = next(iter(STUDY.mouse_of))
    # brought to areas, ROIs are in another order than their file has them
    known_places = STUDY.config["areas"] is None and wildcards.importance in OF_ROIS
    rois = place_of_rois(session) if known_places else []
    recording = RESULTS / f"recordings/{session}.h5"
    return {"recording": [recording] if rois else [], "rois": rois}


def place_of_rois(session):
    """The file that says where the ROIs of a session are, in a list; none where none does."""
    rois = STUDY.source("roi_masks", session)
    if "simulate" in STUDY.config:
        rois = rois or RESULTS / f"simulated/{session}_truth.h5"
    return [rois] if rois else []


def place_flags(wildcards, input):
    """The session that a map is drawn on, and where its ROIs are, as flags."""
    recordings = STUDY.of_session(next(iter(STUDY.mouse_of)))["recordings"]
    dataset = recordings["roi_dataset"]
    named = [dataset] if dataset and recordings["roi_masks"] else []
    files = [flag_if(f"--{kind}", input[kind]) for kind in ("recording", "rois")]
    return " ".join([*files, flag_if("--roi-dataset", named)])


def sided_inputs(wildcards):
    """What left and right are compared of: the tables of a cut-out, or the maps of SHAP."""
    name = wildcards.importance
    if name in CUTOUTS:
        table = RESULTS / f"tables/importance_{name}"
        return {"sessions": [f"{table}_sessions.tsv"], "masks": [f"{table}.tsv"]}
    return {"maps": [f"{RESULTS}/importance/{name}/maps.txt"]}


def sided_flags(wildcards, input):
    """The files that left and right are compared of, as flags."""
    return " ".join(flag_if(f"--{kind}", paths) for kind, paths in input.items())


def mirror_flag(wildcards):
    """Which ROIs are mirrored, as a flag; of no input, or Snakemake would not see a change."""
    mirror = IMPORTANCE[wildcards.importance].get("mirror", [])
    pairs = [mirror] if isinstance(mirror, int) else [f"{a}:{b}" for a, b in mirror]
    return flag_if("--mirror", list(map(str, pairs)))
