"""What all studies share: this checkout's package, how its verbs are run, and runs alone. No rules."""

BEFORE = set(globals())  # of Snakemake, and of a Snakefile that includes these rules

import atexit
import functools
import gc
import importlib.util
import inspect
import itertools
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import CodeType, FunctionType

from snakemake.common import overwrite_function_params
from snakemake.exceptions import WorkflowError

# The folder of the package: beside these rules. Where they are a module from a URL, there are only
# rules, and the package is the one that is installed.
RULES = workflow.current_basedir
PACKAGE = Path(RULES.get_path_or_uri(secret_free=True)).parent
if not (PACKAGE / "mesodecode").is_dir():
    INSTALLED = importlib.util.find_spec("mesodecode")
    if INSTALLED is None:
        raise WorkflowError(
            "the rules of mesodecode come from a URL and its package is not installed here: clone "
            "the repository at the same version and run `pip install -e` on it (config/README.md)"
        )
    PACKAGE = Path(INSTALLED.origin).parents[1]
sys.path.insert(0, str(PACKAGE))

from mesodecode.running import fingerprints, halves, job_progress, slurm, warm
from mesodecode.study.config_file import check_duplicate_keys
from mesodecode.running.failures import Failures
from mesodecode.base.files import WORKFLOW, UserError
from mesodecode.running.locks import Lock
from mesodecode.running.provenance import code_version

# Snakemake holds all jobs of a study until it ends: Python's collector of cycles, which looks through
# them each time that there are some hundred objects more, finds next to nothing.
gc.set_threshold(100_000)
# Nor at its end, when it would look through all of them once more.
atexit.register(gc.freeze)


def checked(resolve):
    """The study of the config that `resolve` checks; what is wrong with it in one line."""
    try:
        for path in workflow.configfiles:
            check_duplicate_keys(path)
        return resolve(config)
    except UserError as error:
        raise WorkflowError(str(error)) from None


# `mesodecode` in a rule is this checkout's package, whether or not it is installed, run by the
# Python that runs Snakemake, or by that of the rule's conda environment under --sdm conda; or, under
# `mesodecode warm`, by a copy of a process that has done the imports.
CONDA = any(str(m) == "conda" for m in workflow.deployment_settings.deployment_method)
PYTHON = "python" if CONDA else shlex.quote(sys.executable)
COLD = f'PYTHONPATH={shlex.quote(str(PACKAGE))} {PYTHON} -m mesodecode "$@"'
WARM = f'{PYTHON} -I -S {shlex.quote(warm.__file__)} "$@"'
SERVED = "false" if CONDA else f'[ -S "${{{{{warm.VARIABLE}-}}}}" ]'
# The trap keeps the shell until its verb has written a checkpoint: SLURM signals both of them.
shell.prefix(  # Snakemake formats the prefix, so its braces are doubled once more
    f"mesodecode() {{{{ if {SERVED}; then {WARM}; else {COLD}; fi; }}}}; "
    "trap : TERM; "
)


@functools.cache
def compared(session, variant=None):
    """How the files of a session stand to those that its recording or responses were made of.

    Of simulated ones nothing is said: a job behind `ancient` does not follow the one that makes them.
    """
    if "simulate" in STUDY.config:
        return fingerprints.Comparison()
    made = RESULTS if variant is None else RESULTS / f"variants/{variant}"
    files = session_files(session, variant) if variant else session_files(session)
    found = fingerprints.compare(made / f"sources/{session}.json", files)
    if workflow.is_main_process:
        for name in found.changed:
            print(
                f"{name}: changed since results of session {session} were made",
                file=sys.stderr,
            )
    return found


def as_compared(paths, session, variant=None):
    """Files of a session as inputs: by their dates, unless they are known to be the same."""
    return ancient(paths) if compared(session, variant).same else paths


def revision_flag(session, variant=None):
    """What the files of a session are called once they are no longer the first."""
    revision = compared(session, variant).revision
    return f"--revision={revision}" if revision else ""


@functools.cache
def digest(path):
    """The SHA-256 of a file of the user's, empty where there is none: Snakemake says so."""
    try:
        return fingerprints.fingerprint(path)[1]
    except OSError:
        return ""


def held(inputs):
    """What those of `inputs` hold that no rule makes (masks, tables, weights), as a param.

    By their dates alone, one that an older file is moved or copied over would pass for unchanged.
    `inputs`: files, or an input function (Snakemake does not compare a param that is given `input`).
    """

    def digests(wildcards):
        found = inputs(wildcards) if callable(inputs) else inputs
        found = found.values() if isinstance(found, dict) else [found]
        paths = (
            p
            for some in found
            for p in ([some] if isinstance(some, (str, Path)) else some)
        )
        return [digest(str(p)) for p in paths if not Path(p).is_relative_to("results")]

    return digests


def gpus(study):
    """GPUs of a job that trains or applies a network."""
    return 0 if study.config["device"] == "cpu" else 1


def on_device(gpu):
    """The resources of a job that computes on the study's device, with so many GPUs."""
    return {"gpu": gpu, "device": STUDY.config["device"]}


