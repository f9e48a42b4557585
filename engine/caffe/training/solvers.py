"""Solvers: the training loop of src/caffe/solver.cpp with the update rules of `updates`.

One step: clear the diffs, test if it is time, iter_size × (forward, backward), display, then
clip → per parameter: ÷ iter_size → regularise → update rule; then snapshot if it is time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from os import PathLike, fspath
from typing import Any

import numpy as np

from caffe import context, glog
from caffe.blob import Blob
from caffe.errors import CaffeError
from caffe.formats.prototxt import read_net
from caffe.formats.prototxt_text import to_text
from caffe.formats.upgrade import read_solver_file, upgrade_net
from caffe.net import Net
from caffe.proto import caffe_pb2
from caffe.random import rng
from caffe.training import snapshots, updates

f32 = np.float32
TRAIN_NET_FIELDS = ("net", "net_param", "train_net", "train_net_param")


class Solver:
    """A training run from a solver prototxt: `get_solver(file)`, then `step(n)` or `solve()`.

    `net` and `test_nets` are its nets, `iter` the number of updates made, `param` its message. Raises CaffeError
    for whatever is wrong with the files.
    """

    rule: updates.Rule

    def __init__(self, solver_file: str | PathLike | caffe_pb2.SolverParameter):
        if isinstance(solver_file, caffe_pb2.SolverParameter):
            self.param = solver_file
        else:
            self.param = read_solver_file(solver_file)
        if context.root_solver() and glog.enabled():
            glog.info(f"Initializing solver from parameters: \n{to_text(self.param, utf8=True)}")
        updates.check(self.rule, self.param)
        if self.param.HasField("solver_mode") and self.param.solver_mode == caffe_pb2.SolverParameter.GPU:
            context.set_mode_gpu()
        if context.root_solver():
            snapshots.check_prefix(self.param)
        if self.param.random_seed >= 0:
            rng.seed_main(self.param.random_seed + context.solver_rank())
        self.iter = 0
        self.current_step = 0
        self.net = self._train_net()
        self.test_nets = self._test_nets()
        self.history = [Blob(*p.blob.shape) for _ in range(self.rule.histories) for p in self.net.learnable_params]
        self._callbacks: list[tuple[Callable[[], None], Callable[[], None]]] = []
        self._losses: list[np.float32] = []
        self._smoothed_loss = f32(0)
        self._last_display = 0
        self._timer = time.perf_counter()
        # asked once an iteration and once a test batch: "stop", "snapshot", or "" to go on
        self.requested_action: Callable[[], str] = lambda: ""
        self._stopped = False
        # what all processes of a training do when this one is asked for something; see `parallel`
        self.agree: Callable[[str], str] = lambda request: request
        if context.root_solver():
            glog.info("Solver scaffolding done.")

    @property
    def type(self) -> str:
        return self.rule.name

    @property
    def lr(self) -> float:
        """The learning rate of the next update."""
        rate, self.current_step = updates.learning_rate(self.param, self.iter, self.current_step)
        return rate

    # -- nets --------------------------------------------------------------------------------------------------
    def _train_net(self) -> Net:
        given = [name for name in TRAIN_NET_FIELDS if self.param.HasField(name)]
        if len(given) != 1:
            raise CaffeError(f"solver: needs exactly one of {', '.join(TRAIN_NET_FIELDS)}; "
                             f"it has {', '.join(given) or 'none'}")
        source = getattr(self.param, given[0])
        glog.info("Creating training net " + (f"from {given[0]} file: {source}" if isinstance(source, str)
                                              else f"specified in {given[0]}."))
        return self._net(_read(source), caffe_pb2.TRAIN, self.param.train_state)

    def _test_nets(self) -> list[Net]:
        """One net for each test_iter: test_net_param, test_net, then net_param or net for those left over."""
        sources: list = [(name, source) for name in ("test_net_param", "test_net")
                         for source in getattr(self.param, name)]
        generic = [(name, getattr(self.param, name)) for name in ("net_param", "net") if self.param.HasField(name)]
        wanted = len(self.param.test_iter)
        if wanted < len(sources) or (wanted > len(sources) and not generic):
            raise CaffeError(f"solver: has {wanted} test_iter for {len(sources)} test net(s); give one for each")
        sources += generic * (wanted - len(sources))
        states = list(self.param.test_state) or [None] * wanted
        if len(states) != wanted:
            raise CaffeError(f"solver: has {len(states)} test_state for {wanted} test nets; give none or one for each")
        if wanted and self.param.test_interval <= 0:
            raise CaffeError("solver: has test_iter but no test_interval; set how often to test")
        nets: list[Net] = []
        read = [_read(source) for _, source in sources]
        for (name, source), param, state in zip(sources, read, states):
            shown = f"{name} file: {source}" if isinstance(source, str) else name
            glog.info(f"Creating test net (#{len(nets)}) specified by {shown}")
            nets.append(self._net(param, caffe_pb2.TEST, state))
            nets[-1].debug_info = self.param.debug_info
        return nets

    def _net(self, param: caffe_pb2.NetParameter, phase: int, state: caffe_pb2.NetState | None) -> Net:
        """A net whose state is, in rising precedence, the phase, the net's own state, the solver's for it."""
        merged = caffe_pb2.NetState(phase=phase)
        merged.MergeFrom(param.state)
        if state is not None:
            merged.MergeFrom(state)
        param.state.CopyFrom(merged)
        net = Net.from_proto(param)
        for entry in self.param.weights:
            for file in entry.split(","):
                glog.info(f"Finetuning from {file.strip()}")
                net.copy_from(file.strip())
        return net

    # -- the loop ------------------------------------------------------------------------------------------------
    def step(self, iterations: int) -> None:
        """Train for so many iterations, testing, displaying and snapshotting when due, until asked to stop."""
        start, stop = self.iter, self.iter + iterations
        self._losses, self._smoothed_loss = [], f32(0)
        self._timer = time.perf_counter()
        while self.iter < stop:
            self.net.clear_param_diffs()
            if self._due(self.param.test_interval) and (self.iter > 0 or self.param.test_initialization):
                if context.root_solver():
                    self.test_all()
                self._stopped = self.agree("stop" if self._stopped else "") == "stop"
                if self._stopped:
                    break
            for on_start, _ in self._callbacks:
                on_start()
            display = self._due(self.param.display)
            self.net.debug_info = bool(display and self.param.debug_info)
            loss = f32(0)
            for _ in range(self.param.iter_size):
                loss += f32(self.net.forward_backward())
            self._update_smoothed_loss(loss / f32(self.param.iter_size), start)
            if display:
                self._display()
            for _, on_gradients_ready in self._callbacks:
                on_gradients_ready()
            self.apply_update()
            request = self.agree(self.requested_action())
            if context.root_solver() and (self._due(self.param.snapshot) or request == "snapshot"):
                self.snapshot()
            if request == "stop":
                self._stopped = True
                break

    def solve(self, resume_file: str | PathLike | None = None) -> None:
        """Train to max_iter, from a .solverstate if given; snapshot at the end, display and test once more.

        Asked to stop (`requested_action`), it ends after the iteration under way and its snapshot.
        """
        glog.info(f"Solving {self.net.name}")
        glog.info(f"Learning Rate Policy: {self.param.lr_policy}")
        self._stopped = False
        if resume_file is not None:
            glog.info(f"Restoring previous solver status from {fspath(resume_file)}")
            self.restore(resume_file)
        start = self.iter
        self.step(self.param.max_iter - self.iter)
        if not context.root_solver():
            return
        if self.param.snapshot_after_train and not (self.param.snapshot and self._due(self.param.snapshot)):
            self.snapshot()
        if self._stopped:
            glog.info("Optimization stopped early.")
            return
        if self._due(self.param.display):
            loss = self.net._forward(0, len(self.net.layers) - 1)
            self._update_smoothed_loss(f32(loss), start)
            glog.info(f"Iteration {self.iter}, loss = {glog.number(self._smoothed_loss)}")
        if self._due(self.param.test_interval):
            self.test_all()
        glog.info("Optimization Done.")

    def apply_update(self) -> None:
        """Turn the parameters' diffs into an update, apply it, count the iteration."""
        rate = self.lr
        if self._due(self.param.display):
            glog.info(f"Iteration {self.iter}, lr = {glog.number(rate)}")
        params = self.net.learnable_params
        diffs = [p.blob.mutable_diff_tensor() for p in params]
        clipping = updates.clipping(diffs, self.param.clip_gradients)
        shares = [float(f32(1) / f32(self.param.iter_size))] if self.param.iter_size > 1 else []
        step = updates.Step(self.rule, self.param, self.iter, [*([clipping] if clipping != 1 else []), *shares])
        for i, (param, diff) in enumerate(zip(params, diffs)):
            history = [self.history[i + k * len(params)].mutable_tensor() for k in range(self.rule.histories)]
            local_rate = float(f32(rate) * f32(param.lr_mult))
            step.apply(param.blob.mutable_tensor(), diff, history, local_rate, param.decay_mult)
        self.iter += 1

    def _due(self, interval: int) -> bool:
        return bool(interval) and self.iter % interval == 0

    # -- what is shown ---------------------------------------------------------------------------------------------
    def _display(self) -> None:
        lapse = time.perf_counter() - self._timer
        per_second = (self.iter - self._last_display) / (lapse or 1)
        speed = f"{glog.number(per_second)} iter/s, {glog.number(lapse)}s/{self.param.display} iters"
        glog.info(f"Iteration {self.iter} ({speed}), loss = {glog.number(self._smoothed_loss)}")
        self._timer = time.perf_counter()
        self._last_display = self.iter
        _log_scores(self.net, "Train", *output_values(self.net))

    def _update_smoothed_loss(self, loss: np.float32, start: int) -> None:
        """The mean of the last average_loss losses; the window begins anew at each `step`."""
        size = len(self._losses)
        if size < self.param.average_loss:
            self._losses.append(loss)
            self._smoothed_loss = (self._smoothed_loss * f32(size) + loss) / f32(size + 1)
        else:
            place = (self.iter - start) % self.param.average_loss
            self._smoothed_loss += (loss - self._losses[place]) / f32(self.param.average_loss)
            self._losses[place] = loss

    def test_all(self) -> None:
        """Run every test net over its test_iter batches and log its mean outputs."""
        for i in range(len(self.test_nets)):
            if not self._stopped:
                self._test(i)

    def _test(self, index: int) -> None:
        glog.info(f"Iteration {self.iter}, Testing net (#{index})")
        net, batches = self.test_nets[index], self.param.test_iter[index]
        net.share_with(self.net)
        total_loss, places, totals = f32(0), list[int](), None
        for _ in range(batches):
            self._heed_requests()
            if self._stopped:
                glog.info("Test interrupted.")
                return
            total_loss += f32(net._forward(0, len(net.layers) - 1))
            places, values = output_values(net)
            if totals is not None and len(values) != len(totals):
                raise CaffeError(f"test net #{index}: its outputs held {len(totals)} values in the first batch and "
                                 f"{len(values)} now; a test needs outputs of one size")
            totals = values if totals is None else totals + values
        if self.param.test_compute_loss:
            glog.info(f"Test loss: {glog.number(total_loss / f32(batches or 1))}")
        if totals is not None:
            _log_scores(net, "Test", places, totals / f32(batches))

    def _heed_requests(self) -> None:
        """While testing, snapshots are written at once, and a wish to stop ends the test."""
        while request := self.requested_action():
            if request == "snapshot":
                self.snapshot()
            else:
                self._stopped = True

    # -- snapshots -------------------------------------------------------------------------------------------------
    def snapshot(self) -> None:
        """Write <prefix>_iter_<n>.caffemodel and .solverstate (each with .h5 for HDF5)."""
        snapshots.write(self)

    def restore(self, state_file: str | PathLike) -> None:
        """Go on from a .solverstate (or .solverstate.h5): iteration, weights, history."""
        snapshots.restore(self, fspath(state_file))

    # -- pycaffe's extras ----------------------------------------------------------------------------------------------
    def add_callback(self, on_start: Any, on_gradients_ready: Callable[[], Any] | None = None) -> None:
        """Call the two functions, or those of the NCCL given, before each iteration and before each update."""
        if on_gradients_ready is None:
            on_start, on_gradients_ready = on_start.on_start, on_start.on_gradients_ready
        self._callbacks.append((on_start, on_gradients_ready))

    def share_weights(self, net: Net) -> None:
        """Let `net` use the training net's parameters."""
        net.share_with(self.net)


