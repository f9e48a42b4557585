"""Writing one simulated video: H.264 in MP4, the same bytes for the same frames."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np

QUALITY = "24"  # x264's constant rate factor


def write_movie(path: Path, frames: Iterable[np.ndarray], fps: int) -> int:
    """Encode luma frames, uint8 (height, width), both even; returns how many there were.

    One encoder thread, since x264's output depends on the number of threads.
    """
    count = 0
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.pix_fmt = "yuv420p"
        stream.options = {"preset": "ultrafast", "crf": QUALITY}
        stream.codec_context.thread_count = 1
        for frame in frames:
            if count == 0:
                height, width = frame.shape
                stream.width, stream.height = width, height
                picture = np.full((height * 3 // 2, width), 128, np.uint8)  # chroma stays grey
            picture[:height] = frame
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="yuv420p")):
                container.mux(packet)
            count += 1
        for packet in stream.encode():
            container.mux(packet)
    return count
