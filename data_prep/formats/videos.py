"""The timelines of video files, for readers of formats whose times are seconds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from data_prep import dataset as datasets
from data_prep import timeline


class Timelines(Mapping[str, timeline.Timeline]):
    """Timelines by stem, each read from its video, or from what `prepare` left of it, when it is first asked for."""

    def __init__(self, videos: Mapping[str, Path], quiet: bool) -> None:
        self._videos = videos
        self._quiet = quiet
        self._read: dict[str, timeline.Timeline] = {}

    def __getitem__(self, stem: str) -> timeline.Timeline:
        if stem not in self._read:
            video = self._videos[stem]
            prepared = video.parent.parent / "prepared" / stem
            if (prepared / "meta.json").is_file() and (prepared / "frames.csv").is_file():
                self._read[stem] = timeline.Timeline(datasets.read_times(prepared / "frames.csv"))
            else:
                self._read[stem] = timeline.of_video(video, self._quiet)
        return self._read[stem]

    def __iter__(self) -> Iterator[str]:
        return iter(self._videos)

    def __len__(self) -> int:
        return len(self._videos)
