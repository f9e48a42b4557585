"""What `ethocaffe tune` searches: the fields of a solver, each with its range.

The thesis tunes learning rate and policy (5.1.3), clipping (5.1.4) and the solver's decay (5.1.2) by hand; the ranges
here are ours. `Suggest` is Optuna's trial, or whatever has its methods.
"""

from __future__ import annotations

from typing import Any, Callable, Protocol

GAMMA = (1e-4, 1e-1)


class Suggest(Protocol):
    """The part of optuna.Trial that is used here."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float: ...

    def suggest_categorical(self, name: str, choices: Any) -> Any: ...


def _inv(trial: Suggest, iterations: int) -> dict[str, Any]:
    return {"gamma": trial.suggest_float("inv_gamma", *GAMMA, log=True), "power": trial.suggest_float("power", 0.25, 1)}


def _step(trial: Suggest, iterations: int) -> dict[str, Any]:
    share = trial.suggest_float("step_share", 0.1, 0.5)
    return {"gamma": trial.suggest_float("step_gamma", 0.1, 0.9), "stepsize": max(round(share * iterations), 1)}


def _exp(trial: Suggest, iterations: int) -> dict[str, Any]:
    left = trial.suggest_float("exp_left", 0.01, 0.9, log=True)  # of the rate, at the last iteration
    return {"gamma": left ** (1 / iterations)}


# Fields of each policy (src/caffe/solvers/sgd_solver.cpp, GetLearningRate).
POLICIES: dict[str, Callable[[Suggest, int], dict[str, Any]]] = {
    "inv": _inv,
    "fixed": lambda trial, iterations: {},
    "step": _step,
    "exp": _exp,
}
POLICY_FIELDS = ("gamma", "power", "stepsize", "stepvalue")
# The field that says how long a solver remembers, by its type.
MEMORY = {"RMSProp": "rms_decay", "SGD": "momentum", "Nesterov": "momentum", "Adam": "momentum", "AdaDelta": "momentum"}


def suggest(trial: Suggest, solver_type: str, iterations: int) -> dict[str, Any]:
    """Values of a solver's fields for a trial; POLICY_FIELDS that are not among them are to be cleared."""
    policy = trial.suggest_categorical("lr_policy", tuple(POLICIES))
    fields = {
        "base_lr": trial.suggest_float("base_lr", 1e-5, 1e-1, log=True),
        "lr_policy": policy,
        **POLICIES[policy](trial, iterations),
        "clip_gradients": trial.suggest_float("clip_gradients", 0.1, 100, log=True),
        "weight_decay": trial.suggest_float("weight_decay", 1e-6, 1e-2, log=True),
    }
    if solver_type in MEMORY:
        # As 1 − value, since what matters is how far it is from 1.
        forgets = trial.suggest_float("forgets", 1e-3, 0.5, log=True)
        fields[MEMORY[solver_type]] = 1 - forgets
    return fields


def first_guess(solver: Any) -> dict[str, Any]:
    """The parameters of a trial that is the solver as given, as far as it lies in the ranges: the first to be tried."""
    guess = {"base_lr": solver.base_lr, "lr_policy": solver.lr_policy}
    if solver.lr_policy == "inv":
        guess.update(inv_gamma=solver.gamma, power=solver.power)
    if solver.clip_gradients > 0:
        guess["clip_gradients"] = solver.clip_gradients
    if solver.type in MEMORY:
        guess["forgets"] = 1 - getattr(solver, MEMORY[solver.type])
    # A solver without weight decay is at the lower end of its range.
    return {**guess, "weight_decay": max(solver.weight_decay, 1e-6)}
