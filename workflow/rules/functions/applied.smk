"""What averages, adaptive and adapted decoders read. No rules."""


def files_of_members(wildcards):
    """What the job's decoder is made of: predictions of test mice, and of validation mice."""
    return {
        role: [
            RESULTS / role / member / f"{wildcards.allocation}.h5"
            for member in members_of(wildcards.decoder)
        ]
        for role in ("predictions", "validation")
    }


def members_of(name):
    """The decoders that an average or an adaptive decoder is made of."""
    decoder = STUDY.decoders[name]
    return KINDS[decoder.kind].members(decoder.settings)


def networks_of_start(wildcards):
    """The models that an adapted decoder applies: one file, or two of a frozen CNN's decoder."""
    first, *cnn = [
        model_file(start, wildcards.allocation)
        for start in applied(STUDY.decoders[wildcards.decoder])
    ]
    return {"weights": first, **({"cnn": cnn} if cnn else {})}
