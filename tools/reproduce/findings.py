"""Which of the thesis's findings show in the records, with the numbers.

A finding about cells is a difference of balanced accuracies, fold by fold, averaged over all pairs of cells that it is
about; it shows where the mean over folds is more than twice its standard error on the finding's side. A finding
about a figure compares single trainings: the numbers are told, and it is said which is higher, no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tools.reproduce.catalogue import CURVES, Cell
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
        "An RNN does better in the LSTM's place (shape, motion)",
        "section 6, a proposal",
        [(Cell("shape+motion", False, "lstm_after"), Cell("shape+motion", False, "rnn_after"))],
        1,
    ),
)
# Classes that the thesis says only motion tells apart (5.2.2).
MOTION_CLASSES = ("groom", "sniff")
FIGURES = (
    ("Batch normalisation learns faster than LRN with dropout", "figure 7", "figure_7"),
    ("RMSProp learns faster than SGD", "figure 8", "figure_8"),
    ("RMSProp reaches a higher validation accuracy than SGD", "figure 9", "figure_9"),
    ("Too large a learning rate gives chance", "figure 10", "figure_10"),
    ("Clipping at 10 learns faster than poorly tuned or no clipping", "figure 11", "figure_11"),
    ("Clipping at 10 reaches a higher validation accuracy", "figure 12", "figure_12"),
    ("Another random initialisation gives another accuracy", "figure 13", "figure_13"),
    ("Sequences of 10 and 30 frames make no difference", "section 5.2.4", "sequence_lengths"),
)


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
    for claim, source, figure in FIGURES:
        if all(variant.name in runs for variant in CURVES[figure].variants):
            found.append(Finding(claim, source, _run_numbers(figure, runs), SINGLE))
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


def _run_numbers(figure: str, runs: Mapping[str, Mapping[str, Any]]) -> str:
    """The highest value of each curve, and its mean over the curve, which is high where it rises early."""
    curves = CURVES[figure]
    parts = []
    for variant in curves.variants:
        values = [100 * row[curves.shows] for row in curve_of(runs[variant.name])]
        parts.append(f"{variant.legend}: highest {max(values):.1f}, mean {np.mean(values):.1f}")
    return "; ".join(parts)


def curve_of(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The learning curve of a run's only fold."""
    return next(iter(record["curves"].values()))


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")
