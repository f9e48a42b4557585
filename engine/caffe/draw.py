"""pycaffe's draw: a net as a picture, by pydot and Graphviz.

    net = caffe_pb2.NetParameter()
    text_format.Merge(open("net.prototxt").read(), net)
    caffe.draw.draw_net_to_file(net, "net.png")

Sources of labels and colours: python/caffe/draw.py.
"""

from __future__ import annotations

from typing import Any

from caffe.errors import CaffeError, CaffeImportError, CaffeValueError
from caffe.formats.files import write_bytes
from caffe.proto import caffe_pb2

LAYER_STYLE_DEFAULT = {"shape": "record", "fillcolor": "#6495ED", "style": "filled"}
NEURON_LAYER_STYLE = {"shape": "record", "fillcolor": "#90EE90", "style": "filled"}
BLOB_STYLE = {"shape": "octagon", "fillcolor": "#E0E0E0", "style": "filled"}

_COLOURS = {"Convolution": "#FF5050", "Deconvolution": "#FF5050", "Pooling": "#FF9900", "InnerProduct": "#CC33FF"}
_WITH_RATES = ("Convolution", "Deconvolution", "InnerProduct")
_NO_LABEL = '""'


def _pydot() -> Any:
    """pydotplus where it is there, otherwise pydot. Raises CaffeImportError without either."""
    try:
        import pydotplus

        return pydotplus
    except ImportError:
        pass
    try:
        import pydot

        return pydot
    except ImportError:
        raise CaffeImportError("drawing nets needs pydot, the extra 'draw' of this package: pip install "
                               "'caffe-on-torch[draw]' (and the program dot, from Graphviz)") from None


def get_pooling_types_dict() -> dict[int, str]:
    """Pooling methods: number → name."""
    return {value: name for name, value in caffe_pb2.PoolingParameter.PoolMethod.items()}


def get_edge_label(layer: caffe_pb2.LayerParameter) -> str:
    """What an arrow out of the layer says: the batch size or the number of outputs, or nothing."""
    if layer.type == "Data":
        return f"Batch {layer.data_param.batch_size}"
    if layer.type in ("Convolution", "Deconvolution"):
        return str(layer.convolution_param.num_output)
    return str(layer.inner_product_param.num_output) if layer.type == "InnerProduct" else _NO_LABEL


def get_layer_lr_mult(layer: caffe_pb2.LayerParameter) -> tuple[float, float]:
    """The learning rates' factors of weights and biases.

    Raises ValueError for a type without these two, or for more than two param messages.
    """
    if layer.type not in _WITH_RATES:
        raise CaffeValueError(f"{layer.type} layers do not have a learning rate multiplier")
    if len(layer.param) > 2:
        raise CaffeValueError(f"layer '{layer.name}': {len(layer.param)} param messages for weights and biases")
    weights, biases = [*(spec.lr_mult for spec in layer.param), 1.0, 1.0][:2]
    return weights, biases


def get_layer_label(layer: caffe_pb2.LayerParameter, rankdir: str, display_lrm: bool = False) -> str:
    """What the layer's box says: name, type, sizes of its window and, if asked, its learning rates' factors.

    The parts stand on lines of their own in graphs that run sideways (`rankdir` neither TB nor BT).
    """
    separator = " " if rankdir in ("TB", "BT") else r"\n"
    kind = layer.type
    if kind == "Pooling":
        kind += f" {get_pooling_types_dict()[layer.pooling_param.pool]}"
    parts = [layer.name, f"({kind})"]
    if layer.type == "Pooling":
        pooling = layer.pooling_param
        parts += _window(pooling.kernel_size, pooling.stride, pooling.pad)
    elif layer.type in ("Convolution", "Deconvolution"):
        own = layer.convolution_param
        parts += _window(*(values[0] if values else default for values, default in (
            (own.kernel_size, 1), (own.stride, 1), (own.pad, 0))))
    if display_lrm and layer.type in _WITH_RATES:
        rates = get_layer_lr_mult(layer)
        if any(rates):
            parts.append("lr mult: {:.1f}, {:.1f}".format(*rates))
    return f'"{separator.join(parts)}"'


