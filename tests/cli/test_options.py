"""Flags of the verbs, made from the schemas of the config."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import functools
import importlib
import inspect
import itertools
import re
import shlex
from pathlib import Path
from unittest import mock

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from mesodecode import cli
from mesodecode.base.files import UserError
from mesodecode.cli import options
from mesodecode.cli.writing import Written
from mesodecode.study import schema

PACKAGE = Path(cli.__file__).parents[1]
TOP = {"config", "encoding_study"}  # whole configs, of which no verb takes flags
FILES = sorted({*schema.files()} - TOP)
SCHEMAS = [name for name in FILES if schema.flags(name)]  # an average only names its members

# one setting of every type that a schema of this project may have
TOY = {
    "properties": {
        "name": {"type": "string", "description": "any text"},
        "size": {"type": ["integer", "null"], "default": None, "description": "px"},
        "shift": {"type": "number", "default": -0.5, "description": "100 % of s"},
        "deep": {"type": "boolean", "default": True, "description": "yes or no"},
        "areas": {"type": "array", "items": {"type": "string"}, "default": ["a"]},
        "rates": {"type": "array", "items": {"type": "number"}, "default": [1.0]},
        "cell": {"enum": ["gru", "lstm"], "default": "gru", "description": "cell"},
        "wired": {"type": "string", "flag": False, "description": "is no flag"},
    }
}
ANY_FLOAT = st.floats(allow_nan=False, allow_infinity=False)
# in a list, a word with a leading dash is the next flag; no list of this project holds such, and
# the argparse of Python 3.11 drops "--" even from --flag=--
WORD = st.text(st.characters(codec="utf-8", exclude_characters="\x00")).filter(lambda w: w != "--")
TOY_SETTINGS = st.fixed_dictionaries(
    {
        "name": WORD,
        "size": st.none() | st.integers(),
        "shift": ANY_FLOAT | st.integers(-(2**50), 2**50),
        "deep": st.booleans(),
        "areas": st.lists(WORD.filter(lambda w: not w.startswith("-")), min_size=1),
        "rates": st.lists(st.floats(0, allow_infinity=False), min_size=1),
        "cell": st.sampled_from(["gru", "lstm"]),
    }
)


@functools.cache
def parser() -> argparse.ArgumentParser:
    """The parser of all verbs."""
    return cli.parser()


@functools.cache
def verbs() -> dict[str, argparse.ArgumentParser]:
    return parser()._subparsers._group_actions[0].choices


@pytest.fixture
def toy(monkeypatch):
    monkeypatch.setattr(schema, "load", lambda name: TOY)


def parser_of(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="verb")
    options.add_settings(parser, name)
    return parser


def parse(name: str, words: list[str]) -> dict:
    return options.settings_of(parser_of(name).parse_args(words), name)


# Settings → flags → settings


@given(TOY_SETTINGS)
@example(
    {
        "name": "-x; rm $HOME 'a b' \"c\"\n",
        "size": -1,
        "shift": -1e-05,  # argparse alone takes this for a flag
        "deep": False,
        "areas": ["", "a b", "c"],
        "rates": [1e-300, -1.5e-05],  # nor in a list
        "cell": "lstm",
    }
)
@example(
    {
        "name": "-x",  # without a blank, a flag to argparse
        "size": None,
        "shift": -0.00001,
        "deep": True,
        "areas": ["a"],
        "rates": [1.0],
        "cell": "gru",
    }
)
def test_flags_give_the_same_settings_for_every_type(settings):
    with mock.patch.object(schema, "load", lambda name: TOY):
        line = options.as_flags(settings | {"wired": "x"}, "toy")
        assert parse("toy", shlex.split(line)) == settings


def values_of(spec: dict) -> st.SearchStrategy:
    """Values that fit the schema of a setting."""
    if "const" in spec or "enum" in spec:
        return st.sampled_from(spec.get("enum", [spec.get("const")]))
    (kind, *more) = spec["type"] if isinstance(spec["type"], list) else [spec["type"]]
    if more:
        found = st.one_of(*(values_of(spec | {"type": kind}) for kind in spec["type"]))
        return found.filter(lambda value: value != "none")  # as a flag, this is null
    low, high = spec.get("minimum"), spec.get("maximum")
    if kind == "number":
        open_low, open_high = "exclusiveMinimum" in spec, "exclusiveMaximum" in spec
        return st.floats(
            spec.get("exclusiveMinimum", low),
            spec.get("exclusiveMaximum", high),
            exclude_min=open_low,
            exclude_max=open_high,
            allow_nan=False,
            allow_infinity=False,
        )
    if kind == "array":
        size = {"min_size": spec.get("minItems", 0), "unique": spec.get("uniqueItems", False)}
        size["max_size"] = spec.get("maxItems")
        return st.lists(values_of(spec["items"]), **size)
    if kind == "string":
        return st.from_regex(spec["pattern"], fullmatch=True) if "pattern" in spec else WORD
    if kind == "object":  # a table in a table, which no flag gives
        return st.just({})
    return {"integer": st.integers(low, high), "boolean": st.booleans(), "null": st.none()}[kind]


@pytest.mark.parametrize("name", SCHEMAS)
@given(st.data())
def test_flags_give_the_same_settings_for_every_schema(name, data):
    specs = schema.properties(name)
    settings = data.draw(st.fixed_dictionaries({k: values_of(v) for k, v in specs.items()}))
    schema.check(settings, name, "x")  # the strategy keeps to the schema
    wanted = {key: settings[key] for key in schema.flags(name)}
    words = shlex.split(options.as_flags(settings, name))
    with mock.patch.object(options.causality, "check"):  # which settings go together is not asked
        found = parse(name, words)
    for key, value in wanted.items():
        if value == []:  # left out, which is right where it is the default
            assert found[key] == specs[key]["default"] == []
        else:
            assert found[key] == value, key


@pytest.mark.parametrize("name", SCHEMAS)
def test_no_flags_give_the_defaults(name):
    specs = schema.flags(name)
    required = {k: v.get("enum", ["any"])[0] for k, v in specs.items() if "default" not in v}
    words = [word for key, value in required.items() for word in (f"--{key}", value)]
    assert parse(name, words) == {k: v.get("default", required.get(k)) for k, v in specs.items()}


def test_hand_written_line():
    settings = schema.defaults("cnn_rnn", start_from="cnn", rnn="gru", bidirectional=True)
    line = options.as_flags(settings | {"max_lr": 1e-05, "epochs": 2}, "cnn_rnn")
    assert line.startswith(
        "--rnn gru --half-window 5 --no-causal --hidden-size 128 --num-layers 2 --bidirec"
    )
    assert "--epochs 2" in line and "--max-lr 1e-05" in line
    assert "start" not in line and "input" not in line  # how a decoder is wired is no flag
    assert "--no-bidirectional" in options.as_flags(settings | {"bidirectional": False}, "cnn_rnn")


def test_a_file_with_spaces_is_one_word():
    settings = schema.defaults("cnn", pretrained="file:my weights/$a.pt")
    words = shlex.split(options.as_flags(settings, "cnn"))
    assert words[words.index("--pretrained") + 1] == "file:my weights/$a.pt"


# Bad values


@pytest.mark.parametrize(
    ("name", "words", "flag"),
    [
        ("cnn", ["--epochs", "three"], "--epochs"),
        ("cnn", ["--epochs", "2.5"], "--epochs"),
        ("cnn", ["--epochs"], "--epochs"),
        ("cnn", ["--max-lr", "fast"], "--max-lr"),
        ("cnn_rnn", ["--rnn", "gr"], "--rnn"),
        ("cnn_rnn", [], "--rnn"),  # has no default
        ("simulate", ["--signal-rois", "left"], "--signal-rois"),
        ("simulate", ["--n-frames", "none"], "--n-frames"),
        ("linear", ["--pixel-size", "3"], "--pixel-size"),
    ],
)
def test_word_that_cannot_be_read_names_the_flag(name, words, flag, capsys):
    with pytest.raises(SystemExit) as caught:
        parser_of(name).parse_args(words)
    assert caught.value.code == 2
    assert flag in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("name", "words", "start"),
    [
        ("cnn", ["--epochs", "0"], "--epochs: 0 is less than the minimum of 1"),
        ("cnn", ["--max-lr", "0"], "--max-lr: "),
        ("cnn", ["--max-lr", "nan"], "--max-lr: nan is not of type 'number'"),
        ("cnn", ["--max-lr", "inf"], "--max-lr: inf is not of type 'number'"),
        ("cnn", ["--batch-size", "1"], "--batch-size: 1 is less than the minimum of 2"),
        ("cnn", ["--pretrained", "imgnet"], "--pretrained: 'imgnet' is not "),
        ("cnn_rnn", ["--rnn", "gru", "--dropout", "1"], "--dropout: "),
        ("simulate", ["--signal-rois", "6", "51"], "--signal-rois.1: 51 is greater than the ma"),
        ("simulate", ["--signal-rois", "6", "6"], "--signal-rois: "),
        ("simulate", ["--lead-s", "-5.5"], "--lead-s: -5.5 is less than the minimum of -5"),
    ],
)
def test_value_out_of_range_names_the_flag(name, words, start):
    with pytest.raises(UserError) as caught:
        parse(name, words)
    assert str(caught.value).startswith(start)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("train-cnn --train t --valid v", "--out, --history or --all-epochs: needed; see --help"),
        (
            "train-roi --rnn gru --train t --all-epochs a --predictions p",
            "--all-epochs: reads training mice alone; leave out --predictions",
        ),
        ("fit-roi --model ridge --train t --valid v --alone a", "--alone: reads training mice"),
        *(
            (
                "decode-controls --signals s --train-mice a --valid-mice b --test-mice c --out o "
                f"--windows lin=1 {word}",
                f"--windows {word}: needs DECODER=N or DECODER=N,SHIFT",
            )
            for word in ("gru", "gru=-1", "=2", "gru=1.5", "gru=1,2,3", "gru=1,")
        ),
        ("export-crate --study s --licence MIT --orcid 0", "--orcid: whose? give --author too"),
        (
            "shift-report --shift s --sessions s --images i --out o --figure f --thresholds x",
            "--thresholds: not JSON",
        ),
        ("simulate --out o --mouse m", "--run-share; missing: --session, --run-share"),
        (
            "simulate --out o --mouse m --session s --run-share 0.5 --mice 3",
            "--mice and --sessions make a cohort; leave them out with --mouse",
        ),
        (
            "stack-roi --recordings r --sets a --decoders d --out o --rnn gru --drop",
            "decoders with drop or precision: mixed train alone",
        ),
        (
            "sweep-encoding --responses r --fold f --learning-rates 1 --momenta 0 --l2s 0 "
            "--out o --initialisations default --chunk 3 --chunks 2",
            "--chunk 3: there are chunks 1 to 2",
        ),
    ],
)
def test_flags_that_do_not_go_together_are_said_before_a_file_is_read(line, words, capsys):
    assert cli.main(line.split()) == 1
    (said,) = capsys.readouterr().err.splitlines()
    assert words in said


def test_verb_reports_a_bad_value_in_one_line_and_fails(capsys, tmp_path):
    status = cli.main(["simulate", "--out", str(tmp_path), "--n-frames", "3"])
    assert status == 1
    error = capsys.readouterr().err
    assert error == "mesodecode simulate: error: --n-frames: 3 is less than the minimum of 60\n"
    assert list(tmp_path.iterdir()) == []


def test_none_is_no_value_of_a_number_but_of_a_nullable_one(toy):
    assert parse("toy", ["--name", "x", "--size", "none"])["size"] is None
    assert parse("toy", ["--name", "none", "--size", "3"]) == {
        "name": "none",
        "size": 3,
        "shift": -0.5,
        "deep": True,
        "areas": ["a"],
        "rates": [1.0],
        "cell": "gru",
    }


# --help


def squeeze(text: str) -> str:
    """Text without white space, which --help breaks its lines at."""
    return "".join(text.split())


@pytest.mark.parametrize("verb", cli.VERBS)
def test_help_of_every_verb(verb, capsys):
    with pytest.raises(SystemExit) as caught:
        parser().parse_args([verb, "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert f"mesodecode {verb}" in text
    first = verbs()[verb].description.strip().splitlines()[0]
    assert first.endswith((".", ":")) and squeeze(first) in squeeze(text)
    for action in verbs()[verb]._actions:
        assert action.help, f"{action.option_strings} says nothing"


EXAMPLES = {
    verb: said[1].replace("/\n", "/")  # a path that was broken
    for verb, parser in verbs().items()
    if (said := re.search(r"Example: (mesodecode .*?)(?:\n\n|$)", parser.description, re.DOTALL))
}


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_has_an_example_with_flags_that_it_takes(verb):
    _, *commands = re.split(r"(?:\s+then)?(?:^|\s+)mesodecode ", EXAMPLES[verb])
    words = [shlex.split(command.removesuffix("…")) for command in commands]
    mine = [given for given in words if given[0] == verb]
    assert mine and [parser().parse_args(given).verb for given in mine] == [verb] * len(mine)


def test_help_lists_each_verb_once_by_room_and_those_of_the_workflow_last(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    _, *groups = cli.parser().format_help().split(" says more.")[1].split("\n\n")
    titles = [group.splitlines()[0].rstrip(":") for group in groups]
    listed = [
        [line.split()[0] for line in group.splitlines()[1:] if line[2] != " "] for group in groups
    ]
    assert sorted(itertools.chain(*listed)) == sorted(cli.VERBS)
    assert sorted(listed[-1]) == sorted(cli.FOR_WORKFLOW)
    assert titles[:-1] == [words for words in cli.ROOMS.values() if words in titles]
    for title, verbs in zip(titles[:-1], listed, strict=False):
        assert {cli.ROOMS[cli.VERBS[verb].split(".")[0]] for verb in verbs} == {title}


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("train_cnn", "did you mean train-cnn or "),
        ("prepocess", "did you mean preprocess"),
        ("zzz", "no verb 'zzz'; `mesodecode --help` lists all"),
    ],
)
def test_a_verb_that_is_none_names_the_nearest(typed, meant, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main([typed, "--out", "x"])
    assert caught.value.code == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("mesodecode: error: no verb") and meant in line


def verbs_of(name: str) -> list[str]:
    """The verbs that take the settings of a schema."""
    return [
        verb
        for verb, parser in verbs().items()
        if any(group.title == f"settings ({name})" for group in parser._action_groups)
    ]


def test_help_of_a_setting_has_its_words_what_it_takes_and_its_default(toy, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    text = parser_of("toy").format_help()
    assert "[-h] --name STRING [--size INTEGER]" in text  # what has no default is needed
    assert [line.strip() for line in text.partition("settings (toy):\n")[2].splitlines()] == [
        "--name STRING         any text",
        "--size INTEGER        px (default: none)",
        "--shift NUMBER        100 % of s (default: -0.5)",
        "--deep, --no-deep     yes or no (default: True)",
        "--areas STRING [STRING ...]",
        "(default: ['a'])",
        "--rates NUMBER [NUMBER ...]",
        "(default: [1.0])",
        "--cell {gru,lstm}     cell (default: gru)",
    ]


@pytest.mark.parametrize("name", [*SCHEMAS, "recordings"])
def test_help_shows_every_setting_with_its_words_and_default(name):
    assert verbs_of(name), f"no verb takes the settings of {name}"
    for verb in verbs_of(name):
        text = squeeze(verbs()[verb].format_help())
        for key, spec in schema.flags(name).items():
            assert "--" + key.replace("_", "-") in text
            words = squeeze(spec["description"])
            if "default" in spec:
                default = spec["default"]
                shown = "none" if default is None else squeeze(str(default))
                words += f"(default:{shown})"
            assert words in text, key


@pytest.mark.parametrize(
    ("verb", "flag", "unit"),
    [
        ("preprocess", "--frame-rate", "frames/s"),
        ("preprocess", "--speed-threshold", "cm/s"),
        ("preprocess", "--image-size", "px"),
        ("preprocess", "--baseline-window", "s; "),
        ("qc", "--drift", "px; "),
        ("simulate", "--lead-s", "in s"),
        ("simulate", "--image-size", "px"),
        ("simulate", "--run-speed", "cm/s"),
        ("simulate", "--rotation-sd", "degrees"),
        ("simulate", "--n-frames", "frames"),
        ("fit-linear", "--pixels", "px"),
        ("train-cnn", "--threads", "CPU cores"),
        ("train-rnn", "--half-window", "images"),
    ],
)
def test_help_states_units(verb, flag, unit):
    (action,) = [a for a in verbs()[verb]._actions if flag in a.option_strings]
    assert unit in action.help


def test_shapes_are_asked_for_as_arrays_have_them():
    actions = [one for verb in verbs().values() for one in verb._actions]
    pairs = [one.metavar for one in actions if isinstance(one.metavar, tuple)]
    assert ("HEIGHT", "WIDTH") in pairs and ("WIDTH", "HEIGHT") not in pairs


# Settings of several schemas stand once


def test_a_setting_that_is_included_is_the_shared_one_but_for_what_differs():
    seed, shared = schema.properties("roi_rnn")["seed"], schema.properties("cnn")["seed"]
    assert (seed["default"], shared["default"]) == (123, 2021)
    assert {**shared, "default": 123} == {**seed, "description": shared["description"]}
    assert "include" not in str(schema.properties("cnn"))
    assert list(schema.defaults("cnn"))[:4] == ["input", "backbone", "pretrained", "baseline"]


def test_shared_settings_are_shared_and_stated_once():
    blocks = {path.stem: path for path in (schema.FOLDER / "shared").iterdir()}
    shared = {name: yaml.safe_load(path.read_text()) for name, path in blocks.items()}
    taken = {(block, key): 0 for block, settings in shared.items() for key in settings}
    for name, path in schema.files().items():
        for key, spec in yaml.safe_load(path.read_text())["properties"].items():
            if include := spec.pop("include", None):
                block, _, own = include.partition(".")
                taken[block, own or key] += 1
                said = shared[block][own or key]
                again = [part for part, value in spec.items() if said.get(part) == value]
                assert not again, f"{name}.{key}: {again} as in shared/{block}.yaml"
    assert min(taken.values()) >= 2


# Every setting is one that the code reads


def test_simulation_takes_the_settings_of_its_schema():
    from mesodecode.simulation import simulate

    assert {field.name for field in dataclasses.fields(simulate.Settings)} == set(
        schema.flags("simulate")
    )


def test_linear_baseline_takes_the_settings_of_its_schema():
    from mesodecode.decoders.fitted import linear
    from mesodecode.recordings import baseline

    parameters = inspect.signature(linear.fit_linear).parameters.values()
    own = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
    assert own | {*baseline.SETTINGS} == set(schema.flags("linear"))


def test_networks_train_with_the_settings_of_their_schemas():
    from mesodecode.decoders import train

    accepted = inspect.signature(train.fit).parameters
    for name in ("cnn", "cnn_rnn"):
        assert set(train.SETTINGS) <= set(schema.flags(name)) & set(accepted)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        ("explain.cutout:cutout_session", "importance_cutout"),
        ("explain.cutout_logits:Masked", "importance_cutout"),
        ("explain.attributions:explain", "importance_shap"),
        ("explain.deepshap:deep_shap", "importance_shap"),
        ("live.frame_sources:open_source", "live"),
        ("encoding.responses:make_responses", "encoding_responses"),
    ],
)
def test_functions_for_scripts_have_the_defaults_of_their_schemas(function, name):
    module, _, called = function.partition(":")
    parameters = inspect.signature(
        getattr(importlib.import_module(f"mesodecode.{module}"), called)
    ).parameters
    told = schema.defaults(name)
    own = {n: p.default for n, p in parameters.items() if n in told and n != "seed"}
    own = {
        n: [] if value == () else value for n, value in own.items() if value is not inspect._empty
    }
    assert own and own == {n: told[n] for n in own}


@functools.cache
def strings_of_code() -> set[str]:
    """Strings and keyword arguments of the package's code, docstrings left out."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
            elif isinstance(node, ast.arg | ast.keyword):
                found.add(node.arg)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found.add(node.target.id)  # a field of a dataclass
            elif path.parent.name == "simulation" and isinstance(node, ast.Attribute):
                found.add(node.attr)  # of its settings, whose fields are made of the schema
    return found


