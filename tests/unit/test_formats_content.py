"""Formats of annotations: what files say, real ones and ones of versions that no real file at hand is of."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from annotation_files import need, random_annotation, spans

from data_prep import formats
from data_prep.annotations import Bout, from_labels, make, to_labels
from data_prep.errors import InputError
from data_prep.marks import Mark
from data_prep.timeline import steady


def test_deepethogram_writes_the_real_file_to_the_byte(shared, tmp_path):
    file = shared / "annotations/per_frame/fly2.csv"
    (one,) = formats.read(file)
    assert one.behaviours == ("still", "walk", "front_groom", "back_groom", "abdomen-move")
    assert one.annotated == ((0, 3000),)
    formats.write(tmp_path / "fly2_labels.csv", [one], "deepethogram")
    assert (tmp_path / "fly2_labels.csv").read_bytes() == file.read_bytes()
    assert formats.read(tmp_path / "fly2_labels.csv") == [one]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("label,start_frame,stop_frame\neat,3,5\n", (3, 5)),
        ("behavior;start_frame;last_frame\neat;3;4\n", (3, 5)),
        ("start (s)\tstop (s)\tbehaviour\n0.12\t0.2\teat\n", (3, 5)),
        ("start_seconds;end_seconds;Behaviour\n0,12;0,2;eat\n", (3, 5)),
        ("label,start_frame,stop_frame,start_time,stop_time\neat,3,5,9.0,9.9\n", (3, 5)),
    ],
)
def test_bout_tables_say_their_unit(tmp_path, text, expected):
    file = tmp_path / "x.csv"
    file.write_text(text)
    (one,) = formats.read(file, formats.Known(fps=25))
    assert spans(one, "eat") == [expected]


def test_a_bout_table_that_does_not_say_its_unit_is_refused(tmp_path):
    file = tmp_path / "x.csv"
    file.write_text("start,stop,behaviour\n3,5,eat\n")
    with pytest.raises(InputError, match="start_frame and stop_frame, or start_time and stop_time"):
        formats.read(file)


def test_feral_files_exclusive_and_not(tmp_path):
    file = tmp_path / "x.json"
    names = {"0": "other", "1": "eat", "2": "groom"}
    labels = {"a.mp4": [0, 1, 1, 2, 0], "b.mp4": [1, 1, 0, 0, 0]}
    file.write_text(json.dumps({"class_names": names, "is_multilabel": False, "labels": labels, "splits": {}}))
    a, b = formats.read(file)
    assert a.bouts == (Bout("eat", 1, 3), Bout("groom", 3, 4))
    assert (b.video, b.bouts, b.annotated) == ("b.mp4", (Bout("eat", 0, 2),), ((0, 5),))
    formats.write(tmp_path / "y.json", [a, b], "feral")
    assert json.loads((tmp_path / "y.json").read_text())["labels"] == labels
    both = a._replace(bouts=(Bout("eat", 1, 3), Bout("groom", 2, 4)))
    formats.write(tmp_path / "z.json", [both], "feral")
    content = json.loads((tmp_path / "z.json").read_text())
    assert content["is_multilabel"]
    assert content["labels"]["a.mp4"] == [[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]


VIA = {
    "project": {"vid_list": ["1", "2"]},
    "attribute": {
        "1": {"aname": "Activity", "anchor_id": "FILE1_Z2_XY0", "type": 4, "options": {"1": "Break Egg", "2": "Mix"}},
        "2": {"aname": "Object", "anchor_id": "FILE1_Z1_XY1", "type": 1, "options": {}},
    },
    "file": {"1": {"fid": 1, "fname": "Alioli.ogv", "src": ""}, "2": {"fid": 2, "fname": "mouse.mp4", "src": ""}},
    "view": {"1": {"fid_list": [1]}, "2": {"fid_list": [2]}},
    "metadata": {
        "a": {"vid": "1", "flg": 0, "z": [2, 6.5], "xy": [], "av": {"1": "1"}},
        "b": {"vid": "1", "flg": 0, "z": [0.917], "xy": [4, 263, 184, 17, 13], "av": {"2": "Egg"}},
        "c": {"vid": "2", "flg": 0, "z": [1, 2], "xy": [], "av": {"1": "2"}},
        "d": {"vid": "1", "flg": 0, "z": [0.917], "xy": [2, 10, 20, 50, 80], "av": {"2": "Egg"}},
        "e": {"vid": "2", "flg": 0, "z": [2], "xy": [1, 7.5, 9], "av": {}},
    },
}  # after the example of VIA's own documentation
VIA_CSV = """# Exported using VGG Image Annotator (http://www.robots.ox.ac.uk/~vgg/software/via)
# ATTRIBUTE = {"1":{"aname":"Activity","anchor_id":"FILE1_Z2_XY0","type":4,"options":{"1":"Break Egg","2":"Mix"}}}
# CSV_HEADER = metadata_id,file_list,flags,temporal_coordinates,spatial_coordinates,metadata
"a","[""Alioli.ogv""]",0,"[2,6.5]","[]","{""1"":""1""}"
"b","[""Alioli.ogv""]",0,"[0.917]","[2,10,20,50,80]","{""2"":""Egg""}"
"d","[""mouse.mp4""]",0,"[2]","[1,7.5,9]","{}"
"f","[""mouse.mp4""]",0,"[2]","[7,1,1,2,2,3,1]","{}"
"c","[""mouse.mp4""]",0,"[1,2]","[]","{""1"":""2""}"
"""
VIA_SEGMENTS = """# Exported using VGG Image Annotator (http://www.robots.ox.ac.uk/~vgg/software/via)
# CSV_HEADER = metadata_id,file_list,temporal_segment_start,temporal_segment_end,metadata
"a","[""Alioli.ogv""]",2,6.5,"{""Activity"":""Break Egg""}"
"c","[""mouse.mp4""]",1,2,"{""Activity"":""Mix""}"
"""


@pytest.mark.parametrize("text", [json.dumps(VIA), VIA_CSV, VIA_SEGMENTS], ids=["project", "csv", "segments"])
def test_via_segments(tmp_path, text):
    file = tmp_path / "x"
    file.write_text(text)
    alioli, mouse = formats.read(file, formats.Known({"Alioli": steady(25, 400)}, fps=30))
    assert (alioli.video, alioli.bouts, alioli.frames) == ("Alioli.ogv", (Bout("Break Egg", 50, 162),), 400)
    assert mouse.bouts == (Bout("Mix", 30, 60),)
    if text != VIA_SEGMENTS:  # which holds no regions; ellipses and polygons are left out
        assert alioli.marks == (Mark("", "Egg", "box", ((22, 10.0, 20.0, 50.0, 80.0),)),)
        assert mouse.marks == (Mark("", "point", "point", ((59, 7.5, 9.0),)),)
    with pytest.raises(InputError, match="give the frame rate with --fps"):
        formats.read(file)


def test_predictions_are_drafts_with_confidence(tmp_path):
    folder = tmp_path / "cage_1"
    folder.mkdir()
    file = folder / "predictions.csv"
    rows = ["2,0.080000,eat,0.9,0.1", "3,0.120000,eat,0.7,0.3", "4,0.160000,rest,0.4,0.6", "6,0.240000,rest,0.2,0.8"]
    file.write_text("frame,time,label,eat,rest\n" + "\n".join(rows) + "\n")
    (one,) = formats.read(file)
    assert one.bouts == (
        Bout("eat", 2, 4, confidence=0.8), Bout("rest", 4, 5, confidence=0.6), Bout("rest", 6, 7, confidence=0.8),
    )  # fmt: skip
    assert (one.name, one.annotated, one.frames) == ("cage_1", ((2, 5), (6, 7)), 7)
    np.testing.assert_allclose(one.timeline.times, np.arange(7) * 0.04, atol=1e-9)


def test_nwb_holds_what_its_own_library_reads(tmp_path):
    need("nwb")
    import pynwb

    one = random_annotation(3, steady(29.97, 700), exclusive=True)
    formats.write(tmp_path / "x.nwb", [one], "nwb")
    with pynwb.NWBHDF5IO(str(tmp_path / "x.nwb"), "r", load_namespaces=True) as io:
        content = io.read()
        bouts = content.processing["behavior"]["bouts"]
        assert list(bouts["label"][:]) == [bout.behaviour for bout in one.bouts]
        np.testing.assert_allclose(bouts["start_time"][:], [bout.start * 1001 / 30000 for bout in one.bouts])
        np.testing.assert_allclose(bouts["stop_time"][:], [bout.stop * 1001 / 30000 for bout in one.bouts])
        assert (bouts.labeling_method, bouts.annotator) == ("automated", "anna")
        assert bool(bouts.ethogram.exclusive)
        assert tuple(bouts.ethogram["behavior"][:]) == one.behaviours
        assert len(bouts.observation_intervals) == len(one.annotated)
    assert not pynwb.validate(path=str(tmp_path / "x.nwb"))


def test_nwb_without_its_packages_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynwb", None)
    file = tmp_path / "x.nwb"
    file.write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(InputError, match="pip install pynwb ndx-ethogram"):
        formats.read(file)


def test_labels_of_a_dataset_and_exclusive_rules():
    one = make([Bout("a", 2, 6), Bout("b", 4, 8)], 10, behaviours=["b", "a", "rest"], annotated=[(0, 9)])
    with pytest.raises(InputError, match=r"2 frames have several .* frame 4 \(a, b\)"):
        to_labels(one, one.behaviours)
    assert to_labels(one, ["b", "a"], "first").tolist() == [-1, -1, 1, 1, 0, 0, 0, 0, -1, -1]
    assert to_labels(one, ["a", "b"], "first").tolist() == [-1, -1, 0, 0, 0, 0, 1, 1, -1, -1]
    assert to_labels(one, ["a", "b"], "unannotated").tolist() == [-1, -1, 0, 0, -1, -1, 1, 1, -1, -1]
    assert to_labels(one, ["a", "b", "rest"], "first", "rest").tolist() == [2, 2, 0, 0, 0, 0, 1, 1, 2, -1]
    with pytest.raises(InputError, match="behaviour 'b' is not among the classes"):
        to_labels(one, ["a"])
    labels = np.random.default_rng(0).integers(-1, 3, 500)
    assert to_labels(from_labels(labels, "xyz"), "xyz").tolist() == labels.tolist()


def test_the_registry_refuses_doubles_and_lists_what_there_is(tmp_path):
    with pytest.raises(ValueError, match="registered already"):
        formats.register(formats.find("via3"))
    with pytest.raises(InputError, match="via3"):
        formats.find("via4")
    file = tmp_path / "letter.txt"
    file.write_text("Dear Sir or Madam,\n")
    with pytest.raises(InputError) as caught:
        formats.read(file)
    assert all(name in str(caught.value) for name in formats.known_names())


def test_what_cannot_be_written_is_refused(tmp_path):
    one = make([Bout("eat", 0, 2)], 5, video="a.mp4")
    for name, found, words in [
        ("boris", [one], "only read"),
        ("deepethogram", [one, one], "one video per file"),
        ("via3", [one], "give the video with --video"),
        ("feral", [one, one], "two annotations of 'a.mp4'"),
    ]:
        with pytest.raises(InputError, match=words):
            formats.write(tmp_path / "x", found, name)
    assert not list(tmp_path.iterdir())