def _window(kernel: int, stride: int, pad: int) -> list[str]:
    return [f"kernel size: {kernel}", f"stride: {stride}", f"pad: {pad}"]


def choose_color_by_layertype(layertype: str) -> str:
    """The colour of a layer type's boxes."""
    return _COLOURS.get(layertype, LAYER_STYLE_DEFAULT["fillcolor"])


def _drawn(layer: caffe_pb2.LayerParameter, phase: int | None) -> bool:
    """Whether the layer's rules let it into that phase; only a rule's phase counts here."""
    if phase is None:
        return True
    if layer.include and layer.exclude:
        raise CaffeValueError(f"layer '{layer.name}' has both include and exclude rules; use one kind")
    if layer.include:
        return any(rule.phase == phase for rule in layer.include)
    return all(rule.phase != phase for rule in layer.exclude)


def get_pydot_graph(caffe_net: caffe_pb2.NetParameter, rankdir: str, label_edges: bool = True,
                    phase: int | None = None, display_lrm: bool = False) -> Any:
    """The net as a pydot graph: layers and blobs are its nodes, drawn in direction `rankdir` (LR, TB, BT, RL).

    `phase` leaves out the layers that are not of it. Raises CaffeImportError without pydot.
    """
    pydot = _pydot()
    graph = pydot.Dot(caffe_net.name or "Net", graph_type="digraph", rankdir=rankdir)
    nodes: dict[str, Any] = {}
    edges: list[tuple[str, str, str]] = []
    for layer in caffe_net.layer:
        if not _drawn(layer, phase):
            continue
        here = f"{layer.name}_{layer.type}"
        in_place = len(layer.bottom) == len(layer.top) == 1 and layer.bottom[0] == layer.top[0]
        style = NEURON_LAYER_STYLE if in_place else {
            **LAYER_STYLE_DEFAULT, "fillcolor": choose_color_by_layertype(layer.type)}
        nodes[here] = pydot.Node(get_layer_label(layer, rankdir, display_lrm), **style)
        for blob in layer.bottom:
            nodes[blob + "_blob"] = pydot.Node(blob, **BLOB_STYLE)
            edges.append((blob + "_blob", here, _NO_LABEL))
        for blob in layer.top:
            nodes[blob + "_blob"] = pydot.Node(blob)
            edges.append((here, blob + "_blob", get_edge_label(layer) if label_edges else _NO_LABEL))
    for node in nodes.values():
        graph.add_node(node)
    for source, target, label in edges:
        graph.add_edge(pydot.Edge(nodes[source], nodes[target], label=label))
    return graph


def draw_net(caffe_net: caffe_pb2.NetParameter, rankdir: str, ext: str = "png", phase: int | None = None,
             display_lrm: bool = False) -> bytes:
    """The picture of the net as the content of a file of type `ext` (png, svg, pdf, raw …).

    Raises CaffeError if pydot or the program dot is missing.
    """
    graph = get_pydot_graph(caffe_net, rankdir, phase=phase, display_lrm=display_lrm)
    if ext == "raw":
        return graph.to_string().encode()
    try:
        return graph.create(format=ext)
    except FileNotFoundError:
        raise CaffeError("drawing nets needs the program dot: install Graphviz") from None


def draw_net_to_file(caffe_net: caffe_pb2.NetParameter, filename: str, rankdir: str = "LR", phase: int | None = None,
                     display_lrm: bool = False) -> None:
    """Write the picture of the net to a file whose ending says its type; `.raw` is Graphviz's own text."""
    write_bytes(filename, draw_net(caffe_net, rankdir, filename.rsplit(".", 1)[-1], phase, display_lrm))
