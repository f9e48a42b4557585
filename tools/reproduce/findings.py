"""Which of the thesis's findings show in the records, with the numbers.

A finding about cells is a difference of balanced accuracies, fold by fold, averaged over all pairs of cells that it is
about; it shows where the mean over folds is more than twice its standard error on the finding's side. A finding about a
figure of curves compares single trainings; it shows where they are further apart than twice the standard deviation
over the seeds of figure 13, so only where that was trained too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable, NamedTuple

import numpy as np

from tools.reproduce.catalogue import CURRENT, CURVES, Cell
from tools.reproduce.published import Row

SHOWS, NOT, REVERSED = "shows", "does not show", "the reverse shows"
SINGLE = "single trainings"
ERRORS = 2.0  # standard errors
PUT_IN = (
    "put into the simulation by hand: groom and sniff differ in motion only (data_prep/simulate/README.md)",
    "the simulation puts the spout and the feeder at about the same place in every video, so position helps there "
    "without a risk (data_prep/simulate/README.md)",
)


class Finding(NamedTuple):
    """What the thesis finds, where, what was measured, the verdict, and a remark (empty for none)."""

    claim: str
    source: str
    measured: str
    verdict: str
    remark: str = ""


class Pairs(NamedTuple):
    """A claim that the second cell of each pair is better (sign 1) or worse (−1) than the first."""

    claim: str
    source: str
    pairs: Sequence[tuple[Cell, Cell]]
    sign: int
    remark: str = ""


FEATURES = ("shape", "motion", "motion+position", "shape+motion", "shape+position", "shape+motion+position")
WITH_SHAPE = tuple(name for name in FEATURES if name.startswith("shape"))


def _cells() -> list[Cell]:
    """Table 5.3's cells."""
    return [
        Cell(features, pretrained, model)
        for features in FEATURES
        for pretrained in ((False, True) if features in WITH_SHAPE else (False,))
        for model in ("cnn", "lstm_before", "lstm_after")
        if model != "lstm_before" or {"shape", "position"} <= set(features.split("+"))
    ]


def _pairs(change: Mapping[str, Any], of: Mapping[str, Any]) -> list[tuple[Cell, Cell]]:
    """All cells with the values `of`, each with the cell that has `change` besides."""
    firsts = [cell for cell in _cells() if all(getattr(cell, name) == value for name, value in of.items())]
    return [(cell, cell._replace(**change)) for cell in firsts if cell._replace(**change) in _cells()]


COMPARISONS = (
    Pairs(
        "Pretraining helps",
        "section 5.2.1",
        _pairs({"pretrained": True}, {"pretrained": False}),
        1,
    ),
    Pairs(
        "Motion beside shape helps (CNN)",
        "section 5.2.2",
        _pairs({"features": "shape+motion"}, {"features": "shape", "model": "cnn"}),
        1,
    ),
    Pairs(
        "Position features beside shape, or shape and motion, lower the accuracy (CNN)",
        "section 5.2.3",
        _pairs({"features": "shape+position"}, {"features": "shape", "model": "cnn"})
        + _pairs({"features": "shape+motion+position"}, {"features": "shape+motion", "model": "cnn"}),
        -1,
    ),
    Pairs(
        "LSTM models do worse than those without",
        "section 5.2.4",
        _pairs({"model": "lstm_after"}, {"model": "cnn"}),
        -1,
    ),
    Pairs(
        "Position before the LSTM does better than after it",
        "section 5.2.4",
        _pairs({"model": "lstm_before"}, {"model": "lstm_after"}),
        1,
    ),
    Pairs(
        "The best network (shape and motion, pretrained, CNN) does better than the current system",
        "section 5.2.2",
        [(CURRENT, Cell("shape+motion", True, "cnn"))],
        1,
    ),
    *(
        Pairs(
            f"{name} does better in the LSTM's place (shape, motion)",
            "section 6, a proposal",
            [(Cell("shape+motion", False, "lstm_after"), Cell("shape+motion", False, model))],
            1,
        )
        for name, model in (("An RNN", "rnn_after"), ("A GRU", "gru_after"))
    ),
)
# Classes that the thesis says only motion tells apart (5.2.2).
MOTION_CLASSES = ("groom", "sniff")


class Singles(NamedTuple):
    """A claim about a figure's curves: by their `measure`, of MEASURES, the variants `better` are above `worse`."""

    claim: str
    source: str
    figure: str
    measure: str
    better: tuple[str, ...]
    worse: tuple[str, ...]


