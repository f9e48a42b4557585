"""Snapshots in both forms of each solver, written on one side and gone on with on the other."""

from __future__ import annotations

import os

import numpy as np
from solver_cases import solver_of

from live.report import Measure, Section, worst
from live.states import arrays_of

TITLE = "Snapshots"
WRITTEN, LAST = 5, 12
NEXT, LATER = 1e-6, 1e-3

SETTINGS = {
    "SGD": 'type: "SGD" base_lr: 0.1 lr_policy: "step" gamma: 0.5 stepsize: 4 momentum: 0.9 weight_decay: 0.01',
    "Nesterov": 'type: "Nesterov" base_lr: 0.1 lr_policy: "multistep" gamma: 0.5 stepvalue: 3 stepvalue: 8 '
                "momentum: 0.9",
    "AdaGrad": 'type: "AdaGrad" base_lr: 0.05 lr_policy: "inv" gamma: 0.1 power: 0.75 delta: 1e-4',
    "RMSProp": 'type: "RMSProp" base_lr: 0.01 lr_policy: "exp" gamma: 0.98 rms_decay: 0.92 clip_gradients: 0.5',
    "AdaDelta": 'type: "AdaDelta" base_lr: 1 lr_policy: "poly" power: 1.5 max_iter: 60 momentum: 0.95 delta: 1e-6',
    "Adam": 'type: "Adam" base_lr: 0.01 lr_policy: "sigmoid" gamma: 0.2 stepsize: 20 momentum: 0.9 iter_size: 2',
}
FORMS = {"BINARYPROTO": "", "HDF5": ".h5"}
OTHER = {"engine": "real", "real": "engine"}


def rounds() -> list:
    names = [f"{rule} {form}" for rule in SETTINGS for form in FORMS]
    return [names, [f"other's {name}" for name in names]]


def run(caffe, name: str, side: str) -> dict:
    """Weights after the iteration behind the snapshot, and after the last; and what the state said."""
    rule, form = name.split()[-2:]
    folder = {who: os.path.join("snapshots", rule, form, who) for who in OTHER}
    os.makedirs(folder[side], exist_ok=True)
    text = f"{SETTINGS[rule]} snapshot_format: {form}"
    if name.startswith("other's"):
        solver = solver_of(caffe, folder[side], text, "again")
        solver.restore(os.path.join(folder[OTHER[side]], f"small_iter_{WRITTEN}.solverstate{FORMS[form]}"))
    else:
        solver = solver_of(caffe, folder[side], text)
        solver.step(WRITTEN)
        solver.snapshot()
    found = {"iteration": np.asarray(solver.iter), **arrays_of(solver.net, "restored")}
    solver.step(1)
    found.update(arrays_of(solver.net, "next"))
    solver.step(LAST - WRITTEN - 1)
    found.update(arrays_of(solver.net, "last"))
    return found


def section(found: dict) -> Section:
    faults = [f"`{name}` in {side}: {result}" for side in OTHER for name, result in found[side].items()
              if isinstance(result, str)]
    rows = []
    for rule in SETTINGS:
        for form in FORMS:
            row: list = [rule, form]
            for reader in OTHER:
                read, written = found[reader][f"other's {rule} {form}"], found[OTHER[reader]][f"{rule} {form}"]
                if isinstance(read, str) or isinstance(written, str):
                    row += ["–"] * 3
                    continue
                both = {f"read by {reader}": (read, written)}
                row += [worst(both, limit, lambda a, part=part: a.startswith(part))
                        for part, limit in (("restored", 0), ("next", NEXT), ("last", LATER))]
                if not np.array_equal(read["iteration"], written["iteration"]):
                    row[-3] = Measure(float("inf"), 0, "iteration")
            rows.append(tuple(row))
    text = f"""
Written after iteration {WRITTEN} on one side; the other restores it and goes on to iteration {LAST}, beside the one
that wrote it. *Restored*: weights and iteration as they were; *next*: weights after one iteration (limit
{NEXT:.0e}); *last*: after {LAST - WRITTEN} (limit {LATER:.0e})."""
    columns = ("solver", "form", *(f"{who} {part}" for who in ("real → engine:", "engine → real:")
                                   for part in ("restored", "next", "last")))
    return Section(TITLE, text, columns, rows, faults)
