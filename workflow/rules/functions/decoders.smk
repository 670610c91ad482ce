"""What jobs that train, and that choose among epochs, read. No rules."""


def trained_file(wildcards):
    """The training that the job's allocation shares with others."""
    training = STUDY.training(wildcards.decoder, wildcards.allocation)
    suffix = KINDS[STUDY.decoders[wildcards.decoder].kind].suffix
    return RESULTS / f"trained/{wildcards.decoder}/{training}{suffix}"


def trains_once(decoder):
    """Whether allocations of the same training mice share a decoder's training."""
    alone = not is_frozen(decoder) and decoder not in STACKED
    return bool(KINDS[decoder.kind].suffix) and alone


def is_network(decoder):
    """Whether a decoder is trained for epochs."""
    return KINDS[decoder.kind].network


def training_passed(wildcards):
    """The training that the job's mouse is passed through."""
    suffix = KINDS[STUDY.decoders[wildcards.decoder].kind].suffix
    return RESULTS / f"trained/{wildcards.decoder}/{wildcards.training}{suffix}"


def verb_of_pass(wildcards):
    """The verb that passes a mouse through the job's decoder."""
    kind = KINDS[STUDY.decoders[wildcards.decoder].kind]
    if not kind.of_images:
        return "pass-signals"
    return "pass-images" if kind.network else "pass-pixels"


def device_of_decoder(wildcards):
    """Where the job's decoder runs: small ones on a CPU."""
    images = KINDS[STUDY.decoders[wildcards.decoder].kind].image_network
    return STUDY.config["device"] if images else "cpu"


def threads_of_decoder(wildcards):
    """How many cores the job's decoder uses: small ones one."""
    images = KINDS[STUDY.decoders[wildcards.decoder].kind].image_network
    return STUDY.config["threads"] if images else 1


def compute_of_pass(wildcards, threads, resources):
    """Where to pass a mouse, as flags; the linear baseline has no choice."""
    if verb_of_pass(wildcards) == "pass-pixels":
        return ""
    return f"--device {resources.device} --threads {threads}"


def network_flags(wildcards, output):
    """The epoch and the history that a network has, as flags."""
    keys = [key for key in ("epoch", "history") if key in output.keys()]
    return shlex.join(word for key in keys for word in (f"--{key}", output[key]))


def start_flag(wildcards, input):
    """The epoch of the CNN that the job's allocation started from, as a flag."""
    return flag_if("--start-epoch", input.get("start", []))


def passed_to(role):
    """An input function: what came of the mice with a role, passed through the job's training."""

    def files(wildcards):
        training = STUDY.training(wildcards.decoder, wildcards.allocation)
        mice = getattr(STUDY.allocations[wildcards.allocation], role)
        return [
            f"{RESULTS}/passed/{wildcards.decoder}/{training}/{mouse}.h5"
            for mouse in mice
        ]

    return files


def recordings_of_one(wildcards):
    """The recordings of the job's mouse."""
    return lists_of([wildcards.mouse])


def labels_of_one(wildcards):
    """Whose labels the recordings of the job's mouse get, where not their own."""
    return labels_of_mice(wildcards, [wildcards.mouse])


def passes_every_frame(decoder):
    """Whether the passes that choose a network's epoch see all its frames, so that they predict."""
    searched = STUDY.config["tune"].get(decoder.name, {"search": {}})["search"]
    every = decoder.settings.get("frame_step") == 1 and "frame_step" not in searched
    return every and not feeds_frozen(decoder)


def dropped_rois_of(wildcards):
    """The ROIs that the job's decoder does without, where it drops any."""
    drops = STUDY.decoders[wildcards.decoder].settings["drop"]
    return [f"{RESULTS}/dropped/{wildcards.decoder}.json"] if drops else []


def dropped_flag(wildcards, input):
    """The same as a flag."""
    return flag_if("--dropped", input.dropped)


def drop_flags(wildcards):
    """The settings that say which ROIs a decoder could drop, as flags."""
    settings = STUDY.decoders[wildcards.decoder].settings
    rois = flag_if("--rois", map(str, settings["rois"]))
    return f"{rois} --normalise {settings['normalise']}"


def cnn_flags(wildcards):
    """The settings of the job's CNN as flags."""
    return options.as_flags(cnn_settings(wildcards.decoder), "cnn")


def weights_of_start(wildcards):
    """The weights that the job's allocation keeps of the CNN that its decoder starts from."""
    start = STUDY.decoders[wildcards.decoder].settings["start_from"]
    return RESULTS / "models" / start / f"{wildcards.allocation}.pt"


def training_of_start(wildcards):
    """The training of the CNN that the job's decoder starts from."""
    start = STUDY.decoders[wildcards.decoder].settings["start_from"]
    return RESULTS / f"trained/{start}/{wildcards.training}.pt"


def epochs_of_start(wildcards):
    """The epochs of it that the allocations of the job's training have chosen."""
    start = STUDY.decoders[wildcards.decoder].settings["start_from"]
    sharing = STUDY.trainings(wildcards.decoder)[wildcards.training]
    return [f"{RESULTS}/models/{start}/{name}.epoch.txt" for name in sharing]


def epoch_of_start(wildcards):
    """The epoch that the job's allocation has chosen of the CNN that its decoder starts from."""
    start = STUDY.decoders[wildcards.decoder].settings.get("start_from")
    chosen = f"{RESULTS}/models/{start}/{wildcards.allocation}.epoch.txt"
    return [chosen] if start else []


def features_of_start(wildcards):
    """The features file of the CNN that the job's decoder starts from."""
    start = STUDY.decoders[wildcards.decoder].settings["start_from"]
    return RESULTS / "features" / start / f"{wildcards.allocation}.h5"
