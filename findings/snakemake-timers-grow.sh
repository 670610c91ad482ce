#!/usr/bin/env bash
# Guess: what Snakemake does between jobs takes the same time at the end of a run as at its beginning.
# Happens: while jobs are ready and wait for a core, each call of the scheduler starts a timer that calls it again
#   after the timespan of --max-jobs-per-timespan (default 100/1s), and that call starts the next timer, for good: one
#   such chain for each job that has ended. After n jobs the scheduler is called n times a second.
# Version: snakemake 9.27.1.
# Source: snakemake/scheduling/job_scheduler.py, schedule and _schedule_reevalutation.
# Why it matters: a study has a thousand jobs or more. At 500 ended ones the main process, on a login node or beside
#   the jobs of a laptop, keeps a core busy with choosing among jobs while none can start.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check snakemake==9.27.1
cat > Snakefile <<'EOF'
import threading

N = 60
calls, timers = [], []


rule all:
    input:
        expand("{n}.txt", n=range(N)),


rule one:
    output:
        "{n}.txt",
    shell:
        "sleep 0.1; touch {output}"


onstart:
    selector = workflow.scheduler.job_selector

    def counted(jobs):
        calls.append(sum(isinstance(each, threading.Timer) for each in threading.enumerate()))
        return selector(jobs)

    workflow.scheduler.job_selector = counted


onsuccess:
    first, last = calls[len(calls) // 10], calls[-2]
    print(f"jobs {N}, calls of the scheduler {len(calls)}, timers {first} early, {last} at the end")
    assert len(calls) > 3 * N and last > 20
EOF
venv/bin/snakemake --version
venv/bin/snakemake --cores 1 --quiet all
