"""What people's scripts do with nets, blobs, layers and solvers, recorded in both engines.

Runs in both (Python 3.9, numpy 1.19). Inputs and weights come from seeds. Each entry of `idioms` is an array, or text:
JSON of plain values, or the names of Python's own exception types that an exception belongs to.
"""

import builtins
import json
import os
import sys

import numpy as np

NET = """name: "small" force_backward: true
layer { name: "x" type: "Input" top: "x" top: "y" input_param { shape { dim: 4 dim: 5 } shape { dim: 4 } } }
layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" inner_product_param { num_output: 6
  weight_filler { type: "gaussian" std: 1 } } }
layer { name: "relu" type: "ReLU" bottom: "a" top: "a" }
layer { name: "b" type: "InnerProduct" bottom: "a" top: "b" inner_product_param { num_output: 3
  weight_filler { type: "gaussian" std: 1 } } }
layer { name: "mine" type: "Python" bottom: "b" top: "c" python_param { module: "pycaffe_idioms" layer: "make_layer" } }
layer { name: "side" type: "Sigmoid" bottom: "a" top: "side" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "c" bottom: "y" top: "loss" loss_weight: 2 }
"""
SOLVER = 'net: "{}" type: "{}" base_lr: 0.25 lr_policy: "step" gamma: 0.5 stepsize: 2 momentum: 0.5 max_iter: 5 ' \
         'snapshot_prefix: "{}" test_iter: 1 test_interval: 100 test_initialization: false snapshot_after_train: false'


def make_layer(param):
    """A user's layer that doubles, of the class that the engine in use has."""
    import caffe

    class Doubling(caffe.Layer):
        def setup(self, bottom, top):
            self.blobs.add_blob(1, 2)
            self.blobs[0].data[...] = 2

        def reshape(self, bottom, top):
            top[0].reshape(*bottom[0].shape)

        def forward(self, bottom, top):
            top[0].data[...] = self.blobs[0].data[0, 0] * bottom[0].data

        def backward(self, top, propagate_down, bottom):
            if propagate_down[0]:
                bottom[0].diff[...] = self.blobs[0].data[0, 0] * top[0].diff
            self.blobs[0].diff[0, 0] += (top[0].diff * bottom[0].data).sum()

    return Doubling(param)


def _filled(net):
    random = np.random.RandomState(4)
    net.blobs["x"].data[...] = random.randn(4, 5)
    if "y" in net.blobs:
        net.blobs["y"].data[...] = [0, 2, 1, 1]
    for name in ("a", "b"):
        for blob in net.params[name]:
            blob.data[...] = random.randn(*blob.data.shape)
    return net


def _plain(value):
    """The value as JSON can hold it: sequences of any kind are lists."""
    if isinstance(value, dict):
        return [[key, _plain(part)] for key, part in value.items()]
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    return [_plain(part) for part in value]


def _exception(call):
    """Names of the builtin exceptions that what `call` raises is one of."""
    try:
        call()
    except Exception as error:
        return " ".join(kind.__name__ for kind in type(error).__mro__ if hasattr(builtins, kind.__name__)
                        and kind is not object)
    return "nothing"


def idioms(caffe, folder):
    """{what is done: what came of it}."""
    sys.modules.setdefault("pycaffe_idioms", sys.modules[__name__])  # where nets look for make_layer
    net_file, solver_file = (os.path.join(str(folder), name) for name in ("net.prototxt", "solver.prototxt"))
    with open(net_file, "w") as out:
        out.write(NET)
    found = {}
    _describe(caffe.Net(net_file, caffe.TRAIN), found)
    _run(_filled(caffe.Net(net_file, caffe.TRAIN)), found)
    _weights(caffe, net_file, folder, found)
    with open(net_file + ".open", "w") as out:
        without_labels = NET.replace('top: "x" top: "y" ', 'top: "x" ').replace(" shape { dim: 4 } }", " }")
        out.write(without_labels.rsplit("layer", 1)[0])
    _run_all(_filled(caffe.Net(net_file + ".open", caffe.TEST)), found)
    for kind in ("SGD", "Adam"):
        with open(solver_file, "w") as out:
            out.write(SOLVER.format(net_file, kind, os.path.join(str(folder), kind)))
        _train(caffe.get_solver(solver_file), kind, os.path.join(str(folder), kind + "_iter_3.solverstate"), found)
    _faults(caffe, _filled(caffe.Net(net_file, caffe.TRAIN)), net_file, found)
    return {name: value if isinstance(value, np.ndarray) else np.array(value) for name, value in found.items()}


