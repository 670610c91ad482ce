"""What is said of the run itself. No rules."""

import base64
import sys


def warn_of_no_records():
    """Say so where an edit of the config would be passed over.

    What files were made with is in .snakemake/, beside results/. Where these were moved without it,
    Snakemake goes by dates alone.
    """
    made, records = RESULTS / "config.json", Path(".snakemake")
    name = base64.urlsafe_b64encode(str(made).encode()).decode()  # as Snakemake has it
    kept = [records / "metadata" / name, records / "metadata.db"]
    known = any(path.exists() for path in kept)
    if made.exists() and not known and made.read_text() != f"{RESOLVED}\n":
        print(
            f"{made}: the config was another, and .snakemake/ has no record of it, so that what was "
            "edited is NOT made again; bring .snakemake/ along from where results/ were made, or "
            "run once with --forceall",
            file=sys.stderr,
        )
