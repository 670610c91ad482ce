"""The tables of a config that speak of no decoder: checked, and with defaults filled in."""

import copy
from string import Formatter
from typing import Any

from mesodecode.base.files import UserError
from mesodecode.study import (
    ceilings,
    cohort_table,
    correction_table,
    schema,
    signal_table,
    targets,
)

# Settings of a simulation that all mice share: recordings of one size, drawn from one seed.
COMMON = {"seed", "n_frames", "image_size", "frame_rate"}


def with_defaults(config: dict[str, Any]) -> dict[str, Any]:
    """Return a config with the defaults of every table that speaks of no decoder, checked."""
    if not isinstance(config, dict):
        raise UserError("config: the file must hold keys and values, such as 'study: mine'")
    config = copy.deepcopy(dict(config))
    given = copy.deepcopy(config)
    _write_names(config)
    schema.check(config, "config", "")
    _check_tables_only(config)
    config = {"mice": {}, "decoders": {}} | schema.defaults("config", **config)
    cohort_table.check(config["cohorts"], list(config["mice"]))
    config["by_cohort"] = _by_cohort(config["by_cohort"], config["cohorts"], given)
    tables = schema.properties("config")
    for table in ("recordings", "allocation"):
        filled = {k: v["default"] for k, v in tables[table]["properties"].items() if "default" in v}
        config[table] = filled | config[table]
    words = tables["comparisons"]["additionalProperties"]["properties"]
    filled = {k: v["default"] for k, v in words.items() if "default" in v}
    config["comparisons"] = {k: filled | v for k, v in config["comparisons"].items()}
    if "simulate" in config:
        _simulate(config, tables["simulate"]["properties"])
    elif _lacks_files(config):
        raise UserError(
            "config: recordings: 'movie' and 'behavior' say where a session's files are"
        )
    _check_files(config["recordings"])
    config["corrections"] = corrections(config["corrections"], config["recordings"])
    config["qc"] = _thresholds(config["qc"])
    config["shift"] = _shift(config["shift"], config["target"])
    schema.check(config["nwb"], "nwb", "nwb")
    config["nwb"] = schema.defaults("nwb", **config["nwb"])
    schema.check(config["confounds"], "confounds", "confounds")
    control = {"model": targets.kind_named(config["target"]).control}
    config["confounds"] = schema.defaults("confounds", **control | config["confounds"])
    config["ceilings"] = ceilings.filled(config["ceilings"])
    dated = config["nwb"]["session_start"] or config["nwb"]["sessions"]
    if config.get("simulate", {}).get("signal_drift") and not dated:
        raise UserError(
            "config: simulate.signal_drift: goes by the days of sessions; set nwb.session_start or "
            "nwb.sessions"
        )
    for kind in ("brain_mask", "vessel_mask"):
        check_pattern(config["confounds"][kind], f"confounds.{kind}", one_file=True)
    if config["recordings"]["rois"] and config["recordings"]["roi_masks"]:
        raise UserError(
            "config: recordings: ROI signals come from 'rois' or from 'roi_masks'; give one of "
            "them (null takes the other away)"
        )
    cohort_table.check_rates(config)
    return config


def _write_names(config: dict[str, Any]) -> None:
    """Write mice, sessions and cohorts by their names: YAML reads `1:` as a number."""
    if isinstance(config.get("mice"), dict):
        config["mice"] = _named(config["mice"])
    if isinstance(config.get("cohorts"), dict):
        config["cohorts"] = {
            _name(name): [_name(m) for m in mice] if isinstance(mice, list) else mice
            for name, mice in config["cohorts"].items()
        }
    if isinstance(config.get("different_mice"), list):
        config["different_mice"] = [_name(mouse) for mouse in config["different_mice"]]
    if isinstance(config.get("exclude"), dict):
        config["exclude"] = {_name(key): reason for key, reason in config["exclude"].items()}


