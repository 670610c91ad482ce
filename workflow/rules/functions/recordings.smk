"""Files of recordings: what a session's jobs read. No rules."""


def source_files(wildcards):
    """The files of a session that the config names, as named inputs.

    ROI files count whether or not a decoder reads them: the first ROI decoder must not change the
    recordings, or all networks would be trained again.
    """
    about = wildcards.session, wildcards.get("variant")
    return {
        kind: as_compared(on_disk(paths), *about)
        for kind, paths in session_files(*about).items()
        if paths
    }


def check_files_apart():
    """Stop if two sessions have one movie: asked once a run, not in each job."""
    if workflow.is_main_process:
        try:
            check_apart(STUDY)
        except UserError as error:
            raise WorkflowError(str(error)) from None


def session_files(session, variant=None):
    """The files of a session as the config names them, None where it has none of a kind."""
    kinds = (*SOURCES, *CORRECTION_FILES)
    return {kind: STUDY.source(kind, session, variant) for kind in kinds}


def on_disk(paths):
    """The files that a path of the config stands for: it may be a pattern, or a list."""
    given = paths if isinstance(paths, list) else [paths]
    return [str(path) for name in given for path in matching(name)]


def files_to_fetch():
    """The files of all sessions that the config names one by one -> the record of each.

    Those that are there, and elsewhere than in this folder, are not asked for.
    """
    records = {s: STUDY.of_session(s)["fetch"] for s in STUDY.mouse_of}
    named = {
        path: record
        for session, record in records.items()
        for kind in SOURCES
        for path in STUDY.sources(kind, session)
        if record and not glob.has_magic(path)
    }
    wanted = {}
    for path, record in sorted(named.items()):
        try:
            file_formats.check_fetched(path)
            wanted[path] = record
        except UserError as error:
            if not os.path.lexists(path):
                raise WorkflowError(str(error)) from None
    return wanted


def preprocess_flags(wildcards):
    """The flags of `mesodecode preprocess` for a session."""
    session, variant = STUDY.by_id[wildcards.session], wildcards.get("variant")
    recordings = STUDY.of_session(session.id)["recordings"]
    flags = {
        **{key: recordings[key] for key in schema.flags("recordings")},
        **{kind: STUDY.source(kind, wildcards.session) for kind in SOURCES},
        "session": session.id,
        "session_name": session.name if session.name != session.id else None,
        "mouse": session.mouse,
        "image_size": variants.preprocessing(STUDY.config, variant)["image_size"],
        "target": STUDY.config["target"] if STUDY.config["target"] != "run" else None,
    }
    words = []
    for key, value in flags.items():
        dashed = key.replace("_", "-")
        if value is not None:
            words += (
                [f"--{dashed}", *map(str, value)]
                if isinstance(value, list)
                else [f"--{dashed}={value}"]
            )
    words = [
        shlex.join(words),
        correction_flags(wildcards),
        revision_flag(session.id, variant),
    ]
    return " ".join(filter(None, words))


def correction_flags(wildcards):
    """The corrections as flags, with the files of this session; nothing where there are none."""
    variant = wildcards.get("variant")
    files = {
        kind: STUDY.source(kind, wildcards.session, variant)
        for kind in CORRECTION_FILES
    }
    own = STUDY.of_session(wildcards.session)["corrections"]
    settings = (
        STUDY.config["variants"][variant]["corrections"] if variant else own
    ) | files
    if settings == schema.defaults("corrections"):
        return ""
    return options.as_flags(settings, "corrections")


def correlation_baseline():
    """The baseline of the first ROI decoder, for the correlation of signals and behaviour."""
    frames = [decoder.settings["baseline"] for decoder in STUDY.roi_decoders][:1]
    return f"--baseline {frames[0]}" if frames and frames[0] else ""


def area_names(session):
    """Area of a session's recording -> the name that all cohorts have for it."""
    return STUDY.of_session(session).get("area_names", {})


def harmonise_flags(wildcards):
    """The rate and listed areas that a session is brought to, as flags.

    Of no input, or Snakemake would not see that they are others.
    """
    rate, areas, words = STUDY.config["frame_rate"], STUDY.config["areas"], []
    words += [] if rate is None else ["--frame-rate", f"{rate:g}"]
    if areas not in (None, "common"):
        words += ["--areas", *areas]
    names = area_names(wildcards.session)
    words += ["--names", json.dumps(names, sort_keys=True)] if names else []
    return shlex.join(words)
