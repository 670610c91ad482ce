"""Verbs of encoding models (see `called`)."""

from contextlib import nullcontext

from called import TABLES, Made, Row

# whose sessions are s2 and s1
RESPONSES = {
    "encoding.responses.read_responses": lambda path: Made(str(path), [], session=path.stem),
    "base.files.atomic_path": lambda path: nullcontext("/dev/null"),
}
SPLIT = "encoding.folds encoding.responses encoding.predictions:Predictions study.allocation"
TRAINED = f"{TABLES} base.files decoders.device running.provenance {SPLIT}"

VERBS: dict[str, Row] = {
    "diagnose": (
        "--responses s2.h5 s1.h5 --by sessions --folds 4 --fold-seed 5 --fold test-s1 "
        "--device cpu --threads 3 --backbone net --history h.tsv --out o",
        f"{TRAINED} encoding.diagnose",
        RESPONSES,
    ),
    "diagnose: never trained": (
        "--responses s2.h5 s1.h5 --folds 4 --fold-seed 5 --fold s1.fold-3 --out o",
        f"{TRAINED} encoding.diagnose",
        RESPONSES,
    ),
    "train-encoding": (
        "--responses s2.h5 s1.h5 --folds 4 --fold-seed 5 --fold s1.fold-3 --device cpu "
        "--threads 3 --epochs 7 --name n --out o --weights w --history h --checkpoint c "
        "--checkpoint-every 9",
        f"{TRAINED} encoding.train decoders.checkpoint:Checkpoint torch",
        RESPONSES,
    ),
    "train-encoding: over sessions": (
        "--responses s2.h5 s1.h5 s3.h5 --by sessions --folds 4 --fold-seed 5 --fold test-s1 "
        "--out o --weights w --history h",
        f"{TRAINED} encoding.train decoders.checkpoint:Checkpoint torch",
        RESPONSES,
    ),
    "sweep-encoding": (
        "--responses s2.h5 s1.h5 --folds 4 --fold-seed 5 --fold s1.fold-3 --device cpu "
        "--threads 3 --epochs 7 --learning-rates 0.1 0.2 --momenta 0.3 0.4 --l2s 0.5 0.6 "
        "--initialisations kaiming xavier --chunk 2 --chunks 3 --out o --partial kept.part",
        f"{TRAINED} encoding.sweep",
        RESPONSES | {"encoding.sweep.grid": lambda *swept: [*"abcdefgh"]},
    ),
    "fit-encoding": (
        "--responses s2.h5 s1.h5 --by sessions --folds 4 --fold-seed 5 --model ridge --name n "
        "--out o",
        f"{SPLIT} encoding.linear cli.encoding.fit_encoding:say",
        RESPONSES,
    ),
    "fit-encoding: the oracle": (
        "--responses s2.h5 --folds 2 --fold-seed 5 --model image_mean --out o",
        f"{SPLIT} encoding.linear",
        RESPONSES,
    ),
    "responses": (
        "--file x --events e.npz --session s --out o --record j --revision v --signal events "
        "--reduce max --covariates speed pupil",
        "encoding.readers encoding.responses running.fingerprints:Watched",
        {},
    ),
    "score-encoding": (
        "--predictions p --models b a --folds f2 f1 --permutations 9 --seed 4 --out o",
        f"{TABLES} encoding.scores encoding.predictions pandas numpy",
        {
            "encoding.predictions.read_predictions": lambda path: Made(
                str(path), [], session=f"session of {path.stem}"
            ),
            "encoding.scores.score_session": lambda parts: (
                [f"{word} of {parts}" for word in ("neurons", "folds", "null")]
            ),
        },
    ),
    "simulate-encoding": (
        "--session s --number 3 --neurons 9 --out o",
        "encoding.simulate cli.encoding.simulate_encoding:say",
        {},
    ),
    "encoding-figures: scores": (
        "--kind scores --tables b a --name n --out o",
        "base.plots encoding.columns encoding.figures",
        {},
    ),
    "encoding-figures: loss": (
        "--kind loss --tables x/b y/a --name n --out o",
        "base.plots encoding.columns encoding.figures pandas",
        {},
    ),
    "encoding-figures: sweep": (
        "--kind sweep --tables b --name n --out o",
        "base.plots encoding.columns encoding.figures",
        {},
    ),
    "encoding-figures: diagnosis": (
        "--kind diagnosis --tables c b a --name n --out o",
        "base.plots encoding.columns encoding.figures",
        {},
    ),
    "encoding-report": (
        "--config c --summary s --neurons n --diagnosis b d1 --diagnosis a d2 --sweep w "
        "--truth t2 t1 --runtimes r --figures f2 f1 --out o --references b",
        "base.files encoding.columns encoding.methods encoding.report encoding.truth "
        "report.references running.runtimes",
        {},
    ),
    "encoding-report: of less": (
        "--config c --summary s --neurons n --out o",
        "base.files encoding.columns encoding.methods encoding.report encoding.truth "
        "report.references running.runtimes",
        {},
    ),
    "responses: of traces": (
        "--file x --session s --out o --samples 7",
        "encoding.readers encoding.responses running.fingerprints:Watched",
        {},
    ),
}
