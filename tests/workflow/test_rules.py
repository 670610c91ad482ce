"""What the rules say, read as text: what they show, need, use, pass on and where they log."""

import argparse
import ast
import base64
import itertools
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.exceptions import WorkflowError

from make import ROOT
from mesodecode import cli
from mesodecode.base.files import UserError
from mesodecode.cli import options
from mesodecode.running.locks import Lock
from mesodecode.running.provenance import code_version
from mesodecode.study import importance, published, schema
from mesodecode.study.kinds import KINDS


def of_table(text: str) -> dict[str, str]:
    """Return rule -> text, of a rule that is made of the table of kinds, as of each kind."""
    how, key = re.search(r"kind\.(fits|trains)\.(\w+)", text).groups()
    found = {}
    for job in filter(None, (getattr(kind, how) for kind in KINDS.values())):
        its = text
        for name, value in vars(job).items():
            verb = json.dumps(value).replace("_", "-")
            its = its.replace(f'kind.{how}.{name}.replace("_", "-")', verb)
            its = its.replace(f"kind.{how}.{name}", json.dumps(value))
        found[getattr(job, key)] = its
    return found


RULES = {
    rule: each
    for path in sorted((ROOT / "workflow" / "rules").glob("*.smk"))
    for name, text in re.findall(
        r"^ *(?:use rule \w+ as|rule) ?(\w*)(?: with)?:\n(.*?)(?=^ *(?:use )?rule\b|\Z)",
        path.read_text(),
        re.S | re.M,
    )
    for rule, each in ({name: text} if name else of_table(text)).items()
}


def as_written(node: ast.expr) -> str:
    """Return a string of the rules as it is written, others as they are named."""
    if isinstance(node, ast.Constant):
        return node.value
    return ast.unparse(node).removeprefix("f").strip("'")


def shown_by(call: ast.Call) -> list[str]:
    """Return file, category, caption and labels of a call of `shown`, `svg_png` or `map_figure`."""
    file, *about = map(as_written, call.args)
    labels = {one.arg: as_written(one.value) for one in call.keywords}
    if call.func.id == "map_figure":
        labels = {"importance": f"{{importance}}, {about[0]}"}
        about = ["Importance", f"importance_{file}"]
        file = f"figures/importance_{{importance}}_{file}"
    ending = "" if call.func.id == "shown" else ".svg"
    return [file + ending, *about, ", ".join(f"{key}: {word}" for key, word in labels.items())]


def test_snakemakes_report_shows_each_file_under_its_own_words():
    """As written in shown.tsv; each caption is a file, and each file one's caption."""
    found = []
    for path in sorted((ROOT / "workflow" / "rules").glob("*.smk")):
        if path.name == "setup.smk":  # which has the functions
            continue
        text = path.read_text()
        assert not re.search(r"\breport\(", text), path
        for match in re.finditer(r"\b(shown|svg_png|map_figure)(?=\()", text):
            inside = text[match.start() :]
            heads = (inside[: one.end()] for one in re.finditer(r"\)", inside))
            call = next(head for head in heads if head.count("(") == head.count(")"))
            found.append("\t".join(shown_by(ast.parse(call, mode="eval").body)))
    written = (Path(__file__).with_name("shown.tsv")).read_text().splitlines()[1:]
    assert sorted(found) == sorted(written)
    captions = {line.split("\t")[2] for line in found}
    tables = ("folds", "neurons", "summary")  # of an encoding study
    captions = captions - {"encoding_{table}"} | {f"encoding_{table}" for table in tables}
    there = {path.stem for path in (ROOT / "workflow" / "report").glob("*.rst")}
    assert captions == there - {"workflow"}


