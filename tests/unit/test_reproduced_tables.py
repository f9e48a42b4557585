"""What `ethocaffe reproduce` would train, and what it makes of records: on numbers written out by hand."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from data_prep.errors import InputError
from data_prep.position import FEATURES
from tools import network
from tools.reproduce import catalogue, findings, stand_in, tables
from tools.reproduce.catalogue import CURVES, EXTRAS, PROFILES, Cell
from tools.reproduce.published import read_published
from tools.reproduce.results import results

PUBLISHED = read_published()
TABLES = [(row.table, Cell(row.features, row.pretrained, row.model)) for row in PUBLISHED]


def test_the_thesis_s_tables_have_24_cells_of_which_8_are_in_both():
    assert len(catalogue.cells_of(["table_5.3"], TABLES)) == 24
    assert len(catalogue.cells_of(["table_5.2.1"], TABLES)) == 8
    assert len(catalogue.cells_of(["table_5.2.1", "table_5.3"], TABLES)) == 24
    figures = catalogue.cells_of([name for name in catalogue.NAMES if name.startswith("figure")], TABLES)
    assert set(figures) <= {cell for _, cell in TABLES}


@pytest.mark.parametrize("profile", PROFILES)
def test_every_cell_and_every_variant_names_a_network_and_a_solver_that_are_there(profile):
    folder = PROFILES[profile].folder
    graphs = {cell.network for _, cell in TABLES} | {cell.network for cell in EXTRAS}
    graphs |= {variant.network for curves in CURVES.values() for variant in curves.variants}
    graphs |= {graph for graph, _ in catalogue.DRAWINGS.values()}
    for graph in graphs:
        assert network.find_network("/".join(part for part in (folder, graph) if part)).is_dir()
    network.read_solver(network.NETWORKS / PROFILES[profile].solver)


def test_figures_are_chosen_by_name():
    assert catalogue.chosen("figure_7, table_5.3") == ["table_5.3", "figure_7"]
    assert {f"figure_{number}" for number in range(3, 24)} <= set(catalogue.chosen(None))
    with pytest.raises(InputError, match="there is no such table or figure"):
        catalogue.chosen("figure_2")


def record(*percents, honest=None, recalls=None):
    """A cell's record with these balanced accuracies of its folds."""
    honest = honest or percents
    return {
        "balanced_accuracy": np.mean(percents) / 100,
        "spread": np.std(percents, ddof=1) / 100,
        "honest_balanced_accuracy": np.mean(honest) / 100,
        "honest_spread": np.std(honest, ddof=1) / 100,
        "folds": [
            {
                "fold": f"cage_{number}",
                "iteration": 50,
                "balanced_accuracy": own / 100,
                "honest_iteration": 100,
                "honest_balanced_accuracy": other / 100,
            }
            for number, (own, other) in enumerate(zip(percents, honest))
        ],
        "pooled": {"per_class": {name: {"recall": value} for name, value in (recalls or {}).items()}},
    }


def test_published_numbers_stand_beside_measured_ones_with_their_contradictions(tmp_path):
    cells = {Cell("shape", False, "cnn").name: record(60, 70, honest=(50, 60))}
    found = results(PUBLISHED, cells)
    assert [one.published for one in found if one.cell == Cell("shape", False, "cnn")] == [62.9, 65.5]
    assert [round(one.difference, 1) for one in found if one.measured] == [2.1, -0.5]
    tables.write_csv(found, tmp_path / "tables.csv")
    with open(tmp_path / "tables.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == (
        "table",
        "features",
        "pretrained",
        "model",
        "published_percent",
        "measured_percent",
        "spread_percent",
        "folds",
    )
    assert len(rows) == 32
    assert list(rows[0].values()) == ["5.2.1", "shape", "no", "cnn", "62.9", "65.00", "7.07", "2"]
    assert list(rows[1].values()) == ["5.2.1", "shape", "yes", "cnn", "72.0", "", "", "0"]
    tables.write_folds(found, cells, tmp_path / "folds.csv")
    with open(tmp_path / "folds.csv", newline="") as file:
        assert [row["honest_percent"] for row in csv.DictReader(file)] == ["50.00", "60.00"]
    text = tables.markdown(found)
    assert "| shape | CNN | 65.5 | 65.0 ± 7.1 | −0.5 | 55.0 ± 7.1 | 2 |" in text
    assert "| shape & pretrain | CNN | 72.0 | – | – | – | – |" in text
    assert "63.6" not in text and "shape, motion, position &amp; pretrain" in tables.html_tables(found)


