"""How programs and labs lay out a session's movie: an entry a layout, told by the movie's name.

Read from public code, which each entry names. The first that fits is taken; what none of them says
is guessed from words (`file_roles`, `movie_files`) and from headers.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from mesodecode.study import file_formats


@dataclass(frozen=True)
class Layout:
    """A layout: the program, and names of its movies (of SVD components, of the temporal ones).

    `folder`: the name of the folder that they are in, where their own do not tell.

    The number of channels in turn is what the name says (`file_formats.channels_named`), else as
    given; `settings` are of `recordings`, each a value and a comment; `beside`: key of `recordings`
    -> the name of a file in the movie's folder, {stem} being the movie's own; `note`: what the
    user should know of such movies.
    """

    program: str
    name: str
    channels: int = 1
    settings: Mapping[str, tuple[object, str]] = field(default_factory=dict)
    beside: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    folder: str = r".*"


_SIZES = rf"\d+_\d+_({file_formats.PIXEL_TYPES})(_\d+)*"
LAYOUTS = (
    Layout("WidefieldImager, trials", rf"Frames_(\d+_)?{_SIZES}\.dat"),  # musall
    Layout("WidefieldImager, trials", r"Frames_.*\d\.(dat|mj2)", channels=2),
    Layout(
        "WidefieldImager, SVD",
        r"(rs)?Vc\.mat",
        settings={"movie_dataset": (["U", "Vc"], "CHECK: SVD components in one file")},
    ),
    Layout("labcams or wfield", rf"(.*_)?{_SIZES}\.(dat|bin)"),  # jcouto
    Layout(
        "wfield, SVD",
        r"SVTcorr\.npy",
        note="CHECK: SVTcorr.npy of wfield has lost what is slower than 10 s, long bouts too: "
        "docs/axes.md says what to take instead.",
    ),
    Layout("wfield, SVD", r"SVT\.npy"),
    Layout("NeuroCAAS, SVD", r"reduced_temporal\.npy"),
    Layout("ALF of IBL, SVD", r"widefieldSVT\..+\.npy"),
    Layout("cortex-lab, SVD", r"svdTemporalComponents_.+\.npy"),
    Layout("Umit", r"(fluo|red|green|amber|yellow|rawFluo|dFF?)(_\d+)?\.dat"),  # LabeoTech
    Layout(
        "Widefield_Preprocessing",  # matt-j-harvey
        r"Delta_F\.(h5|hdf5)",
        beside={"movie_mask": "Generous_Mask.npy"},
    ),
    Layout(
        "IBL-widefield-to-nwb, SVD",  # catalystneuro; DANDI 001712 and 001713
        r"sub-.*_desc-processed_.*\.nwb",
        settings={
            "movie_dataset": (
                [f"{kind}SVDTemporalComponentsCalcium" for kind in ("", "HaemoCorrected")],
                "masks of components, and their time courses",
            ),
            "movie_axes": ("KYX", "masks are component, row, column"),
            "behavior_labels": (
                "WheelMovementIntervals",
                "CHECK: turns of the wheel of the task; or another table of intervals",
            ),
        },
    ),
    Layout(
        "bdbc-nwb-packager, areas",  # BraiDyn-BC; DANDI 001425
        r"sub-.*_widefield\+behavior\.nwb",
        settings={
            "movie_dataset": (["ROIs", "dFF"], "areas filled with their signals"),
            "movie_axes": ("KYX", "masks are area, row, column"),
            "roi_dataset": ("dFF", ""),
            "behavior_labels": (
                "downsampled/state_lever",
                "CHECK: or lick, reward, tone, or a table of intervals such as root/trials",
            ),
        },
        beside={"rois": "{stem}.nwb"},
    ),
    Layout(
        "Miniscope DAQ",  # Aharoni-Lab; a file a thousand frames
        r"\d+\.avi",
        folder=r"(?i).*miniscope.*",
        beside={"times": "timeStamps.csv"},
        settings={
            "frame_times_dataset": ("Time Stamp (ms)", ""),
            "frame_times_unit": ("ms", ""),
        },
    ),
    Layout("Micro-Manager", r"(.*_)?MMStack.*\.tiff?|img_(channel)?\d.*\.tiff?"),
    Layout("pco.camware", r".*@\d+\.tiff?"),
    Layout("Andor Solis", r".*\.sifx?|.*_X\d+\.tiff?"),
)


def layout_of(path: PurePosixPath) -> tuple[Layout | None, int]:
    """Return the layout that a movie is of, None if of no known one, and how many channels."""
    for layout in LAYOUTS:
        if re.fullmatch(layout.name, path.name) and re.fullmatch(layout.folder, path.parent.name):
            return layout, file_formats.channels_named(path.stem) or layout.channels
    return None, 1


def beside(layout: Layout, movie: PurePosixPath) -> dict[str, PurePosixPath]:
    """Return key of `recordings` -> the file that the layout has beside a movie."""
    return {
        key: movie.with_name(name.format(stem=movie.stem)) for key, name in layout.beside.items()
    }