@pytest.mark.parametrize("rule", RULES)
def test_every_submitted_rule_says_what_it_needs(rule):
    text = RULES[rule]
    if "localrule: True" not in text and "shell:" in text:
        assert "mem_mb=grows(" in text and "runtime=grows(" in text
    # a first attempt at the published study, with the start of a job, fits into a day and 48 GB
    for name, low, high in (("runtime", 10, 1440), ("mem_mb", 1000, 48_000)):
        assert all(low <= int(n) <= high for n in re.findall(rf"{name}=grows\((\d+)\)", text))
    # a job that may use a GPU asks for one, so that no two share it; others are told not to
    assert {*re.findall(r"on_device\((\w+)", text)} <= {"GPU", "gpu_of_network"}
    assert "gpu=" not in text and {*re.findall(r"device=(.*),", text)} <= {'"cpu"'}
    if "--device" in text:
        assert ("on_device(" in text) != ('device="cpu"' in text)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_has_the_code_of_its_verb_and_uses_all_else_that_it_is_given(rule):
    """Edited code runs its jobs again; what was fetched is not fetched again for it."""
    given, _, shell = RULES[rule].partition("shell:")
    coded = {word.replace("_", "-") for word in re.findall(r'code_version\(\s*"(\w+)"', given)}
    run = re.findall(r"mesodecode ([a-z-]+)(?= -)", shell) + re.findall(r'verb="(.*)"', given)
    assert {verb for verb in run if not verb.startswith("fetch")} <= coded
    params = given.partition("params:")[2]
    names = re.findall(r"^ {8,12}(\w+)=", params, re.M)
    unused = [name for name in names if f"params.{name}" not in RULES[rule]]
    assert {*unused} <= {"code", "held", "order"} or not shell


# Inputs in the order of the config.
IN_ORDER = (
    r"lists_of\(STUDY\.mice|=STUDY\.mouse_of"
    r"|/\{\w+\}\.tsv.*=(STUDY\.decoders|COMPARISONS|INFERRED)"
)
# What these write has the order of allocations, or none.
UNORDERED = {"choose_variant", "dropped_rois", "shift", "quality", "export"}


def test_what_is_read_in_the_order_of_the_config_is_read_again_in_another():
    """Snakemake compares inputs as sets: of an order a param has to speak."""
    found = {
        rule
        for rule, text in RULES.items()
        if re.search(IN_ORDER, text.partition("output:")[0], re.S)
        or rule
        in ("recordings_of_mouse", "control_signals", "average", "hold_out", "maps_of_analysis")
    }
    said = {rule for rule, text in RULES.items() if re.search(r"^ {8,12}order=", text, re.M)}
    assert len(found) > 15 and found - said <= UNORDERED
    assert said <= found


# Flags that are not called as what they are given.
NAMED_OTHERWISE = {
    "--decoders": {"params.of"},
    "--figure": {"params.prefix"},
    "--held-out": {"params.folder"},
    "--of-validation": {"input.validation"},
    "--only": {"params.name"},
    "--recordings": {"input.test"},
    "--scores": {"input.maps"},
    "--session-auc": {"input.sessions"},
    "--signed-figure": {"params.prefix"},
    "--test": {"params.tests"},
    "--test-mice": {"params.mice", "params.test"},
    "--train-mice": {"params.train"},
    "--trials-table": {"output.trials"},
    "--valid-mice": {"params.valid"},
    # what a verb is for, or what its outputs' paths begin with
    "--out": {
        *(
            f"output.{name}"
            for name in ("auc", "best", "html", "model", "predictions", "recording")
        ),
        *(f"output.{name}" for name in ("stack", "table", "weights")),
        *("params.folder", "params.prefix"),
    },
}


@pytest.mark.parametrize("rule", RULES)
def test_flags_are_given_what_they_are_called(rule):
    """So that no two files of a command are exchanged."""
    shell = RULES[rule].partition("shell:")[2]
    shell = re.sub(r'"\s*\n\s*f?"', "", shell)  # strings that follow each other
    for flag, what in re.findall(r"(--[a-z-]+) \{+((?:input|output|params|resources)\.\w+)", shell):
        named = what.partition(".")[2] == flag[2:].replace("-", "_")
        assert named or what in NAMED_OTHERWISE.get(flag, ()), f"{flag} {what}"


