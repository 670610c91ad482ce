"""What controls read. No rules."""


def control_inputs(wildcards):
    """What the control signals of a mouse are taken from: its recordings, and masks of them."""
    sessions = STUDY.mice[wildcards.mouse]
    given = STUDY.config["confounds"]
    brain = (
        given["brain_mask"]
        or STUDY.of_session(sessions[0])["corrections"]["brain_mask"]
    )
    if "simulate" in STUDY.config:
        brain = brain or f"{RESULTS}/simulated/{{session}}_truth.h5"
    patterns = {"brain_mask": brain, "vessel_mask": given["vessel_mask"]}
    masks = {
        kind: [STUDY.filled(pattern, s) for s in sessions]
        for kind, pattern in patterns.items()
        if pattern
    }
    return {"recordings": [f"{RESULTS}/recordings/{s}.h5" for s in sessions], **masks}


def control_windows():
    """The windows of the decoders that controls are held against, as words of a command line."""
    names = STUDY.config["confounds"]["decoders"] if STUDY.decoders else []
    windows = {name: control_table.window(name, STUDY.decoders) for name in names}
    return [f"{name}={half},{shift}" for name, (half, shift) in windows.items()]
