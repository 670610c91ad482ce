"""What clusters do to jobs. Every run ends with the tables of a run that nothing disturbed.

Trainings are stopped (SIGSTOP) once they have a checkpoint, so that a fault meets them in the
middle of their work whatever else the machine does.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from checkout import job_id, node_of, training_of
from cluster import output, wait_for

EPOCHS = 40  # of roi_gru in study.yaml


def train(work, allocation: str) -> list:
    return work.jobs("train_roi", training_of(allocation))


def assert_same_results(work, undisturbed, allocations):
    assert work.tables() == undisturbed.tables()
    for allocation in allocations:
        history = work.history("roi_gru", allocation)
        assert len(history) == 1 + EPOCHS
        assert history == undisturbed.history("roi_gru", allocation)
    assert not work.lock().exists()
    assert not [p for p in (work.results / "checkpoints").rglob("*") if p.is_file()]


def assert_as_undisturbed(work, undisturbed, allocations):
    """The same tables and trainings, and no two jobs at one output at a time."""
    assert_same_results(work, undisturbed, allocations)
    wait_for(lambda: all(job.end != "Unknown" for job in work.jobs()), "accounting")
    jobs = sorted(work.jobs(), key=lambda job: (job.rule, job.wildcards, job.start))
    for one, next_ in itertools.pairwise(jobs):
        if (one.rule, one.wildcards) == (next_.rule, next_.wildcards):
            assert one.end <= next_.start, (one, next_)


@pytest.fixture(scope="module")
def struck(undisturbed, allocations, cluster):
    """A run in which four trainings are cancelled, killed, preempted, requeued."""
    work = undisturbed.copy("struck")
    work.forget("roi_gru")
    with work.running("tables") as run:
        caught = work.catch(*allocations)
        kept = {a: work.kept(a) for a in allocations}
        cancelled, killed, preempted, requeued = (caught[a] for a in allocations)
        output("scancel", job_id(cancelled))
        killed.kill()
        urgent = ("sbatch", "-p", "urgent", "-c", str(cluster.cpus), "-o", "/dev/null")
        node = node_of(preempted)
        output(*urgent, f"--nodelist={node}", "--mem=10", "--wrap", "sleep 1")
        output("scontrol", "requeue", job_id(requeued))
        assert run.wait(900) == 0, work.said()
    return work, kept


def test_after_all_of_these_the_tables_are_those_of_an_undisturbed_run(
    struck, undisturbed, allocations
):
    work, kept = struck
    assert_as_undisturbed(work, undisturbed, allocations)
    cancelled, killed, preempted, requeued = allocations
    assert work.went_on_at(killed) == kept[killed] > (1, 0)
    # SLURM signals these first: they keep the step that they were at
    assert all(work.went_on_at(a) > kept[a] for a in (cancelled, preempted, requeued))
    assert {job.state for job in work.jobs("auc")} == {"COMPLETED"}


def test_a_cancelled_job_is_submitted_again(struck, allocations):
    first, second = train(struck[0], allocations[0])
    assert first.state.startswith("CANCELLED") and second.state == "COMPLETED"


def test_a_killed_training_goes_on_with_more_memory_and_time(struck, allocations):
    first, second = train(struck[0], allocations[1])
    assert (first.state, second.state) == ("FAILED", "COMPLETED")
    assert second.memory == first.memory * 3 // 2 and second.minutes == first.minutes * 3 // 2


@pytest.mark.parametrize("which", [2, 3], ids=["preempted", "requeued"])
def test_a_requeued_job_is_the_same_job(struck, allocations, which):
    first, second = train(struck[0], allocations[which])
    assert first.state in ("PREEMPTED", "REQUEUED") and second.state == "COMPLETED"
    assert second.memory == first.memory  # no new attempt


@pytest.fixture(scope="module")
def starved(undisturbed, allocations, cluster):
    """A run with too little time and memory at first, and without accounting for a minute."""
    work = undisturbed.copy("starved")
    work.forget("roi_gru", allocations[0])
    work.forget("linear", allocations[1])
    limits = ("train_roi:runtime=attempt", "fit_linear:mem_mb=200*attempt")
    with work.running("tables", "--set-resources", *limits) as run:
        work.catch(allocations[0])
        kept = work.kept(allocations[0])
        cluster.stop("slurmdbd")
        try:
            time.sleep(60)
            assert run.poll() is None, work.said()
        finally:
            cluster.start_accounting()
        assert run.wait(900) == 0, work.said()
    return work, kept


def test_time_memory_and_accounting_that_were_short(starved, undisturbed, allocations):
    assert_as_undisturbed(starved[0], undisturbed, allocations)


def test_a_job_out_of_time_goes_on_with_more(starved, allocations):
    work, kept = starved
    first, second = train(work, allocations[0])
    assert (first.state, first.minutes) == ("TIMEOUT", 1)
    assert (second.state, second.minutes) == ("COMPLETED", 2)
    assert work.went_on_at(allocations[0]) > kept


def test_a_job_out_of_memory_is_given_more(starved, allocations):
    *short, enough = starved[0].jobs("fit_linear", training_of(allocations[1]))
    assert short and enough.state == "COMPLETED"
    assert all(job.state != "COMPLETED" and job.memory < enough.memory for job in short)


def test_nodes_that_are_drained_die_or_are_lost_sight_of(undisturbed, allocations, cluster):
    """The last is the dangerous one: its job is started again while the first copy still runs."""
    work = undisturbed.copy("nodes")
    drained, dead, lost = allocations[:3]
    work.forget("roi_gru", drained, dead, lost)
    with contextlib.ExitStack() as restored, work.running("tables") as run:
        caught = work.catch(drained, dead, lost)
        kept = work.kept(dead)
        nodes = {a: node_of(p) for a, p in caught.items()}
        assert len(set(nodes.values())) == 3
        for node in nodes.values():
            restored.callback(cluster.start_node, node)
        output("scontrol", "update", f"nodename={nodes[drained]}", "state=drain", "reason=test")
        for allocation in (dead, lost):
            cluster.stop(f"slurmd@{nodes[allocation]}", signal.SIGKILL)
        cluster.end_jobs(nodes[dead])
        for allocation in (dead, lost):
            node = f"nodename={nodes[allocation]}"
            output("scontrol", "update", node, "state=down", "reason=test")
        # The second copy of the lost job waits for the first, which knows nothing of all this.
        log = work.log("train_roi", "roi_gru", lost)
        wait_for(lambda: log.exists() and "waiting until SLURM job" in log.read_text(), log, 300)
        caught[lost].send_signal(signal.SIGCONT)
        caught[drained].send_signal(signal.SIGCONT)
        assert run.wait(900) == 0, work.said()
        assert "trained before" in log.read_text()
    assert_same_results(work, undisturbed, allocations)
    assert [job.state for job in train(work, drained)] == ["COMPLETED"]
    assert len(train(work, dead)) == 2 and train(work, dead)[-1].state == "COMPLETED"
    assert work.went_on_at(dead) == kept > (1, 0)


def test_snakemake_killed_and_started_again_while_its_jobs_run(undisturbed, allocations):
    work = undisturbed.copy("killed")
    *stopped, third = allocations[:3]
    work.forget("roi_gru", *stopped, third)
    with work.running("tables") as run:
        caught = work.catch(*stopped, third)
        assert work.run("tables") == 1  # a second one, beside the first
        assert "is at work here" in work.said()
        kept = {a: work.kept(a) for a in stopped}
        run.kill()
        run.wait()
    assert all(p.is_running() for p in caught.values())
    # One of the jobs ends with nobody to see it; two are in the middle when it starts again.
    caught[third].send_signal(signal.SIGCONT)
    wait_for(lambda: "COMPLETED" in {j.state for j in train(work, third)}, "its end", 300)
    ended = work.trained("roi_gru", third)
    written = ended.stat().st_mtime_ns
    assert work.run("tables") == 0, work.said()
    assert "cancelling SLURM jobs" in work.said()
    assert_as_undisturbed(work, undisturbed, allocations)
    for allocation in stopped:
        first, second = train(work, allocation)
        assert first.state.startswith("CANCELLED") and second.state == "COMPLETED"
        assert work.went_on_at(allocation) > kept[allocation]
    assert ended.stat().st_mtime_ns == written and len(train(work, third)) == 1


def test_a_full_disk_fails_one_job_and_the_others_go_on(undisturbed, allocations):
    work = undisturbed.copy("full")
    work.forget("linear", allocations[0])
    work.forget("roi_gru", allocations[1])
    full = work.trained("linear", allocations[0], ".npz")
    with small_disk(full.parent) as fill:
        assert work.run("tables", "--retries", "1") == 1
        said = work.log("fit_linear", "linear", allocations[0]).read_text()
        assert "no space left" in said and "free some" in said and len(said.splitlines()) == 1
        assert str(full.relative_to(work.folder)) in said
        assert work.history("roi_gru", allocations[1])
        assert not (work.results / "tables" / "auc.tsv").exists()
        fill.unlink()
        assert work.run("tables") == 0, work.said()
        assert_as_undisturbed(work, undisturbed, allocations)


def test_a_member_of_a_group_that_fails_costs_the_others_no_training(undisturbed, allocations):
    work = undisturbed.copy("group", "--retries", "2")  # with the groups of the profile
    members = allocations[:3]  # one that has finished, one that fails, one that has not begun
    work.forget("roi_gru", *members)
    with work.running("tables") as run:
        finished = work.second_of_group(*members)
        assert run.wait(900) == 0, work.said()
    assert_same_results(work, undisturbed, allocations)
    first, second = work.jobs("train_roi")
    assert (first.state, second.state) == ("FAILED", "COMPLETED")
    # the group as a whole is given more, as one job is
    assert second.memory == first.memory * 3 // 2 and second.minutes == first.minutes * 3 // 2
    for allocation in finished:
        assert "trained before" in work.log("train_roi", "roi_gru", allocation).read_text()


@contextlib.contextmanager
def small_disk(folder: Path):
    """Put a folder on a file system of its own, filled up by the file that is yielded."""
    kept = folder.with_name(f"{folder.name}.kept")
    shutil.copytree(folder, kept)
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no small file system for this test: {done.stderr.strip()}")
    try:
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        fill = folder / "fill"
        with contextlib.suppress(OSError), open(fill, "wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        yield fill
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
