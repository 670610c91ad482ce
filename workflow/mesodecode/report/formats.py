"""Numbers, pictures and versions as the report writes them."""

import base64
import gzip
import html
import math
import platform
import re
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from markupsafe import Markup

from mesodecode.base.files import UserError
from mesodecode.report import references

PACKAGES = (
    *("mesodecode", "snakemake", "torch", "timm", "numpy", "scipy", "pandas", "scikit-learn"),
    *("scikit-image", "h5py", "tifffile", "matplotlib", "shap", "statsmodels", "optuna"),
)


# What a thousandth of a point on paper leaves of a coordinate; matplotlib writes a millionth.
COORDINATES = re.compile(r'\s(?:d|x|y)="[^"]*"')
DECIMALS = re.compile(r"(?<=\.\d{3})\d+")


def picture(path: str | Path, prefix: str, *, packed: bool = False) -> dict[str, Any]:
    """Return `image` (safe HTML), title and caption of an SVG or PNG file.

    A `packed` SVG is a gzip of a third of its size, drawn by the script of base.html.j2 when it
    comes into view or is printed.
    Title and caption are those inside an SVG file (`figures.save` writes them), else the file's
    name and none. `prefix` makes the ids of an SVG its own among those of a page.
    """
    path = Path(path)
    if path.suffix == ".png":
        data = base64.b64encode(path.read_bytes()).decode()
        title = path.stem.replace("_", " ")
        image = f'<img src="data:image/png;base64,{data}" alt="{html.escape(title)}">'
        return {"image": Markup(image), "title": title, "caption": ""}
    if path.suffix != ".svg":
        raise UserError(f"{path}: not a figure the report can show; give SVG or PNG files")
    text = path.read_text(encoding="utf-8")
    title, caption = (_metadata(text, name) for name in ("title", "description"))
    title = title or path.stem.replace("_", " ")
    svg = text[max(text.find("<svg"), 0) :]  # without the XML prologue, which HTML has not
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\sid="|href="#|url\(#)', rf"\g<1>{prefix}", svg)
    svg = COORDINATES.sub(lambda found: DECIMALS.sub("", found[0]), svg)
    box = re.search(r'viewBox="[\d.-]+ [\d.-]+ ([\d.]+)', svg)
    # Drawn for paper at 7 point: enlarge for a screen; scroll rather than shrink on a phone.
    width = float(box[1]) if box else 0
    style = f'style="min-width:{1.45 * width:.0f}px; max-width:{2.2 * width:.0f}px" ' if box else ""
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{html.escape(title)}" {style}', 1)
    if packed:
        data = base64.b64encode(gzip.compress(svg.encode(), mtime=0)).decode()
        svg = f'<script type="application/gzip">{data}</script>'
    return {"image": Markup(svg), "title": title, "caption": caption}


def versions() -> dict[str, str]:
    """Return package -> installed version, Python first; packages not installed are left out."""
    found = {"Python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """Return the git commit of this code, with "-dirty" if it was edited; empty if unknown."""
    here = Path(__file__)
    words = {  # a package that is installed may lie in the repository of something else
        "tracked": ("ls-files", here.name),
        "commit": ("describe", "--always", "--dirty", "--abbrev=12"),
    }
    try:
        said = {
            name: subprocess.run(
                ["git", *command], cwd=here.parent, capture_output=True, text=True
            ).stdout.strip()
            for name, command in words.items()
        }
    except OSError:  # no git here
        return ""
    return said["commit"] if said["tracked"] else ""


def cited(text: str) -> Markup:
    """Return a text as HTML, each citation as a link to its reference."""

    def link(found: re.Match[str]) -> str:
        keys = [key.removeprefix("@") for key in found[1].split("; ")]
        works = (
            f'<a href="#ref-{key}">{html.escape(references.WORKS[key].cited())}</a>' for key in keys
        )
        return f"({'; '.join(works)})"

    return Markup(references.CITATION.sub(link, html.escape(text, quote=False)))


def format_hours(hours: float) -> str:
    """Return a time as "3 s", "12 min" or "4.5 h"; a dash for NaN."""
    if math.isnan(hours):
        return "–"
    if hours < 1 / 60:
        return f"{3600 * hours:.0f} s"
    return f"{60 * hours:.0f} min" if hours < 1 else f"{hours:,.1f} h"


def format_auc(value: float) -> str:
    """Return three decimals, as the paper does, or a dash for NaN."""
    return "–" if math.isnan(value) else f"{value:.3f}"


def format_p(value: float) -> str:
    """Return a p value with two significant digits, as 0.012 or 2.6 × 10⁻⁷; a dash for NaN.

    With a third where that is a 5 and the last, as of exact tests: 0.0625, the least of five mice.
    """
    if math.isnan(value):
        return "–"
    three = f"{value:.3g}"
    if 0.001 <= value < 1 and float(three) == value and re.fullmatch(r"0\.0*[1-9]\d5", three):
        return three
    if value >= 0.001 or value == 0:
        return f"{value:.2g}" if value < 0.1 else f"{value:.2f}"
    mantissa, exponent = f"{value:.1e}".split("e")
    power = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{mantissa} × 10{power}"


def format_number(value: float) -> str:
    """Return three significant digits, or a dash for NaN."""
    return "–" if math.isnan(value) else f"{value:.3g}"


def format_setting(value: Any) -> str:
    """Return a setting of the config as a reader would write it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {format_setting(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(format_setting, value)) or "none"
    return str(value)


def _metadata(svg: str, name: str) -> str:
    found = re.search(rf"<dc:{name}>(.*?)</dc:{name}>", svg, flags=re.DOTALL)
    return html.unescape(found[1].strip()) if found else ""