@pytest.mark.parametrize("rule", RULES)
def test_logs_and_run_times_are_below_the_name_of_their_rule(rule):
    """Which `mesodecode runtimes` and a person look for there."""
    places = re.findall(r'"(logs|benchmarks)/(\w+)', RULES[rule])
    known = {"pass_images": "pass", "pass_features": "pass", "tune_config": "tune"}
    known |= {"choose_and_predict": "choose", "choose_epoch": "choose", "keep_classical": "keep"}
    known["keep_linear"] = "keep"
    if "shell:" in RULES[rule]:
        assert {place for _, place in places} <= {known.get(rule, rule)}, places
        assert re.search(r"\blog:\s", RULES[rule]) and "2>" in RULES[rule].partition("shell:")[2]


# Flags that a rule does not give its verb, settings apart: those of epochs' own files, which
# trainings by hand write at once, those that belong to another use of the verb, and defaults.
NOT_GIVEN = {
    "adapt": ["--adapted-weights"],
    "choose_and_predict": ["--epoch", "--history"],
    "choose_epoch": ["--predictions", "--validation"],
    "compare": ["--within"],
    "cutout_summary": ["--recording"],
    "export": ["--session"],
    "extract": ["--weights"],
    "finetune": ["--out", "--history", "--checkpoint-every", "--feed"],
    "fit_linear": ["--valid-mice", "--out", "--predictions", "--validation"],
    "fit_roi": ["--valid-mice", "--out", "--predictions", "--validation"],
    "pass_pixels": ["--trained", "--out"],
    "pass_signals": ["--trained", "--out"],
    "predict_features": ["--labels-of"],  # they have those that they were extracted with
    "predict_images": ["--test-mice"],
    "predict_rois": ["--weights", "--out", "--validation"],
    "runtimes": ["--efficiency"],
    "shap_pixels": ["--name", "--figure"],
    "shap_summary": ["--recording"],
    "stack_roi": ["--checkpoint-every"],
    "train_cnn": ["--out", "--history", "--checkpoint-every", "--feed"],
    "train_rnn": ["--train-mice", "--valid-mice", "--out", "--history", "--checkpoint-every"],
    "train_roi": ["--predictions", "--validation", "--out", "--history", "--checkpoint-every"],
}


# Of the functions that rules call, by name: what stands there from one to the next.
FUNCTIONS = {
    name: text
    for path in (ROOT / "workflow" / "rules").rglob("*.smk")
    for name, text in re.findall(
        r"^(?:def )?(\w+)((?:\(| = ).*?)(?=^\S|\Z)", path.read_text(), re.S | re.M
    )
}


def test_a_job_on_the_studys_device_asks_for_its_gpus():
    assert '{"gpu": gpu, "device": STUDY.config["device"]}' in FUNCTIONS["on_device"]


def test_outputs_that_grow_and_files_of_users_are_not_deleted_before_their_jobs():
    """Snakemake deletes what a job is to make, unless the rule says that it updates it."""
    found = {name for name, text in RULES.items() if "        update(" in text}
    assert found == {"fetch", "finetune", "train_rnn"}


def function(name: str, **names):
    """Return a function of the rules, to which `names` are what the rules name so."""
    exec(f"def {name}{FUNCTIONS[name]}", names)
    return names[name]


def test_a_job_that_ended_for_want_is_given_half_as_much_again():
    grows = function("grows", known=lambda given: given)
    assert [grows(1000)(None, attempt) for attempt in (1, 2, 3)] == [1000, 1500, 2000]
    assert grows(len)("abcdef", 2) == 9  # of what a function says of the job's wildcards