def report_files():
    """What the report is made of beside code: templates, works cited, words of corrections."""
    package = PACKAGE / "mesodecode"
    found = [
        package / "report/references.bib",
        *sorted((package / "report/templates").glob("*.j2")),
    ]
    words = str(WORKFLOW / "schemas/tables/corrections.yaml")  # elsewhere in a wheel
    return [words, *(str(path.relative_to(package)) for path in found)]


def shown(path, category, caption, **labels):
    """A file below RESULTS that Snakemake's report shows, with a caption of workflow/report."""
    caption = f"../report/{caption}.rst"
    return report(RESULTS / path, category=category, caption=caption, labels=labels)


def svg_png(path, *about, **labels):
    """The outputs svg, shown in Snakemake's report, and png of a rule that draws a figure."""
    return {
        "svg": shown(f"{path}.svg", *about, **labels),
        "png": RESULTS / f"{path}.png",
    }


def grows(amount):
    """A resource of which each new attempt at a job is given half as much again.

    `amount` is a number, or a function that returns one for a job's wildcards.
    Amounts are those of the published study, MB and minutes, with room for the 0.3 GB that
    Snakemake takes in a job. The figure beside one is what benchmarks/resources.py measured on
    fewer or shorter sessions and extrapolates to the largest allocation of config.yaml.
    """

    def given(wildcards, attempt):
        return (amount(wildcards) if callable(amount) else amount) * (attempt + 1) // 2

    return known(given)


def give_environment():
    """Run the commands of all our rules in one conda environment, under --sdm conda.

    Snakemake has no default of `conda:`. The path is relative to the rules, wherever they come from.
    One that a Snakefile takes of this module with a `conda:` of its own keeps that.
    """
    for ours in workflow.rules:
        if ours.shellcmd and ours.basedir == RULES and not ours.conda_env:
            ours.conda_env = "../../envs/mesodecode.yaml"


def known(function):
    """The function, with its parameters written on it: Snakemake asks for them at every job."""
    overwrite_function_params(function, inspect.signature(function).parameters)
    return function


def all_known(functions):
    """The same of all functions of the rules among these, and of what rules call for each job."""
    of_rules = [[*rule.input, *rule.params] for rule in workflow.rules]
    for function in itertools.chain(functions, *of_rules):
        if inspect.isfunction(function):
            if function.__code__.co_filename.endswith(".smk"):
                known(function)


def forget_unused(names):
    """Take those of our names away that no function looks up once the rules are read.

    Snakemake copies all names of a Snakefile four times for each message and each command of a job.
    """
    used = set()
    for function in gc.get_objects():
        if isinstance(function, FunctionType) and function.__globals__ is names:
            used |= looked_up(function.__code__)
    for name in names.keys() - BEFORE - used:
        del names[name]


def looked_up(code):
    """The names that code, and the functions inside it, look up."""
    inner = [part for part in code.co_consts if isinstance(part, CodeType)]
    return {*code.co_names}.union(*map(looked_up, inner))


def start_alone(logfiles):
    """Take this study for this run, and end the SLURM jobs that a killed one has left behind.

    The jobs of a Snakemake that was killed run on. Started again, it would submit each of them a
    second time, and two would be at work on the same files.
    """
    lock, last = Lock(RESULTS / ".snakemake.lock"), RESULTS / ".slurm_run"
    try:
        lock.acquire(wait=False)
        atexit.register(lock.release)
        if last.exists():
            slurm.cancel(last.read_text())
        if hasattr(workflow.executor_settings, "jobname_prefix"):  # those of SLURM
            last.write_text(slurm.run_name(logfiles))
    except UserError as error:
        raise WorkflowError(str(error)) from None


def drop_results_of_training():
    """Delete what finished trainings kept, now that their outputs are on record."""
    for path in (RESULTS / "checkpoints").glob("*/*.finished.pt"):
        name = re.sub(r"(\.start-\d+)?\.finished", "", path.name)
        made = Path(path.parent.name, name)
        if any((RESULTS / folder / made).exists() for folder in ("trained", "models")):
            path.unlink()


def look_for_jobs_when_some_end():
    """Spare the scheduler the timers of its limit on jobs a second, unless one is asked for.

    While jobs are ready, each job that ends leaves Snakemake 9 a timer that looks for jobs once a
    second, for good: with hundreds done, that keeps a core busy (benchmarks/README.md).
    """
    limit = workflow.scheduling_settings.max_jobs_per_timespan
    default = 100, 1  # which no study reaches
    if limit and (limit.max_jobs, limit.timespan) == default:
        workflow.scheduler.job_rate_limiter = None


onstart:
    if not ENCODING:
        check_backbones()
    start_alone(log)
    halves.drop(RESULTS)
    look_for_jobs_when_some_end()


FAILURES = Failures()
logger.addHandler(FAILURES)

# A line of progress in the place of Snakemake's paragraphs, where it is asked for.
PROGRESS = job_progress.JobProgress(lambda: workflow.dag.needrun_jobs())
LINE = (
    job_progress.VARIABLE in os.environ
    and workflow.is_main_process
    and not workflow.dryrun
)
if LINE:
    PROGRESS.quiet(logger.handlers)
    logger.addHandler(PROGRESS)


onerror:
    FAILURES.show()


onsuccess:
    drop_results_of_training()
    if LINE:
        PROGRESS.end(log, RESULTS / "report.html")
