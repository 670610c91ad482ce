"""Files of microscopes' programs (.nd2, .czi, .lif) through bioio and its plugins, an extra."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from mesodecode.base.files import UserError, refused
from mesodecode.recordings.axes import Asked, Axes
from mesodecode.recordings.movie import ArrayMovie


@contextmanager
def open_movie(path: Path, asked: Asked) -> Iterator[ArrayMovie]:
    """Open the only scene (position) of a file as a movie, or the one named; channels take turns.

    Raises UserError if bioio is not installed, or of planes, colours and several scenes.
    """
    scene = asked.dataset
    try:
        import bioio
    except ImportError as error:
        raise UserError(
            f"{path}: {path.suffix} files are read by bioio, which is not installed: pip install "
            "'mesodecode[bioio]'"
        ) from error
    with refused(
        path,
        "not readable by bioio",
        "; truncated, or is its plugin not installed? pip install 'mesodecode[bioio]'",
    ):
        image = bioio.BioImage(path)
        scenes = list(image.scenes)
        if scene is not None and scene in scenes:
            image.set_scene(scene)
        lengths = {axis: int(image.dims[axis][0]) for axis in image.dims.order}
        stack = image.get_image_dask_data("TCYX")
    if scene not in scenes and (scene is not None or len(scenes) > 1):
        raise UserError(
            f"{path}: {len(scenes)} scenes, such as positions of the stage, of which a movie is "
            f"one: name one in movie_dataset: {', '.join(scenes[:12])}"
        )
    for axis, what in (("Z", "planes"), ("S", "colours of a pixel")):
        if lengths.get(axis, 1) > 1:
            raise UserError(f"{path}: {lengths[axis]} {what}; a movie has one: save it as TIFF")

    def read(index: tuple[slice, ...]) -> np.ndarray:
        return np.asarray(stack[index].compute(scheduler="single-threaded"))

    movie = ArrayMovie(path, stack.dtype, Axes("TCYX", "the file", stack.shape), read)
    names = [str(name) for name in image.channel_names or ()]
    movie.names = names if len(names) == movie.channels > 1 else ()
    yield movie
