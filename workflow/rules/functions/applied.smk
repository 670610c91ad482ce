"""What averages and adapted decoders read. No rules."""


def files_of_members(wildcards):
    """What the job's decoder averages: predictions of test mice, and of validation mice."""
    return {
        role: expand(
            RESULTS / role / "{member}/{allocation}.h5",
            member=STUDY.decoders[wildcards.decoder].settings["average_of"],
            allocation=wildcards.allocation,
        )
        for role in ("predictions", "validation")
    }


def networks_of_start(wildcards):
    """The models that an adapted decoder applies: one file, or two of a frozen CNN's decoder."""
    first, *cnn = [
        model_file(start, wildcards.allocation)
        for start in applied(STUDY.decoders[wildcards.decoder])
    ]
    return {"weights": first, **({"cnn": cnn} if cnn else {})}