def _describe(net, found):
    views = {name: getattr(net, name) for name in (
        "inputs", "outputs", "top_names", "bottom_names", "blob_loss_weights", "_inputs", "_outputs", "_blob_names",
        "_layer_names", "_blob_loss_weights")}
    views["types"] = [layer.type for layer in net.layers]
    views["shapes"] = [[name, list(blob.shape), blob.count] for name, blob in net.blobs.items()]
    views["sides"] = [[blob.num, blob.channels, blob.height, blob.width] for blob in net.blobs.values()]
    views["parameters"] = [[name, [list(blob.shape) for blob in blobs], len(blobs)]
                           for name, blobs in net.params.items()]
    views["ids"] = [[list(net._bottom_ids(i)), list(net._top_ids(i))] for i in range(len(net.layers))]
    views["last layer"] = [net.layers[-1].type, len(net.layers[1:3]), net.layer_dict["b"].type]
    found.update((name, json.dumps(_plain(value))) for name, value in views.items())


def _run(net, found):
    seen = []
    for when in ("before_forward", "after_forward", "before_backward", "after_backward"):
        getattr(net, when)(lambda i, when=when: seen.append([when, i]))
    found["forward"] = net.forward()["loss"].copy()
    found["forward blobs"] = json.dumps(sorted(net.forward(blobs=["a", "c"])))
    found["backward"] = net.backward()["x"].copy()
    found["parameter diff"] = net.params["mine"][0].diff.copy()
    net.clear_param_diffs()
    found["cleared"] = np.array([np.abs(blob.diff).sum() for blobs in net.params.values() for blob in blobs])
    net.blobs["b"].data[...] = 0.5
    found["forward from"] = net.forward(start="mine")["loss"].copy()
    part = net.forward(start="a", end="relu")
    found["forward part"], found["forward part names"] = part["a"].copy(), json.dumps(sorted(part))
    found["backward part"] = net.backward(start="relu", end="a", diffs=["a"])["x"].copy()
    found["_forward"] = np.array(net._forward(0, len(net.layers) - 1))
    found["callbacks"] = json.dumps(seen)
    net.blobs["x"].reshape(2, 5)
    net.blobs["y"].reshape(2)
    net.reshape()
    found["reshaped"] = json.dumps([[name, list(blob.data.shape)] for name, blob in net.blobs.items()])
    arrays = np.random.RandomState(6).randn(2, 5).astype(np.float32)
    found["forward reshaped"] = net.forward(x=arrays, y=np.array([0, 1]), blobs=["c"])["c"].copy()


def _run_all(net, found):
    arrays = np.random.RandomState(7).randn(6, 5).astype(np.float32)
    everything = net.forward_all(blobs=["b"], x=arrays)
    found.update(("forward_all " + name, everything[name]) for name in sorted(everything))
    tops = {name: np.random.RandomState(8).randn(6, side).astype(np.float32) for name, side in (("c", 3), ("side", 6))}
    # as many blobs as diffs: pycaffe drops the padding of no more than the fewer of both
    data, diffs = net.forward_backward_all(blobs=["a"], diffs=["a", "b"], x=arrays, **tops)
    found.update(("forward_backward_all " + name, np.asarray(data[name])) for name in sorted(data))
    found.update(("forward_backward_all diff " + name, np.asarray(diffs[name])) for name in sorted(diffs))


def _weights(caffe, net_file, folder, found):
    net = _filled(caffe.Net(net_file, caffe.TRAIN))
    names = [os.path.join(str(folder), name) for name in ("w.caffemodel", "w.h5")]
    net.save(names[0])
    net.save_hdf5(names[1])
    made = [caffe.Net(net_file, caffe.TEST, weights=names[0]), caffe.Net(net_file, names[1], caffe.TEST),
            caffe.Net(net_file, caffe.TEST, level=0, stages=[], weights=names[0])]
    for name in names:
        made.append(caffe.Net(net_file, phase=caffe.TEST))
        made[-1].copy_from(name)
    made.append(caffe.Net(net_file, caffe.TEST))
    made[-1].load_hdf5(names[1])
    found["loaded"] = np.array([float(other.params["b"][0].data.sum()) for other in made])
    shared = caffe.Net(net_file, caffe.TEST)
    shared.share_with(net)
    net.params["a"][0].data[...] = 3
    found["shared"] = shared.params["a"][0].data.copy()