def test_maps_of_pixels_are_given_twice_the_time_of_all_their_images():
    """2 x 0.1 s x 3 maps x 300 x 20 pairs x 3 states x 11 images of 64 px, each a quarter: 495."""
    decoder = SimpleNamespace(name="gru", settings={"half_window": 5})
    config = {"recordings": {"target_states": ["rest", "walk", "run"]}}
    study = SimpleNamespace(decoders={"gru": decoder}, config=config, variant=lambda name: "small")
    minutes = function(
        "pixel_minutes",
        SECONDS=0.1,
        IMPORTANCE={"map": {"windows": 300, "background": 20, "draws": 3}},
        STUDY=study,
        variants=SimpleNamespace(preprocessing=lambda _, name: {"small": {"image_size": 64}}[name]),
    )(10, lambda line: line["draws"])
    assert minutes(SimpleNamespace(importance="map", decoder="gru")) == 10 + 495


def test_what_applies_a_network_of_images_asks_for_gpus():
    lines = {"linear": "linear", "cnn": "cnn", "roi": "roi_rnn", "mean": "average"}
    decoders = {name: SimpleNamespace(kind=kind, settings={}) for name, kind in lines.items()}
    for start in ("linear", "cnn"):
        settings = {"adapted_from": start}
        decoders[f"own_{start}"] = SimpleNamespace(kind="adapted", settings=settings)
    study = SimpleNamespace(decoders=decoders)
    gpus = function("gpu_of_network", STUDY=study, KINDS=KINDS, GPU=1)
    asked = {name for name in decoders if gpus(SimpleNamespace(decoder=name))}
    assert asked == {"cnn", "own_cnn"}


def test_what_trains_side_by_side_has_the_labels_of_its_own_mice_and_all_epochs():
    """An allocation chooses among all epochs afterwards, so that none ends the others' training."""
    donors = {"null": {"a1": "a2", "a2": "a1", "d1": "d2", "d2": "d1"}, "gru": {}}
    settings = schema.defaults("roi_rnn", rnn="gru", early_stopping=3)
    study = SimpleNamespace(
        decoders={"null": SimpleNamespace(kind="roi_rnn", settings=settings)},
        label_donors=donors.get,
        mouse_of={session: session[0] for session in donors["null"]},
    )
    labels = function(
        "labels_of_group",
        STUDY=study,
        mice_of_group=lambda job: ["a", "b"],
        together=lambda job: [("gru", ("a",)), ("null", ("a",)), ("null", ("b",))],
        flag_if=lambda flag, words: [flag, *words],
    )
    assert labels(None) == ["--labels-of", "null:a1=a2", "null:a2=a1"]
    shared = function("shared_flags", STUDY=study, options=options)
    assert " --early-stopping 3 " in options.as_flags(settings, "roi_rnn")
    assert " --early-stopping none " in shared(SimpleNamespace(decoder="null"))


def test_what_may_apply_a_linear_decoder_asks_for_gpus_by_its_decoder():
    found = {name for name, text in RULES.items() if "on_device(gpu_of_network)" in text}
    assert found == {"adapt", "cutout", "cutout_check", "pixels_check", "shap_pixels", "shift"}


def test_along_half_windows_a_figure_is_in_seconds_of_the_decoded_rate():
    ordered = {"own": ("half_window", [5, 15]), "paper": ("seconds", [0.5, 2.0])}
    flags = function(
        "setting_flags",
        COMPARISONS={"own": {}, "paper": {"source": "aucs.tsv"}, "unordered": {}},
        STUDY=SimpleNamespace(ordered_by=ordered.get, config={}),
        cohort_table=SimpleNamespace(decoded_rate=lambda config: 20),
        shlex=shlex,
    )
    said = {one: flags(SimpleNamespace(comparison=one)) for one in (*ordered, "unordered", "all")}
    assert said == {
        "own": "--setting half_window --values 5 15 --frame-rate 20",
        "paper": "--setting seconds --values 0.5 2",
        **dict.fromkeys(("unordered", "all"), ""),
    }


@pytest.mark.parametrize(
    ("step", "searched", "network", "afterwards"),
    [
        (1, [], True, False),
        (2, [], True, True),
        (1, ["frame_step"], True, True),  # it may be found to be another
        (1, ["l2"], True, False),
        (None, [], False, False),
    ],
)
def test_passes_that_leave_frames_out_are_no_predictions(step, searched, network, afterwards):
    tune = {"gru": {"search": dict.fromkeys(searched)}} if searched else {}
    after = function(
        "predicts_after_choice",
        STUDY=SimpleNamespace(config={"tune": tune}),
        is_network=lambda decoder: network,
        trains_once=lambda decoder: True,
    )
    assert after(SimpleNamespace(name="gru", settings={"frame_step": step})) == afterwards


