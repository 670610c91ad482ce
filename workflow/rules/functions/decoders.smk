"""What jobs that train read. No rules."""


def cnn_flags(wildcards):
    """The settings of the job's CNN as flags."""
    return options.as_flags(cnn_settings(wildcards.decoder), "cnn")


def weights_of_start(wildcards):
    """The weights of the CNN that the job's decoder starts from."""
    start = STUDY.decoders[wildcards.decoder].settings["start_from"]
    return RESULTS / "models" / start / f"{wildcards.allocation}.pt"


def features_of_start(wildcards):
    """The features file of the CNN that the job's decoder starts from."""
    start = STUDY.decoders[wildcards.decoder].settings["start_from"]
    return RESULTS / "features" / start / f"{wildcards.allocation}.h5"