def _simulate(config: dict[str, Any], specs: dict[str, Any]) -> None:
    """Check and fill in a simulation, and name the files that it writes as those to read.

    `specs`: what `simulate` has beside the settings of a recording.
    """
    more = {k: config["simulate"].pop(k, spec["default"]) for k, spec in specs.items()}
    schema.check(config["simulate"], "simulate", "simulate")
    settings = schema.defaults("simulate", **config["simulate"])
    signal_table.check(settings, "config: simulate.")
    more["by_mouse"] = _by_mouse(more["by_mouse"], config["mice"], settings)
    config["simulate"] = settings | more
    folder = f"results/{config['study']}/simulated"
    config["recordings"] |= {
        "movie": folder + "/{session}.tif",
        "behavior": folder + "/{session}_behavior.mat",
        "rois": None if config["recordings"]["roi_masks"] else folder + "/{session}_roi.mat",
        "frame_rate": settings["frame_rate"],
    }


def _check_files(recordings: dict[str, Any]) -> None:
    """Raise UserError for a setting of a session's files that cannot hold of any of them."""
    high, low = recordings["speed_threshold"], recordings["speed_threshold_low"]
    if low is not None and low > high:
        raise UserError(
            f"config: recordings.speed_threshold_low: {low:g} cm/s, at which runs end, is above "
            f"the {high:g} of speed_threshold, at which they begin; exchange them"
        )
    axes = recordings["movie_axes"]
    if axes and "K" not in axes and any(axes.count(axis) != 1 for axis in "TYX"):
        raise UserError(
            f"config: recordings.movie_axes: '{axes}' needs T, Y and X once each, or K "
            "of components"
        )
    for kind in ("movie", "behavior", "rois", "frame_times", "light_sources"):
        patterns = recordings.get(kind)
        for pattern in patterns if isinstance(patterns, list) else [patterns]:
            check_pattern(pattern, f"recordings.{kind}")
    check_pattern(recordings["roi_masks"], "recordings.roi_masks", one_file=True)


def _lacks_files(config: dict[str, Any]) -> bool:
    """Whether sessions have no files: those of cohorts may all be named in `by_cohort`."""
    elsewhere = config["cohorts"] and config["cohorts"].keys() <= config["by_cohort"].keys()
    there = elsewhere or {"movie", "behavior"} <= set(config["recordings"])
    return bool(config["decoders"]) and not there