@pytest.mark.parametrize("name", [*SCHEMAS, "recordings"])
def test_no_setting_is_ignored(name):
    unread = set(schema.flags(name)) - strings_of_code()
    assert not unread, f"no code reads {unread}"


# Words of a default that is no value, and flags whose value is found as the verb runs.
NO_VALUE = r"none|all\b|its own|keep|those |as measured|at the end|not said|this machine|--"
FOUND = {("simulate", "--mice"), ("simulate", "--sessions"), ("fetch", "--site")}
FOUND |= {("power", "--by"), ("power", "--mouse"), ("plan", "--write-partitions")}


@pytest.mark.parametrize("verb", cli.VERBS)
def test_a_default_that_the_help_names_is_the_default(verb):
    parser = argparse.ArgumentParser(add_help=False)
    importlib.import_module(f"mesodecode.cli.{cli.VERBS[verb]}").add_arguments(parser)
    for action in parser._actions:
        said = re.search(r"\(default: ([^)]+)\)", action.help or "")
        if said and action.default is None and (verb, action.option_strings[0]) not in FOUND:
            assert re.match(NO_VALUE, said[1]), action
        if said and isinstance(action.default, int | float | str):
            words = re.split("[;,]", said[1])[0].lower()
            number = format(action.default, "g" * (action.type is float))
            assert {words, words.split()[0]} & {str(action.default).lower(), number}, action


