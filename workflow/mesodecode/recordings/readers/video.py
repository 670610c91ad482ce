"""AVI, MP4 and other videos through ffmpeg, as grey values: a last resort, mostly lossy."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from mesodecode.base.files import UserError, one_line, say
from mesodecode.recordings.axes import Asked
from mesodecode.recordings.movie import Movie, batched

GREY_OF_RGB = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as ffmpeg's
LOSSLESS = ("ffv1", "rawvideo", "huffyuv", "ffvhuff", "utvideo", "png", "tiff")


class VideoMovie(Movie):
    """A video, decoded once to count its frames and once more each time that it is read.

    Grey values: uint8 as ffmpeg converts them, or uint16 of a video with more than 8 bits. Of red,
    green and blue in more than 8 bits ffmpeg's weights are of 8: its greys are up to 253 off.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.dtype, self._colours = np.dtype(np.uint8), False
        frames = self._decode()
        about = next(frames)
        frames.close()
        # ffmpeg's names of more than 8 bits, colours too, end in the order of their bytes
        pixels = about["pix_fmt"].partition("(")[0]
        deep = pixels.endswith(("le", "be"))
        self.dtype = np.dtype(np.uint16 if deep else np.uint8)
        self._colours = deep and any(order in pixels for order in ("rgb", "bgr", "gbr"))
        width, height = about["size"]
        codec = about["codec"].rstrip(",")
        self.lossless = codec in LOSSLESS or (codec == "jpeg2000" and _reversible(self.path))
        self.shape = (sum(1 for _ in self._decode()) - 1, height, width)
        if self.shape[0] == 0:
            raise UserError(f"{path}: a video without frames; truncated?")

    def _decode(self) -> Iterator:
        """Yield what the video is, then its frames as bytes."""
        import imageio_ffmpeg

        grey = "gray16le" if self.dtype.itemsize == 2 else "gray"
        bits = 8 * self.dtype.itemsize
        try:
            yield from imageio_ffmpeg.read_frames(
                f"file:{self.path.absolute()}",  # a path is no address, whatever its name
                pix_fmt="rgb48le" if self._colours else grey,
                bits_per_pixel=3 * bits if self._colours else bits,
                output_params=["-fps_mode", "passthrough"],  # frames as recorded, none made up
            )
        except (OSError, RuntimeError, AssertionError) as error:
            said = [line for line in str(error).splitlines() if line.strip()]
            reason = said[-1].strip() if said else one_line(error)
            raise UserError(f"{self.path}: not a readable video ({reason})") from error

    def blocks(self, size: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first frame, block of at most `size` frames (n, H, W)), in order."""
        frames = self._decode()
        next(frames)
        yield from batched((self._image(data)[None] for data in frames), size)

    def _image(self, data: bytes) -> np.ndarray:
        """Return the image (H, W) of a frame's bytes."""
        pixels = np.frombuffer(data, self.dtype).reshape(*self.shape[1:], -1)
        if self._colours:
            return np.rint(pixels @ GREY_OF_RGB).astype(self.dtype)
        return pixels[..., 0]


def _reversible(path: Path) -> bool:
    """Return whether JPEG 2000 images, as of MATLAB's profile Archival, keep all that pixels say.

    So says the last byte of a segment COD, a wavelet of whole numbers (ISO/IEC 15444-1, A.6.1).
    """
    with open(path, "rb") as file:
        start = file.read(1 << 20)
    image = start.find(b"\xff\x4f\xff\x51")
    style = start.find(b"\xff\x52", max(image, 0))
    return image >= 0 and style >= 0 and start[style + 13 : style + 14] == b"\x01"


@contextmanager
def open_movie(path: Path, asked: Asked) -> Iterator[VideoMovie]:
    """Open a video as a movie; a lossy one is named as such on standard error."""
    movie = VideoMovie(path)
    if not movie.lossless:
        say(
            f"{path}: a compressed video, a last resort: compression changes what pixels say; "
            "take the camera's own frames if there are any"
        )
    yield movie