def _train(solver, kind, state, found):
    _filled(solver.net)
    _filled(solver.test_nets[0])
    rows, seen = [], []
    solver.add_callback(lambda: seen.append("start"), lambda: seen.append("ready"))
    for _ in range(3):
        rows.append([solver.iter, solver.lr])
        solver.step(1)
    found[kind + " rates"] = np.array(rows)
    found[kind + " parameter"] = solver.net.params["b"][0].data.copy()
    solver.snapshot()
    solver.net.params["b"][0].data[...] = 0
    solver.restore(state)
    found[kind + " restored"] = solver.net.params["b"][0].data.copy()
    solver.net.clear_param_diffs()
    solver.net.params["b"][0].diff[...] = 1
    solver.apply_update()
    found[kind + " applied"] = solver.net.params["b"][0].data.copy()
    found[kind + " test"] = solver.test_nets[0].forward()["loss"].copy()
    solver.share_weights(solver.test_nets[0])
    found[kind + " test shared"] = solver.test_nets[0].forward()["loss"].copy()
    solver.solve()
    found[kind + " ends"] = json.dumps([solver.iter, seen, solver.param.max_iter, solver.param.display,
                                        solver.param.layer_wise_reduce, solver.param.base_lr])
    found[kind + " classes"] = json.dumps([k.__name__ for k in type(solver).__mro__ if k.__name__.endswith("Solver")])


def _faults(caffe, net, net_file, found):
    transformer = caffe.io.Transformer({"x": (1, 3, 4, 5)})
    blobs = net.params["a"]
    calls = {
        "no file": lambda: caffe.Net("none.prototxt", caffe.TEST),
        "no phase": lambda: caffe.Net(net_file),
        "no weights": lambda: caffe.Net(net_file, caffe.TEST, weights="none.caffemodel"),
        "start": lambda: net.forward(start="z"), "end": lambda: net.forward(end="z"),
        "backward start": lambda: net.backward(start="z"), "blobs": lambda: net.forward(blobs=["z"]),
        "inputs": lambda: net.forward(z=np.zeros(4)), "batch": lambda: net.forward(x=np.zeros((3, 5)), y=np.zeros(4)),
        "shape": lambda: net.forward(x=np.zeros((4, 6)), y=np.zeros(4)),
        "diffs": lambda: net.backward(z=np.zeros(4)), "nothing": lambda: net.forward_all(),
        "layer index": lambda: net.layers[99], "blob index": lambda: blobs[99], "blob name": lambda: blobs["x"],
        "blob type": lambda: blobs.append(3), "assigned data": lambda: setattr(blobs[0], "data", 3),
        "assigned diff": lambda: setattr(blobs[0], "diff", 3), "assigned shape": lambda: setattr(blobs[0], "shape", 3),
        "list shape": lambda: blobs[0].reshape([2, 3]), "named shape": lambda: blobs[0].reshape(num=3),
        "shape index": lambda: blobs[0].shape[9], "copy from number": lambda: net.copy_from(3),
        "share with number": lambda: net.share_with(3), "reshape argument": lambda: net.reshape(1),
        "solver without file": lambda: caffe.SGDSolver(), "step without number": lambda: caffe.SGDSolver.step(),
        "transformer input": lambda: transformer.set_raw_scale("z", 1),
        "transpose": lambda: transformer.set_transpose("x", (1, 0)),
        "swap": lambda: transformer.set_channel_swap("x", (1, 0)),
        "mean channels": lambda: transformer.set_mean("x", np.zeros(2)),
        "mean axes": lambda: transformer.set_mean("x", np.zeros((1, 1, 1, 1))),
        "datum": lambda: caffe.io.array_to_datum(np.zeros((2, 2))),
        "spec attribute": lambda: caffe.NetSpec().z, "spec item": lambda: caffe.NetSpec()["z"],
        "layer parameter": lambda: caffe.layers.ReLU(zzz=3).to_proto(), "constant": lambda: caffe.params.Pooling.ZZ,
        "callback": lambda: [net.before_forward(lambda i: {}["z"]), net.forward()],
    }
    found.update(("fault " + name, _exception(call)) for name, call in calls.items())