MEASURES: dict[str, Callable[[list[float]], Any]] = {
    "highest": max,
    "mean": np.mean,
}  # a curve's mean is high where it rises early
SOLVERS = (("thesis", "rms_0.8"), ("sgd_0.9", "sgd_0.6"))
FIGURES = (
    Singles("Batch normalisation learns faster than LRN", "figure 7", "figure_7", "mean", ("batch_norm",), ("lrn",)),
    Singles("RMSProp learns faster than SGD", "figure 8", "figure_8", "mean", *SOLVERS),
    Singles("RMSProp reaches a higher validation accuracy than SGD", "figure 9", "figure_9", "highest", *SOLVERS),
    Singles(
        "Clipping at 10 learns faster than poorly tuned or no clipping",
        "figure 11",
        "figure_11",
        "mean",
        ("clip_10",),
        ("clip_0.1", "clip_none"),
    ),
    Singles(
        "Clipping at 10 reaches a higher validation accuracy",
        "figure 12",
        "figure_12",
        "highest",
        ("clip_10",),
        ("clip_0.1", "clip_none"),
    ),
)
CHANCE_MARGIN, SEEDS_APART = 1.0, 5.0  # points; ours


def findings(
    cells: Mapping[str, Mapping[str, Any]],
    runs: Mapping[str, Mapping[str, Any]],
    published: Sequence[Row],
    simulated: bool,
) -> list[Finding]:
    """Those findings whose records are all there."""
    thesis = {Cell(row.features, row.pretrained, row.model): row.percent for row in published}
    found = [_compared(one, cells, thesis, simulated) for one in COMPARISONS if _there(one.pairs, cells)]
    found += _motion_classes(cells, simulated)
    drawn = {figure for figure, curves in CURVES.items() if all(one.name in runs for one in curves.variants)}
    found += [_single(one, runs, "figure_13" in drawn) for one in FIGURES if one.figure in drawn]
    found += [make(runs) for figure, make in SPECIAL.items() if figure in drawn and "figure_13" in drawn]
    return found


def _there(pairs: Sequence[tuple[Cell, Cell]], cells: Mapping[str, Any]) -> bool:
    return all(cell.name in cells for pair in pairs for cell in pair)


def fold_scores(record: Mapping[str, Any]) -> np.ndarray:
    """Balanced accuracies of the folds in percent, (folds,), each at its best iteration."""
    return np.array([100 * fold["balanced_accuracy"] for fold in record["folds"]])


def verdict(differences: np.ndarray, sign: int) -> tuple[float, float, str]:
    """Mean over folds, its standard error, and whether that is what a claim of this sign says."""
    mean = float(differences.mean())
    error = float(differences.std(ddof=1) / np.sqrt(len(differences)))
    if abs(mean) <= ERRORS * error:
        return mean, error, NOT
    return mean, error, SHOWS if mean * sign > 0 else REVERSED


def _compared(
    one: Pairs, cells: Mapping[str, Mapping[str, Any]], thesis: Mapping[Cell, float], simulated: bool
) -> Finding:
    differences = [fold_scores(cells[second.name]) - fold_scores(cells[first.name]) for first, second in one.pairs]
    mean, error, said = verdict(np.mean(differences, axis=0), one.sign)
    better = sum(one.sign * difference.mean() > 0 for difference in differences)
    told = [thesis[second] - thesis[first] for first, second in one.pairs if first in thesis and second in thesis]
    there = f"; in the thesis {_signed(float(np.mean(told)))} on average" if told else ""
    measured = (
        f"{_signed(mean)} ± {error:.1f} points (mean and standard error over the folds), "
        f"as claimed in {better} of {len(differences)} pairs of cells{there}"
    )
    about_position = "Position features" in one.claim or "Position before" in one.claim
    remark = PUT_IN[1] if simulated and about_position else PUT_IN[0] if simulated and "Motion" in one.claim else ""
    return Finding(one.claim, one.source, measured, said, remark)


def _motion_classes(cells: Mapping[str, Mapping[str, Any]], simulated: bool) -> list[Finding]:
    """Whether the recall of groom and sniff rises with motion, over all folds together, for the CNN."""
    names = [Cell(features, False, "cnn").name for features in ("shape", "shape+motion")]
    if not all(name in cells for name in names):
        return []
    recalls = [{name: one["recall"] for name, one in cells[cell]["pooled"]["per_class"].items()} for cell in names]
    classes = [name for name in MOTION_CLASSES if name in recalls[0]]
    if not classes:
        return []
    told = ", ".join(f"{name} {100 * recalls[0][name]:.0f} → {100 * recalls[1][name]:.0f} %" for name in classes)
    rises = all(recalls[1][name] > recalls[0][name] for name in classes)
    return [
        Finding(
            "Motion helps to tell groom from sniff",
            "section 5.2.2",
            f"recall without and with motion: {told}",
            SHOWS if rises else NOT,
            PUT_IN[0] if simulated else "",
        )
    ]


