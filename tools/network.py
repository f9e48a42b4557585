"""Networks and solvers as prototxt: finding, reading, checking and filling them.

Real Caffe ends the whole process when a prototxt is wrong, so what can be checked is checked here before.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from google.protobuf import text_format

from caffe.proto import caffe_pb2
from data_prep.errors import InputError
from data_prep.files import atomic_path
from python_layers.settings import STORED_CHANNELS

NETWORKS = Path(__file__).resolve().parents[1] / "prototxt"
DATA_MODULE = "python_layers.frame_sequences"
PHASES = {"TRAIN": caffe_pb2.TRAIN, "TEST": caffe_pb2.TEST}
SOLVER_TYPES = ("SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam")
RATE_POLICIES = ("fixed", "step", "exp", "inv", "multistep", "poly", "sigmoid")
OUTPUT_PARAMS = {"InnerProduct": "inner_product_param", "Convolution": "convolution_param"}


def find_network(name: str) -> Path:
    """The folder of a network, given as a path or as a name inside prototxt/, such as `mini/shape/cnn`."""
    for folder in (Path(name), NETWORKS / name):
        if (folder / "train_val.prototxt").is_file():
            return folder.resolve()
    if Path(name).is_dir():
        raise InputError(
            f"{name}: there is no train_val.prototxt in this folder; "
            "name a folder with train_val.prototxt and deploy.prototxt"
        )
    known = sorted(str(path.parent.relative_to(NETWORKS)) for path in NETWORKS.rglob("train_val.prototxt"))
    raise InputError(
        f"there is no network {name!r}; take a folder with train_val.prototxt or one of: " + ", ".join(known)
    )


def network_name(folder: Path) -> str:
    """`mini/shape/cnn` for a network of prototxt/, else the folder's path."""
    return str(folder.relative_to(NETWORKS)) if NETWORKS in folder.parents else str(folder)


def find_solver(folder: Path) -> Path:
    """The solver.prototxt beside a network or in the nearest folder above it; else prototxt's own."""
    for place in (folder, *folder.parents):
        if (place / "solver.prototxt").is_file():
            return place / "solver.prototxt"
        if place in (NETWORKS, NETWORKS.parent):
            break
    return NETWORKS / "solver.prototxt"


def read_net(path: Path) -> Any:
    """A NetParameter from a text file, with its layers' types and connections checked."""
    net = _read(path, caffe_pb2.NetParameter())
    if not net.layer:
        raise InputError(f"{path}: there is no layer in it; is it a network in today's format (`layer {{ … }}`)?")
    _check_types(net, path)
    for phase in PHASES:
        _check_connections(net, phase, path)
    return net


def read_solver(path: Path) -> Any:
    """A SolverParameter from a text file, with its type and its policy of the learning rate checked."""
    solver = _read(path, caffe_pb2.SolverParameter())
    for field, known in (("type", SOLVER_TYPES), ("lr_policy", RATE_POLICIES)):
        given = getattr(solver, field)
        if given not in known:
            raise InputError(f'{path}: {field} is "{given}"; give one of {", ".join(known)}')
    return solver


def write_message(path: Path, message: Any, comment: str = "") -> None:
    """Write a message as text, whole or not at all, `comment` lines first."""
    with atomic_path(path) as temporary:
        temporary.write_text(comment + text_format.MessageToString(message), encoding="utf-8")


def hash_of(message: Any) -> str:
    """Hexadecimal SHA-256 of a message's content: comments and layout of its file do not matter."""
    return hashlib.sha256(message.SerializeToString(deterministic=True)).hexdigest()


def with_fields(message: Any, fields: Mapping[str, Any]) -> Any:
    """A copy of a message with some fields set, or cleared where the value is None."""
    changed = type(message)()
    changed.CopyFrom(message)
    for field, value in fields.items():
        changed.ClearField(field)
        if value is not None:
            setattr(changed, field, value)
    return changed


def layers_of(net: Any, phase: str) -> Iterator[Any]:
    """The layers of a net in a phase ("TRAIN" or "TEST"); stages and levels are not looked at."""
    for layer in net.layer:
        included = not layer.include or any(_rule_meets(rule, phase) for rule in layer.include)
        if included and not any(_rule_meets(rule, phase) for rule in layer.exclude):
            yield layer


def data_layer(net: Any, phase: str, path: Path) -> Any:
    """The layer that reads frame sequences in a phase."""
    for layer in layers_of(net, phase):
        if layer.type == "Python" and layer.python_param.module == DATA_MODULE:
            return layer
    raise InputError(
        f"{path}: no layer of phase {phase} reads frames "
        f'(type "Python", module "{DATA_MODULE}"); see prototxt/ for examples'
    )


def data_settings(net: Any, phase: str, path: Path) -> dict[str, Any]:
    """What the `param_str` of the data layer of a phase says."""
    layer = data_layer(net, phase, path)
    try:
        settings = json.loads(layer.python_param.param_str)
    except ValueError as error:
        raise InputError(f"{path}: the param_str of layer {layer.name!r} ({phase}) is not JSON: {error}") from None
    pictures = set(STORED_CHANNELS) & set(settings.get("streams", []))
    for key in ("streams", "sequence_length", "batch_size", *(("size", "crop") if pictures else ())):
        if key not in settings:
            raise InputError(f"{path}: the param_str of layer {layer.name!r} ({phase}) lacks {key!r}")
    return settings


