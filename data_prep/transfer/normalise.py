"""Making a video one that every browser plays and seeks: H.264, 4:2:0, in MP4, with the same frames at the same times.

Every frame is kept, with its time as the file has it, so a variable frame rate stays one. There is a keyframe at least
every second, no frame refers to a later one (seeking is exact then), and the index comes first (faststart). Grey stays
grey. What came out is compared with the original frame by frame.
"""

from __future__ import annotations

import errno
from fractions import Fraction
from pathlib import Path
from typing import Any, Callable

import av
import numpy as np

from data_prep.errors import InputError
from data_prep.files import remove
from data_prep.transfer.checking import Facts
from data_prep.video import _rotation, read_frames

LEAST_PSNR = 40.0  # dB of the worst frame's luma, against the original's
QUALITIES = (16, 10, 4)  # x264's constant rate factors, tried in turn until no frame is worse
KEY_EVERY = 1.0  # seconds
EXACT = 1e-9  # seconds; rounding only: a tick of any video file is a hundred times longer


def normalise(original: Path, facts: Facts, target: Path, told: Callable[[int], None]) -> float:
    """Write `target`, and return its worst frame's PSNR in dB (luma, 0–255; 100 where equal).

    `facts` is what `check` says of the original; `told` gets the number of frames done after each. An odd
    width or height is made even by repeating the last column or row, which 4:2:0 needs. Sound is left out.
    Raises InputError if the frames or times differ, or no quality is good enough; then there is no `target`.
    """
    worst = 0.0
    try:
        for quality in QUALITIES:
            _encode(original, facts.times, target, quality, told)
            worst = compare(original, target)
            if worst >= LEAST_PSNR:
                return worst
    except av.error.FFmpegError as error:
        remove(target)
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise OSError(error.errno, error.strerror, str(target)) from error
        raise InputError(f"{original.name}: cannot be made H.264 ({error}); give --normalise never") from error
    except BaseException:
        remove(target)
        raise
    remove(target)
    raise InputError(
        f"{original.name}: as H.264 its worst frame has {worst:.1f} dB, below {LEAST_PSNR:g}; give --normalise never"
    )


def compare(original: Path, made: Path) -> float:
    """The worst frame's PSNR in dB. Raises InputError if the number of frames or a frame's time differs."""
    worst = 100.0
    others = read_frames(made)
    frames = -1
    for index, seconds, grey in read_frames(original):
        frames = index
        other = next(others, None)
        if other is None or abs(other[1] - seconds) > EXACT:
            what = "is missing" if other is None else f"comes at {other[1]:.6f} s, not at {seconds:.6f} s"
            raise InputError(f"{original.name}: as H.264, frame {index} {what}; give --normalise never, and report it")
        height, width = grey.shape
        error = np.mean(np.square(np.subtract(grey, other[2][:height, :width], dtype=np.float32)))
        if error > 0:
            worst = min(worst, 10 * float(np.log10(255**2 / error)))
    if next(others, None) is not None:
        raise InputError(
            f"{original.name}: as H.264 it has more than its {frames + 1} frames; give --normalise never, and report it"
        )
    return worst


def keyframes(times: np.ndarray) -> set[int]:
    """The frames that must be keyframes for none to be over a second before the next, where the rate allows."""
    keys, last = {0}, 0.0
    for index in range(1, len(times)):
        following = times[index + 1] if index + 1 < len(times) else times[index]
        if following - last > KEY_EVERY:
            keys.add(index)
            last = times[index]
    return keys


def _encode(original: Path, times: np.ndarray, target: Path, quality: int, told: Callable[[int], None]) -> None:
    keys = keyframes(times)
    with (
        av.open(f"file:{original}", metadata_errors="replace") as source,
        av.open(f"file:{target}", "w", format="mp4", options={"movflags": "+faststart"}) as container,
    ):
        stream: Any = source.streams.video[0]
        stream.thread_type = "AUTO"
        rate = stream.average_rate or stream.base_rate or Fraction(25)
        out: Any = None
        first = 0
        for index, frame in enumerate(_frames(source, stream)):
            upright = _upright(frame, stream)
            ticks = frame.pts if frame.pts is not None else frame.dts
            if out is None:
                first = ticks or 0
                out = _output(container, upright, rate, stream.time_base, quality)
            step = 1 / (rate * stream.time_base)
            upright.pts = ticks - first if ticks is not None else round(index * step)
            upright.time_base = stream.time_base
            upright.pict_type = av.video.frame.PictureType.I if index in keys else av.video.frame.PictureType.NONE
            container.mux(out.encode(upright))
            told(index + 1)
        if out is not None:
            container.mux(out.encode())


def _frames(source: Any, stream: Any) -> Any:
    """Decoded frames as `data_prep.video.read_frames` takes them: it has found no fault in this file before, so an
    undecodable packet can only be one before the first frame."""
    for packet in source.demux(stream):
        try:
            yield from packet.decode()
        except av.error.InvalidDataError:
            continue


def _output(container: Any, frame: Any, rate: Fraction, time_base: Fraction, quality: int) -> Any:
    options = {"crf": str(quality), "preset": "veryfast", "bf": "0", "forced-idr": "1", "x264-params": "scenecut=0"}
    out = container.add_stream("libx264", rate=rate, options=options)
    out.width, out.height, out.pix_fmt = frame.width, frame.height, "yuv420p"
    out.codec_context.time_base = time_base
    out.codec_context.gop_size = 1_000_000  # keyframes stand where they were asked for, only
    out.codec_context.color_range = 1  # limited, what browsers expect
    return out


def _upright(frame: Any, stream: Any) -> Any:
    """The frame in 4:2:0 of limited range, turned as it is shown, its sides made even."""
    quarters = _rotation(frame, stream) // 90 % 4
    if quarters or frame.width % 2 or frame.height % 2:
        planes = frame.to_ndarray(format="yuv444p")  # (3, height, width)
        planes = np.rot90(planes, quarters, axes=(1, 2))
        height, width = planes.shape[1:]
        planes = np.pad(planes, ((0, 0), (0, height % 2), (0, width % 2)), mode="edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(planes), format="yuv444p")
    return frame.reformat(format="yuv420p", dst_color_range="MPEG")