def test_a_finding_shows_only_where_it_is_beyond_twice_its_standard_error():
    assert findings.verdict(np.array([4.0, 5.0, 6.0]), 1)[2] == findings.SHOWS
    assert findings.verdict(np.array([4.0, 5.0, 6.0]), -1)[2] == findings.REVERSED
    assert findings.verdict(np.array([-4.0, 5.0, 6.0]), 1)[2] == findings.NOT
    mean, error, _ = findings.verdict(np.array([1.0, 2.0, 3.0]), 1)
    assert (mean, error) == (2.0, pytest.approx(1 / 3**0.5))


def test_findings_compare_the_cells_that_they_are_about_and_say_what_was_put_in():
    shape, motion = (Cell(features, False, "cnn").name for features in ("shape", "shape+motion"))
    cells = {
        shape: record(60, 62, 64, recalls={"groom": 0.1, "sniff": 0.3}),
        motion: record(80, 83, 83, recalls={"groom": 0.8, "sniff": 0.9}),
        Cell("shape", True, "cnn").name: record(60, 62, 64),
        Cell("shape+motion", True, "cnn").name: record(80, 80, 86),
    }
    found = {one.claim: one for one in findings.findings(cells, {}, PUBLISHED, simulated=True)}
    assert set(found) == {"Motion beside shape helps (CNN)", "Motion helps to tell groom from sniff"}
    one = found["Motion beside shape helps (CNN)"]
    assert one.verdict == findings.SHOWS and one.measured.startswith("+20.0 ± 0.3 points") and "2 of 2" in one.measured
    assert "put into the simulation by hand" in one.remark
    assert "groom 10 → 80 %" in found["Motion helps to tell groom from sniff"].measured
    real = findings.findings(cells, {}, PUBLISHED, simulated=False)
    assert all(not one.remark for one in real)


def test_pretraining_is_compared_in_all_ten_pairs_of_table_5_3():
    pairs = next(one.pairs for one in findings.COMPARISONS if one.claim == "Pretraining helps")
    assert len(pairs) == 10 and {cell for pair in pairs for cell in pair} <= {cell for _, cell in TABLES}


def test_the_stand_in_s_labels_say_where_the_animal_is_and_whether_it_is_upright():
    rows = np.zeros((4, 11))
    rows[:, FEATURES.index("x")] = (0.1, 0.5, 0.99, 0.5)
    rows[:, FEATURES.index("aspect")] = (2.0, 0.5, 1.5, 1.0)
    rows[:3, -1] = 1
    labels = stand_in.labels_of(rows).tolist()
    assert [stand_in.CLASSES[label] for label in labels[:3]] == ["left level", "middle upright", "right level"]
    assert labels[3] == -1


def run(*accuracies):
    rows = [
        {"iteration": 25 * at, "balanced_accuracy": one, "train_accuracy": one} for at, one in enumerate(accuracies)
    ]
    return {"curves": {"cage_1": rows}, "classes": ["rest", "walk"]}


def test_single_trainings_are_compared_by_how_far_seeds_are_apart():
    runs = {f"seed_{number}": run(0.5, 0.50 + 0.02 * number) for number in range(5)}  # highest 50, 52 … 58: s.d. 3.2
    names = [variant.name for variant in CURVES["figure_9"].variants]
    runs.update({name: run(0.5, 0.6) for name in names})
    found = {one.source: one for one in findings.findings({}, runs, PUBLISHED, simulated=False)}
    assert found["figure 9"].verdict == findings.NOT and found["figure 13"].verdict == findings.SHOWS
    for solver in ("sgd_0.9", "sgd_0.6"):
        runs[solver] = run(0.5, 0.53)  # 7 points lower: more than twice 3.2
    found = {one.source: one for one in findings.findings({}, runs, PUBLISHED, simulated=False)}
    assert found["figure 9"].verdict == findings.SHOWS and "6.3" in found["figure 9"].measured
    without = {name: record for name, record in runs.items() if not name.startswith("seed")}
    found = {one.source: one for one in findings.findings({}, without, PUBLISHED, simulated=False)}
    assert found["figure 9"].verdict == findings.SINGLE
