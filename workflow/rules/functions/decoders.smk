"""What jobs that train, and that choose among epochs, read. No rules."""

TRAINING = [kind for kind in KINDS.values() if kind.trains]


def first_settings(decoder):
    """A decoder's settings; ImageNet weights of a CNN are read from the file that is fetched."""
    settings = dict(STUDY.decoders[decoder].settings)
    if settings.get("pretrained") == "imagenet":
        settings["pretrained"] = f"file:{WEIGHTS}/{settings['backbone']}.pt"
    return settings


def first_weights(wildcards):
    """The file of a CNN's first weights; none where they are packaged or random, or of no CNN."""
    fetched = STUDY.decoders[wildcards.decoder].settings.get("pretrained") == "imagenet"
    kind, _, path = (
        first_settings(wildcards.decoder).get("pretrained", "none").partition(":")
    )
    return [path, *([f"{path}.sha256"] if fetched else [])] if kind == "file" else []


def trained_file(wildcards):
    """The training that the job's allocation shares with others."""
    training = STUDY.training(wildcards.decoder, wildcards.allocation)
    suffix = KINDS[STUDY.decoders[wildcards.decoder].kind].suffix
    return [f"{RESULTS}/trained/{wildcards.decoder}/{training}{suffix}"]


def trains_once(decoder):
    """Whether allocations of the same training mice share a decoder's training."""
    return bool(KINDS[decoder.kind].suffix) and decoder not in STACKED


def is_network(decoder):
    """Whether a decoder is trained for epochs."""
    return KINDS[decoder.kind].network


def training_passed(wildcards):
    """The training that the job's mouse is passed through."""
    suffix = KINDS[STUDY.decoders[wildcards.decoder].kind].suffix
    return RESULTS / f"trained/{wildcards.decoder}/{wildcards.training}{suffix}"


def reads_features(decoder):
    """Whether a decoder is a frozen CNN, or reads its features."""
    return feeds_frozen(decoder) or is_frozen(decoder)


def reads_rois(decoder):
    """Whether a decoder reads ROI signals."""
    return KINDS[decoder.kind].input == "rois"


def compute_flags(wildcards, threads, resources):
    """Where a job computes, as flags."""
    return f"--device {resources.device} --threads {threads}"


def network_flags(wildcards, output):
    """The epoch and the history that a network has, as flags."""
    keys = [key for key in ("epoch", "history") if key in output.keys()]
    return shlex.join(word for key in keys for word in (f"--{key}", output[key]))


def start_flag(wildcards, input):
    """The epoch of the CNN that the job's allocation started from, as a flag."""
    return flag_if("--start-epoch", input.get("start", []))


def passed_to(role, network=False):
    """An input function: what came of the mice with a role, passed through the job's training."""

    def files(wildcards):
        training = STUDY.training(wildcards.decoder, wildcards.allocation)
        mice = getattr(STUDY.allocations[wildcards.allocation], role)
        return [
            f"{RESULTS}/passed/{wildcards.decoder}/{training}/{mouse}.h5"
            for mouse in mice
        ]

    return unless_started(files) if network else files


# A decoder that starts from a CNN is trained from each epoch that allocations have chosen. A mouse
# more may add one: the training is written anew with all that it had. What an allocation keeps of
# it depends on its own epoch, the recordings behind it and how it was trained, and on these alone;
# else a mouse more would choose, predict and explain anew what has not changed. These are files,
# not params: what follows a job that is to run is not asked whether its params have changed.


def settled(files):
    """An input function: the same files, which may be written anew."""
    return lambda wildcards: list(map(ancient, files(wildcards)))


def unless_started(files):
    """An input function: the same files, which may be written anew if the decoder has a start."""
    return lambda wildcards: (settled(files) if start_of(wildcards) else files)(
        wildcards
    )


def start_of(wildcards):
    """The CNN that the job's decoder starts from, if any."""
    return STUDY.decoders[wildcards.decoder].settings.get("start_from")


def behind_start(wildcards):
    """What else is behind what the job's allocation keeps, if its decoder has a start."""
    if not start_of(wildcards):
        return []
    return [
        *recordings_of("train", "valid", "test")(wildcards),
        f"{RESULTS}/trained/{wildcards.decoder}/made_by.txt",
    ]


def made_by(wildcards):
    """How a decoder is trained and applied, in words that change with it."""
    decoder = STUDY.decoders[wildcards.decoder]
    verbs = ["extract", "join_features", "choose"]
    if decoder.kind == "cnn_rnn":
        verbs += (
            ["train_rnn", "pass_features"]
            if is_frozen(decoder)
            else ["finetune", "pass_images"]
        )
    donors = json.dumps(STUDY.label_donors(decoder.name), sort_keys=True)
    return "\n".join([settings_flags(wildcards), donors, *map(code_version, verbs)])