def test_files_are_compared_with_the_record_of_what_was_made_of_them():
    study = SimpleNamespace(config={})
    compared = function(
        "compared",
        STUDY=study,
        RESULTS=Path("r"),
        session_files=lambda *session: session,
        workflow=SimpleNamespace(is_main_process=False),
        fingerprints=SimpleNamespace(Comparison=str, compare=lambda *of: of),
    )
    assert compared("s1") == (Path("r/sources/s1.json"), ("s1",))
    assert compared("s1", "bin") == (Path("r/variants/bin/sources/s1.json"), ("s1", "bin"))
    study.config = {"simulate": {}}
    assert compared("s1") == ""  # of those nothing is said


@pytest.mark.parametrize(("changed", "followed"), [(None, ""), ("s1 bin", "s1 bin"), ("s1", "s1")])
def test_each_variant_follows_the_files_of_its_own(changed, followed):
    """And says by its revision that they are others than those of its recording."""
    named = dict.fromkeys(("s1", "s1 bin"))
    known = {name: SimpleNamespace(same=name != changed, revision=f"r of {name}") for name in named}
    world = {
        "compared": lambda *of: known[" ".join(filter(None, of))],
        "ancient": lambda paths: ("as it is", paths),
    }
    as_compared = function("as_compared", **world)
    revision_flag = function("revision_flag", **world)
    assert all(revision_flag(*name.split()) == f"--revision=r of {name}" for name in named)
    found = {name: as_compared(["p"], *name.split()) for name in named}
    assert found == {name: ["p"] if name == followed else ("as it is", ["p"]) for name in named}


def test_every_list_is_there_only_while_its_files_are():
    kept = []
    function(
        "put_aside",
        itertools=itertools,
        STUDY=SimpleNamespace(variants=["bin"], mice=["a", "b"], decoders=["gru"]),
        IMPORTANCE=["map"],
        RESULTS=Path("r"),
        folder_of=lambda variant: f"r/{variant}",
        recordings_listed=lambda *of: of,
        predicted_by=lambda decoders: [f"r/predicted/{one}.txt" for one in decoders],
        predictions_listed=lambda decoder: decoder,
        map_lists=lambda name: {"maps": name, "seed1": f"{name} of 1"},
        keep_with=lambda *of: kept.append(of),
    )()
    recordings = [(f"r/{v}/{m}.txt", (m, v)) for v in (None, "bin") for m in "ab"]
    others = [("r/predicted/gru.txt", "gru")]
    others += [(Path("r/importance/map/maps.txt"), "map")]
    others += [(Path("r/importance/map/seed1.txt"), "map of 1")]
    assert kept == [*recordings, *others]


