"""The search for a solver on tiny videos."""

from __future__ import annotations

import csv
import json

import pytest
import tiny

from data_prep.prepare import prepare
from tools import cli, network, search_space


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tune")
    tiny.write_dataset(folder / "data")
    prepare(folder / "data", size=tiny.SIZE, workers=1, quiet=True)
    tiny.write_network(folder / "net")
    return folder


def tune(place, trials, *more):
    fixed = [
        "tune",
        place / "net",
        place / "data",
        "--hold-out",
        "v2",
        "--iterations",
        "20",
        "--output",
        place / "tuned",
    ]
    return cli.main([str(part) for part in [*fixed, "--trials", trials, "--jobs", "2", *more]])


def test_the_best_solver_is_kept_and_more_trials_go_on_from_the_study(place, capsys):
    assert tune(place, 3) == 0
    first = rows(place)
    assert len(first) == 3 and float(first[0]["base_lr"]) == 0.01 and first[0]["lr_policy"] == "fixed"
    assert tune(place, 6, "--quiet") == 0
    second = rows(place)
    assert len(second) == 6 and all(before.items() <= after.items() for before, after in zip(first, second))
    result = json.loads((place / "tuned" / "tune.json").read_text())
    complete = [float(row["balanced_accuracy"]) for row in second if row["state"] == "complete"]
    assert result["balanced_accuracy"] == pytest.approx(max(complete), abs=1e-5)
    solver = network.read_solver(place / "tuned" / "solver.prototxt")
    assert all(getattr(solver, name) == pytest.approx(value) for name, value in result["fields"].items())
    assert not (place / "tuned" / "trials").exists()
    # The solver that is written gives the accuracy that is told.
    arguments = ["train", place / "net", place / "data", "--hold-out", "v2", "--iterations", 20, "--validate-every", 2]
    arguments += ["--solver", place / "tuned" / "solver.prototxt", "--workers", 0, "--output", place / "model"]
    assert cli.main([str(part) for part in arguments]) == 0
    found = json.loads((place / "model" / "model.json").read_text())["validation"]["balanced_accuracy"]
    assert found == pytest.approx(result["balanced_accuracy"], abs=1e-6)
    capsys.readouterr()
    assert tune(place, 6, "--validate-every", "5") == 2
    assert "validate every" in capsys.readouterr().err


def rows(place):
    with open(place / "tuned" / "trials.csv", newline="") as file:
        return list(csv.DictReader(file))


class Lowest:
    """Suggests the lowest value of each range, and a policy."""

    def __init__(self, policy):
        self.policy = policy

    def suggest_float(self, name, low, high, *, log=False):
        return low

    def suggest_categorical(self, name, choices):
        return self.policy


@pytest.mark.parametrize("policy", search_space.POLICIES)
@pytest.mark.parametrize("solver_type", network.SOLVER_TYPES)
def test_every_suggestion_is_a_solver_of_caffe_s(tmp_path, policy, solver_type):
    from tools.trials import with_fields

    (tmp_path / "solver.prototxt").write_text(
        f'type: "{solver_type}" lr_policy: "multistep" stepvalue: 5 max_iter: 100'
    )
    solver = network.read_solver(tmp_path / "solver.prototxt")
    changed = with_fields(solver, search_space.suggest(Lowest(policy), solver_type, 100))
    network.write_message(tmp_path / "changed.prototxt", changed)
    again = network.read_solver(tmp_path / "changed.prototxt")
    assert again.lr_policy == policy and not again.stepvalue
    assert (policy == "step") == again.HasField("stepsize") and (policy == "inv") == again.HasField("power")
