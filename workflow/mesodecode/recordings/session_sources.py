"""What the config says of a session's files, and how its movie is opened by it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from mesodecode.base.files import UserError
from mesodecode.recordings.readers import Movie, open_movie
from mesodecode.study import correction_table


@dataclass(frozen=True, kw_only=True)
class Sources:
    """What the config says of a session's files: keys of `recordings`, whose schema explains them.

    `labelling` are those of `read_behavior`; `corrections` the settings of
    `tables/corrections.yaml` (None makes none). ROI signals come from the file `rois` or from the
    movie, as means over `roi_masks`; not both. Without `light_sources`, channels take turns.
    """

    movie: str | Path | Sequence[str | Path]
    behavior: str | Path
    frame_rate: float
    movie_dataset: str | Sequence[str] | None = None
    movie_axes: str | None = None
    movie_shape: Sequence[int] | None = None
    movie_dtype: str | None = None
    movie_mask: str | Path | None = None
    wavelengths: str = "auto"
    zero_frames: str = "refuse"
    frame_times: str | Path | None = None
    frame_times_dataset: str | None = None
    frame_times_unit: str | float | None = None
    frame_times_clock: str | float | None = None
    frame_times_edge: str | None = None
    light_sources: str | Path | None = None
    light_sources_dataset: str | None = None
    rois: str | Path | None = None
    roi_dataset: str | None = None
    roi_masks: str | Path | None = None
    speed_threshold: float = 0.5
    target: str = "run"
    behavior_target: str | None = None
    target_states: Sequence[str] | None = None
    labelling: Mapping[str, Any]
    corrections: Mapping[str, Any] | None

    @classmethod
    def of(cls, settings: Mapping[str, Any], corrections: Mapping[str, Any] | None) -> Sources:
        """Return the sources of the keys of `recordings`. Raises UserError if they do not fit."""
        own = {field.name for field in fields(cls)}
        named = {key: value for key, value in settings.items() if key in own}
        labelling = {key: value for key, value in settings.items() if key not in own}
        found = cls(labelling=labelling, corrections=corrections, **named)
        if not 0 < found.frame_rate < math.inf:
            raise UserError(f"frame_rate: {found.frame_rate} frames/s; needs a number above 0")
        if found.rois is not None and found.roi_masks is not None:
            raise UserError(
                f"{found.rois}, {found.roi_masks}: ROI signals from a file or from masks; give one"
            )
        return found

    @property
    def files(self) -> dict[str, Any]:
        """What each file is of -> the file, None where there is none."""
        corrections = self.corrections or {}
        return {
            "movie": self.movie,
            "behavior": self.behavior,
            "rois": self.rois,
            "roi_masks": self.roi_masks,
            "frame_times": self.frame_times,
            "light_sources": self.light_sources,
            "movie_mask": self.movie_mask,
            **{kind: corrections.get(kind) for kind in correction_table.FILES},
        }

    @property
    def behavior_names(self) -> set[str]:
        """What the config calls behaviour, and the target: no names of ROIs."""
        keys = ("labels", "speed", "segment", "encoder", "position", "time")
        given = [self.labelling.get(f"behavior_{key}") for key in keys]
        given += [self.behavior_target, None if self.target == "run" else self.target]
        return {n for one in given if one for n in ([one] if isinstance(one, str) else one)}

    @property
    def channels(self) -> int:
        """Number of wavelengths that the movie holds."""
        return (self.corrections or {}).get("channels", 1)

    def open(self) -> AbstractContextManager[Movie]:
        """Open the movie. Raises UserError if wavelengths are told by two things."""
        wavelengths = self.wavelengths
        if self.light_sources is not None:
            if wavelengths == "separate":
                raise UserError(
                    f"{self.light_sources}: light_sources tell frames that take turns, but "
                    "wavelengths is separate; leave one of them out"
                )
            wavelengths = "in_turn"
        return open_movie(
            self.movie,
            dataset=self.movie_dataset,
            axes=self.movie_axes,
            channels=self.channels if self.light_sources is None else None,
            wavelengths=wavelengths,
            shape=self.movie_shape,
            dtype=self.movie_dtype,
            mask=self.movie_mask,
        )
