"""What `make bench` computes from its measurements: floors, lines, groups, the page."""

from __future__ import annotations

import subprocess

import pytest

from benchmarks import __main__ as benchmarks
from benchmarks import layers, machine, nets, page, processes, sides, sizes, steps, videos, way, work

# Krizhevsky, Sutskever and Hinton 2012 with an input of 227 pixels, as counted in Sze et al. 2017 (Proc. IEEE 105,
# table II, from weights and places): multiply-adds of an image in millions.
ALEXNET = {"conv1": 105.4, "conv2": 223.9, "conv3": 149.5, "conv4": 112.1, "conv5": 74.8, "fc6_mouse": 37.7}


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    """The layers of the thesis's shape network for one image, and of its recurrent one, as the engine has them."""
    from benchmarks import side

    folder = tmp_path_factory.mktemp("nets")

    def layers_of(name: str):
        import caffe

        opened = side.Open()
        opened.net = caffe.Net(str(folder / nets.prediction(name, 1, folder)[0]), caffe.TEST)
        return side.describe(opened)

    return layers_of


def test_multiply_adds_are_alexnets(described):
    found = {layer["name"]: layer for layer in work.of_layers(described("shape/cnn"))}
    for name, millions in ALEXNET.items():
        assert found[name]["products"] / 1e6 == pytest.approx(millions, abs=0.06)
    assert found["relu1"]["products"] == 0
    # the first layer's input needs no gradient
    assert (found["conv1"]["back"], found["conv2"]["back"], found["pool1"]["back"]) == (1, 2, 0)


def test_multiply_adds_of_an_lstm_are_of_every_step(described):
    made = described("mini/shape/lstm_after")
    lstm = next(layer for layer in made if layer["type"] == "LSTM")
    inputs, units = lstm["params"][0][1], lstm["params"][2][1]
    assert work.multiply_adds(lstm) == 4 * units * (inputs + units)
    longer = {**lstm, "tops": {"lstm": [5, 3, units]}}
    assert work.multiply_adds(longer) == 15 * work.multiply_adds(lstm)


def test_the_floor_of_a_step_has_its_update():
    total = {"forward": 50, "backward": 100, "weights": 1000}
    rates = {"products": 2.0, "bytes": 24.0}
    assert work.floor(total, False, rates) == 50
    assert work.floor(total, True, rates) == 150 + 1000


def test_a_line_is_found_with_its_deviation():
    n = [1, 5, 20, 60]
    line = sizes.fitted({"n": n, "values": [3 + 2 * k for k in n]})
    assert (line["a"], line["b"], line["off"]) == pytest.approx((3, 2, 0), abs=1e-9)
    bent = sizes.fitted({"n": n, "values": [k**1.5 for k in n]})
    assert bent["off"] > 0.3
    assert bent["a"] >= 0


def test_small_layers_stand_together_by_type():
    made = [{"name": name, "type": kind} for name, kind in (("big", "A"), ("x", "B"), ("y", "B"))]
    row = {"layers": made, "sides": {"ours": {"seconds": 1.0, "forward": {"0": 0.5, "1": 0.01, "2": 0.02},
                                              "backward": {"0": 0.4}}}}  # fmt: skip
    assert layers.groups(row) == {"big": [0], "B, small": [1, 2]}


def test_ratios_are_of_the_same_round():
    assert steps.ratios({"seconds": {"ours": [1, 2], "real": [2, 3]}}) == [2, 1.5]


def test_the_page_keeps_tables_and_code_and_wraps_the_rest():
    table = way.table(("a", "b"), [("x", 1), ("y", 2)])
    long = "word " * 60
    made = page.wrapped(["# Head " + long, "", *table, "", long, "more", "", "    code " + long])
    assert made[0] == "# Head " + long and "    code " + long in made
    assert all(line in made for line in table)
    paragraph = made[made.index("") + len(table) + 2 : -2]
    assert len(paragraph) > 2 and max(map(len, paragraph)) <= page.WIDTH
    assert " ".join(paragraph).split() == (long + "more").split()


def test_unknown_parts_are_refused(capsys):
    with pytest.raises(SystemExit):
        benchmarks.main(["--parts", "steps,stepz"])
    assert "'stepz'" in capsys.readouterr().err


def test_a_side_that_ends_says_why(tmp_path):
    with sides.box() as place, pytest.raises(RuntimeError, match=r"nowhere\.prototxt"):
        sides.Side(sides.OURS, place).ask("net", file="nowhere.prototxt")


def test_a_process_costs_what_it_holds_and_computes():
    small = processes.measured("import sys; status = 0;")
    large = processes.measured("import sys; held = b'x' * (200 << 20); held.count(b'1'); status = 0;")
    assert 150 < large.memory - small.memory < 300
    assert large.computed > small.computed
    with pytest.raises(subprocess.CalledProcessError):
        processes.measured("import sys; status = 3;")


def test_a_repeated_video_reads_as_its_parts_on_end(tmp_path):
    import numpy as np

    from data_prep.simulate.movie import write_movie
    from data_prep.video import read_frames

    pictures = [np.full((64, 64), 10 * k, np.uint8) for k in range(7)]
    write_movie(tmp_path / "one.mp4", pictures, 30)
    once = list(read_frames(tmp_path / "one.mp4"))
    thrice = list(read_frames(videos.repeated(tmp_path / "one.mp4", 3, tmp_path / "three.mp4")))
    assert len(thrice) == 21
    assert all(np.array_equal(frame, once[k % 7][2]) for k, (_, _, frame) in enumerate(thrice))
    assert [seconds for _, seconds, _ in thrice] == pytest.approx([k / 30 for k in range(21)])


def test_training_nets_hold_whole_sequences(tmp_path):
    from google.protobuf import text_format

    from caffe.proto import caffe_pb2
    from tools import network

    file, images = nets.training("mini/shape/lstm_after", 33, tmp_path)
    solver = network.read_solver(tmp_path / file)
    net = text_format.Parse((tmp_path / solver.train_net).read_text(), caffe_pb2.NetParameter())
    shapes = [list(shape.dim) for shape in net.layer[0].dummy_data_param.shape]
    steps_each = shapes[-1][0]
    assert images == steps_each * (33 // steps_each) == shapes[0][0] == shapes[1][0]
    assert solver.type == "RMSProp" and solver.clip_gradients == 10


def test_the_rates_of_this_machine(monkeypatch):
    monkeypatch.setattr(machine, "PRODUCTS", ((256, 256, 256),))
    monkeypatch.setattr(machine, "NUMBERS", 1 << 16)
    rates = machine.rates(None)
    assert rates["products"] == max(rates["by"].values())
    assert set(rates["by"]) == {"PyTorch", "NumPy"}
    assert rates["products"] > 1e7 and rates["bytes"] > 1e7
