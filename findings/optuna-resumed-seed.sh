#!/usr/bin/env bash
# Guess: a seeded study that is loaded again goes on with its sequence; trials of a process that was killed do
#   not count.
# Happens: the sampler's random state is not stored. Loaded again with the same seed, the first trials are
#   those of the first session once more (TPESampler draws its first 10 without looking at the results). A trial
#   left RUNNING stays so, and changes what TPESampler proposes: constant_liar is True by default in 5.0.
# Version: optuna 5.0.0.
# Source: run here.
# Why it matters: a search in several jobs spends hours on settings that it has tried, and a killed job
#   makes the rest of a seeded search another one.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check optuna==5.0.0 numpy==2.4.6
venv/bin/python - <<'EOF'
import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)
print("optuna", optuna.__version__)


def objective(trial):
    return (trial.suggest_float("x", 0, 1) - 0.3) ** 2


def sampler(seed=1):
    return optuna.samplers.TPESampler(seed=seed)


for _ in range(2):
    again = optuna.create_study(
        study_name="a", storage="sqlite:///s.db", load_if_exists=True, sampler=sampler()
    )
    again.optimize(objective, n_trials=3)
drawn = [trial.params["x"] for trial in again.trials]
once = optuna.create_study(sampler=sampler())
once.optimize(objective, n_trials=6)
print("in two sessions", drawn, "\nin one", [trial.params["x"] for trial in once.trials])
assert drawn[:3] == drawn[3:] and drawn[3:] != [trial.params["x"] for trial in once.trials[3:]]


def proposals(left_running):
    """Return three proposals of TPE after 12 trials, and one more that was never told."""
    study = optuna.create_study(sampler=sampler())
    study.optimize(objective, n_trials=12)
    if left_running:
        study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
    study.sampler = sampler(5)
    study.optimize(objective, n_trials=3)
    return [trial.params["x"] for trial in study.trials[-3:]]


print("none left running", proposals(False), "\none left running", proposals(True))
assert proposals(False) == proposals(False) != proposals(True)
EOF