def fill_data(net: Any, phase: str, path: Path, **changes: Any) -> None:
    """Set keys of the data layer's `param_str` in place; those of None go."""
    settings = {**data_settings(net, phase, path), **changes}
    kept = {key: value for key, value in settings.items() if value is not None}
    data_layer(net, phase, path).python_param.param_str = json.dumps(kept)


def score_blob(net: Any, path: Path) -> str:
    """Name of the blob with one score per class: what SoftmaxWithLoss reads, or Softmax in a deploy net."""
    for kind in ("SoftmaxWithLoss", "Softmax"):
        for layer in reversed(net.layer):
            if layer.type == kind:
                return layer.bottom[0]
    raise InputError(f"{path}: no layer is a SoftmaxWithLoss or Softmax, so the classes' scores cannot be found")


def probability_blob(net: Any, path: Path) -> str:
    """Name of the blob with one probability per class: what the last Softmax of a deploy net makes."""
    for layer in reversed(net.layer):
        if layer.type == "Softmax":
            return layer.top[0]
    raise InputError(f"{path}: no layer is a Softmax, so the classes' probabilities cannot be found")


def score_layer(net: Any, path: Path) -> Any:
    """The layer that makes the scores: the last one with outputs to count that writes `score_blob`'s blob."""
    blob = score_blob(net, path)
    while True:
        maker = next((layer for layer in reversed(net.layer) if blob in layer.top), None)
        if maker is not None and maker.type in OUTPUT_PARAMS:
            return maker
        if maker is None or not maker.bottom or maker.bottom[0] == blob:
            raise InputError(f"{path}: the scores {blob!r} do not come from an InnerProduct or Convolution layer")
        blob = maker.bottom[0]


def feature_blob(net: Any, path: Path) -> str:
    """Name of the blob that the classes' scores are computed from: a network's last features, whatever their name."""
    return score_layer(net, path).bottom[0]


def set_classes(net: Any, count: int, path: Path) -> None:
    """Give the layer that makes the scores one output per class, in place."""
    layer = score_layer(net, path)
    getattr(layer, OUTPUT_PARAMS[layer.type]).num_output = count


def set_sequence_length(net: Any, steps: int, own: int, path: Path) -> None:
    """Give a recurrent network's training sequences `steps` frames instead of its `own`, in place: in the layers that
    shape them, Reshapes of phase TRAIN alone to [own, −1, …] (prototxt/). The data layer is `fill_data`'s."""
    if steps == own:
        return
    found = [
        layer.reshape_param.shape.dim
        for layer in net.layer
        if layer.type == "Reshape"
        and [rule.phase for rule in layer.include if rule.HasField("phase")] == [caffe_pb2.TRAIN]
        and list(layer.reshape_param.shape.dim[:2]) == [own, -1]
    ]
    if not found:
        raise InputError(
            f"{path}: no Reshape of phase TRAIN makes sequences of {own} frames, so --sequence-length cannot change "
            "them; take a recurrent network (lstm_after, lstm_before, rnn_after, gru_after)"
        )
    for dims in found:
        dims[0] = steps


def _read(path: Path, message: Any) -> Any:
    try:
        text_format.Parse(Path(path).read_text(encoding="utf-8"), message)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; name a prototxt file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); name a prototxt file") from None
    except text_format.ParseError as error:
        raise InputError(f"{path}:{str(error).strip()}{_near_field(str(error))}") from None
    return message


def _near_field(error: str) -> str:
    """`; did you mean "num_output"?` for protobuf's complaint about an unknown field."""
    found = re.search(r'type "caffe\.(\w+)" has no field named "(\w+)"', error)
    if not found:
        return ""
    fields = caffe_pb2.DESCRIPTOR.message_types_by_name[found.group(1)].fields_by_name
    near = difflib.get_close_matches(found.group(2), list(fields), 1)
    return f' Did you mean "{near[0]}"?' if near else ""


def _rule_meets(rule: Any, phase: str) -> bool:
    return not rule.HasField("phase") or rule.phase == PHASES[phase]


def _check_types(net: Any, path: Path) -> None:
    from tools.backend import load_caffe

    known = set(load_caffe().layer_type_list())
    for layer in net.layer:
        if layer.type not in known:
            near = difflib.get_close_matches(layer.type, sorted(known), 1)
            hint = f'; did you mean "{near[0]}"?' if near else ""
            raise InputError(f'{path}: layer {layer.name!r} has the unknown type "{layer.type}"{hint}')


def _check_connections(net: Any, phase: str, path: Path) -> None:
    made = set(net.input)
    for layer in layers_of(net, phase):
        for blob in layer.bottom:
            if blob not in made:
                near = difflib.get_close_matches(blob, sorted(made), 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise InputError(
                    f"{path}: layer {layer.name!r} reads {blob!r}, "
                    f"which no layer before it makes in phase {phase}{hint}"
                )
        made.update(layer.top)
