"""What comes out: rows of a table, messages of ZeroMQ and OSC, and the state that they carry."""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mesodecode.base.files import NO_SPACE, UserError, say
from mesodecode.study import schema, targets
from mesodecode.study.targets import Target

RUN, REST, UNSURE = "run", "rest", "unsure"
Made = float | tuple[float, ...]  # what is predicted of a frame


def columns_of(target: Target) -> tuple[str, ...]:
    """Return the columns of a target: a trace has no state, and each of named states a number."""
    state = ("state",) if target.kind.state_by else ()
    return ("frame", "time_s", *target.datasets, *state, "latency_ms", "unsure_why")


COLUMNS = columns_of(targets.RUN)
OSC = "/mesodecode"  # address of its messages
NONE = {"predicted": math.nan}  # where there is none, in OSC; of a probability -1
FORMATS = {
    "time_s": ".6f",
    "latency_ms": ".3f",
    **dict.fromkeys(("frame", "state", "unsure_why"), ""),
}


@dataclass(frozen=True)
class Row:
    """What is known of a frame.

    frame: its number, of the decoded wavelength; time: s; made: the probability of run, the value
    of a trace or the probability of each state, None without a whole window; state: "run", "rest"
    or "unsure", of named states the likeliest; latency: ms from its arrival; why: reasons of
    unsure; target: what is decoded.
    """

    frame: int
    time: float
    made: Made | None
    state: str
    latency: float
    why: Sequence[str] = ()
    target: Target = targets.RUN

    def message(self) -> dict[str, Any]:
        """Return the columns as JSON has them; no probability or value is null."""
        made = self.made if isinstance(self.made, tuple) else (self.made,)
        if self.made is None:
            made = (None,) * self.target.outputs
        state = (self.state,) if self.target.kind.state_by else ()
        values = self.frame, self.time, *made, *state, self.latency, ",".join(self.why)
        return dict(zip(columns_of(self.target), values, strict=True))


class Output(Protocol):
    """Where rows go."""

    def write(self, row: dict[str, Any]) -> None:
        """Write a row (see `Row.message`)."""

    def close(self) -> None:
        """Finish."""


class Hysteresis:
    """The state by a probability: run from `enter` on, rest below `leave`, between them as before.

    Between them at the start: rest.
    """

    def __init__(self, enter: float, leave: float) -> None:
        if leave > enter:
            raise UserError(f"--leave {leave:g}: above --enter {enter:g}; needs leave <= enter")
        self._enter, self._leave, self._state = enter, leave, REST

    def __call__(self, probability: float) -> str:
        """Return the state after this probability."""
        if probability >= self._enter:
            self._state = RUN
        elif probability < self._leave:
            self._state = REST
        return self._state


def state_of(target: Target, settings: Mapping[str, Any]) -> Callable[[Made], str]:
    """Return what makes a state of what is predicted; `settings` of tables/live.yaml.

    Raises UserError if the thresholds of run are given for another target.
    """
    if target.kind.state_by == "hysteresis":
        return Hysteresis(settings["enter"], settings["leave"])
    for key in ("enter", "leave"):
        if settings[key] != schema.defaults("live")[key]:
            raise UserError(f"--{key} {settings[key]:g}: of run and rest only, not {target.name}")
    if target.kind.state_by == "likeliest":
        return lambda made: target.states[max(range(len(made)), key=made.__getitem__)]
    return lambda made: ""


class Table:
    """A TSV of `columns_of` a target, a row for every frame that is decoded.

    Each line is whole or absent.

    `append` goes on with a file of an earlier run, without a line that it did not finish. Raises
    UserError if the file is there and not to be gone on with, is another, or the disk is full.
    """

    def __init__(self, path: Path, *, append: bool = False, target: Target = targets.RUN) -> None:
        self._path, self._rows = path, 0
        self._columns, self._made = columns_of(target), target.datasets
        path.parent.mkdir(parents=True, exist_ok=True)
        begun = path.is_file() and path.stat().st_size > 0
        if begun and not append:
            raise UserError(f"{path}: is there already; give --append to go on with it, or another")
        # who reads a pipe to write to it is not told that the other reader has gone
        how = os.O_RDWR if begun else os.O_WRONLY
        self._fd = os.open(path, how | os.O_CREAT | os.O_APPEND, 0o666)
        if begun:
            self._go_on()
        else:
            self._line(self._columns)

    def _go_on(self) -> None:
        head = "\t".join(self._columns) + "\n"
        if os.pread(self._fd, len(head), 0) != head.encode():
            os.close(self._fd)
            raise UserError(f"{self._path}: no table of `mesodecode live` with these columns")
        size = os.fstat(self._fd).st_size
        last = os.pread(self._fd, 4096, max(0, size - 4096))
        os.ftruncate(self._fd, size - len(last) + last.rfind(b"\n") + 1)

    def write(self, row: dict[str, Any]) -> None:
        """Write a row; one without a probability or value is left out."""
        if row[self._made[0]] is None:
            return
        self._line([f"{row[name]:{FORMATS.get(name, '.9g')}}" for name in self._columns])
        self._rows += 1

    def _line(self, cells: Sequence[str]) -> None:
        line = ("\t".join(cells) + "\n").encode()
        done = 0
        try:
            while done < len(line):
                done += os.write(self._fd, line[done:])
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise UserError(
                    f"{self._path}: who reads it has gone, after {self._rows} rows"
                ) from error
            if done:
                os.ftruncate(self._fd, os.fstat(self._fd).st_size - done)
            if error.errno not in NO_SPACE:
                raise
            raise UserError(
                f"{self._path}: no space left ({error.strerror}); the {self._rows} rows so far are "
                "whole; free some, and go on with --append"
            ) from error

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


class Osc:
    """Messages of OSC by UDP: /mesodecode, frame, time (s), probability (-1: none), state, why.

    Of named states the probability of each; of a trace its value (NaN: none), and no state.
    The time is an OSC double: as a float, as which python-osc sends numbers, seconds since 1970 are
    right to a minute or so.
    """

    def __init__(self, text: str) -> None:
        try:
            from pythonosc.osc_message_builder import OscMessageBuilder
            from pythonosc.udp_client import UDPClient
        except ImportError as error:
            raise UserError(
                "--osc needs python-osc: pip install 'mesodecode[live]' or python-osc"
            ) from error
        host, _, port = text.rpartition(":")
        if not port.isdigit() or not 0 < int(port) < 1 << 16:
            raise UserError(f"--osc {text}: needs a port, or HOST:PORT")
        try:
            self._client, self._failed = UDPClient(host or "127.0.0.1", int(port)), False
        except OSError as error:
            raise UserError(f"--osc {text}: {error}; needs a port, or HOST:PORT") from error
        self._message = OscMessageBuilder

    def write(self, row: dict[str, Any]) -> None:
        """Send a row; nobody needs to listen."""
        message = self._message(OSC)
        message.add_arg(row["frame"])
        message.add_arg(row["time_s"], message.ARG_TYPE_DOUBLE)
        for name, value in row.items():
            if name not in ("frame", "time_s", "latency_ms"):
                message.add_arg(NONE.get(name, -1.0) if value is None else value)
        try:
            self._client.send(message.build())
        except OSError as error:
            if not self._failed:
                say(f"--osc: not sent ({error})")
            self._failed = True

    def close(self) -> None:
        """Nothing is open."""
