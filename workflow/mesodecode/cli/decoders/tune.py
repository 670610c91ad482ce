"""Search for a decoder's settings on the mice that train and validate beside some test mice.

Example: mesodecode tune --config results/demo/config.json --decoder roi_gru --test-mice m1
--recordings results/demo/recordings/m[2345].txt --out best.json --trials-table trials.tsv

The line of the decoder in the config's `tune:` says what is searched and how often. Each trial is
fitted to the training mice of every allocation with these test mice and scored by the AUC of its
validation mouse; recordings of the test mice are refused. After a kill the same command goes on,
and ends in the same trials as if it had never been stopped.
"""

import argparse

from mesodecode.cli import options

HELP = "config + recordings → a decoder's best settings for test mice not read"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    options.add_file(parser, "--config", "config of the study, or its config.json")
    add("--decoder", required=True, help="decoder of the config that has a line in `tune:`")
    add("--test-mice", nargs="+", required=True, help="mice that the settings are for")
    options.add_recordings(parser, "recordings of the other mice, or lists (.txt) of them")
    options.add_out(parser, "best settings to write (JSON)")
    options.add_out(parser, "TSV to write: a row a trial", "--trials-table")
    add("--pretrained", help="file of a CNN's first weights (default: those of the config)")
    words = "file that keeps the trials (default: --out + .journal)"
    options.add_out(parser, words, "--storage", required=False)
    options.add_compute(parser)


def run(args: argparse.Namespace) -> None:
    from mesodecode.base.files import UserError, atomic_path
    from mesodecode.base.tables import write_table
    from mesodecode.cli.decoders._training import fingerprint, first_weights
    from mesodecode.decoders import tune
    from mesodecode.decoders.device import resolve_device
    from mesodecode.recordings.recording import mice_of, read_recordings, with_labels_of
    from mesodecode.running.provenance import code_version
    from mesodecode.study import study as studies

    study = studies.load(args.config)
    line = study.config["tune"].get(args.decoder)
    if line is None:
        known = ", ".join(study.config["tune"]) or "none"
        raise UserError(f"{args.config}: tune: no line of '{args.decoder}'; known: {known}")
    mine = [a for a in study.allocations.values() if set(a.test) == set(args.test_mice)]
    if not mine:
        mice = " ".join(args.test_mice)
        raise UserError(f"--test-mice {mice}: no allocation of {args.config} tests these mice")
    images = study.decoders[args.decoder].settings.get("input") != "rois"
    donors = study.label_donors(args.decoder)
    recordings = with_labels_of(read_recordings(args.recordings, same_size=images), donors)
    seen = set(args.test_mice) & set(mice_of(recordings))
    if seen:
        raise UserError(
            f"--recordings: of test mouse {', '.join(sorted(seen))}, which no choice may see; "
            "leave them out"
        )
    device = resolve_device(args.device, args.threads)
    decoder = study.decoders[args.decoder]
    storage = args.storage or args.out.with_name(args.out.name + ".journal")
    storage.parent.mkdir(parents=True, exist_ok=True)
    first = {"pretrained": f"file:{args.pretrained}"} if args.pretrained else {}
    score = tune.scorer(decoder.kind, device)
    splits = tune.splits_of(mine, recordings)
    chosen = decoder.settings | first
    identity = [*fingerprint(recordings), *first_weights(chosen), *(one.id for one in mine)]
    identity.append(code_version("tune"))
    target = recordings[0].target
    identity += [f"{key}={value}" for key, value in target.attributes().items()]
    found = tune.search(score, chosen, line, splits, storage, identity, target.kind)
    write_table(tune.table(found, target.kind), args.trials_table)
    with atomic_path(args.out) as part:
        tune.write_best(found, mice_of(recordings), part, target.kind)
