"""The demo's pictures, its metrics.json and its report.html."""

from __future__ import annotations

import base64
import csv
import html
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

import cv2
import numpy as np

from data_prep import dataset as datasets
from data_prep import video
from data_prep.files import atomic_path, read_json, write_json
from tools import provenance
from tools.bouts import find_bouts
from tools.plots.confusion import plot_confusion

PAGE = Path(__file__).with_name("demo_report.html")
BOUTS_SHOWN = 12
PICTURES = ("frames", "confusion_matrix", "learning_curve", "ethogram")


def write_pictures(folder: Path, held_out: str) -> None:
    """Gather the results of the stages and draw what they have not drawn."""
    from tools import plot

    evaluated, predicted = folder / "evaluation", folder / "prediction" / held_out
    scores = read_json(evaluated / "metrics.json")
    plot_confusion(
        np.array(scores["confusion"]),
        scores["classes"],
        folder / "confusion_matrix.png",
        f"{held_out} (simulated, held out)",
    )
    plot.learning([str(folder / "model")], folder / "learning_curve.png", "learning curve (simulated videos)")
    shutil.copyfile(evaluated / held_out / "ethogram.png", folder / "ethogram.png")
    for name in ("predictions.csv", "bouts.csv"):
        shutil.copyfile(predicted / name, folder / name)
    tiles = class_tiles(folder / "data", held_out)
    _write_png(folder / "frames.png", _grid(tiles, 5))
    write_overview(
        _grid(tiles, len(tiles)), folder / "ethogram.png", folder / "confusion_matrix.png", folder / "overview.png"
    )


def write_report(
    folder: Path, held_out: str, commands: Mapping[str, Sequence[Any]], seconds: Mapping[str, float]
) -> dict[str, Any]:
    """Write report.html and then metrics.json; returns its content."""
    scores = read_json(folder / "evaluation" / "metrics.json")
    model = read_json(folder / "model" / "model.json")
    run = read_json(folder / "prediction" / held_out / "run.json")
    result = {
        "simulated": True,
        **{
            key: scores[key]
            for key in ("balanced_accuracy", "accuracy", "classes_present", "classes_absent", "frames", "per_class")
        },
        "held_out": held_out,
        "network": model["network"],
        "iterations": model["iterations"],
        "best_iteration": model["best_iteration"],
        "seconds_per_step": model["seconds_per_step"],
        "prediction_frames_per_second": run["frames_per_second"],
        "seconds": {**seconds, "all": round(sum(seconds.values()), 2)},
        "commands": {name: _shell(command) for name, command in commands.items()},
        "model": run["model"],
        "data_fingerprint": scores["data_fingerprint"],
        **provenance.describe(),
    }
    with atomic_path(folder / "report.html") as temporary:
        temporary.write_text(_page(folder, result), encoding="utf-8")
    write_json(folder / "metrics.json", result)
    return result