def _read(source: str | caffe_pb2.NetParameter) -> caffe_pb2.NetParameter:
    """A copy of a net, from its file or its message, in today's format."""
    param = caffe_pb2.NetParameter()
    param.CopyFrom(upgrade_net(read_net(source), source) if isinstance(source, str) else upgrade_net(source))
    return param


def output_values(net: Net) -> tuple[list[int], np.ndarray]:
    """All values of the net's outputs in one float32 array, and for each the blob that it is of."""
    arrays = [net._blobs[i].data.reshape(-1) for i in net._outputs]
    places = [i for i, array in zip(net._outputs, arrays) for _ in array]
    return places, np.concatenate(arrays).astype(f32) if arrays else np.empty(0, f32)


def _log_scores(net: Net, kind: str, places: list[int], values: np.ndarray) -> None:
    """Log the outputs' values as Caffe does, with the weighted value for losses."""
    for n, (blob_id, value) in enumerate(zip(places, values)):
        glog.info(f"    {kind} net output #{n}: {score_text(net, blob_id, value)}")


def score_text(net: Net, blob_id: int, value: np.float32) -> str:
    """`loss = 0.7 (* 1 = 0.7 loss)`: an output's name and value, for a loss with its weight and their product."""
    weight = f32(net._blob_loss_weights[blob_id])
    weighted = f" (* {glog.number(weight)} = {glog.number(weight * value)} loss)" if weight else ""
    return f"{net._blob_names[blob_id]} = {glog.number(value)}{weighted}"


