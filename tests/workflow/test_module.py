"""The workflow as a module of another, as snakedeploy deploys it, and what a catalogue reads."""

from __future__ import annotations

import functools
import http.server
import shutil
import threading
from pathlib import Path

import pytest
import yaml

import fresh
import mesodecode
from make import ROOT, STUDY, add_files, plan

# As snakedeploy 0.17.1 writes it
DEPLOYED = """from snakemake.utils import min_version
min_version("6.10.0")
configfile: "config/config.yaml"
module mesodecode:
    snakefile:
        "{snakefile}"
    config:
        config
use rule * from mesodecode
"""

OWN_ENVIRONMENT = """
use rule cohort from mesodecode as cohort with:
    conda: "mine.yaml"
run_in = [workflow.get_rule(name).conda_env for name in ("cohort", "qc")]
print("in environments:", *run_in, end=".")
"""


@pytest.fixture
def deployed(tmp_path):
    """A function that deploys the workflow with a study; `snakefile` is where it comes from."""

    def deploy(snakefile: str) -> Path:
        (tmp_path / "workflow").mkdir()
        (tmp_path / "workflow/Snakefile").write_text(DEPLOYED.format(snakefile=snakefile))
        shutil.copytree(ROOT / "config", tmp_path / "config")
        (tmp_path / "config/config.yaml").write_text(yaml.safe_dump(STUDY, sort_keys=False))
        add_files(tmp_path, STUDY)
        return tmp_path

    return deploy


@pytest.fixture
def url():
    """The checkout, served by HTTP."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *words):
            pass

    handler = functools.partial(Quiet, directory=ROOT)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def dry_run(folder: Path) -> str:
    done = fresh.Process("snakemake.cli:main", "-n", "-p", folder=folder).finish()
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def counts(text: str) -> list[str]:
    return text.split("Job stats:")[-1].split("\ntotal")[0].split()[4:]


@pytest.mark.slow
def test_a_deployed_module_plans_what_the_checkout_does(deployed, tmp_path_factory):
    folder = deployed(str(ROOT / "workflow/Snakefile"))
    with open(folder / "workflow/Snakefile", "a") as file:
        file.write(OWN_ENVIRONMENT)
    found = dry_run(folder)
    here = tmp_path_factory.mktemp("checkout")
    add_files(here, STUDY)
    jobs, _ = plan(here, config=STUDY)
    pairs = counts(found)
    assert dict(zip(pairs[::2], map(int, pairs[1::2]), strict=True)) == jobs
    assert "mesodecode preprocess" in found
    assert "in environments: mine.yaml ../../envs/mesodecode.yaml." in found


@pytest.mark.slow
def test_a_module_from_a_url_runs_the_installed_package(deployed, url):
    text = dry_run(deployed(f"{url}/workflow/Snakefile"))
    assert "mesodecode fit-linear" in text and "report" in counts(text)


@pytest.mark.slow
def test_a_snakefile_that_includes_the_workflow_keeps_its_names_and_environments(tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(STUDY, sort_keys=False))
    add_files(tmp_path, STUDY)
    (tmp_path / "before.smk").write_text("""
CONTRAST = "linear"
rule first:
    output: "first.txt"
    shell: "touch {output}"
""")
    (tmp_path / "after.smk").write_text("""
rule mine:
    input: rules.auc.output
    output: f"{CONTRAST}.txt"
    params: lambda wildcards: CONTRAST
    shell: "echo {CONTRAST} {params} > {output}"
run_in = {rule.name: rule.conda_env for rule in workflow.rules if rule.shellcmd}
print("in no environment:", *(name for name in run_in if not run_in[name]), end=".")
""")
    files = ["before.smk", ROOT / "workflow/Snakefile", "after.smk"]
    (tmp_path / "Snakefile").write_text("\n".join(f'include: "{file}"' for file in files))
    done = fresh.Process("snakemake.cli:main", "-n", "-p", "mine", folder=tmp_path).finish()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "echo linear linear > linear.txt" in done.stdout + done.stderr
    assert "in no environment: first mine." in done.stdout


@pytest.mark.slow
def test_a_checkout_may_lie_in_a_folder_with_blanks_and_signs_of_the_shell(tmp_path):
    checkout = tmp_path / "my lab; exit 3"
    checkout.mkdir()
    (checkout / "workflow").symlink_to(ROOT / "workflow")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(STUDY))
    rule = 'rule mine:\n    output: "out.txt"\n    shell: "mesodecode --version > {output}"\n'
    text = f'configfile: "config.yaml"\ninclude: "{checkout}/workflow/Snakefile"\n{rule}'
    (tmp_path / "Snakefile").write_text(text)
    words = ("--cores", "1", "out.txt")
    done = fresh.Process("snakemake.cli:main", *words, folder=tmp_path).finish()
    assert done.returncode == 0, done.stdout + done.stderr
    assert mesodecode.__version__ in (tmp_path / "out.txt").read_text()


def test_config_folder_holds_what_the_checkout_runs():
    for name in ("config.yaml", "demo.yaml"):
        assert (ROOT / "config" / name).resolve() == ROOT / name


def test_catalogue_and_citation():
    shown = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert set(shown) == {"mandatory-flags", "software-stack-deployment", "report"}
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= set(cited)
    assert str(cited["version"]) == mesodecode.__version__