def test_maps_are_listed_by_whom_they_are_of():
    lines = {
        "shap": {"decoder": "gru", "null_decoder": "null", "seeds": ["s2", "s3"]},
        "cut": {"decoder": "cnn", "masks": "squares", "blocks": 2},
    }
    given = {
        "expand": lambda path, **of: (str(path), of),
        "IMPORTANCE": lines,
        "RESULTS": Path("r"),
        "STUDY": SimpleNamespace(allocations=["one", "two"]),
    }
    outputs = SimpleNamespace(
        cutout=SimpleNamespace(output="cut"), shap=SimpleNamespace(output="shap")
    )
    maps_of = function("maps_of", rules=outputs, importance=importance, **given)
    lists = function("map_lists", maps_of=maps_of, **given)
    checks, of = "r/importance/{importance}/{decoder}/{allocation}.check.h5", ["one", "two"]
    about = {"importance": "shap", "decoder": "gru", "allocation": of}
    assert lists("shap") == {
        "checks": (checks, about),
        **{
            listed: ("shap", about | {"decoder": decoder, "block": range(1, 2)})
            for listed, decoder in (
                *(("maps", "gru"), ("null", "null")),
                *(("seed1", "s2"), ("seed2", "s3")),
            )
        },
    }
    about = {"importance": "cut", "decoder": "cnn", "allocation": of}
    assert lists("cut") == {
        "checks": (checks, about),
        "maps": ("cut", about | {"block": range(1, 3)}),
    }
    called = function("lists_called", RESULTS=Path("r"), map_lists=lists)
    job = SimpleNamespace(importance="shap")
    seeds = [Path(f"r/importance/shap/seed{n}.txt") for n in (1, 2)]
    assert called("seed")(job) == seeds
    assert called("null")(SimpleNamespace(importance="cut")) == []
    listed = function("listed_of_analysis", map_lists=lists)
    assert listed(SimpleNamespace(importance="shap", listed="seed2"))[1]["decoder"] == "s3"


def test_what_a_finished_training_kept_goes_once_its_output_is_there(tmp_path):
    kept = ("cnn/train-a.finished.pt", "gru/train-a.start-3.finished.pt", "roi/x.finished.pt")
    stays = ("cnn/train-b.finished.pt", "cnn/train-a.pt")  # no output yet; another is under way
    made = ("trained/cnn/train-a.pt", "trained/gru/train-a.pt", "models/roi/x.pt", "trained/cnn/b")
    for name in (*(f"checkpoints/{name}" for name in (*kept, *stays)), *made):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    function("drop_results_of_training", RESULTS=tmp_path, re=re, Path=Path)()
    left = {path for path in (tmp_path / "checkpoints").rglob("*.pt")}
    assert left == {tmp_path / "checkpoints" / name for name in stays}


def test_an_edit_that_snakemake_would_pass_over_is_said(tmp_path, monkeypatch, capsys):
    """Where results were moved without .snakemake/, which says what they were made with."""
    monkeypatch.chdir(tmp_path)
    made, names = Path("results/lab/config.json"), {"Path": Path, "base64": base64, "sys": sys}

    def warn(RESOLVED):
        of_config = function("records_config", RESOLVED=RESOLVED, json=json)
        names.update(RESOLVED=RESOLVED, records_config=of_config, RESULTS=made.parent)
        return function("warn_of_no_records", **names)

    warn(RESOLVED="new")()  # nothing is made yet
    made.parent.mkdir(parents=True)
    made.write_text("old\n")
    warn(RESOLVED="old")()
    assert capsys.readouterr().err == ""
    warn(RESOLVED="new")()
    assert "what was edited is NOT made again; bring .snakemake/" in capsys.readouterr().err
    record = Path(".snakemake/metadata/cmVzdWx0cy9sYWIvY29uZmlnLmpzb24=")
    record.parent.mkdir(parents=True)
    for words in ("", '{"params": ["\'old\'"]}'):  # an edit here, which Snakemake sees
        record.write_text(words)
        warn(RESOLVED="new")()
        assert capsys.readouterr().err == ""
    record.write_text('{"params": ["\'new\'"]}')  # a run elsewhere has made all anew since
    warn(RESOLVED="new")()
    assert "what was edited is NOT made again" in capsys.readouterr().err


def test_the_comparison_with_the_paper_is_of_the_published_figures(tmp_path, monkeypatch):
    """Mended in a later version, they are another comparison."""
    (code,) = re.findall(r"code=(code_version.*),$", RULES["reproduction"], re.M)
    monkeypatch.setattr(published, "FOLDER", tmp_path)
    files = function("published_files", published=published)
    names, versions = {"code_version": code_version, "published_files": files}, set()
    for auc in ("0.8", "0.9"):
        (tmp_path / "auc.csv").write_text(auc)
        versions.add(eval(code, names))
    assert len(versions) == 2