# What verbs cannot do without -> those that can.
ALWAYS = """
arm atlas auc backbone behavior benchmarks checks choice cohort config controls curves file fold
folds gaps held-out images initialisations kind l2s landmarks learning-rates licence model momenta
movie neurons qc responses rnn scores seen session-auc sets settings signals source stack start
studies summary table tables train trials-table windows
"""
OPTIONAL: dict[str, set[str]] = {name: set() for name in ALWAYS.split()} | {
    "allocations": {"auc", "score"},
    "by": {"power"},
    "decoder": {"choose", "keep-fitted", "train-roi"},
    "decoders": {"auc", "export-nwb", "score"},
    "epoch": {"choose"},
    "features": {"predict", "shift"},
    "figure": {"shap-pixels"},
    "maps": {"sides"},
    "masks": {"sides"},
    "models": {"shift"},
    "mouse": {"power", "simulate"},
    "of-validation": {"average"},
    "out": {"finetune", "fit-linear", "fit-roi", "init", "live", "tables"}
    | {"train-cnn", "train-rnn", "train-roi"},
    "predictions": {"chance", "choose", "fit-linear", "fit-roi", "keep-fitted", "train-roi"},
    "recording": {"shap-summary"},
    "recordings": {"predict"},
    "session": {"export-nwb", "simulate"},
    "sessions": {"export-nwb", "inference", "sides", "simulate"},
    "shift": {"variants"},
    "study": {"tables"},
    "test-mice": {"predict"},
    "train-mice": {"train-rnn"},
    "trained": {"extract"},
    "weights": {"extract", "fit-linear"},
}


