"""The checked-in prototxt files: in step with their generator, and as the thesis describes them."""

import csv
import json
from pathlib import Path

import pytest
from google.protobuf import text_format

from caffe.proto import caffe_pb2
from prototxt import generate, networks
from prototxt.text import message_text, shortest_float

FOLDER = Path(generate.__file__).parent
NETWORKS = sorted(str(path.parent.relative_to(FOLDER)) for path in FOLDER.rglob("train_val.prototxt"))


def read(path, message):
    return text_format.Parse((FOLDER / path).read_text(), message)


def read_net(network, file):
    return read(f"{network}/{file}.prototxt", caffe_pb2.NetParameter())


def layers(net, phase=caffe_pb2.TRAIN):
    """Layers of a phase by name."""
    return {layer.name: layer for layer in net.layer if not layer.include or layer.include[0].phase == phase}


def test_checked_in_files_are_what_the_generator_writes():
    assert generate.stale(FOLDER) == []
    on_disk = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.prototxt")}
    assert on_disk == set(generate.files())


def test_check_names_a_changed_and_a_missing_file(tmp_path, capsys):
    generate.write(tmp_path)
    assert generate.main(["--check", "--output", str(tmp_path)]) == 0
    (tmp_path / "solver.prototxt").write_text("base_lr: 1\n")
    (tmp_path / "mini" / "solver.prototxt").unlink()
    assert generate.main(["--check", "--output", str(tmp_path)]) == 1
    assert generate.stale(tmp_path) == ["solver.prototxt", "mini/solver.prototxt"]
    assert "mini/solver.prototxt" in capsys.readouterr().err


@pytest.mark.parametrize("path", sorted(generate.files()))
def test_text_reads_back_as_the_same_message(path):
    kind = caffe_pb2.SolverParameter if "solver" in path else caffe_pb2.NetParameter
    message = read(path, kind())
    assert text_format.Parse(message_text(message), kind()) == message


@pytest.mark.parametrize(
    ("value", "text"), [(0.01, "0.01"), (0.472, "0.472"), (10, "10"), (1e-5, "1e-05"), (1 / 3, "0.33333333")]
)
def test_floats_are_the_shortest_that_read_back(value, text):
    assert shortest_float(value) == text


@pytest.mark.parametrize("folder", ["", "mini"])
def test_solver_is_the_thesis_s(folder):
    solver = read(Path(folder) / "solver.prototxt", caffe_pb2.SolverParameter())
    assert solver.type == "RMSProp"
    assert solver.rms_decay == pytest.approx(0.92)
    assert (solver.lr_policy, solver.clip_gradients, solver.random_seed) == ("inv", 10, 15485863)
    assert (solver.base_lr, solver.gamma, solver.power) == pytest.approx((0.01, 0.01, 0.472))
    assert solver.momentum == 0  # RMSProp refuses any other


@pytest.mark.parametrize("network", NETWORKS)
def test_graph(network):
    features, model = network.replace("mini/", "").split("/")
    streams = features.split("_")
    recurrent = {"lstm": "lstm", "lstm_after": "lstm", "lstm_before": "lstm", "rnn_after": "rnn", "gru_after": "gru"}
    recurrent = recurrent.get(model)
    for file, outputs in (("train_val", {"loss"}), ("deploy", {"prob"})):
        found = layers(read_net(network, file))
        assert outputs <= set(found)
        first = "fc6_features" if features == "current_system" else "fc6_mouse"
        expected = {first, "fc7_mouse", "fc9"} | (set() if recurrent else {"fc8_mouse"})
        if "shape" in streams:
            expected |= {f"conv{number}" for number in range(1, 6)}
        if "motion" in streams:
            expected |= {f"motion_conv{number}" for number in range(1, 4)}
        assert {name for name in found if "conv" in name or "fc" in name} == expected
        assert {layer.name for layer in found.values() if layer.name in ("lstm", "rnn", "gru")} == {recurrent} - {None}
        alexnets = {layer.name for layer in found.values() if layer.type in ("LRN", "Dropout")}
        assert alexnets == ({"lrn1", "lrn2", "drop6_mouse", "drop7_mouse"} if model == "cnn_lrn" else set())


@pytest.mark.parametrize("network", [name for name in NETWORKS if "position" in name])
@pytest.mark.parametrize("file", ["train_val", "deploy"])
def test_the_position_comes_beside_fc8_or_before_or_after_the_lstm(network, file):
    found = layers(read_net(network, file))
    model = network.split("/")[-1]
    beside, reader = {
        "cnn": ("fc8_mouse", "fc9"), "lstm_before": ("fc7_mouse", "sequences"), "lstm_after": ("frames", "fc9"),
    }[model]  # fmt: skip
    assert list(found["with_position"].bottom) == [beside, "position"]
    assert list(found[reader].bottom) == ["with_position"]


