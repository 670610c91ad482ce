"""Which sessions are held out of which, for ceilings of decoders. No rules."""

# Days of sessions may be read from a table: only where they are asked for.
HELD_OUT = STUDY.config["ceilings"]["decoders"]
CEILINGS = checked(lambda config: STUDY.ceilings) if HELD_OUT else {}


def split_of(wildcards):
    """The split of sessions of the job."""
    return CEILINGS[wildcards.decoder][wildcards.split]


def sessions_with(role):
    """An input function: the recordings of the sessions with a role in the job's split."""
    return lambda wildcards: [
        f"{recordings_folder(wildcards.decoder)}/{one.session}.h5"
        for one in getattr(split_of(wildcards), role)
    ]


def held_out_settings(wildcards):
    """The settings of the job's decoder as JSON."""
    return json.dumps(first_settings(wildcards.decoder))


def held_out_files():
    """What is made of all splits."""
    return [
        RESULTS / f"ceilings/{decoder}/{split}.h5"
        for decoder, splits in CEILINGS.items()
        for split in splits
    ]


def dates_table():
    """The table that days of sessions are read from, if the config names one."""
    table = STUDY.config["nwb"]["sessions"]
    return [table] if table else []