@pytest.mark.parametrize("submits", [True, False])
def test_a_run_is_alone_and_ends_the_jobs_that_a_killed_one_left(tmp_path, submits):
    ended, at_end = [], []
    settings = SimpleNamespace(**{"jobname_prefix": ""} if submits else {})
    start_alone = function(
        "start_alone",
        RESULTS=tmp_path,
        Lock=Lock,
        atexit=SimpleNamespace(register=at_end.append),
        slurm=SimpleNamespace(cancel=ended.append, run_name=lambda logs: f"run {logs}"),
        workflow=SimpleNamespace(executor_settings=settings),
        UserError=UserError,
        WorkflowError=WorkflowError,
    )
    start_alone("one")
    with pytest.raises(WorkflowError, match="is at work here"):
        start_alone("two")
    assert ended == []
    for release in at_end:
        release()
    start_alone("three")
    assert ended == ["run one"] * submits
    at_end.pop()()


@pytest.fixture(scope="module")
def flags_of():
    """Return of a verb its flags that are called like no setting of a schema."""
    schemas = "\n".join(p.read_text() for p in (ROOT / "workflow/schemas").rglob("*.yaml"))
    settings = {*re.findall(r"^\s*(\w+):", schemas, re.M)}
    (verbs,) = [a for a in cli.parser()._actions if isinstance(a, argparse._SubParsersAction)]

    def flags(verb):
        own = (a for a in verbs.choices[verb]._actions if a.option_strings and a.dest != "help")
        return [a.option_strings[-1] for a in own if a.dest not in settings]

    return flags


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_gives_its_verb_all_flags_but_those_written_down(rule, flags_of):
    """So that none is lost on the way: a run without it would go on, and say something else."""
    text = RULES[rule]
    asked, left = [text], dict(FUNCTIONS)
    while asked:
        words = {*re.findall(r"\w+", asked.pop())} & {*left}
        asked += (found := [left.pop(word) for word in words])
        text += "".join(found)
    given, _, shell = RULES[rule].partition("shell:")
    run = re.findall(r"mesodecode ([a-z-]+)(?= -)", shell) + re.findall(r'verb="(.*)"', given)
    flags = [flag for verb in run for flag in flags_of(verb)]
    missing = [flag for flag in flags if not re.search(rf"{flag}(?![\w-])", text)]
    assert missing == NOT_GIVEN.get(rule, [])


def test_a_changed_input_is_followed_but_where_something_else_tells_of_changes():
    """Source files that are compared by what they hold, and trainings that grow by an epoch."""
    rules = ROOT / "workflow/rules"
    named = [
        (path, re.findall(r"\bancient\b[(,]", path.read_text())) for path in rules.rglob("*.smk")
    ]
    found = {str(path.relative_to(rules)): len(names) for path, names in named if names}
    assert found == {"setup.smk": 1, "functions/decoders.smk": 1}


def test_the_shell_of_a_job_outlives_the_signal_that_ends_its_verb():
    """SLURM signals both: as it is, a shell would die and the job be over before the checkpoint."""
    text = (ROOT / "workflow/rules/setup.smk").read_text()
    prefix = re.search(r"^shell\.prefix\((.*?)^\)$", text, re.S | re.M)[1]
    trap = re.search(r'"(trap [^"]*; )"\n$', prefix)[1]
    word = f"{trap} kill -TERM $$; echo written"
    assert subprocess.run(["bash", "-c", word], capture_output=True).stdout == b"written\n"


def test_a_decoder_whose_settings_are_searched_for_trains_alone():
    lines = {name: SimpleNamespace(name=name) for name in ("gru", "searched", "dropping")}
    study = SimpleNamespace(decoders=lines, config={"stack": True, "tune": {"searched": {}}})
    named = {"STUDY": study, "stacks": SimpleNamespace(may_stack=lambda d: d.name != "dropping")}
    for stack, expected in ((True, ["gru"]), (False, [])):
        study.config["stack"] = stack
        exec(f"STACKED{FUNCTIONS['STACKED']}]", named)
        assert [one.name for one in named["STACKED"]] == expected
