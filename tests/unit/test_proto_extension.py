"""Fields and layers of a fork of Caffe: caffe.proto.extend and caffe.layer_types.register."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto

import caffe
from caffe import CaffeError
from caffe.proto import caffe_pb2
from caffe.proto.proto_text import parse

OURS = Path(caffe_pb2.__file__).with_name("caffe.proto")
FORK = """
syntax = "proto2";
package caffe;
// What the fork adds; its number for xyz_param is the one that Caffe gave to elu_param.
message LayerParameter { optional XyzParameter xyz_param = 140; optional int32 extra = 151 [default = 3]; }
message XyzParameter {
  enum Kind { PLAIN = 0; DOUBLED = 1; }
  optional Kind kind = 1 [default = DOUBLED];  /* by default twice */
  repeated float alpha = 2 [packed = true];
  optional FillerParameter filler = 3;
  optional string note = 4 [default = "a\\"b; }"];
  reserved 5;
}
message EltwiseParameter { enum EltwiseOp { PROD = 0; SUM = 1; MAX = 2; DIV = 3; } }
"""
# run in another process: what it extends stays extended
USE = """
import sys
import caffe
sys.argv[1:] and caffe.proto.extend(sys.argv[1])

@caffe.layer_types.register
class Xyz(caffe.layer_types.TensorLayer):
    type, bottoms, tops = "Xyz", 1, 1

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].shape)

    def compute(self, bottoms, params):
        param = self.layer_param.xyz_param
        assert param.note == 'a"b; }' and param.filler.type == "xavier"
        return [bottoms[0] * param.alpha[1] * (2 if param.kind == param.DOUBLED else 1)]

net = caffe.Net("net.prototxt", caffe.TEST)
net.blobs["x"].data[...] = 1
print(net.forward()["z"])
net.save("saved.caffemodel")
again = caffe.proto.caffe_pb2.NetParameter.FromString(open("saved.caffemodel", "rb").read())
layer = [layer for layer in again.layer if layer.name == "l"][0]
print(layer.extra, layer.xyz_param.alpha[1], layer.DESCRIPTOR.fields_by_name["xyz_param"].number)
n = caffe.NetSpec()
n.x = caffe.layers.Input(shape=dict(dim=[1]))
n.y = caffe.layers.Xyz(n.x, xyz_param=dict(alpha=[4]))
print("alpha: 4" in str(n.to_proto()))
"""
NET = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 } } }
layer { name: "l" type: "Xyz" bottom: "x" top: "y" extra: 5 xyz_param { alpha: 1 alpha: 3 filler { type: "xavier" } } }
layer { name: "e" type: "ELU" bottom: "y" top: "z" elu_param { alpha: 2 } }
"""


