"""Time budget, bouts, transitions and profile, on labels small enough to be counted by hand, and what must add up."""

from __future__ import annotations

import numpy as np
import pytest

from data_prep.errors import InputError
from tools import behaviour, clock

REST, WALK, EAT = range(3)
# Frames of other lengths: 1 s, 2 s, 1 s, 4 s, 1 s, 1 s, and the last one 3 s.
LABELS = np.array([REST, REST, WALK, -1, WALK, REST, REST])
TIMES = np.array([0.0, 1, 3, 4, 8, 9, 10])
RUNS = behaviour.runs_of(LABELS, TIMES, 3.0)


def some_runs(seed: int, begin: float = 0.0) -> behaviour.Runs:
    """A recording of 3 classes with gaps and a variable frame rate."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(generator.integers(-1, 3, 60), generator.integers(1, 30, 60))
    times = begin + np.append(0.0, np.cumsum(generator.exponential(0.7, len(labels) - 1)))
    return behaviour.runs_of(labels, times, 0.7)


def test_frames_last_until_the_next_one_and_the_last_as_said():
    seconds, frames = behaviour.time_budget(RUNS, 3)
    assert seconds.tolist() == [1 + 2 + 1 + 3, 1 + 1, 0, 4]
    assert frames.tolist() == [4, 2, 0, 1]


def test_bouts_end_at_what_is_not_annotated_and_are_cut_there_and_at_the_ends():
    rest, walk, eat = (behaviour.bouts_of(RUNS, label) for label in range(3))
    assert (rest.seconds.tolist(), rest.cut.tolist(), rest.first) == ([3, 4], [True, True], 0)
    assert (walk.seconds.tolist(), walk.cut.tolist(), walk.first) == ([1, 1], [True, True], 3)
    assert (eat.seconds.tolist(), eat.first) == ([], None)
    inner = behaviour.runs_of(np.array([REST, WALK, REST]), np.arange(3.0), 1.0)
    assert behaviour.bouts_of(inner, WALK).cut.tolist() == [False]


def test_observation_begins_with_the_first_annotated_frame():
    assert behaviour.observed_from(behaviour.runs_of(np.array([-1, -1, EAT]), np.array([0.0, 2, 5]), 1.0)) == 5
    assert behaviour.observed_from(behaviour.runs_of(np.array([-1]), np.zeros(1), 1.0)) is None


def test_transitions_are_not_counted_across_a_gap():
    expected = np.zeros((3, 3), int)
    expected[REST, WALK] = expected[WALK, REST] = 1  # not from walk, over the gap, to walk
    np.testing.assert_array_equal(behaviour.transitions(RUNS, 3), expected)


@pytest.mark.parametrize("seed", range(5))
def test_every_bout_but_the_first_of_an_annotated_stretch_is_come_to(seed):
    runs = some_runs(seed)
    counts = behaviour.transitions(runs, 3)
    bouts = sum(len(behaviour.bouts_of(runs, label).seconds) for label in range(3))
    stretches = np.sum((runs.labels >= 0) & (np.append(-1, runs.labels[:-1]) < 0))
    assert counts.sum() == bouts - stretches
    assert not counts.diagonal().any()


@pytest.mark.parametrize("seed", range(5))
def test_the_budget_and_the_bouts_sum_to_what_was_recorded(seed):
    runs = some_runs(seed)
    seconds, frames = behaviour.time_budget(runs, 3)
    assert seconds.sum() == pytest.approx(runs.edges[-1])
    assert frames.sum() == runs.frames.sum()
    np.testing.assert_allclose([behaviour.bouts_of(runs, label).seconds.sum() for label in range(3)], seconds[:3])


def test_bins_divide_bouts_exactly():
    bins = behaviour.bins_of(4.0, [(0.0, 13.0)], clock=False)
    assert bins.edges.tolist() == [0, 4, 8, 12, 16]
    expected = [[3, 1, 0, 0], [0, 0, 0, 4], [3, 1, 0, 0], [1, 0, 0, 0]]
    np.testing.assert_allclose(behaviour.profile(RUNS, 3, bins), expected)


def test_bins_of_the_clock_across_midnight():
    bins = behaviour.bins_of(3600.0, [(0, 0)], clock=True)
    found = behaviour.profile(RUNS, 3, bins, begin=behaviour.DAY - 2)
    expected = np.zeros((24, 4))
    expected[23] = [2, 0, 0, 0]
    expected[0] = [5, 2, 0, 4]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_days_add_up_in_the_same_bins():
    """Rest for two days and an hour, from 23:00: each hour twice, and that of the begin three times."""
    runs = behaviour.runs_of(np.array([REST]), np.zeros(1), 2 * behaviour.DAY + 3600)
    found = behaviour.profile(runs, 1, behaviour.bins_of(3600.0, [], clock=True), begin=23 * 3600.0)
    np.testing.assert_allclose(found[:, 0], 3600 * np.array([2] * 23 + [3]))


@pytest.mark.parametrize("width", [0.9, 7.0, 100.0, 3600.0, 50_000.0])
@pytest.mark.parametrize("begin", [None, 0.0, 86_000.0])
def test_the_bins_sum_to_the_budget(width, begin):
    """Bins that divide neither frames nor the day, and recordings over midnight."""
    runs = some_runs(9)
    bins = behaviour.bins_of(width, [(runs.edges[0], runs.edges[-1])], clock=begin is not None)
    found = behaviour.profile(runs, 3, bins, begin or 0.0)
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(axis=0), behaviour.time_budget(runs, 3)[0])
    assert (found.sum(axis=1) <= np.diff(bins.edges) + 1e-6).all()


def test_the_last_bin_of_a_day_is_shorter_where_they_do_not_divide_it():
    bins = behaviour.bins_of(7 * 3600.0, [], clock=True)
    assert (bins.edges / 3600).tolist() == [0, 7, 14, 21, 24]


def test_the_step_is_the_longest_of_which_six_are_met():
    hour = 3600.0
    assert behaviour.fitting_width([(0, 12 * hour)], False) == hour
    assert behaviour.fitting_width([(0, hour)], False) == hour / 6
    assert behaviour.fitting_width([(0, 60)], False) == 10
    assert behaviour.fitting_width([(0, 0.04)], False) == 1
    # Six recordings of a minute, an hour apart, meet six hours of the clock, but one of their own.
    apart = [(at * hour, at * hour + 60) for at in range(20, 26)]
    assert behaviour.fitting_width(apart, True) == hour
    assert behaviour.fitting_width([(0, 60)] * 6, False) == 10


@pytest.mark.parametrize("off", [-4e-7, 4e-7])
def test_times_rounded_to_the_microsecond_make_no_bin(off):
    """Six minutes that end 0.4 microseconds too late, or begin too early, are six bins of a minute."""
    runs = behaviour.runs_of(np.zeros(2, int), np.array([min(off, 0.0), 180]), 180 + off)
    span = (float(runs.edges[0]), float(runs.edges[-1]))
    assert len(behaviour.bins_of(60.0, [span], clock=False).edges) == 7
    day = behaviour.profile(runs, 1, behaviour.bins_of(60.0, [], clock=True), begin=3600.0)
    assert np.flatnonzero(day.any(axis=1)).tolist() == [60, 61, 62, 63, 64, 65]
    assert behaviour.fitting_width([(span[0] + 3600, span[1] + 3600)], True) == 60


def test_frames_that_are_missing_are_not_annotated():
    times, labels = behaviour.every_frame(np.array([2, 3, 6]), np.array([2.0, 3, 9]), np.array([WALK, WALK, REST]))
    assert labels.tolist() == [-1, -1, WALK, WALK, -1, -1, REST]
    assert times.tolist() == [0, 1, 2, 3, 5, 7, 9]


def test_short_bouts_stay_on_their_side_of_a_gap():
    labels = np.array([REST] * 9 + [WALK] + [-1] + [EAT] * 2 + [WALK] * 9)
    expected = [REST] * 10 + [-1] + [WALK] * 11
    assert behaviour.smooth(labels, 3).tolist() == expected
    assert behaviour.smooth(labels, 1).tolist() == labels.tolist()


def test_shares_of_nothing_are_unknown():
    found = behaviour.shares(np.array([[1.0, 3.0], [0.0, 0.0]]))
    assert found[0].tolist() == [0.25, 0.75]
    assert np.isnan(found[1]).all()


NAMES = {"a": "a", "a.mp4": "a", "Käfig 1, links=2": "Käfig 1, links=2"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["a=19:00,Käfig 1, links=2=2024-05-01T07:30:15.5"], ["19:00", "2024-05-01T07:30:15.5"]),
        (["a.mp4=9:05", "Käfig 1, links=2=2024-05-01 00:00"], ["9:05", "2024-05-01 00:00"]),
    ],
)
def test_starts_by_name(given, expected):
    assert list(clock.starts(given, NAMES).values()) == expected


def test_starts_from_a_table(tmp_path):
    table = tmp_path / "starts.csv"
    table.write_text('recording,start\r\na,19:00\r\n\r\n"Käfig 1, links=2",20:00\r\n', encoding="utf-8-sig")
    assert clock.starts([str(table)], NAMES) == {"a": "19:00", "Käfig 1, links=2": "20:00"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["19:00"], "which of 2 recordings"),
        (["a=19:00"], "when Käfig 1, links=2 began is missing"),
        (["b=19:00"], "no recording 'b'; there are a, Käfig 1"),
        (["a=19:00,a=20:00"], "given twice"),
        (["a=7 pm"], "is not a time or NAME=TIME"),
        (["a=25:00"], "'25:00' is not a time"),
        (["a=2024-02-30T19:00"], "'2024-02-30T19:00' is not a time"),
        ([""], "no time"),
        (["nothing.csv"], "nothing.csv: cannot be read"),
    ],
)
def test_starts_that_are_wrong(given, message):
    with pytest.raises(InputError, match="--start") as caught:
        clock.starts(given, NAMES)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("time", "seconds"), [("00:00", 0), ("2024-05-01T19:30", 70200), ("7:00:30", 25230), ("00:00:00.25", 0.25)]
)
def test_times_of_day(time, seconds):
    assert clock.seconds(time) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "00:00:00"), (70200, "19:30:00"), (86400, "24:00:00"), (25230.5, "07:00:30.5")]
)
def test_times_of_day_as_text(seconds, text):
    assert clock.text(seconds) == text
