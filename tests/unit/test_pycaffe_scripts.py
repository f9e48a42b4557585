"""What scripts written for pycaffe rely on: names, types of what is returned, exceptions they catch, the log."""

from __future__ import annotations

import subprocess
import sys
from collections import OrderedDict

import numpy as np
import pytest

import caffe
from caffe import glog

NET = """name: "small" force_backward: true
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 4 dim: 5 } } }
layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" inner_product_param { num_output: 3
  weight_filler { type: "gaussian" std: 1 } } }
layer { name: "r" type: "ReLU" bottom: "a" top: "a" }
layer { name: "s" type: "Softmax" bottom: "a" top: "s" }
"""
LABELS = 'layer { name: "y" type: "Input" top: "y" input_param { shape { dim: 4 } } }\n'
LEARNING = NET.replace('layer { name: "a"', LABELS + 'layer { name: "a"').replace(
    'Softmax" bottom: "a"', 'SoftmaxWithLoss" bottom: "a" bottom: "y"')


@pytest.fixture
def net_file(tmp_path):
    file = tmp_path / "net.prototxt"
    file.write_text(NET)
    return str(file)


@pytest.fixture
def net(net_file):
    made = caffe.Net(net_file, caffe.TEST)
    made.blobs["x"].data[...] = np.random.RandomState(2).randn(4, 5)
    return made


@pytest.fixture
def solver(tmp_path):
    def make(kind="SGD"):
        (tmp_path / "learning.prototxt").write_text(LEARNING)
        file = tmp_path / "solver.prototxt"
        file.write_text(f'net: "{tmp_path / "learning.prototxt"}" base_lr: 0.1 lr_policy: "fixed" type: "{kind}" '
                        f'max_iter: 3 test_iter: 1 test_interval: 5 snapshot_prefix: "{tmp_path / "s"}"')
        return str(file)

    return make


# -- names -------------------------------------------------------------------------------------------------------

NAMES = (
    "AdaDeltaSolver AdaGradSolver AdamSolver Classifier Detector Layer NesterovSolver Net NetSpec RMSPropSolver "
    "SGDSolver TEST TRAIN Timer __version__ _caffe classifier detector get_solver has_nccl init_log io "
    "layer_type_list layers log net_spec params proto pycaffe set_device set_mode_cpu set_mode_gpu set_multiprocess "
    "set_random_seed set_solver_count set_solver_rank solver_count solver_rank to_proto"
)


@pytest.mark.parametrize("name", NAMES.split())
def test_pycaffes_names_are_there(name):
    assert getattr(caffe, name) is not None


def test_the_modules_of_pycaffe_have_its_classes():
    from caffe import _caffe, pycaffe

    assert _caffe.Net is pycaffe.Net is caffe.Net
    assert issubclass(caffe.SGDSolver, _caffe.Solver)
    assert _caffe.Blob(2, 3).count == 6 and len(_caffe.BlobVec()) == 0
    for module in (_caffe, pycaffe):
        with pytest.raises(AttributeError, match="no_such_name"):
            _ = module.no_such_name


def test_descriptions_of_nets_need_neither_torch_nor_image_readers():
    script = ("import sys, caffe\nfrom caffe import layers as L, params as P\nimport caffe.coord_map, caffe.draw\n"
              "caffe.proto.caffe_pb2.NetParameter(); caffe.NetSpec()\n"
              "print(sorted({'torch', 'cv2', 'h5py', 'lmdb', 'pydot'} & set(sys.modules)))")
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "[]\n"


FORKING = """
import multiprocessing, sys
import torch
import caffe

def work(queue):
    queue.put(float(net.forward()["z"].sum()))

torch.set_num_threads(2)  # a pool of threads, however many processors there are
net = caffe.Net("net.prototxt", caffe.TEST)
here = float(net.forward()["z"].sum())
context = multiprocessing.get_context("fork")
queue = context.Queue()
child = context.Process(target=work, args=(queue,), daemon=True)
child.start()
print(queue.get(timeout=60) == here)
"""
WIDE_NET = """
layer { name: "d" type: "DummyData" top: "x"
  dummy_data_param { shape { dim: 64 dim: 1 dim: 28 dim: 28 } data_filler { value: 1 } } }
layer { name: "c" type: "Convolution" bottom: "x" top: "y" convolution_param { num_output: 20 kernel_size: 5
  weight_filler { type: "constant" value: 0.5 } } }
layer { name: "i" type: "InnerProduct" bottom: "y" top: "z" inner_product_param { num_output: 500
  weight_filler { type: "constant" value: 0.25 } } }
"""


