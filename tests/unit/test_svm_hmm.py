"""The SVM-HMM: decoding against exhaustive search, training against a linear SVM, its gap, and what it recovers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.svm import LinearSVC

from current_system import planes, structural_svm
from current_system.sequence_model import (
    ORDERS,
    Weights,
    decode,
    decode_many,
    emissions,
    flat,
    joint_features,
    max_marginals,
    shaped,
)
from current_system.structural_svm import Problem, balanced_cost, train
from current_system.system import Options


def random_weights(rng, classes, features, order):
    shapes = ((classes, features), (classes,), (classes,), (classes,) * 2, (classes,) * 3)
    weights = [rng.normal(size=shape) for shape in shapes]
    for part, needs in zip((2, 3, 4), (1, 1, 2)):
        weights[part] *= order >= needs
    return Weights(*weights)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("classes, frames", [(2, 1), (2, 2), (3, 3), (3, 6), (2, 8)])
def test_decoding_finds_what_exhaustive_search_finds(order, classes, frames):
    rng = np.random.default_rng(100 * order + 10 * classes + frames)
    for _ in range(10):
        weights, x = random_weights(rng, classes, 4, order), rng.normal(size=(frames, 4))
        vector = flat(weights)
        every = np.array(list(itertools.product(range(classes), repeat=frames)))
        scores = np.array([joint_features(x, labels, classes, order) @ vector for labels in every])
        found = decode(weights, emissions(weights, x), order)
        assert found.tolist() == every[scores.argmax()].tolist()
        marginals = max_marginals(weights, emissions(weights, x), order)
        expected = [[scores[every[:, at] == one].max() for one in range(classes)] for at in range(frames)]
        assert marginals == pytest.approx(np.array(expected))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("lengths", [(7, 1, 3, 2, 9, 9), (1, 1), (2,), (5, 5, 5)])
def test_sequences_decoded_side_by_side_are_labelled_as_one_by_one(order, lengths):
    rng = np.random.default_rng(10 * order + len(lengths))
    for _ in range(10):
        weights, scores = random_weights(rng, 3, 4, order), [rng.normal(size=(frames, 3)) for frames in lengths]
        found = decode_many(weights, scores, order)
        assert [one.tolist() for one in found] == [decode(weights, own, order).tolist() for own in scores]


def test_weights_come_back_from_their_vector():
    weights = random_weights(np.random.default_rng(1), 3, 5, 2)
    assert all((one == other).all() for one, other in zip(weights, shaped(flat(weights), 3, 5)))


def blobs(rng, frames, classes, features, noise=1.0):
    labels = rng.integers(classes, size=frames)
    centres = rng.normal(size=(classes, features)) * 1.5
    return centres[labels] + noise * rng.normal(size=(frames, features)), labels


def test_without_transitions_it_is_crammer_and_singer_s_linear_svm():
    x, y = blobs(np.random.default_rng(2), 200, 3, 4)
    chunks = [(x[at : at + 1], y[at : at + 1]) for at in range(len(y))]
    C = 0.5
    problem = Problem(chunks, 3, 0, 1 / (C * len(y)), np.ones(3))
    weights, history = train(problem, tolerance=1e-3, max_passes=2000)
    reference = LinearSVC(
        C=C, multi_class="crammer_singer", intercept_scaling=1, tol=1e-8, max_iter=100000, random_state=0
    )
    reference.fit(x, y)
    coefficients = np.hstack([reference.coef_, reference.intercept_[:, np.newaxis]])
    margins = np.hstack([x, np.ones((len(x), 1))]) @ coefficients.T
    rivals = margins - margins[np.arange(len(y)), y][:, np.newaxis] + 1
    rivals[np.arange(len(y)), y] = 0
    objective = (coefficients**2).sum() / 2 / (C * len(y)) + rivals.max(axis=1).mean()
    assert history[-1].primal == pytest.approx(objective, rel=2e-3)
    assert history[-1].dual <= objective * (1 + 1e-6)  # no dual value is above any primal one
    ours = decode(weights, emissions(weights, x), 0)
    assert (ours == reference.predict(x)).mean() > 0.98


def sequences(rng, count, frames, order):
    """Chunks whose next label follows from the last (order 1) or the last two (order 2) with chance 0.95; features that
    tell the class only faintly."""
    chunks = []
    for _ in range(count):
        labels = list(rng.integers(3, size=2))
        while len(labels) < frames:
            follows = (labels[-1] + 1) % 3 if order == 1 else (labels[-1] + labels[-2]) % 3
            labels.append(follows if rng.random() < 0.95 else int(rng.integers(3)))
        y = np.array(labels)
        chunks.append((np.eye(3)[y] + 1.0 * rng.normal(size=(frames, 3)), y))
    return chunks


@pytest.mark.parametrize("order", ORDERS)
def test_the_gap_closes_and_is_never_negative(order):
    chunks = sequences(np.random.default_rng(3), 20, 30, 2)
    problem = Problem(chunks, 3, order, 1e-2, np.ones(3))
    weights, history = train(problem, tolerance=0.02, max_passes=400)
    assert all(state.gap >= -1e-9 for state in history)
    assert history[-1].gap <= 0.02 * history[-1].primal
    assert all(after.dual >= before.dual - 1e-12 for before, after in zip(history, history[1:]))
    again, _ = train(problem, tolerance=0.02, max_passes=400)
    assert (flat(weights) == flat(again)).all()


def exhaustive(problem):
    """For each chunk φ(y_i) − φ(y) and Δ_i(y) of every label sequence y."""
    for x, truth in problem.chunks:
        every = np.array(list(itertools.product(range(problem.classes), repeat=len(truth))))
        right = joint_features(x, truth, problem.classes, problem.order)
        rivals = np.array([right - joint_features(x, one, problem.classes, problem.order) for one in every])
        yield rivals, ((every != truth) * problem.cost[truth]).sum(axis=1)


def objective(problem, vector, rows):
    hinges = sum((loss - rivals @ vector).max() for rivals, loss in rows)
    return problem.strength / 2 * vector @ vector + hinges / problem.frames


@pytest.mark.parametrize("order", ORDERS)
def test_weighted_sequences_are_solved_as_by_a_general_solver_over_all_label_sequences(order):
    chunks = sequences(np.random.default_rng(6), 3, 4, 2)
    problem = Problem(chunks, 3, order, 0.05, balanced_cost(np.concatenate([y for _, y in chunks]), 3))
    weights, history = train(problem, tolerance=1e-4, max_passes=500)
    rows, size = list(exhaustive(problem)), len(flat(weights))
    constraints = np.concatenate(
        [np.hstack([rivals, np.tile(np.eye(3)[index], (len(rivals), 1))]) for index, (rivals, _) in enumerate(rows)]
    )
    losses = np.concatenate([loss for _, loss in rows])
    found = minimize(
        lambda v: problem.strength / 2 * v[:size] @ v[:size] + v[size:].sum() / problem.frames,
        np.concatenate([np.zeros(size), [loss.max() for _, loss in rows]]),
        jac=lambda v: np.concatenate([problem.strength * v[:size], np.full(3, 1 / problem.frames)]),
        constraints={"type": "ineq", "fun": lambda v: constraints @ v - losses, "jac": lambda v: constraints},
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 500},
    )
    assert found.success
    optimum = objective(problem, found.x[:size], rows)
    assert history[-1].primal == pytest.approx(objective(problem, flat(weights), rows), rel=1e-9)
    assert history[-1].primal == pytest.approx(optimum, rel=2e-4)
    assert history[-1].dual == pytest.approx(optimum, rel=2e-4) and history[-1].dual <= optimum + 1e-9
    # The objective is strongly convex: near its minimum the weights are near the solver's, too.
    assert ((flat(weights) - found.x[:size]) ** 2).sum() <= 2 / problem.strength * 2e-4 * optimum


def test_the_default_options_reach_their_tolerance():
    options = Options()
    chunks = sequences(np.random.default_rng(7), 15, 60, 2)
    cost = balanced_cost(np.concatenate([y for _, y in chunks]), 3)
    told = []
    _, history = train(
        Problem(chunks, 3, options.order, options.strength, cost),
        tolerance=options.tolerance,
        max_passes=options.max_passes,
        watch=told.append,
    )
    last = history[-1]
    assert 0 <= last.relative <= options.tolerance and last.passes < options.max_passes
    assert last.relative == (last.primal - last.dual) / last.primal
    assert [state.passes for state in told] == list(range(1, last.passes + 1))
    assert all(before.gap >= after.gap for before, after in zip(told, told[1:]))


def test_little_memory_costs_passes_but_not_the_solution(monkeypatch):
    problem = Problem(sequences(np.random.default_rng(8), 10, 20, 2), 3, 2, 1e-2, np.ones(3))
    _, ample = train(problem, tolerance=0.02, max_passes=1000)
    monkeypatch.setattr(structural_svm, "MEMORY", 0)
    _, scarce = train(problem, tolerance=0.02, max_passes=1000)
    assert scarce[-1].relative <= 0.02 and scarce[-1].passes > ample[-1].passes
    assert scarce[-1].primal == pytest.approx(ample[-1].primal, rel=0.03)


def test_merged_planes_leave_weights_and_dual_alone():
    rng = np.random.default_rng(9)
    held = planes.first(6)
    for now in range(1, 30):
        before = (held.shares @ held.vectors, held.shares @ held.losses)
        held = planes.added(held, rng.normal(size=6), rng.random(), now, 4)
        after = (held.shares @ held.vectors, held.shares @ held.losses)
        assert after[0] == pytest.approx(before[0]) and after[1] == pytest.approx(before[1])
        assert len(held.losses) <= 4 and held.products == pytest.approx(held.vectors @ held.vectors.T)
        weights = held.shares @ held.vectors
        held, change = planes.climbed(held, planes.heights(held, weights, 0.1), 0.1, now)
        assert held.shares.sum() == pytest.approx(1) and held.shares.min() >= 0
        dual = held.shares @ held.losses - 0.05 * (weights + change) @ (weights + change)
        assert dual >= before[1] - 0.05 * weights @ weights - 1e-12


@pytest.mark.parametrize("of_data", [1, 2])
def test_transitions_are_learned_up_to_the_order_of_the_data(of_data):
    rng = np.random.default_rng(4)
    training, held_out = sequences(rng, 30, 40, of_data), sequences(rng, 20, 40, of_data)
    accuracy = []
    for order in ORDERS:
        weights, _ = train(Problem(training, 3, order, 1e-3, np.ones(3)), max_passes=100)
        right = [(decode(weights, emissions(weights, x), order) == y).mean() for x, y in held_out]
        accuracy.append(np.mean(right))
    assert accuracy[of_data] > accuracy[of_data - 1] + 0.05
    if of_data == 1:
        assert accuracy[2] > accuracy[1] - 0.03


def test_weighted_classes_raise_the_recall_of_a_rare_one():
    rng = np.random.default_rng(5)
    y = (rng.random(11000) < 0.05).astype(int)  # 10000 held out, so that one rare frame more or less is nothing
    x = y[:, np.newaxis] * 1.5 + rng.normal(size=(11000, 2))
    chunks = [(x[at : at + 50], y[at : at + 50]) for at in range(0, 1000, 50)]
    recalls = []
    for cost in (np.ones(2), balanced_cost(y[:1000], 2)):
        weights, _ = train(Problem(chunks, 2, 0, 1e-3, cost), max_passes=200)
        found = decode(weights, emissions(weights, x[1000:]), 0)
        recalls.append([(found[y[1000:] == one] == one).mean() for one in (0, 1)])
    assert recalls[1][1] > recalls[0][1] + 0.2
    assert np.mean(recalls[1]) > np.mean(recalls[0])


def test_balanced_costs_are_one_on_average():
    labels = np.array([0] * 90 + [2] * 10)
    cost = balanced_cost(labels, 3)
    assert cost[labels].mean() == pytest.approx(1) and cost[1] == 0
    assert cost[0] * 90 == pytest.approx(cost[2] * 10)