@pytest.mark.parametrize("verb", cli.VERBS)
def test_what_a_verb_needs_is_asked_for_at_once(verb, capsys):
    """Else it would fail in the middle of its work, in the words of a library."""
    flags = [one for one in verbs()[verb]._actions if one.option_strings and one.default is None]
    known = {one.option_strings[0] for one in flags}
    needed = {f"--{name}" for name, without in OPTIONAL.items() if verb not in without} & known
    if not needed:
        return
    with pytest.raises(SystemExit) as end:
        parser().parse_args([verb])
    assert end.value.code == 2
    said = capsys.readouterr().err.split("arguments are required: ")[1]
    assert needed <= {*re.findall(r"--[a-z0-9-]+", said)}


@pytest.mark.parametrize("verb", cli.VERBS)
def test_a_flag_that_is_needed_takes_a_value_at_least(verb):
    needed = [one for one in verbs()[verb]._actions if one.required and one.option_strings]
    assert not [one.option_strings[0] for one in needed if one.nargs in ("*", "?")]


@pytest.mark.parametrize("verb", cli.VERBS)
def test_no_two_flags_of_a_verb_say_the_same(verb):
    said = [one.help for one in verbs()[verb]._actions if not str(one.help).startswith("as of ")]
    assert len(said) == len({*said})


@pytest.mark.parametrize("verb", cli.VERBS)
def test_flags_that_say_so_are_declared_to_write(verb):
    """Of those of the workflow, `make.check_written` compares with what the rules declare."""
    for flag in verbs()[verb]._actions:
        writes = flag.dest == "out" or re.search(r"\bwrite\b", flag.help or "")
        if writes and flag.nargs != 0:
            assert isinstance(flag.type, Written), flag.option_strings