@pytest.mark.parametrize("by_environment", [False, True])
def test_a_layer_of_a_fork_with_fields_of_its_own(by_environment, tmp_path):
    (tmp_path / "fork.proto").write_text(FORK)
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "use.py").write_text(USE)
    paths = os.pathsep.join([str(Path(caffe.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths, **({"CAFFE_PROTO": "fork.proto"} if by_environment else {})}
    done = subprocess.run([sys.executable, "use.py", *([] if by_environment else ["fork.proto"])], cwd=tmp_path,
                          env=environment, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["[6. 6.]", "5 3.0 140", "True"], done.stderr


def test_a_wrong_file_in_the_environment_ends_a_command_with_one_line(tmp_path):
    done = subprocess.run([sys.executable, "-m", "caffe.cli", "train", "--solver", "x"], cwd=tmp_path,
                          env={**os.environ, "CAFFE_PROTO": "gone.proto"}, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("caffe: error: CAFFE_PROTO: gone.proto: not found") and done.stderr.count("\n") == 1


def test_the_text_of_our_own_proto_is_read_as_protoc_reads_it():
    """Field by field, defaults and all, apart from how types are named."""
    theirs = FileDescriptorProto()
    caffe_pb2.DESCRIPTOR.CopyToProto(theirs)
    assert _fields(parse(OURS.read_text(), "caffe.proto").message_type) == _fields(theirs.message_type)


def _fields(messages, scope=""):
    found = {}
    for message in messages:
        for field in message.field:
            found[f"{scope}{message.name}.{field.name}"] = (
                field.number, field.label, field.type_name.split(".")[-1] or field.type, _default(field),
                field.options.packed)
        for enum in message.enum_type:
            found.update({f"{scope}{message.name}.{enum.name}.{value.name}": value.number for value in enum.value})
        found.update(_fields(message.nested_type, f"{scope}{message.name}."))
    return found


def _default(field):
    """Of a float as the number that it is: protoc writes more digits."""
    return np.float32(field.default_value or 0) if field.type == field.TYPE_FLOAT else field.default_value


@pytest.mark.parametrize(("text", "message"), [
    ("message A { optional B b = 1; }", r"fork.proto: A.b: there is no message or enum B"),
    ("message A {\n optional int32 x = y; }", r"fork.proto:2: a whole number was expected, not y"),
    ("message A { int32 x = 1; }", r"fork.proto:1: optional, required or repeated was expected, not int32"),
    ("message A {", r"fork.proto:1: more was expected, not the end"),
    ("layer { name }", r"fork.proto:1: message or enum was expected, not layer"),
    ("message A { optional int32 a = 1; optional int32 b = 1; }", "fork.proto: does not go together"),
    ("\x01", "fork.proto:1: is no .proto"),
    ("// nothing", "has no message"),
])
def test_what_is_no_proto_is_said(text, message, tmp_path):
    (tmp_path / "fork.proto").write_text(text)
    with pytest.raises(CaffeError, match=message) as caught:
        caffe.proto.extend(tmp_path / "fork.proto")
    assert "\n" not in str(caught.value)


def test_errors_say_how_forks_are_read(tmp_path):
    (tmp_path / "net.prototxt").write_text('layer {\n  name: "l" type: "Xyz"\n  zebra_fish { alpha: 1 }\n}')
    with pytest.raises(CaffeError, match=r"net.prototxt:3:3: LayerParameter has no field zebra_fish; .*proto.extend"):
        caffe.Net(tmp_path / "net.prototxt", caffe.TEST)
    (tmp_path / "net.prototxt").write_text('layer { name: "l" type: "Xyzzy" }')
    with pytest.raises(CaffeError, match=r"unknown layer type 'Xyzzy'.*caffe.layer_types.register.*CAFFE_LAYERS"):
        caffe.Net(tmp_path / "net.prototxt", caffe.TEST)


@pytest.mark.parametrize(("text", "message"), [
    ('pooling_param { ceil_mode: false }', "no field ceil_mode, which a fork of Caffe has; write round_mode: FLOOR"),
    # like a name of Caffe's, but not by a slip of the finger
    ('roi_pooling_param { pooled_w: 7 }', "did you mean pooling_param\\?; if it comes from a fork of Caffe"),
    ('type: "ConvolutionDepthwise"', 'write type: "Convolution" with group: '),
])
def test_what_forks_write_for_what_caffe_has_is_said(text, message, tmp_path):
    (tmp_path / "net.prototxt").write_text(f'layer {{ name: "l" {text} }}')
    with pytest.raises(CaffeError, match=message):
        caffe.Net(tmp_path / "net.prototxt", caffe.TEST)


LAYERS = """
import caffe

@caffe.layer_types.register
class Twice(caffe.layer_types.TensorLayer):
    type, bottoms, tops = "Twice", 1, 1

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].shape)

    def compute(self, bottoms, params):
        return [bottoms[0] * 2]
"""
TWICE_NET = """
layer { name: "d" type: "DummyData" top: "x" dummy_data_param { shape { dim: 1 } data_filler { value: 3 } } }
layer { name: "t" type: "Twice" bottom: "x" top: "y" }
"""


def _command(folder, modules):
    (folder / "my_layers.py").write_text(LAYERS)
    (folder / "broken.py").write_text("1 +")
    (folder / "net.prototxt").write_text(TWICE_NET)
    (folder / "solver.prototxt").write_text('net: "net.prototxt" max_iter: 1 base_lr: 1 lr_policy: "fixed" '
                                            'display: 1 snapshot_after_train: false')
    paths = os.pathsep.join([str(Path(caffe.__file__).parents[1]), str(folder), os.environ.get("PYTHONPATH", "")])
    return subprocess.run([sys.executable, "-m", "caffe.cli", "train", "--solver", "solver.prototxt"], cwd=folder,
                          env={**os.environ, "PYTHONPATH": paths, "CAFFE_LAYERS": modules}, capture_output=True,
                          text=True)


def test_a_command_imports_the_users_layers(tmp_path):
    done = _command(tmp_path, "os, my_layers")
    assert done.returncode == 0 and "Train net output #0: y = 6" in done.stderr, done.stderr


@pytest.mark.parametrize(("modules", "why"), [
    ("gone", "No module named 'gone'"), ("my_layers,broken", "SyntaxError: "), ("my_layers.py", "No module named")])
def test_users_layers_that_cannot_be_imported_end_a_command_with_one_line(modules, why, tmp_path):
    done = _command(tmp_path, modules)
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 2 and last.startswith("caffe: error: CAFFE_LAYERS: module ") and why in last
