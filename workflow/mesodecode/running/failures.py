"""What failed jobs said, from their logs: the end of a run of Snakemake names the cause itself."""

import logging
import re
import sys
from pathlib import Path
from typing import TextIO

from mesodecode.base.files import first_few

SHOWN = 5  # of the jobs that failed; one cause often fails hundreds
TAIL = 64 << 10  # bytes of a log that are read
LINES = 3  # of a log that does not end in an error


class Failures(logging.Handler):
    """Listens to Snakemake and keeps the logs of the jobs that fail and are not done in the end."""

    def __init__(self) -> None:
        super().__init__()
        self.logs: dict[int, tuple[list[str], bool]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Note a job that has failed, forget one that was done at another attempt."""
        event = getattr(getattr(record, "event", None), "value", None)
        if event == "job_error":
            # The members of a group that was sent together fail together, whichever did.
            self.logs[record.jobid] = [str(path) for path in record.log], bool(record.indent)
        elif event == "job_finished":
            self.logs.pop(record.job_id, None)

    def show(self, to: TextIO | None = None) -> None:
        """Write what the jobs said last, of a few of them, each cause once; default: stderr."""
        said: dict[str, list[str]] = {}
        for logs, in_group in self.logs.values():
            # The log of the rule, then that of a cluster, which tells of memory and time.
            ends = [(path, words) for path in logs if (words := last_words(path))]
            errors = [(path, words) for path, words in ends if _is_error(words)]
            for path, words in (errors or ([] if in_group else ends))[:1]:
                said.setdefault(words, []).append(path)
        lines = []
        for words, paths in list(said.items())[:SHOWN]:
            lines += [f"{first_few(paths, 1)}:", words]
        left = sum(map(len, list(said.values())[SHOWN:]))
        if left:
            lines.append(f"… and the logs of {left} more jobs that failed; see above")
        if lines:
            print("\nWhat failed jobs said last:", *lines, sep="\n", file=to or sys.stderr)


def last_words(path: str | Path) -> str:
    """Return the error at the end of a log, else its last lines; empty if there are none."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, file.seek(0, 2) - TAIL))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    # a bar of progress writes over its line
    lines = [line.rsplit("\r", 1)[-1].rstrip() for line in text.replace("\r\n", "\n").split("\n")]
    lines = [line for line in lines if line]
    return "\n".join(lines[-1:] if lines and _is_error(lines[-1]) else lines[-LINES:])


def _is_error(words: str) -> bool:
    return bool(re.search(r"error|exception", words, re.IGNORECASE))
