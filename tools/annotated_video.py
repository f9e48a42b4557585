"""A video with the predicted behaviour written into every frame."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from data_prep import video
from data_prep.errors import InputError
from data_prep.files import atomic_path
from tools.plots import style

TICKS = 90_000  # per second: fine enough for every frame rate in use
CODECS = ("libx264", "mpeg4")


def write_annotated(
    source: Path, target: Path, labels: np.ndarray, probabilities: np.ndarray, classes: Sequence[str], fps: float
) -> None:
    """Write `source` again as MP4, each frame with its class's name, colour and probability in a strip below.

    `labels` (frames,) and `probabilities` (frames, classes). Frames keep their own times.
    """
    import av

    colours = [tuple(int(255 * part) for part in colour) for colour in style.class_colours(len(classes))]
    with atomic_path(target) as temporary, av.open(str(temporary), "w", format="mp4") as container:
        stream = None
        for index, seconds, grey in video.read_frames(source):
            label = labels[index]
            picture = _labelled(grey, classes[label], colours[label], probabilities[index, label])
            if stream is None:
                stream = _stream(container, picture.shape[1], picture.shape[0], fps)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = round(seconds * TICKS), Fraction(1, TICKS)
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode() if stream else ():
            container.mux(packet)


def _stream(container, width: int, height: int, fps: float):

    for codec in CODECS:
        try:
            stream = container.add_stream(codec, rate=max(1, round(fps)))
        except Exception:  # its class differs between the versions of PyAV
            continue
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, TICKS)
        return stream
    raise InputError(f"FFmpeg here has none of the encoders {', '.join(CODECS)}, so no video can be written")


def _labelled(grey: np.ndarray, name: str, colour: tuple[int, ...], probability: float) -> np.ndarray:
    """The frame in RGB with a strip below it; both sides even, as the encoders want them."""
    height, width = (length - length % 2 for length in grey.shape)
    strip = max(24, height // 12) // 2 * 2
    picture = np.full((height + strip, width, 3), 24, np.uint8)
    picture[:height] = grey[:height, :width, np.newaxis]
    cv2.rectangle(picture, (0, height), (strip // 2, height + strip), colour, cv2.FILLED)
    scale = strip / 40
    cv2.putText(
        picture,
        f"{name}  {100 * probability:.0f} %",
        (strip, height + int(strip * 0.72)),
        cv2.FONT_HERSHEY_SIMPLEX,
        scale,
        (255, 255, 255),
        max(1, round(scale * 1.5)),
        cv2.LINE_AA,
    )
    return picture