def _solver_class(rule: updates.Rule, base: type[Solver]) -> type[Solver]:
    doc = f"A Solver with Caffe's {rule.name} update."
    return type(f"{rule.name}Solver", (base,), {"rule": rule, "__doc__": doc, "__module__": __name__})


SGDSolver = _solver_class(updates.RULES["SGD"], Solver)
# as in Caffe, every other rule's solver is an SGDSolver too
SOLVERS = {name: SGDSolver if name == "SGD" else _solver_class(rule, SGDSolver)
           for name, rule in updates.RULES.items()}
NesterovSolver = SOLVERS["Nesterov"]
AdaGradSolver = SOLVERS["AdaGrad"]
RMSPropSolver = SOLVERS["RMSProp"]
AdaDeltaSolver = SOLVERS["AdaDelta"]
AdamSolver = SOLVERS["Adam"]


def get_solver(solver_file: str | PathLike) -> Solver:
    """The solver of the type that the file names (SGD if none). Raises CaffeError for an unknown type."""
    return solver_from(read_solver_file(solver_file), fspath(solver_file))


def solver_from(param: caffe_pb2.SolverParameter, source: str) -> Solver:
    """The solver that the message describes; `source` is named in the error for an unknown type."""
    if param.type not in SOLVERS:
        raise CaffeError(f"{source}: unknown solver type '{param.type}'; known: {', '.join(SOLVERS)}")
    return SOLVERS[param.type](param)
