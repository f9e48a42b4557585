"""How far labellings agree, of one video and over a project: the scores of `data_prep.agreement_scores`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from annotation.sides import NOTHING, Sides, differences
from data_prep import agreement_scores as scores
from data_prep import metrics

MEASURED = {
    True: "the one class of each frame: the behaviours, and none of these (looked at, nothing to label); "
    "frames that somebody did not annotate are left out",
    False: "each behaviour by itself, yes or no, since several can be at once; "
    "frames that somebody did not annotate are left out",
}
Labels = np.ndarray


def of_video(found: Sides, exclusive: bool) -> dict[str, Any]:
    """Agreement of two or more labellings, ready for JSON; what is undefined is null. In `behaviours`, agreement is how
    often where one gave it another did too, and the kappas are of yes and no."""
    spans, more = differences(found, exclusive)
    whole = (
        scores.summary(found.classes(), found.names, [*found.behaviours, NOTHING], found.lengths) if exclusive else {}
    )
    by_behaviour = {
        name: _of_behaviour(scores.summary(labels, found.names, ("no", "yes"), found.lengths))
        for name, _, labels in _questions(found, exclusive)
        if name is not None
    }
    shown = ((found.classes() >= 0) if exclusive else found.looked).all(axis=0)
    alike = shown & (found.has == found.has[:1]).all(axis=(0, 1))
    frames = int(found.lengths[shown].sum())
    return {
        "exclusive": exclusive,
        "measured": MEASURED[exclusive],
        "frames": frames,
        "frames_left_out": int(found.lengths.sum()) - frames,
        "all_agree": float(found.lengths[alike].sum() / frames) if frames else None,
        "agreement": whole.get("agreement"),
        "fleiss_kappa": whole.get("fleiss_kappa"),
        "pairs": _short(whole.get("pairs", [])),
        "behaviours": by_behaviour,
        "differences": spans,
        "differences_more": more,
    }


def _of_behaviour(found: dict[str, Any]) -> dict[str, Any]:
    return {**found["per_class"]["yes"], "fleiss_kappa": found["fleiss_kappa"], "pairs": _short(found["pairs"])}


def _short(pairs: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: one[name] for name in ("annotators", "agreement", "cohen_kappa")} for one in pairs]


def of_project(videos: Sequence[Sides], exclusive: bool, behaviours: Sequence[str]) -> dict[str, Any]:
    """Agreement pooled over videos. Per pair of people: over all frames that both annotated. Fleiss' kappa needs the
    same number of annotators in each frame, so it is told per number of them, over the videos that so many labelled."""
    # By question (None: the class; else a behaviour's name) and pair; by question and number of annotators.
    confusions: dict[str | None, dict[tuple[str, ...], np.ndarray]] = defaultdict(dict)
    counted: dict[str | None, dict[int, list[tuple[np.ndarray, np.ndarray]]]] = defaultdict(lambda: defaultdict(list))
    for found in videos:
        names = found.names
        for question, classes, labels in _questions(found, exclusive, behaviours):
            for one, other in combinations(range(len(names)), 2):
                first, second = (one, other) if names[one] <= names[other] else (other, one)
                both = labels[[first, second]]
                shown = scores.common(both)
                matrix = metrics.confusion_matrix(both[0][shown], both[1][shown], classes, found.lengths[shown])
                pair = (names[first], names[second])
                confusions[question][pair] = confusions[question].get(pair, 0) + matrix
            shown = scores.common(labels)
            counted[question][len(names)].append((scores.counts(labels[:, shown], classes), found.lengths[shown]))
    told = {
        question: {"pairs": _pairs(confusions[question]), "fleiss": _fleiss(counted[question])}
        for question in confusions
        if question is None or any(matrix[1].any() or matrix[:, 1].any() for matrix in confusions[question].values())
    }
    empty: dict[str, Any] = {"pairs": [], "fleiss": []}
    return {
        "exclusive": exclusive,
        "measured": MEASURED[exclusive],
        **told.get(None, empty),
        "behaviours": {name: one for name, one in told.items() if name is not None},
    }


def _questions(
    found: Sides, exclusive: bool, behaviours: Sequence[str] | None = None
) -> Iterator[tuple[str | None, int, Labels]]:
    """What is asked of each span, with the number of answers, and the labels int64 (labellings, spans): the class in an
    exclusive project, and each behaviour, yes or no; of the behaviours given, or else those that a labelling has."""
    names = list(found.behaviours if behaviours is None else behaviours)
    given = found.classes()
    shown = (given if exclusive else found.looked.astype(np.int64) - 1) >= 0
    if exclusive:
        order = np.array([*(names.index(one) for one in found.behaviours), len(names), -1])
        yield None, len(names) + 1, order[given]  # −1 takes the last one: −1
    for name in names:
        has = found.has[:, found.behaviours.index(name)] if name in found.behaviours else np.zeros_like(shown)
        yield name, 2, np.where(shown, has.astype(np.int64), -1)


def _pairs(confusions: dict[tuple[str, ...], np.ndarray]) -> list[dict[str, Any]]:
    return [
        {"annotators": list(pair), "frames": int(matrix.sum()), "agreement": metrics.or_none(metrics.accuracy(matrix)),
         "cohen_kappa": metrics.or_none(scores.cohen_kappa(matrix))}
        for pair, matrix in sorted(confusions.items())
    ]  # fmt: skip


def _fleiss(counted: dict[int, list[tuple[np.ndarray, np.ndarray]]]) -> list[dict[str, Any]]:
    out = []
    for size, parts in sorted(counted.items()):
        given = np.concatenate([one for one, _ in parts])
        lengths = np.concatenate([one for _, one in parts])
        out.append({
            "annotators": size, "videos": len(parts), "frames": int(lengths.sum()),
            "agreement": metrics.or_none(scores.pair_agreement(given, lengths)),
            "fleiss_kappa": metrics.or_none(scores.fleiss_kappa(given, lengths)),
        })  # fmt: skip
    return out