def test_a_net_computes_in_a_forked_process_too(tmp_path):
    (tmp_path / "net.prototxt").write_text(WIDE_NET)
    done = subprocess.run([sys.executable, "-c", FORKING], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.stdout == "True\n", done.stderr


@pytest.mark.parametrize("change", [
    lambda blobs: blobs.__setitem__(0, 3), lambda blobs: blobs.__setitem__(slice(0, 1), [3]),
    lambda blobs: blobs.insert(0, 3), lambda blobs: blobs.append(3), lambda blobs: blobs.extend([3])])
def test_parameters_stay_blobs(change):
    blobs = caffe._caffe.BlobVec()
    blobs.add_blob(2)
    with pytest.raises(TypeError, match=r"are Blobs, not <class 'int'>: .*data\[...\]"):
        change(blobs)
    assert [blob.shape for blob in blobs] == [(2,)]


# -- nets --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["blobs", "params", "layer_dict", "blob_loss_weights", "top_names", "bottom_names"])
def test_dictionaries_are_ordered_and_stay_the_same_objects(net, name):
    assert isinstance(getattr(net, name), OrderedDict)
    assert getattr(net, name) is getattr(net, name)


def test_private_views_are_pycaffes(net):
    assert list(net._blob_names) == list(net.blobs) and list(net._layer_names) == list(net.layer_dict)
    assert list(net._blobs) == list(net.blobs.values())
    assert [list(net._top_ids(i)) for i in range(4)] == [[0], [1], [1], [2]]
    assert [list(net._bottom_ids(i)) for i in range(4)] == [[], [0], [1], [1]]
    assert (list(net._inputs), list(net._outputs), list(net._blob_loss_weights)) == ([0], [2], [0, 0, 0])
    assert type(net.forward()) is dict


@pytest.mark.parametrize(("call", "kind", "message"), [
    (lambda net, file: caffe.Net(file), TypeError, "needs a phase"),
    (lambda net, file: caffe.Net(file, "weights"), TypeError, "needs a phase"),
    (lambda net, file: caffe.Net(file + "x", caffe.TEST), RuntimeError, "not found"),
    (lambda net, file: caffe.Net(file, caffe.TEST, weights=file + "x"), RuntimeError, "cannot be opened"),
    (lambda net, file: net.forward(start="z"), ValueError, "no layer 'z'; its layers: x, a, r, s"),
    (lambda net, file: net.backward(end="z"), ValueError, "no layer 'z'"),
    (lambda net, file: net.forward(blobs=["z"]), KeyError, "z"),
    (lambda net, file: net.forward(x=np.zeros((4, 6))), ValueError, "broadcast"),
    (lambda net, file: caffe.io.load_image(file + ".png"), FileNotFoundError, "an image was expected"),
    (lambda net, file: setattr(net.blobs["x"], "data", 3), AttributeError, "data"),
])
def test_faults_are_of_the_type_that_scripts_catch(net, net_file, call, kind, message):
    with pytest.raises(kind, match=message):
        call(net, net_file)


def test_the_old_order_of_arguments_warns_as_pycaffe_does(net, net_file, tmp_path, capfd):
    net.save(str(tmp_path / "w.caffemodel"))
    caffe.Net(net_file, str(tmp_path / "w.caffemodel"), caffe.TEST)
    assert "DEPRECATION WARNING - deprecated use of Python interface" in capfd.readouterr().err


def test_batches_are_padded_with_zeros(net):
    samples = np.arange(30, dtype=np.float32).reshape(6, 5) + 1
    first, last = (batch["x"] for batch in net._batch({"x": samples}))
    np.testing.assert_array_equal(first, samples[:4])
    np.testing.assert_array_equal(last, np.vstack([samples[4:], np.zeros((2, 5))]))


def test_backward_without_a_forward_reads_what_the_bottoms_hold(net):
    top_diff = np.random.RandomState(3).randn(4, 3).astype(np.float32)
    net.blobs["a"].diff[...] = top_diff
    found = net.backward(start="a", end="a")
    np.testing.assert_allclose(found["x"], top_diff @ net.params["a"][0].data, rtol=1e-5)
    np.testing.assert_allclose(net.params["a"][0].diff, top_diff.T @ net.blobs["x"].data, rtol=1e-5, atol=1e-6)
    assert not net.blobs["a"].data.any()  # nothing was computed forwards


def test_backward_of_a_loss_without_a_forward(tmp_path):
    (tmp_path / "learning.prototxt").write_text(LEARNING)
    net = caffe.Net(str(tmp_path / "learning.prototxt"), caffe.TRAIN)
    net.backward(end="s")
    np.testing.assert_allclose(net.blobs["a"].diff[0], [-2 / 12, 1 / 12, 1 / 12], rtol=1e-6)


def test_blobs_outlive_their_net(net):
    blobs, params = net.blobs, net.params
    net.forward()
    del net
    assert blobs["s"].data.sum() == pytest.approx(4) and params["a"][0].data.shape == (3, 5)


def test_a_net_can_be_subclassed(net_file):
    class Mine(caffe.Net):
        def __init__(self, file):
            caffe.Net.__init__(self, file, caffe.TEST)
            self.calls = 0

        def forward(self, *args, **kwargs):
            self.calls += 1
            return super().forward(*args, **kwargs)

    made = Mine(net_file)
    made.forward_all(x=np.zeros((9, 5), np.float32))
    assert made.calls == 3


# -- users' layers -----------------------------------------------------------------------------------------------

MODULE = '''
import caffe

class Named(caffe.Layer):
    """Uses names that the engine's own layers use for other things."""

    tops = ["first", "second"]
    bottoms = "none"
    same_count = True

    def __init__(self, p_object, *args, **kwargs):
        super(Named, self).__init__(p_object, *args, **kwargs)

    def setup(self, bottom, top):
        self.name = "mine"
        self.names = dict(zip(self.tops, range(len(top))))

    def reshape(self, bottom, top):
        for name, index in self.names.items():
            top[index].reshape(2, index + 1)

    def forward(self, bottom, top):
        top[0].data[...] = caffe.solver_count() + caffe.solver_rank()

    def backward(self, top, propagate_down, bottom):
        pass
'''


def test_users_layers_may_use_any_names(tmp_path, monkeypatch):
    (tmp_path / "layer_with_names.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    file = tmp_path / "net.prototxt"
    file.write_text('layer { name: "n" type: "Python" top: "p" top: "q" '
                    'python_param { module: "layer_with_names" layer: "Named" } }')
    net = caffe.Net(str(file), caffe.TRAIN)
    assert net.forward()["p"].tolist() == [[1], [1]]
    assert net.layers[0].name == "mine" and net.blobs["q"].data.shape == (2, 2)


def test_users_layers_follow_a_new_shape_of_the_input(tmp_path, monkeypatch):
    (tmp_path / "layer_that_doubles.py").write_text(
        "import caffe\n\nclass Doubling(caffe.Layer):\n"
        "    def reshape(self, bottom, top):\n        top[0].reshape(*bottom[0].data.shape)\n"
        "    def forward(self, bottom, top):\n        top[0].data[...] = 2 * bottom[0].data\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    doubling = ('layer {{ name: "{1}" type: "Python" bottom: "{0}" top: "{1}" '
                'python_param {{ module: "layer_that_doubles" layer: "Doubling" }} }}')
    file = tmp_path / "net.prototxt"
    file.write_text('input: "x" input_shape { dim: 3 dim: 2 }' + doubling.format("x", "y") + doubling.format("y", "z"))
    net = caffe.Net(str(file), caffe.TEST)
    net.blobs["x"].reshape(4, 1, 5)
    net.blobs["x"].data[...] = 3
    assert net.forward()["z"].shape == net.blobs["y"].data.shape == (4, 1, 5)
    assert (net.blobs["z"].data == 12).all()


# -- solvers, timer, log -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam"])
def test_every_solver_is_an_sgd_solver_with_a_rate(solver, kind):
    made = caffe.get_solver(solver(kind))
    assert type(made) is getattr(caffe, f"{kind}Solver")
    assert isinstance(made, caffe.SGDSolver)
    made.param.base_lr = 0.5
    assert made.lr == 0.5
    assert (made.param.max_iter, made.param.display, made.param.layer_wise_reduce) == (3, 0, True)


def test_a_solvers_class_decides_and_not_its_file(solver):
    made = caffe.SGDSolver(solver("Adam"))
    assert type(made) is caffe.SGDSolver
    assert len(made.test_nets) == 1
    made.test_nets[0].share_with(made.net)
    made.net.params["a"][0].data[...] = 5
    assert (made.test_nets[0].params["a"][0].data == 5).all()


def test_nets_outlive_their_solver(solver):
    made = caffe.get_solver(solver())
    nets = [made.net, *made.test_nets]
    del made
    for net in nets:
        net.forward()
        assert net.blobs["a"].data.shape == (4, 3) and net.params["a"][0].diff.shape == (3, 5)


def test_an_update_is_the_diff_times_the_rate(solver):
    made = caffe.SGDSolver(solver())
    weights = made.net.layers[2].blobs[0]
    data = weights.data
    data[...] = 0
    weights.diff[...] = 1
    made.apply_update()
    np.testing.assert_allclose(data, np.full((3, 5), -0.1), rtol=1e-6)
    assert made.iter == 1


def test_timer_measures_from_start_to_stop(monkeypatch, capfd):
    moments = iter([10.0, 10.5, 20.0, 21.0])
    monkeypatch.setattr("caffe.timer._now", lambda: next(moments))
    timer = caffe.Timer()
    assert timer.ms == 0 and "never been run" in capfd.readouterr().err
    timer.start()
    timer.start()
    assert timer.ms == timer.ms == 500
    timer.start()
    timer.stop()
    timer.stop()
    assert timer.ms == 1000


@pytest.fixture
def log_files(tmp_path, monkeypatch):
    monkeypatch.setenv("GLOG_log_dir", str(tmp_path))
    before = glog._minimum
    yield lambda: "".join(file.read_text() for file in tmp_path.glob("caffe.*.log.INFO.*"))
    caffe.init_log(0, True)
    glog._minimum = before


@pytest.mark.parametrize(("arguments", "in_file", "on_stderr"), [
    ((), "one two", "two"), ((0,), "one two", "two"), ((1,), "two", "two"), ((0, True), "", "one two"),
    ((0, False), "one two", "two"), ((1, True), "", "two")])
def test_init_log_sends_lines_where_glog_does(log_files, capfd, arguments, in_file, on_stderr):
    caffe.init_log(*arguments)
    caffe.log("said one")
    glog.error("said two")
    for text, expected in ((log_files(), in_file), (capfd.readouterr().err, on_stderr)):
        said = [line.split("said ")[1] for line in text.splitlines() if "] said " in line]
        assert " ".join(said) == expected


def test_init_log_heeds_glogs_environment(log_files, capfd, monkeypatch):
    monkeypatch.setenv("GLOG_alsologtostderr", "1")
    caffe.init_log()
    caffe.log("both")
    assert "both" in log_files() and "both" in capfd.readouterr().err
    monkeypatch.setenv("GLOG_logtostderr", "1")
    caffe.init_log()
    caffe.log("one place")
    assert "one place" not in log_files() and "one place" in capfd.readouterr().err


def test_a_log_that_cannot_be_written_is_said(log_files, monkeypatch):
    monkeypatch.setenv("GLOG_log_dir", "no/such/folder")
    with pytest.raises(caffe.CaffeError, match=r"no/such/folder.*set GLOG_log_dir"):
        caffe.init_log()
