"""Searches: what they read and give. No rules."""

from mesodecode.study import tuning
from mesodecode.study.allocation import split_ids


def searched_config(wildcards):
    """What a search of settings reads of the config, as JSON: mice, and one decoder."""
    return json.dumps(tuning.part_of(STUDY.config, wildcards.decoder))


def tuned_for(wildcards):
    """The settings that were searched for, for the test mice of the job; none if none were."""
    test = allocation_of(wildcards).joined("test")
    tuned = wildcards.decoder in STUDY.config["tune"]
    return [f"{RESULTS}/tune/{wildcards.decoder}/test-{test}.json"] if tuned else []


def tuned_flag(wildcards, input):
    """The same as a flag."""
    return flag_if("--tuned", input.tuned)


if not STUDY.config["tune"]:  # functions of rules are called for every job
    tuned_for, tuned_flag = [], ""


def mice_beside(test):
    """The mice that train or validate where `test`, mice joined by "+", are the test mice."""
    beside = [a for a in STUDY.allocations.values() if a.joined("test") == test]
    seen = {mouse for a in beside for mouse in a.train + a.valid}
    return [mouse for mouse in STUDY.mice if mouse in seen]
