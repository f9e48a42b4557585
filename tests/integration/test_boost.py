"""AdaBoost on a trained network's features, beside the network."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import tiny
from sklearn.ensemble import AdaBoostClassifier
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.class_weight import compute_sample_weight

from data_prep.errors import InputError
from data_prep.prepare import prepare
from data_prep.progress import Progress
from tools import boosting, predictions, prepared_videos
from tools.boost import boost, class_shares, table
from tools.evaluate import evaluate
from tools.train import train


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a prepared dataset `data`, a network `net` and a `model` of it."""
    folder = tmp_path_factory.mktemp("boost")
    tiny.write_dataset(folder / "data")
    prepare(folder / "data", size=tiny.SIZE, workers=1, quiet=True)
    tiny.write_network(folder / "net")
    train(str(folder / "net"), folder / "data", "v2", folder / "model", iterations=60, validate_every=20, workers=0,
          quiet=True)  # fmt: skip
    return folder


def boosted(place, output, **options):
    return boost(place / "model", place / "data", place / output, workers=0, quiet=True, **{"estimators": 8, **options})


def test_both_are_measured_on_the_held_out_videos(place):
    result = boosted(place, "out")
    evaluated = evaluate(place / "model", place / "data", place / "evaluated", workers=0, quiet=True)
    assert result["plain"]["confusion"] == evaluated["confusion"]
    assert (result["trained_on"], result["held_out"]) == (["v0", "v1"], ["v2"])
    assert sum(result["training_frames"].values()) == 180
    assert result["boosted"]["frames"] == 90
    assert result["boosted"]["balanced_accuracy"] > 0.6
    written = json.loads((place / "out" / "metrics.json").read_text())
    assert written["boosted"] == result["boosted"]
    assert "of the frames that the network was trained on" in written["note"]


def test_the_predictions_are_those_that_were_measured(place):
    result = boosted(place, "predicted")
    found = predictions.read(place / "predicted" / "v2" / "predictions.csv")
    truth = np.repeat(np.random.default_rng(2).permutation(np.arange(9) % 3), 10)  # as tiny draws v2's
    counts = np.zeros((3, 3), int)
    np.add.at(counts, (truth, found.labels), 1)
    assert counts.tolist() == result["boosted"]["confusion"]
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, atol=1e-5)
    with open(place / "predicted" / "confusion_matrix_boosted.csv", newline="") as file:
        assert [[int(row[name]) for name in tiny.CLASSES] for row in csv.DictReader(file)] == counts.tolist()
    for which in ("plain", "boosted"):
        assert (place / "predicted" / f"confusion_matrix_{which}.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_seed_gives_the_same(place):
    for output in ("once", "again"):
        boosted(place, output, seed=4)
    once, again = ((place / output / "v2" / "predictions.csv").read_bytes() for output in ("once", "again"))
    assert once == again


def test_a_model_without_held_out_videos_is_refused(place):
    train(str(place / "net"), place / "data", "none", place / "all", iterations=1, workers=0, quiet=True)
    with pytest.raises(InputError, match="no video was held out"):
        boost(place / "all", place / "data", place / "never", quiet=True)


def test_a_wrong_blob_is_said(place):
    with pytest.raises(InputError, match="there is no blob 'pol'; did you mean 'pool'"):
        boosted(place, "never", blob="pol")


def test_rare_classes_are_marked(place):
    shares = class_shares(np.repeat([0, 1], [99, 1]), ["often", "seldom", "never"])
    assert shares["rare_classes"] == ["seldom", "never"]
    result = {**boosted(place, "marked"), "rare_classes": ["down"]}
    assert [line.split("|")[1].strip() for line in table(result) if "rare)" in line] == ["down (rare)"]


def drawn(seed, frames=(300, 200, 10)):
    """Features of three classes that overlap, the last of which is rare."""
    generator = np.random.default_rng(seed)
    truth = np.repeat(np.arange(3), frames)
    return generator.normal(0, 1, (len(truth), 4)) + truth[:, np.newaxis] * [1, 0.5, 0, -1], truth


def test_it_is_scikit_learns_adaboost_with_balanced_weights():
    features, truth = drawn(0)
    others, _ = drawn(1)
    progress = Progress(12, "trees", "boosting", quiet=True)
    ours = boosting.fit(features, truth, 3, estimators=12, depth=2, seed=5, progress=progress)
    options = {"algorithm": "SAMME"} if AdaBoostClassifier().get_params().get("algorithm") == "SAMME.R" else {}
    theirs = AdaBoostClassifier(DecisionTreeClassifier(max_depth=2), n_estimators=12, random_state=5, **options)
    theirs.fit(features, truth, sample_weight=compute_sample_weight("balanced", truth) / len(truth))
    np.testing.assert_array_equal(boosting.probabilities(ours, others).argmax(axis=1), theirs.predict(others))
    assert ours.trees == progress.done == 12


def test_rare_classes_weigh_as_much_as_others():
    features, truth = drawn(2)
    weights = boosting.balanced_weights(truth)
    np.testing.assert_allclose(np.bincount(truth, weights), 1 / 3)
    ours = boosting.fit(features, truth, 3, 1, 1, 0, Progress(1, "trees", "boosting", quiet=True))
    assert 2 in boosting.probabilities(ours, features).argmax(axis=1)  # one split, and it is for the rare class


def test_classes_without_training_frames_get_nothing():
    features, truth = drawn(3)
    ours = boosting.fit(features, truth * 2, 6, 5, 2, 0, Progress(5, "trees", "boosting", quiet=True))
    shares = boosting.probabilities(ours, features)
    assert shares.shape == (len(truth), 6)
    np.testing.assert_array_equal(shares[:, [1, 3, 5]], 0)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)


def test_features_that_say_nothing_are_said(place, monkeypatch):
    read = prepared_videos.read

    def dead(*args, **options):
        seen = read(*args, **options)
        return {stem: one._replace(values=[one.values[0], 0 * one.values[1]]) for stem, one in seen.items()}

    monkeypatch.setattr(prepared_videos, "read", dead)
    with pytest.raises(InputError, match="'pool' is the same for every training frame"):
        boosted(place, "never")
