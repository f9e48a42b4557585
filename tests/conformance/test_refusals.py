"""What real Caffe 1.0 refuses the engine refuses, and takes what it takes: golden/, by make_refusals_golden.py."""

from __future__ import annotations

import pytest
from refusal_cases import CASES, GOLDEN, stage_of

RECORDED = dict(line.rsplit(": ", 1) for line in GOLDEN.read_text().splitlines())

# where the engine takes more than real Caffe, or less, and why
TAKEN = {
    "reindex force": "force_backward asks for no gradient of an index",
    "embed force": "force_backward asks for no gradient of an index",
    "filter force": "force_backward asks for no gradient of a selector",
    "infogain force": "force_backward asks for no gradient of a matrix",
    "input without shape": "its tops have a shape of no axes, which a script may change",
    "prelu of 5 axes": "any number of axes will do",
}
REFUSED = {
    "concat in place": "real Caffe gives nonsense: the top's shape is the bottom's too",
}


@pytest.mark.parametrize("name", CASES)
def test_the_engine_refuses_what_real_caffe_refuses(name, tmp_path, monkeypatch):
    import caffe

    monkeypatch.chdir(tmp_path)
    stages: list[str] = []
    message = ""
    try:
        stage_of(caffe, name, stages.append)
    except caffe.CaffeError as error:
        message = str(error)
    assert (stages[-1] == "none") == (not message)
    assert "\n" not in message
    refused = RECORDED[name] != "none"
    if name in TAKEN:
        assert refused and not message
    elif name in REFUSED:
        assert not refused and message
    else:
        assert refused == bool(message), f"real Caffe: {RECORDED[name]}; the engine: {message or 'takes it'}"


def test_every_record_has_its_case() -> None:
    assert list(RECORDED) == list(CASES)
