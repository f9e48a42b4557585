"""Reading and writing prototxt: what is accepted, and that every fault is one line with its place and a way out."""

import subprocess
import sys
from pathlib import Path

import pytest

from caffe.errors import CaffeError
from caffe.formats import prototxt
from caffe.proto import caffe_pb2

ENGINE = Path(__file__).parents[2] / "engine"

NET = """
name: "tiny"  # a comment
input: "data" input_shape { dim: 1 dim: 2 }
layer {
  name: 'ip', type: "InnerProduct"; bottom: "data" top: "ip"
  include { phase: TRAIN stage: "a" "b" }
  inner_product_param { num_output: 3 weight_filler { type: "gaussian" std: 1e-2 } }
  loss_weight: [0.5, -1]
}
"""


def parse(text):
    return prototxt.parse(text, caffe_pb2.NetParameter(), "net.prototxt")


def test_everything_the_text_format_allows_is_read():
    layer = parse(NET).layer[0]
    assert (layer.name, layer.type, list(layer.bottom)) == ("ip", "InnerProduct", ["data"])
    assert layer.include[0].stage == ["ab"]
    assert layer.inner_product_param.weight_filler.std == pytest.approx(0.01)
    assert list(layer.loss_weight) == [0.5, -1]


@pytest.mark.parametrize(("text", "message"), [
    ('name: "n"\nlayer {\n  inner_product_param { num_ouput: 3 }\n}',
     "net.prototxt:3:25: InnerProductParameter has no field num_ouput: did you mean num_output?"),
    ("layer { num_output: 3 }", "net.prototxt:1:9: LayerParameter has no field num_output; it belongs inside "
                                "convolution_param or inner_product_param or embed_param or recurrent_param"),
    ("\n\nlayer { yolo { classes: 80 } }", "net.prototxt:3:9: LayerParameter has no field yolo; if it comes from a "
                                           "fork of Caffe, name the fork's caffe.proto: caffe.proto.extend"),
    ("layer { pooling_param { pool: AVG } }", "net.prototxt:1:31: AVG is not one of MAX, AVE, STOCHASTIC"),
    ("state { phase: TRIAN }", "net.prototxt:1:16: TRIAN is not one of TRAIN, TEST: did you mean TRAIN?"),
    ('name: "a"\nname: "b"', "net.prototxt:2:7: name is given twice in this NetParameter; it takes one value"),
    ("layer { name: ip }", "net.prototxt:1:15: expected string but found: 'ip'"),
    ("force_backward: maybe", 'net.prototxt:1:17: expected "true" or "false".'),
    ("layer { convolution_param { num_output: -1 } }", "net.prototxt:1:41: value out of range: -1"),
    ("layer { convolution_param { num_output: 2.5 } }", "net.prototxt:1:41: couldn't parse integer: 2.5"),
    ("layer { loss_weight: x }", "net.prototxt:1:22: couldn't parse float: x"),
    ('name: "open', "net.prototxt:1:7: string missing ending quote: '\"open'"),
    ('layer { name: "a"', 'net.prototxt:1:15: expected "}".'),
    ("layer ]", "net.prototxt:1:7: "),
    ('name: "\\377"', "net.prototxt:1:"),
])
def test_fault_is_one_line_with_its_place(text, message):
    with pytest.raises(CaffeError) as caught:
        parse(text)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_net_and_solver_are_read_from_files(tmp_path):
    (tmp_path / "net.prototxt").write_text(NET)
    assert prototxt.read_net(tmp_path / "net.prototxt").name == "tiny"
    (tmp_path / "solver.prototxt").write_text('net: "net.prototxt" type: "RMSProp" weights: "a" weights: "b"')
    solver = prototxt.read_solver(str(tmp_path / "solver.prototxt"))
    assert (solver.type, list(solver.weights), solver.delta) == ("RMSProp", ["a", "b"], pytest.approx(1e-8))
    with pytest.raises(CaffeError, match=r"net\.prototxt:2:1: SolverParameter has no field name; .*swapped"):
        prototxt.read_solver(tmp_path / "net.prototxt")


@pytest.mark.parametrize(("content", "message"), [
    (b"", "is empty"),
    (b"<!DOCTYPE html>", "is a web page"),
    (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
    (b"\x0a\x05LeNet\x00\x01", r"holds binary data, .*swapped"),
])
def test_what_is_no_prototxt_is_said(tmp_path, content, message):
    (tmp_path / "net.prototxt").write_bytes(content)
    with pytest.raises(CaffeError, match=rf"net\.prototxt: .*{message}"):
        prototxt.read_net(tmp_path / "net.prototxt")


@pytest.mark.parametrize("content", [
    b'\xef\xbb\xbfname: "n"\r\n',
    '# \u4e2d\u6587\nname: "n"'.encode("gbk"),
    'name: "n" # \u4e2d\u6587'.encode(),
])
def test_other_editors_files_are_read(tmp_path, content):
    (tmp_path / "net.prototxt").write_bytes(content)
    assert prototxt.read_net(tmp_path / "net.prototxt").name == "n"


def test_what_is_written_is_read_again_exactly(tmp_path):
    net = parse(NET)
    net.layer[0].inner_product_param.weight_filler.std = 0.1
    prototxt.write(tmp_path / "net.prototxt", net)
    assert prototxt.read_net(tmp_path / "net.prototxt") == net


def test_messages_load_without_torch():
    code = "import sys, caffe.proto.caffe_pb2, caffe.formats.prototxt, caffe.net_spec; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(ENGINE)}).returncode == 0


def test_generated_module_is_in_step_with_the_proto_file(tmp_path):
    protoc = pytest.importorskip("grpc_tools.protoc")
    (tmp_path / "out").mkdir()
    assert protoc.main(["protoc", f"-I{ENGINE}", f"--python_out={tmp_path / 'out'}",
                        str(ENGINE / "caffe" / "proto" / "caffe.proto")]) == 0
    generated = (tmp_path / "out" / "caffe" / "proto" / "caffe_pb2.py").read_text()
    assert generated == (ENGINE / "caffe" / "proto" / "caffe_pb2.py").read_text()
