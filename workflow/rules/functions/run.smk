"""What is said of the run itself. No rules."""

import base64
import sys


def warn_of_no_records():
    """Say so where an edit of the config would be passed over.

    What files were made with is in .snakemake/, beside results/. Where these were moved without it,
    Snakemake goes by dates alone; where another folder has made them anew since, as one that shares
    results/ by a link, by a record that is no longer theirs.
    """
    made, records = RESULTS / "config.json", Path(".snakemake")
    name = base64.urlsafe_b64encode(str(made).encode()).decode()  # as Snakemake has it
    kept = [records / "metadata" / name, records / "metadata.db"]
    known = any(path.exists() for path in kept) and not records_config(kept[0])
    if made.exists() and not known and made.read_text() != f"{RESOLVED}\n":
        print(
            f"{made}: the config was another, and .snakemake/ has no record of it, so that what was "
            "edited is NOT made again; bring .snakemake/ along from where results/ were made, or "
            "run once with --forceall",
            file=sys.stderr,
        )


def records_config(record):
    """Whether a record of Snakemake says that what it is of was made with the config as it is."""
    try:
        return repr(RESOLVED) in json.loads(record.read_text())["params"]
    except (OSError, ValueError, KeyError):
        return False
