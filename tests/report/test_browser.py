"""The report in a browser, on a telephone's screen: images, errors, sorting, print."""

from __future__ import annotations

import html
import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from make_browser import BROWSER
from make_tables import draw, run, write_report
from mesodecode.base.tables import read_table, write_table
from mesodecode.running import runtimes
from mesodecode.study import session_ids

pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="no chromium, google-chrome or chrome on the PATH to open a report in"
)
WIDTH = 390  # px

# Appended to a copy of the report: looks and clicks as a reader would, and tells the page around.
READER = """
<script>
onload = () => {
  const cells = (table, column) => [...table.tBodies[0].rows].map(row =>
    [row.cells[column].dataset.value ?? null, row.cells[column].textContent.trim()]);
  const seen = {
    images: [...document.images].map(i => i.naturalWidth),
    drawings: [...document.querySelectorAll("figure svg")]
      .map(svg => svg.getBoundingClientRect().width),
    dead: [...document.querySelectorAll("a[href^='#']")].map(a => a.hash.slice(1))
      .filter(id => !document.getElementById(id)),
    outside: [...document.querySelectorAll("[src], link[href]")].map(e => e.src || e.href)
      .filter(url => !url.startsWith("data:")),
    overflow: document.documentElement.scrollWidth - innerWidth,
    sorted: [],
    faults: [],
  };
  document.querySelectorAll("details").forEach(d => { d.open = true; });
  for (const button of document.querySelectorAll("th button")) {
    const th = button.parentNode, table = th.closest("table"), column = th.cellIndex;
    button.focus();
    if (document.activeElement !== button) seen.faults.push("no focus: " + button.textContent);
    const states = ["ascending", "descending"].map(() => {
      button.click();
      return [th.getAttribute("aria-sort"), cells(table, column)];
    });
    if (table.querySelectorAll("[aria-sort]").length !== 1) seen.faults.push("two columns sorted");
    seen.sorted.push([button.textContent, states]);
  }
  document.querySelectorAll("details").forEach(d => { d.open = false; });
  const state = () => ["details[open]", "th button"].map(s => document.querySelectorAll(s).length);
  const before = state();
  dispatchEvent(new Event("beforeprint"));
  const printed = state();
  dispatchEvent(new Event("afterprint"));
  seen.print = [before, printed, state()];
  parent.postMessage(JSON.stringify(seen), "*");
};
</script>
"""


def opened(page: str, folder: Path) -> tuple[dict, str]:
    """Return what the reader saw in the page, and what the browser logged."""
    copy, frame = folder / "copy.html", folder / "frame.html"
    copy.write_text(page.replace("</body>", READER + "</body>"))
    frame.write_text(
        f'<iframe src="copy.html" style="width: {WIDTH}px; height: 800px; border: 0"></iframe>'
        "<script>onmessage = e => document.body.append("
        'Object.assign(document.createElement("pre"), {textContent: e.data}));</script>'
    )
    words = ("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom")
    profile = f"--user-data-dir={folder / 'profile'}"
    command = [BROWSER, *words, profile, "--virtual-time-budget=10000", frame.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    found = re.search(r"<pre>(.*?)</pre>", done.stdout, re.DOTALL)
    assert found, done.stderr
    return json.loads(html.unescape(found[1])), done.stderr


def in_order(cells: list[tuple[str | None, str]], down: bool) -> bool:
    """Whether the cells of a column are sorted: numbers as such, words after them, gaps last."""
    values = [text if value is None else value for value, text in cells]
    gaps = [value in ("", "–", "nan") for value in values]
    if gaps != sorted(gaps):
        return False
    values = [value for value, gap in zip(values, gaps, strict=True) if not gap]
    try:
        keys = [float(value.replace(",", "").removesuffix("%")) for value in values]
    except ValueError:  # words: by their numbers, as people sort names
        parts = [re.split(r"(\d+)", value.lower()) for value in values]
        keys = [[int(p) if p.isdigit() else p.replace("_", " ") for p in one] for one in parts]
    return keys == sorted(keys, reverse=down)


@pytest.fixture
def page(study: Path) -> str:
    """A report with all that it can hold, exclusions and run times too."""
    config = json.loads((study / "config.json").read_text())
    config["mice"]["6"] = ["m6_s1"]
    config["exclude"] = {"6": "lamp off"}
    (study / "config.json").write_text(json.dumps(config))
    row = dict.fromkeys(runtimes.COLUMNS, 1.5) | {"rule": "train_cnn", "jobs": 20, "missing": 1}
    cohort = read_table(study / "cohort.tsv")
    cohort["n_frames"] *= 60 ** (np.arange(len(cohort)) % 2)  # 18,000 and 1,080,000
    write_table(cohort, study / "cohort.tsv")
    runtimes.write([row, row | {"rule": "a", "cpu_hours": float("nan")}], study / "runtimes.tsv")
    sessions = ("--sessions", study / "session_auc.tsv")
    words = ("--by", "decoder", "--name", "fig2e", *sessions, "--out", study / "inference.tsv")
    run("inference", "--auc", study / "auc.tsv", *words)
    tables = ("comparisons.tsv", "inference.tsv", "runtimes.tsv")
    figures = draw(study, "auc_all.svg", "qc.png")
    assert session_ids.included(config).keys() == set("12345")
    return write_report(study, *tables, *figures, references=True)


def test_report_opens_sorts_and_prints(page, tmp_path):
    seen, log = opened(page, tmp_path)
    assert not re.findall(r"CONSOLE.*", log)
    assert seen["images"] and min(seen["images"]) > 0
    assert seen["drawings"] and min(seen["drawings"]) > 100
    assert seen["dead"] == [] and seen["outside"] == [] and seen["faults"] == []
    assert seen["overflow"] <= 0  # wide tables and figures scroll by themselves
    assert len(seen["sorted"]) > 50
    for heading, states in seen["sorted"]:
        assert [state for state, _ in states] == ["ascending", "descending"], heading
        for state, cells in states:
            assert in_order(cells, state == "descending"), (heading, state, cells)
    (before, printed, after) = seen["print"]
    assert before[0] == 0 and printed[0] > 2 and printed[1] == 0
    assert after == before  # as the reader had it


def test_missing_image_error_and_link_are_seen(tmp_path):
    broken = (
        '<!DOCTYPE html><body><img src="data:image/png;base64,AAAA"><a href="#gone">gone</a>'
        '<div style="width: 500px">wide</div><script>missing();</script></body>'
    )
    seen, log = opened(broken, tmp_path)
    assert seen["images"] == [0] and seen["dead"] == ["gone"] and seen["overflow"] > 0
    assert re.search("CONSOLE.*missing is not defined", log)
