"""The settings of FrameSequenceData: the JSON object in its param_str."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from data_prep.errors import InputError
from data_prep.position import FEATURES

# Channels of a stream as stored in its LMDB, and as the network sees them (grey in three equal channels).
STORED_CHANNELS = {"shape": 1, "motion": 4}
TOP_CHANNELS = {"shape": 3, "motion": 4}
# Streams of numbers instead of pictures; features are the current system's: 300 templates' and the position.
VECTORS = {"position": len(FEATURES), "features": 300 + len(FEATURES)}
STREAMS = (*STORED_CHANNELS, *VECTORS)
SAMPLINGS = ("uniform", "balanced", "running")


class Settings(NamedTuple):
    """What a data layer reads and how.

    dataset: folder. videos: stems. streams: in the order of the tops. size: pixels a side of pictures as stored; crop:
    as the network sees them. features: folder of that stream's LMDBs, by video. sequence_length, batch_size: T frames
    in each of N sequences. mean: per stream, a value per stored channel or number, subtracted; deviation: per stream of
    numbers, what they are then divided by. seed, shuffle: random windows by seed, or the annotated frames in order.
    sampling: how windows are drawn, or running; carry: batches after which running sequences start afresh. workers:
    processes, 0 for none. start_batch: the first batch's number, to resume at. share: (r, n) for the r-th of n equal
    parts of every batch's sequences alone, for one of n processes that train as one.
    """

    dataset: str
    videos: tuple[str, ...]
    streams: tuple[str, ...]
    batch_size: int
    mean: dict[str, list[float]]
    seed: int
    shuffle: bool
    size: int = 1
    crop: int = 1
    sequence_length: int = 1
    sampling: str = "uniform"
    workers: int = 0
    start_batch: int = 0
    carry: int = 1
    deviation: dict[str, list[float]] | None = None
    features: str = ""
    share: tuple[int, ...] = ()

    @property
    def columns(self) -> slice:
        """The sequences of a batch that are this layer's."""
        part, parts = self.share or (0, 1)
        return slice(part * self.batch_size // parts, (part + 1) * self.batch_size // parts)

    @property
    def sequences(self) -> int:
        """How many sequences of a batch are this layer's."""
        return self.columns.stop - self.columns.start

    @property
    def pictures(self) -> list[str]:
        """The streams of pictures, which size and crop are of."""
        return [stream for stream in self.streams if stream in STORED_CHANNELS]


def is_whole(least: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= least


def is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_mean(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(channels, list) and all(map(is_number, channels)) for channels in value.values()
    )


KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "dataset": (lambda value: isinstance(value, str), "the dataset's folder, a text"),
    "videos": (is_texts, "a list of video names"),
    "streams": (is_texts, "a list of streams"),
    "size": (is_whole(1), "a whole number of pixels"),
    "crop": (is_whole(1), "a whole number of pixels"),
    "batch_size": (is_whole(1), "a whole number of sequences"),
    "mean": (is_mean, "a list of numbers for each stream"),
    "seed": (lambda value: is_whole(0)(value) and value < 2**32, "a whole number from 0 to 4294967295"),
    "shuffle": (lambda value: isinstance(value, bool), "true or false"),
    "sequence_length": (is_whole(1), "a whole number of frames"),
    "sampling": (lambda value: value in SAMPLINGS, " or ".join(SAMPLINGS)),
    "workers": (is_whole(0), "a whole number of processes"),
    "start_batch": (is_whole(0), "a whole number"),
    "carry": (is_whole(1), "a whole number of batches"),
    "deviation": (is_mean, "a list of numbers for each stream of numbers"),
    "features": (lambda value: isinstance(value, str), "a folder, a text"),
    "share": (
        lambda value: isinstance(value, list) and len(value) in (0, 2) and all(map(is_whole(0), value)),
        "two whole numbers: which part, and of how many",
    ),
}


def refuse(problem: str) -> InputError:
    return InputError(f"FrameSequenceData: param_str: {problem}")


def parse(param_str: str) -> Settings:
    """Settings from a layer's param_str. Raises InputError that names the key and what it must be."""
    try:
        values = json.loads(param_str)
    except ValueError as error:
        raise refuse(f"not JSON ({error}); correct it in the prototxt") from None
    if not isinstance(values, dict):
        raise refuse("not a JSON object; correct it in the prototxt")
    for key, value in values.items():
        if key not in KINDS:
            raise refuse(f"unknown key {key!r}; the keys are {', '.join(KINDS)}")
        accepts, kind = KINDS[key]
        if not accepts(value):
            raise refuse(f"{key} is {json.dumps(value)}; it must be {kind}")
    pictures = set(STORED_CHANNELS) & set(values.get("streams", []))
    needed = [key for key in KINDS if key not in Settings._field_defaults or (pictures and key in ("size", "crop"))]
    missing = [key for key in needed if key not in values]
    if missing:
        raise refuse(f"no {', '.join(missing)}; add it in the prototxt")
    given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    settings = Settings(**given)
    check(settings)
    return settings


def check(settings: Settings) -> None:
    if not settings.dataset or not settings.videos:
        missing = "videos" if settings.dataset else "dataset"
        raise refuse(f"no {missing} named; `ethocaffe train` fills in such a template")
    if "features" in settings.streams and not settings.features:
        raise refuse("no folder of features named; `ethocaffe train --features` fills in such a template")
    if not settings.streams or len(set(settings.streams)) != len(settings.streams):
        raise refuse("streams must name at least one stream, and each once")
    for stream in settings.streams:
        if stream not in STREAMS:
            raise refuse(f"unknown stream {stream!r}; the streams are {', '.join(STREAMS)}")
        channels = STORED_CHANNELS.get(stream) or VECTORS[stream]
        if len(settings.mean.get(stream, [])) != channels:
            raise refuse(f"mean must hold a list of {channels} for {stream}, a number per channel")
        deviation = (settings.deviation or {}).get(stream, [])
        if stream in VECTORS and (len(deviation) != channels or min(deviation) <= 0):
            raise refuse(f"deviation must hold a list of {channels} for {stream}, a positive number per feature")
    if settings.share and (settings.share[0] >= settings.share[1] or settings.batch_size % settings.share[1]):
        raise refuse(
            f"part {settings.share[0]} of {settings.share[1]} of a batch of {settings.batch_size} sequences: make "
            "batch_size a multiple of the number of parts"
        )
    if settings.crop > settings.size:
        raise refuse(f"crop {settings.crop} is larger than size {settings.size}; make it at most that")


def top_shapes(settings: Settings) -> list[tuple[int, ...]]:
    """Shapes of the tops: each stream (T·N, C, crop, crop) or (T·N, numbers), label (T·N,), cont (T, N)."""
    frames, sequences = settings.sequence_length, settings.sequences
    streams = batch_shapes(settings, TOP_CHANNELS)
    return [*streams.values(), (frames * sequences,), (frames, sequences)]


def batch_shapes(settings: Settings, channels: dict[str, int]) -> dict[str, tuple[int, ...]]:
    """Per stream the shape of a batch; `channels` of each stream of pictures."""
    frames, crop = settings.sequence_length * settings.sequences, settings.crop
    return {
        stream: (frames, VECTORS[stream]) if stream in VECTORS else (frames, channels[stream], crop, crop)
        for stream in settings.streams
    }
