"""What BORIS's files say: real ones, their frames worked out from their seconds by hand, and newer headers."""

from __future__ import annotations

import json

import pytest
from annotation_files import VIDEOS, known, read_real, spans

from data_prep import formats
from data_prep.annotations import Bout
from data_prep.errors import InputError
from data_prep.timeline import steady


def test_boris_events_at_25_frames_per_second(shared):
    """3.300 s × 25 = 82.5: during frame 82; 7.750 s: frame 193. A tabular export and the project agree."""
    csv, tsv = (read_real(shared, f"boris/test_export_events_tabular.{kind}")[0] for kind in ("csv", "tsv"))
    assert [bout[:4] for bout in csv.bouts] == [
        ("s", 82, 193, "subject1"), ("s", 247, 405, "subject1"), ("s", 458, 611, "subject1"),
        ("s", 960, 1152, "subject2"),
    ]  # fmt: skip
    assert csv == tsv
    assert csv.frames == 8999  # 359.960 s
    project = {one.name: one for one in read_real(shared, "boris/test.boris")}
    assert project["observation #1"].bouts == csv.bouts
    assert project["observation #1"].behaviours == ("p", "s", "q", "r", "m")


def test_a_boris_observation_of_two_videos_is_divided_where_the_second_begins(shared):
    """227.765 s is 47.805 s into the second video, as the first is 179.96 s long: frame 1195. Point events take a
    frame. The aggregated export, with and without header, says the same as the project."""
    project = [one for one in read_real(shared, "boris/test.boris") if one.name == "observation #2"]
    assert [one.stem for one in project] == ["video_test_25fps_180s", "video_test_25fps_360s"]
    assert spans(project[0], "s") == [(45, 203), (256, 583), (669, 786)]
    assert spans(project[0], "p") == [(820, 821), (853, 854), (873, 874)]
    assert spans(project[1], "s")[0] == (1195, 1838)
    table = read_real(shared, "boris/test_export_aggregated_events_test_full_1.tsv")
    assert [one.bouts for one in table] == [one.bouts for one in project]
    headless = read_real(shared, "boris/test_export_aggregated_events_test_full_3.tsv")
    assert [spans(one, "s") for one in headless] == [spans(one, "s") for one in project]


def test_a_bout_that_goes_on_in_the_next_video_is_divided_there(shared, tmp_path):
    project = json.loads((shared / "annotations/boris/test.boris").read_text())
    observation = project["observations"]["observation #2"]
    observation["events"] = [[170.0, "", "s", "", ""], [190.0, "", "s", "", "end"]]
    file = tmp_path / "x.boris"
    file.write_text(json.dumps({**project, "observations": {"two": observation}}))
    first, second = formats.read(file)
    assert spans(first, "s") == [(4250, 4499)]
    assert spans(second, "s") == [(0, 251)]  # 190 − 179.96 = 10.04 s
    observation["events"][1][0] = 700.0
    file.write_text(json.dumps({**project, "observations": {"two": observation}}))
    with pytest.raises(InputError, match=r"'two', event 1: at 520\.04 s, but the video ends at 359\.960 s"):
        formats.read(file)


def test_simultaneous_behaviours_at_30_frames_per_second(shared):
    for file in ("boris_csv/simultaneous_events__test-simultaneous-events.csv", "boris_csv/test-multi-behaviors.boris"):
        (one,) = read_real(shared, file)
        assert spans(one, "mm") == [(298, 337), (798, 951)]
        assert spans(one, "aa") == [(846, 918)]
        assert one.frames == 336 * 30
        assert not one.exclusive


def test_modifiers_lose_the_spaces_around_them_and_pair_states(shared):
    (live,) = read_real(shared, "boris/test_with_leading_trailing_spaces_in_modifiers.boris")
    assert [bout.modifiers for bout in live.bouts] == ["a|c", "a|None", "None|111", "None|c"]
    one = next(one for one in read_real(shared, "boris/test.boris") if one.name == "modifiers")
    assert [(bout.start, bout.stop, bout.modifiers) for bout in one.bouts if bout.behaviour == "r"] == [
        (479, 698, "m1"), (760, 1020, ""),
    ]  # fmt: skip