def class_tiles(data: Path, stem: str) -> list[np.ndarray]:
    """A picture for every class of a video, in order: the middle frame of the class's longest bout."""
    dataset = datasets.open_dataset(data)
    bouts = find_bouts(datasets.read_labels(dataset.labels(stem), dataset.classes))
    wanted = {}
    for index, name in enumerate(dataset.classes):
        own = [bout for bout in bouts if bout.label == index]
        if own:
            longest = max(own, key=lambda bout: bout.stop - bout.start)
            wanted[(longest.start + longest.stop) // 2] = name
    tiles = {
        wanted[index]: _tile(grey, wanted[index])
        for index, _, grey in video.read_frames(dataset.videos[stem])
        if index in wanted
    }
    return [tiles[name] for name in dataset.classes if name in tiles]


def write_overview(strip: np.ndarray, ethogram: Path, matrix: Path, target: Path) -> None:
    """The README's picture: the strip of frames above, the ethogram below it on the left, the matrix on the right."""
    below = [_scaled(cv2.imread(str(ethogram)), width=1000), _scaled(cv2.imread(str(matrix)), width=640)]
    height = max(picture.shape[0] for picture in below)
    row = np.hstack([_tall(picture, height) for picture in below])
    above = _scaled(cv2.cvtColor(strip, cv2.COLOR_GRAY2BGR), width=row.shape[1])
    gap = np.full((16, row.shape[1], 3), 255, np.uint8)
    _write_png(target, np.vstack([above, gap, row]))


def _grid(tiles: Sequence[np.ndarray], columns: int) -> np.ndarray:
    filled = [*tiles, *[np.full_like(tiles[0], 255)] * (-len(tiles) % columns)]
    return np.vstack([np.hstack(filled[at : at + columns]) for at in range(0, len(filled), columns)])


def _tile(grey: np.ndarray, name: str) -> np.ndarray:
    small = cv2.resize(grey, (240, 180), interpolation=cv2.INTER_AREA)
    tile = np.full((212, 248), 255, np.uint8)
    tile[28:208, 4:244] = small
    cv2.putText(tile, name, (6, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.55, 20, 1, cv2.LINE_AA)
    return tile


def _scaled(picture: Any, width: int) -> np.ndarray:
    height = round(picture.shape[0] * width / picture.shape[1])
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)


def _tall(picture: np.ndarray, height: int) -> np.ndarray:
    missing = height - picture.shape[0]
    return cv2.copyMakeBorder(
        picture, missing // 2, missing - missing // 2, 0, 0, cv2.BORDER_CONSTANT, value=(255, 255, 255)
    )


def _write_png(target: Path, picture: np.ndarray) -> None:
    with atomic_path(target) as temporary:
        temporary.write_bytes(cv2.imencode(".png", picture)[1].tobytes())


def _page(folder: Path, result: dict[str, Any]) -> str:
    seconds = result["seconds"]
    values = {
        "balanced": f"{100 * result['balanced_accuracy']:.1f} %",
        "accuracy": f"{100 * result['accuracy']:.1f} %",
        "chance": f"{100 / result['classes_present']:.0f} %",
        "classes": str(result["classes_present"]),
        "frames": f"{result['frames']:,}",
        "step": f"{1000 * result['seconds_per_step']:.0f} ms",
        "speed": f"{result['prediction_frames_per_second']:.0f}",
        "minutes": _duration(seconds["all"]),
        "held_out": html.escape(result["held_out"]),
        "network": html.escape(result["network"]),
        "iterations": str(result["iterations"]),
        "best_iteration": str(result["best_iteration"]),
        "per_class": _per_class(result["per_class"]),
        "bouts": _bouts(folder / "bouts.csv"),
        "commands": "".join(
            f"<tr><td><code>{html.escape(command)}</code></td><td class=number>{_duration(seconds[name])}</td></tr>"
            for name, command in result["commands"].items()
        ),
        "provenance": html.escape(
            json.dumps(
                {key: result[key] for key in ("model", "data_fingerprint", "commit", "date", "versions")}, indent=2
            )
        ),
        **{f"{name}_png": _embedded(folder / f"{name}.png") for name in PICTURES},
    }
    return Template(PAGE.read_text(encoding="utf-8")).substitute(values)


def _per_class(scores: Mapping[str, Mapping[str, Any]]) -> str:
    def cell(value: float | None) -> str:
        return "<td class=number>–</td>" if value is None else f"<td class=number>{100 * value:.0f} %</td>"

    return "".join(
        f"<tr><th scope=row>{html.escape(name)}</th>{cell(row['recall'])}{cell(row['precision'])}{cell(row['f1'])}"
        f"<td class=number>{row['frames']:,}</td></tr>"
        for name, row in scores.items()
    )


def _bouts(path: Path) -> str:
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[:BOUTS_SHOWN]
    return "".join(
        f"<tr><th scope=row>{html.escape(row['label'])}</th>"
        + "".join(
            f"<td class=number>{text}</td>"
            for text in (
                row["start_frame"],
                row["stop_frame"],
                f"{float(row['start_time']):.2f}",
                f"{float(row['duration']):.2f}",
                f"{float(row['mean_probability']):.2f}",
            )
        )
        + "</tr>"
        for row in rows
    )


def _embedded(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")


def _shell(command: Sequence[Any]) -> str:
    return " ".join(["ethocaffe", *map(str, command)])


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"
