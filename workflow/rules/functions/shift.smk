"""What the shift report reads. No rules."""


def model_files(wildcards):
    """The models that a decoder consists of, of all allocations; of an average none.

    Of an adapted one those that it applies, and the CNN that these read.
    """
    decoder = STUDY.decoders[wildcards.decoder]
    return [
        path
        for start in applied(decoder)
        for path in expand(model_file(start), allocation=STUDY.allocations)
    ]


def features_folder(decoder):
    """The folder of kept features, where a decoder or a frozen one on it reads some; None if not.

    A fine-tuned decoder has a CNN of its own: what is kept of the one that it started from is of another.
    """
    decoder = STUDY.decoders[decoder]
    cnn = decoder.settings.get("start_from", decoder.name)
    return RESULTS / "features" / cnn if reads_features(decoder) else None


def features_files(wildcards):
    """The kept features of a decoder, of all allocations; none if there are none."""
    folder = features_folder(wildcards.decoder)
    files = [folder / "{allocation}.h5"] if folder else []
    return expand(files, allocation=STUDY.allocations)


def shift_flags(wildcards):
    """What the features of `mesodecode shift` are of, and its settings."""
    name = wildcards.decoder
    decoder = STUDY.decoders[name]
    folders = [f"{RESULTS}/models/{each.name}" for each in applied(decoder)]
    words = [flag_if("--models", folders[:1]), flag_if("--cnn", folders[1:])]
    if decoder.kind == "adapted":
        words.append(flag_if("--adapted", [json.dumps(decoder.settings)]))
    folder = features_folder(name)
    words.append(flag_if("--features", [str(folder)] if folder else []))
    return " ".join(
        [*filter(None, words), options.as_flags(STUDY.config["shift"], "shift")]
    )