def _by_cohort(
    table: dict[str, dict[str, Any]], cohorts: dict[str, list[str]], given: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return cohort -> its tables `cohort_table.OWN`, whole and checked as if it were alone."""
    filled = {}
    plain = {key: value for key, value in given.items() if key not in ("cohorts", "by_cohort")}
    for name, own in _named(table).items():
        if name not in cohorts:
            known = ", ".join(cohorts) or "none"
            raise UserError(f"config: by_cohort.{name}: no such cohort; known: {known}")
        if "simulate" in own and "simulate" not in given:
            raise UserError(
                f"config: by_cohort.{name}.simulate: recordings are simulated in all cohorts or in "
                "none; set simulate too"
            )
        merged = plain | {"allocation": {}}
        for key in own.keys() & {*cohort_table.OWN}:
            both = isinstance(own[key], dict) and isinstance(plain.get(key), dict)
            merged[key] = plain[key] | own[key] if both else own[key]
        try:
            found = with_defaults(merged)
        except UserError as error:
            words = str(error).removeprefix("config: ")
            raise UserError(f"config: by_cohort.{name}: {words}") from None
        filled[name] = {key: found[key] for key in cohort_table.OWN if key in found}
        filled[name]["area_names"] = own.get("area_names", {})
    return filled


def _by_mouse(
    table: dict[Any, dict[str, Any]], mice: dict[str, Any], common: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return mouse -> settings of the simulation of its own, checked; `common`: those of all."""
    table = _named(table)
    for mouse, settings in table.items():
        where = f"simulate.by_mouse.{mouse}"
        if mouse not in mice:
            raise UserError(f"config: {where}: no such mouse; known: {', '.join(mice)}")
        schema.check(settings, "simulate", where)
        for key in sorted(COMMON & set(settings)):
            raise UserError(f"config: {where}.{key}: is that of all mice; set simulate.{key}")
        signal_table.check(common | settings, f"config: {where}.")
    return table


def corrections(
    settings: dict[str, Any], recordings: dict[str, Any], where: str = "corrections"
) -> dict[str, Any]:
    """Return the corrections, checked and with defaults filled in; `where`: their table."""
    schema.check(settings, "corrections", where)
    filled = schema.defaults("corrections", **settings)
    by_light = recordings["light_sources"] is not None
    correction_table.check(filled, f"config: {where}", by_light=by_light)
    for kind in correction_table.FILES:
        check_pattern(filled[kind], f"{where}.{kind}", one_file=True)
    if filled["binning"] > 1 and recordings["roi_masks"]:
        raise UserError(
            f"config: {where}: binning and recordings.roi_masks do not go together, since masks "
            "are in pixels as recorded; use image_size, which comes after them"
        )
    return filled


def _thresholds(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the thresholds of quality control, checked and with defaults filled in."""
    schema.check(settings, "qc", "qc")
    filled = schema.defaults("qc", **settings)
    _check_limits("qc", filled, "fails before it warns; give [warn, fail]")
    return filled


def _shift(settings: dict[str, Any], target: str) -> dict[str, Any]:
    """Return the settings of the shift report, checked and with defaults filled in.

    Raises UserError for a threshold of what decoders of the target do not have. A config that is
    filled in has all of them at their defaults.
    """
    schema.check(settings, "shift", "shift")
    known, kind = schema.properties("shift"), targets.kind_of(target)
    for key, value in settings.items():
        if kind not in known[key].get("kinds", [kind]) and value != known[key]["default"]:
            own = [name for name, spec in known.items() if kind in spec.get("kinds", ())]
            raise UserError(
                f"config: shift.{key}: not judged of target: {target}; leave it out, or set "
                f"{' or '.join(own)}"
            )
    filled = schema.defaults("shift", **settings)
    limits = {key: value for key, value in filled.items() if key not in ("decoders", "frames")}
    _check_limits("shift", limits, "is unusable before it is shifted; give [shifted, unusable]")
    return filled


def _check_limits(table: str, limits: dict[str, list[float | None]], fault: str) -> None:
    """Raise UserError if the second limit of a table is reached before the first."""
    for name, (first, second) in limits.items():
        if first is None or second is None:
            continue
        below = schema.properties(table)[name].get("below", False)
        if (first < second) if below else (first > second):
            raise UserError(f"config: {table}.{name}: [{first:g}, {second:g}] {fault}")


def _check_tables_only(config: dict[str, Any]) -> None:
    """Mice and decoders may be left out, both, where every comparison reads a table."""
    comparisons = config.get("comparisons", {})
    without = [name for name, settings in comparisons.items() if "source" not in settings]
    missing = [key for key in ("mice", "decoders") if key not in config]
    if not missing or (len(missing) == 2 and comparisons and not without):
        return
    hint = ""
    if len(missing) == 2 and comparisons:
        hint = "; without mice and decoders each comparison reads a table: "
        hint += f"comparisons.{without[0]} has no source"
    elif comparisons and not without:
        hint = "; leave out both mice and decoders, as each comparison reads a table (source)"
    raise UserError(f"config: top level: '{missing[0]}' is missing{hint}")


def _named(mice: dict[Any, Any]) -> dict[Any, Any]:
    """Return mice and sessions under their names."""
    named: dict[Any, Any] = {}
    for mouse, sessions in mice.items():
        name = _name(mouse)
        if name in named:
            raise UserError(f"config: mice.{name}: the mouse is there twice; join its sessions")
        named[name] = [_name(s) for s in sessions] if isinstance(sessions, list) else sessions
    return named


def _name(key: Any) -> Any:
    return str(key) if isinstance(key, int) and not isinstance(key, bool) else key


def check_pattern(pattern: str | None, where: str, one_file: bool = False) -> None:
    """Raise UserError if a path holds braces other than {session} and {mouse}, or no {session}.

    `one_file`: {session} may be left out.
    """
    if pattern is None:
        return
    try:
        fields = [(name, spec, how) for _, name, spec, how in Formatter().parse(pattern)]
    except ValueError:
        fields = []
    asked = {name for name, spec, how in fields if name is not None and not spec and not how}
    plain = all(name is None or name in asked for name, _, _ in fields)
    if not (plain and (one_file or "session" in asked) and asked <= {"session", "mouse"}):
        may = "may hold {session} and" if one_file else "must hold {session} and may hold"
        raise UserError(f"config: {where}: '{pattern}' {may} {{mouse}}, no other braces")