def test_every_cell_of_the_thesis_s_table_has_its_network():
    with open(FOLDER.parent / "results" / "published" / "published_results.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["table"] == "5.3"]
    cells = {f"{row['features']}/{row['model']}".replace("+", "_") for row in rows}
    assert len(cells) == 6 * 2 + 2
    assert cells <= set(NETWORKS) and {f"mini/{cell}" for cell in cells} <= set(NETWORKS)


ALEXNET = {"conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8", "norm1", "norm2"}


@pytest.mark.parametrize("network", NETWORKS)
def test_only_the_convolutions_bear_alexnet_s_names(network):
    named = {layer.name for layer in read_net(network, "train_val").layer} & ALEXNET
    assert named == ({f"conv{number}" for number in range(1, 6)} if "shape" in network else set())


# Inputs of a unit in the mini network and in the full one, so that signals are alike: their number times the variance.
FAN_IN = {
    "conv2": (8 * 25, 48 * 25),
    "conv3": (32 * 9, 256 * 9),
    "conv4": (24 * 9, 192 * 9),
    "conv5": (24 * 9, 192 * 9),
    "motion_conv2": (8 * 25, 48 * 25),
    "motion_conv3": (32 * 9, 256 * 9),
    "fc6_mouse": (32, 256 * 36),
    "fc7_mouse": (128, 4096),
    "fc8_mouse": (128, 4096),
    "fc9": (64, 1000),
    "gru_input": (128, 4096),
}


@pytest.mark.parametrize("network", NETWORKS)
def test_weights_are_gaussian_and_biases_0_or_1(network):
    found = layers(read_net(network, "train_val")).values()
    for layer in (layer for layer in found if layer.type in ("Convolution", "InnerProduct")):
        parameter = layer.convolution_param if layer.type == "Convolution" else layer.inner_product_param
        assert parameter.weight_filler.type == "gaussian"
        inputs_here, inputs_in_full = FAN_IN.get(layer.name, (1, 1)) if network.startswith("mini/") else (1, 1)
        assert parameter.weight_filler.std == pytest.approx(0.01 * (inputs_in_full / inputs_here) ** 0.5, rel=0.01)
        assert parameter.bias_term and parameter.bias_filler.value in (0, 1)
        assert [(param.lr_mult, param.decay_mult) for param in layer.param] == [(1, 1), (2, 0)]


@pytest.mark.parametrize("network", [name for name in NETWORKS if "shape" in name and "lrn" not in name])
def test_batch_normalisation_follows_pool1_and_pool2_and_learns_nothing(network):
    found = layers(read_net(network, "train_val"))
    for number, consumer in ((1, "conv2"), (2, "conv3")):
        layer = found[f"bn{number}"]
        assert list(layer.bottom) == [f"pool{number}"] and list(found[consumer].bottom) == [f"bn{number}"]
        assert [param.lr_mult for param in layer.param] == [0, 0, 0]


@pytest.mark.parametrize("network", ["shape/cnn", "shape_motion/cnn"])
def test_convolutions_of_the_full_size_are_alexnet_s(network):
    found = layers(read_net(network, "train_val"))
    filters = [found[f"conv{number}"].convolution_param for number in range(1, 6)]
    sizes = [(one.num_output, one.kernel_size[0], one.group) for one in filters]
    assert sizes == [(96, 11, 1), (256, 5, 2), (384, 3, 1), (384, 3, 2), (256, 3, 2)]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("phase", [caffe_pb2.TRAIN, caffe_pb2.TEST])
def test_data_layer_agrees_with_deploy_s_inputs(network, phase):
    data = layers(read_net(network, "train_val"), phase)["data"]
    settings = json.loads(data.python_param.param_str)
    assert (settings["dataset"], settings["videos"]) == ("", [])
    assert settings["shuffle"] == (phase == caffe_pb2.TRAIN)
    inputs = [layer for layer in read_net(network, "deploy").layer if layer.type == "Input"]
    names = [layer.name for layer in inputs]
    recurrent = "cont" in names
    assert list(data.top) == [name for name in names if name != "cont"] + ["label"] + ["cont"] * recurrent
    frames = networks.PROFILES["mini" in network].test if recurrent else 1
    for stream, layer in zip(settings["streams"], inputs):
        picture = [] if stream in ("position", "features") else [settings["crop"]] * 2
        assert list(layer.input_param.shape[0].dim) == [frames, networks.STREAMS[stream].channels, *picture]
    if recurrent:
        assert list(inputs[-1].input_param.shape[0].dim) == [frames, 1]
    if recurrent and phase == caffe_pb2.TEST:  # whole videos, in order, in one sequence
        assert (settings["batch_size"], settings["sequence_length"]) == (1, frames)
    else:
        assert settings["sequence_length"] == 1 + recurrent


@pytest.mark.parametrize("network", NETWORKS)
def test_deploy_and_train_val_are_one_network(network):
    learned = [
        {layer.name: layer for layer in read_net(network, file).layer if layer.param}
        for file in ("train_val", "deploy")
    ]
    assert learned[0] == learned[1]
