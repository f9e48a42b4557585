"""Every solver × policy of the learning rate × drawn settings: 50 iterations, and steps from real Caffe's states."""

from __future__ import annotations

import os
import zlib

import numpy as np
from generated.draw import Draw
from solver_cases import solver_of

from live.report import Section, pairs, worst
from live.states import arrays_of, gradients_of_step, history, set_gradients

TITLE = "Solvers"
ITERATIONS = 50
STATES = (0, 1, 10, 40)
TRAJECTORY, UPDATE, STEP = 1e-3, 1e-6, 1e-4
# these divide by the root of a history, so a gradient that is 0 but for rounding can become a whole step: the weights
# of a long run are shown, not held
CHAOTIC = ("AdaGrad", "RMSProp", "AdaDelta", "Adam")
VARIANTS = 2  # of each solver and policy

RULES = {
    "SGD": ("base_lr: 0.1", ("momentum: 0.9", "momentum: 0.5", "")),
    "Nesterov": ("base_lr: 0.05", ("momentum: 0.9", "momentum: 0.5", "")),
    "AdaGrad": ("base_lr: 0.05", ("delta: 1e-6", "delta: 1e-3", "")),
    "RMSProp": ("base_lr: 0.01", ("rms_decay: 0.92", "rms_decay: 0.5", "rms_decay: 0.98 delta: 1e-4")),
    "AdaDelta": ("base_lr: 1", ("momentum: 0.95 delta: 1e-6", "momentum: 0.5 delta: 1e-5")),
    "Adam": ("base_lr: 0.01", ("momentum: 0.9", "momentum: 0.8 momentum2: 0.99 delta: 1e-6")),
}
POLICIES = {
    "fixed": "",
    "step": "gamma: 0.5 stepsize: 15",
    "exp": "gamma: 0.97",
    "inv": "gamma: 0.1 power: 0.75",
    "multistep": "gamma: 0.3 stepvalue: 10 stepvalue: 30 stepvalue: 31",
    "poly": "power: 1.5 max_iter: 60",
    "sigmoid": "gamma: 0.2 stepsize: 20",
}


def settings() -> dict:
    """{name: text of the solver}."""
    found = {}
    for rule, (rate, own) in RULES.items():
        for policy, fields in POLICIES.items():
            for variant in range(VARIANTS):
                name = f"{rule} {policy} {variant}"
                draw = Draw(np.random.RandomState(zlib.crc32(name.encode())))
                decay = draw.pick("", "weight_decay: 0.01", 'weight_decay: 0.01 regularization_type: "L1"')
                found[name] = " ".join((
                    f'type: "{rule}" lr_policy: "{policy}" {rate} {fields}', draw.pick(*own), decay,
                    draw.pick("", "clip_gradients: 0.2"), draw.pick("", "", "iter_size: 3")))
    return found


SETTINGS = settings()


def rounds() -> list:
    return [list(SETTINGS), [f"from states: {name}" for name in SETTINGS]]


def run(caffe, name: str, side: str) -> dict:
    given = name.split(": ")[-1]
    if name != given:
        return from_states(caffe, given, side)
    return trajectory(caffe, given, side)


def place(name: str, side: str) -> str:
    folder = os.path.join("solvers", name.replace(" ", "_"), side)
    os.makedirs(folder, exist_ok=True)
    return folder


def trajectory(caffe, name: str, side: str) -> dict:
    """Losses and last weights of the run; real Caffe leaves its states and their gradients behind."""
    folder = place(name, side)
    solver = solver_of(caffe, folder, SETTINGS[name])
    kept = gradients_of_step(solver) if side == "real" else {}
    losses = []
    for iteration in range(ITERATIONS):
        if side == "real" and iteration in STATES:
            solver.snapshot()
        solver.step(1)
        losses.append(float(solver.net.blobs["loss"].data))
        if side == "real" and iteration in STATES:
            np.savez(os.path.join(folder, f"step_{iteration}.npz"), **kept)
    return {"losses": np.asarray(losses), **arrays_of(solver.net, "weights")}


def from_states(caffe, name: str, side: str) -> dict:
    """One step from each of real Caffe's states: `update` with real Caffe's own gradients, `step` with this side's."""
    folder, states = place(name, side), place(name, "real")
    found = {}
    for state in STATES:
        for form in ("update", "step"):
            solver = solver_of(caffe, folder, SETTINGS[name], form)
            solver.restore(os.path.join(states, f"small_iter_{state}.solverstate"))
            if side == "real" or form == "step":
                solver.step(1)
            else:
                with np.load(os.path.join(states, f"step_{state}.npz")) as gradients:
                    set_gradients(solver.net, gradients)
                solver.apply_update()
            found.update(arrays_of(solver.net, f"{form} {state}"))
            if form == "step":
                solver.snapshot()
                found.update(history(caffe, os.path.join(folder, f"{form}_iter_{state + 1}.solverstate"), state))
    return found


def section(found: dict) -> Section:
    faults: list[str] = []
    both = pairs(found, faults)
    rows = []
    for rule in RULES:
        own = {name: arrays for name, arrays in both.items() if name.split(": ")[-1].startswith(rule + " ")}
        whole = {name: arrays for name, arrays in own.items() if ": " not in name}
        steps = {name: arrays for name, arrays in own.items() if ": " in name}
        rows.append((rule, len(whole), worst(steps, UPDATE, lambda a: a.startswith("update")),
                     worst(steps, STEP, lambda a: a.startswith("step")),
                     worst(steps, STEP, lambda a: a.startswith("history")),
                     worst(whole, TRAJECTORY, lambda a: a == "losses"),
                     worst(whole, float("inf") if rule in CHAOTIC else TRAJECTORY, lambda a: a != "losses")))
    text = f"""
{len(SETTINGS)} settings: 6 solvers × {len(POLICIES)} policies × {VARIANTS} drawn choices of momentum or decay,
weight decay (L1, L2, none), clip_gradients, iter_size; on a net of two layers whose data stay. *Update*: what the
update makes of real Caffe's own gradients, from states that real Caffe wrote at iterations
{', '.join(map(str, STATES))}. *Step* and *history*: a whole iteration from there, the weights and the solver's
history after it. *Losses* and *weights*: all {ITERATIONS} iterations from the start, on their own.

Limits: update {UPDATE:.0e}, step and history {STEP:.0e}, losses {TRAJECTORY:.0e}, weights {TRAJECTORY:.0e} for SGD
and Nesterov. The other four divide by the root of a history, so a gradient that is 0 but for rounding can become a
whole step: their weights after a long run are shown, and what is held is each single step."""
    columns = ("solver", "settings", "update", "step", "history", f"losses of {ITERATIONS}",
               f"weights after {ITERATIONS}")
    return Section(TITLE, text, columns, rows, faults)