def recordings_of_one(wildcards):
    """The recordings of the job's mouse."""
    return lists_of([wildcards.mouse], wildcards.decoder)


def labels_of_one(wildcards):
    """Whose labels the recordings of the job's mouse get, where not their own."""
    return labels_of_mice(wildcards, [wildcards.mouse])


def predicts_after_choice(decoder):
    """Whether the passes that choose a network's epoch leave frames out, so that they predict none."""
    searched = STUDY.config["tune"].get(decoder.name, {"search": {}})["search"]
    every = decoder.settings.get("frame_step") == 1 and "frame_step" not in searched
    return is_network(decoder) and trains_once(decoder) and not every


def dropped_rois_of(wildcards):
    """The ROIs that the job's decoder does without, where it drops any."""
    drops = STUDY.decoders[wildcards.decoder].settings.get("drop")
    return [f"{RESULTS}/dropped/{wildcards.decoder}.json"] if drops else []


def dropped_flag(wildcards, input):
    """The same as a flag."""
    return flag_if("--dropped", input.dropped)


if not has(lambda decoder: decoder.settings.get("drop")):
    dropped_rois_of, dropped_flag = [], ""


def drop_flags(wildcards):
    """The settings that say which ROIs a decoder could drop, as flags."""
    settings = STUDY.decoders[wildcards.decoder].settings
    rois = flag_if("--rois", map(str, settings["rois"]))
    return f"{rois} --normalise {settings['normalise']}"


def first_flags(wildcards):
    """The settings of the job's decoder as flags, with the file of first weights."""
    kind = STUDY.decoders[wildcards.decoder].kind
    return options.as_flags(first_settings(wildcards.decoder), kind)


def weights_of_start(wildcards):
    """The weights that the job's allocation keeps of the CNN that its decoder starts from."""
    start = start_of(wildcards)
    return RESULTS / "models" / start / f"{wildcards.allocation}.pt"


def training_of_start(wildcards):
    """The training of the CNN that the job's decoder starts from."""
    start = start_of(wildcards)
    return RESULTS / f"trained/{start}/{wildcards.training}.pt"


def cnn_of(wildcards):
    """The CNN that the job's decoder is or starts from."""
    decoder = STUDY.decoders[wildcards.decoder]
    return decoder.settings.get("start_from", decoder.name)


def passed_by_allocation(wildcards):
    """For each allocation of the job's training its validation mice, as passed through its CNN."""
    cnn = cnn_of(wildcards)
    folder = f"{RESULTS}/passed/{cnn}/{wildcards.training}"
    sharing = STUDY.trainings(wildcards.decoder)[wildcards.training]
    valid = dict.fromkeys(STUDY.allocations[name].valid for name in sharing)
    return [[f"{folder}/{mouse}.h5" for mouse in mice] for mice in valid]


def passed_by_choosers(wildcards):
    """The mice that choose the epochs of a CNN, as passed through it."""
    groups = passed_by_allocation(wildcards)
    return list(dict.fromkeys(path for group in groups for path in group))


def choosers(wildcards):
    """The same by allocation, as a flag."""
    return flag_if("--chosen-by", map(",".join, passed_by_allocation(wildcards)))


def epoch_of_start(wildcards):
    """The epoch that the job's allocation has chosen of the CNN that its decoder starts from."""
    start = start_of(wildcards)
    chosen = f"{RESULTS}/models/{start}/{wildcards.allocation}.epoch.txt"
    return [chosen] if start else []


def features_file(wildcards, mouse):
    """The features of a mouse under the CNN that the job's decoder is or starts from."""
    cnn = cnn_of(wildcards)
    if "training" in wildcards.keys():
        training = wildcards.training
    else:
        training = STUDY.training(cnn, wildcards.allocation)
    return f"{RESULTS}/features/{cnn}/{training}/{mouse}.h5"


def features_of(*roles):
    """An input function: the features of the mice with these roles in the job's allocation."""
    return lambda wildcards: [
        features_file(wildcards, mouse)
        for role in roles
        for mouse in getattr(allocation_of(wildcards), role)
    ]


def features_of_one(wildcards):
    """The features of the job's mouse."""
    return features_file(wildcards, wildcards.mouse)


def features_joined(wildcards):
    """The features of the job's allocation, of the CNN that its decoder is or starts from."""
    cnn = cnn_of(wildcards)
    return f"{RESULTS}/features/{cnn}/{wildcards.allocation}.h5"