def _of_curve(run: Mapping[str, Any], shows: str, measure: str) -> float:
    return float(MEASURES[measure]([100 * row[shows] for row in curve_of(run)]))


def _over_seeds(runs: Mapping[str, Mapping[str, Any]], shows: str, measure: str) -> list[float]:
    return [_of_curve(runs[one.name], shows, measure) for one in CURVES["figure_13"].variants]


def _numbers(figure: str, runs: Mapping[str, Mapping[str, Any]], measure: str) -> str:
    curves = CURVES[figure]
    values = {one.legend: _of_curve(runs[one.name], curves.shows, measure) for one in curves.variants}
    return f"{measure} of the curve: " + "; ".join(f"{legend} {value:.1f}" for legend, value in values.items())


def _single(one: Singles, runs: Mapping[str, Mapping[str, Any]], seeds: bool) -> Finding:
    shows = CURVES[one.figure].shows
    better, worse = ([_of_curve(runs[name], shows, one.measure) for name in names] for names in (one.better, one.worse))
    told = _numbers(one.figure, runs, one.measure)
    if not seeds:
        return Finding(one.claim, one.source, told, SINGLE)
    apart = ERRORS * float(np.std(_over_seeds(runs, shows, one.measure), ddof=1))
    said = SHOWS if min(better) - max(worse) > apart else REVERSED if min(worse) - max(better) > apart else NOT
    return Finding(one.claim, one.source, f"{told} (twice the deviation over seeds: {apart:.1f})", said)


def _too_fast(runs: Mapping[str, Mapping[str, Any]]) -> Finding:
    chance = 100 / len(runs["rate_high"]["classes"])
    highest = _of_curve(runs["rate_high"], "balanced_accuracy", "highest")
    said = SHOWS if highest <= chance + CHANCE_MARGIN else NOT
    claim = "Too large a learning rate gives chance"
    return Finding(claim, "figure 10", _numbers("figure_10", runs, "highest") + f"; chance {chance:.1f}", said)


def _seeds(runs: Mapping[str, Mapping[str, Any]]) -> Finding:
    values = _over_seeds(runs, "balanced_accuracy", "highest")
    said = SHOWS if max(values) - min(values) >= SEEDS_APART else NOT
    claim = "Another random initialisation gives another accuracy"
    return Finding(claim, "figure 13", _numbers("figure_13", runs, "highest"), said)


def _lengths(runs: Mapping[str, Mapping[str, Any]]) -> Finding:
    values = [_of_curve(runs[one.name], "balanced_accuracy", "highest") for one in CURVES["sequence_lengths"].variants]
    apart = ERRORS * float(np.std(_over_seeds(runs, "balanced_accuracy", "highest"), ddof=1))
    said = SHOWS if max(values) - min(values) <= apart else NOT
    told = f"{_numbers('sequence_lengths', runs, 'highest')} (twice the deviation over seeds: {apart:.1f})"
    remark = "a batch keeps its number of frames, so it holds few of the long sequences"
    return Finding("Sequences of 10 and 30 frames make no difference", "section 5.2.4", told, said, remark)


def _learns_nothing(runs: Mapping[str, Mapping[str, Any]]) -> Finding:
    chance = 100 / len(runs["features_lstm"]["classes"])
    highest = _of_curve(runs["features_lstm"], "balanced_accuracy", "highest")
    said = SHOWS if highest <= chance + CHANCE_MARGIN else NOT
    claim = "An LSTM on the current system's features learns nothing"
    return Finding(claim, "figure 24", _numbers("figure_24", runs, "highest") + f"; chance {chance:.1f}", said)


def _unlearns(runs: Mapping[str, Mapping[str, Any]]) -> Finding:
    curve = [100 * row["balanced_accuracy"] for row in curve_of(runs["features_lstm_low_rate"])]
    apart = ERRORS * float(np.std(_over_seeds(runs, "balanced_accuracy", "highest"), ddof=1))
    said = SHOWS if max(curve) - curve[-1] > apart else NOT
    told = f"{_numbers('figure_25', runs, 'highest')}, at its end {curve[-1]:.1f} (twice the deviation over seeds: "
    claim = "With a much lower rate it learns a little, and forgets it"
    return Finding(claim, "figure 25", f"{told}{apart:.1f})", said)


SPECIAL = {
    "figure_10": _too_fast,
    "figure_13": _seeds,
    "sequence_lengths": _lengths,
    "figure_24": _learns_nothing,
    "figure_25": _unlearns,
}


def curve_of(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The learning curve of a run's only fold."""
    return next(iter(record["curves"].values()))


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")
