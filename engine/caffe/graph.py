"""What Caffe does to a NetParameter before it makes layers: choose layers by state, insert Split layers.

Sources of the rules: Net::FilterNet and Net::StateMeetsRule (src/caffe/net.cpp), src/caffe/util/insert_splits.cpp.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from caffe import glog
from caffe.errors import CaffeError
from caffe.proto import caffe_pb2

Place = tuple[int, int]  # (index of a layer, index of one of its tops or bottoms)


def filter_net(param: caffe_pb2.NetParameter) -> caffe_pb2.NetParameter:
    """The net with only the layers whose include and exclude rules fit `param.state`.

    Any include rule that fits lets a layer in; any exclude rule that fits keeps it out; inside one rule all
    conditions must hold. Raises CaffeError for a layer with both kinds.
    """
    kept = caffe_pb2.NetParameter()
    kept.CopyFrom(param)
    del kept.layer[:]
    for layer in param.layer:
        if layer.include and layer.exclude:
            raise CaffeError(f"layer '{layer.name}': has both include and exclude rules; use one kind")
        if layer.include:
            chosen = any(rule_fits(param.state, rule, layer.name) for rule in layer.include)
        else:
            chosen = not any(rule_fits(param.state, rule, layer.name) for rule in layer.exclude)
        if chosen:
            kept.layer.add().CopyFrom(layer)
    return kept


def rule_fits(state: caffe_pb2.NetState, rule: caffe_pb2.NetStateRule, layer: str) -> bool:
    """True if the net's phase, level and stages meet every condition of the rule; the log says which one is not met."""
    reason = _unmet(state, rule)
    if reason:
        glog.info(f"The NetState {reason} specified by a rule in layer {layer}")
    return not reason


def _unmet(state: caffe_pb2.NetState, rule: caffe_pb2.NetStateRule) -> str:
    if rule.HasField("phase") and rule.phase != state.phase:
        return f"phase ({state.phase}) differed from the phase ({rule.phase})"
    if rule.HasField("min_level") and state.level < rule.min_level:
        return f"level ({state.level}) is above the min_level ({rule.min_level})"
    if rule.HasField("max_level") and state.level > rule.max_level:
        return f"level ({state.level}) is above the max_level ({rule.max_level})"
    for stage in rule.stage:
        if stage not in state.stage:
            return f"did not contain stage '{stage}'"
    for stage in rule.not_stage:
        if stage in state.stage:
            return f"contained a not_stage '{stage}'"
    return ""


def left_out(param: caffe_pb2.NetParameter, kept: caffe_pb2.NetParameter) -> dict[str, str]:
    """Of the layers of `param` that are not among the `kept`: {top: why it is not there}, for errors."""
    names = {layer.name for layer in kept.layer}
    state = (f"phase {caffe_pb2.Phase.Name(param.state.phase)}, level {param.state.level} and "
             f"{'stages ' + ', '.join(param.state.stage) if param.state.stage else 'no stage'}")
    return {top: f"layer '{layer.name}' makes it, but its include or exclude rules leave it out for {state}"
            for layer in param.layer if layer.name not in names for top in layer.top}


def insert_splits(param: caffe_pb2.NetParameter, why_absent: Mapping[str, str] | None = None) -> caffe_pb2.NetParameter:
    """The net with a Split layer behind every top that is used more than once (a use as a loss counts).

    The split's tops are `<blob>_<layer>_<top index>_split_<k>`; a loss weight moves to the split's first top.
    Raises CaffeError for a bottom that no layer before it gives; `why_absent` may say why, by the blob's name.
    """
    source, uses, loss_weight = _count_uses(param, why_absent or {})
    result = caffe_pb2.NetParameter()
    result.CopyFrom(param)
    del result.layer[:]
    taken: Counter[Place] = Counter()
    for i, original in enumerate(param.layer):
        layer = result.layer.add()
        layer.CopyFrom(original)
        for j, blob in enumerate(original.bottom):
            top = source[i, j]
            if uses[top] > 1:
                layer.bottom[j] = f"{_split_name(param.layer[top[0]].name, blob, top[1])}_{taken[top]}"
                taken[top] += 1
        for j, blob in enumerate(original.top):
            if uses[i, j] > 1:
                weight = loss_weight.get((i, j), 0)
                _add_split(result, _split_name(original.name, blob, j), blob, uses[i, j], weight)
                if weight:
                    layer.ClearField("loss_weight")
                    taken[i, j] += 1
    return result


def _count_uses(param: caffe_pb2.NetParameter, why_absent: Mapping[str, str],
                ) -> tuple[dict[Place, Place], Counter[Place], dict[Place, float]]:
    """Which top each bottom comes from, how often each top is used, which tops have a loss weight."""
    source: dict[Place, Place] = {}
    uses: Counter[Place] = Counter()
    loss_weight: dict[Place, float] = {}
    last: dict[str, Place] = {}
    for i, layer in enumerate(param.layer):
        for j, blob in enumerate(layer.bottom):
            if blob not in last:
                raise unknown_bottom(layer, j, list(last), why_absent.get(blob, ""))
            source[i, j] = last[blob]
            uses[last[blob]] += 1
        for j, blob in enumerate(layer.top):
            last[blob] = (i, j)
        for blob, weight in zip(layer.top, layer.loss_weight):
            if weight:
                loss_weight[last[blob]] = weight
                uses[last[blob]] += 1
    return source, uses, loss_weight


def unknown_bottom(layer: caffe_pb2.LayerParameter, index: int, available: list[str], why: str = "") -> CaffeError:
    """The error for a bottom that no earlier layer gives (or that an earlier layer has used up)."""
    return CaffeError(f"layer '{layer.name}': unknown bottom blob '{layer.bottom[index]}' (bottom index {index}); "
                      f"{why + '; ' if why else ''}blobs there: {', '.join(sorted(available)) or 'none'}")


def _split_name(layer: str, blob: str, top_index: int) -> str:
    return f"{blob}_{layer}_{top_index}_split"


def _add_split(net: caffe_pb2.NetParameter, name: str, blob: str, count: int, loss_weight: float) -> None:
    split = net.layer.add(name=name, type="Split", bottom=[blob])
    split.top.extend(f"{name}_{k}" for k in range(count))
    if loss_weight:
        split.loss_weight.extend([loss_weight] + [0.0] * (count - 1))