def test_an_unpaired_state_names_observation_event_and_time(shared):
    file = shared / "annotations/boris/test.boris"
    with pytest.raises(InputError, match=r"'live not paired', event 12: state 's' starts and never stops at 26\.862 s"):
        formats.read(file, known(fps=30))
    one = {
        choice: formats.read(file, known(fps=30, unpaired=choice, only=("live not paired",)))[0]
        for choice in ("drop", "end")
    }
    assert len(one["end"].bouts) == len(one["drop"].bouts) + 1


def test_several_videos_of_unknown_length_need_the_videos(shared):
    file = shared / "annotations/boris/test_export_aggregated_events_test_full_1.tsv"
    with pytest.raises(InputError, match="give the videos with --video"):
        formats.read(file)
    wrong = {**VIDEOS, "video_test_25fps_180s": steady(25, 3000)}
    with pytest.raises(InputError, match=r"its videos last 539\.920 s"):
        formats.read(file, formats.Known(wrong))


HEADER = ("Observation id", "Source", "Time offset (s)", "Media duration (s)", "FPS (frame/s)", "Subject", "Behavior",
          "Modifier #1", "Modifier #2", "Behavior type", "Time", "Media file name", "Comment")  # fmt: skip


def newer(encoding: str, delimiter: str, point: str) -> bytes:
    """A tabular export as BORIS 8 writes it, of two videos of 10 and 4 s, with an offset of 2 s."""
    source = "player #1:C:\\v\\a.mp4;C:\\v\\b.mp4|player #2:c.mp4"
    common = ["ö 1", source, "2.000", "10.000;4.000|9.000", "25.000;25.000|30.000"]
    events = [("START", "3.000", "a", "ä"), ("STOP", "4.000", "a", ""), ("POINT", "13.000", "b", "")]
    rows = [HEADER] + [
        (*common, "No focal subject", "eat", "left", "None", kind, time, f"C:\\v\\{video}.mp4", comment)
        for kind, time, video, comment in events
    ]
    cells = [[cell.replace(".", point) if cell[:1].isdigit() else cell for cell in row] for row in rows]
    return "".join(delimiter.join(f'"{cell}"' for cell in row) + "\r\n" for row in cells).encode(encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize(("delimiter", "point"), [(",", "."), ("\t", "."), (";", ","), ("\t", ",")])
def test_tables_of_newer_boris_in_all_dialects(tmp_path, encoding, delimiter, point):
    file = tmp_path / "x.csv"
    file.write_bytes(newer(encoding, delimiter, point))
    first, second = formats.read(file)
    assert first.bouts == (Bout("eat", 25, 50, comment="ä", modifiers="left|None"),)
    assert (first.name, first.stem, first.frames) == ("ö 1", "a", 250)
    assert second.bouts == (Bout("eat", 25, 26, modifiers="left|None"),)
    assert (second.stem, second.frames) == ("b", 100)


def test_an_observations_time_interval_is_what_was_looked_at(shared, tmp_path):
    project = json.loads((shared / "annotations/boris_csv/test-multi-behaviors.boris").read_text())
    observation = project["observations"]["testvid"]
    observation["observation time interval"] = [5.0, 40.0]
    observation["time offset"] = 1.0  # which its events have too much
    file = tmp_path / "x.boris"
    file.write_text(json.dumps(project))
    (one,) = formats.read(file)
    assert one.annotated == ((150, 1200),)
    assert spans(one, "mm") == [(268, 307), (768, 921)]
    assert spans(one, "aa") == [(816, 888)]


def test_a_damaged_event_is_named(shared, tmp_path):
    project = json.loads((shared / "annotations/boris_csv/test-multi-behaviors.boris").read_text())
    file = tmp_path / "x.boris"
    for event, words in [
        ([1.0, "mouse"], "event 2: not a time"),
        ([1.0, "mouse", "zz", "", ""], "behaviour 'zz' is not"),
    ]:
        project["observations"]["testvid"]["events"][1] = event
        file.write_text(json.dumps(project))
        with pytest.raises(InputError, match=words):
            formats.read(file)
