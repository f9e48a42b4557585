"""Work on a stream by threads: in order, bounded, and ending cleanly however it ends."""

from __future__ import annotations

import threading
import time

import pytest

from data_prep.ordered import ahead, ordered
from data_prep.stages import Stages


def slow_first(number):
    """Later items are done sooner."""
    time.sleep(0.02 if number % 4 == 0 else 0.001)
    return number * number


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_results_come_in_the_order_of_the_items(workers):
    found = list(ordered(iter(range(30)), slow_first, workers, workers + 1, Stages(), "work"))
    assert found == [number * number for number in range(30)]


@pytest.mark.parametrize("workers", [1, 3])
def test_no_more_than_depth_are_begun_before_they_are_taken(workers):
    begun = []
    made = ordered(iter(range(100)), begun.append, workers, 4, Stages(), "work")
    for taken in range(1, 20):
        next(made)
        time.sleep(0.01)
        assert len(begun) <= taken + 4
    made.close()


def test_several_threads_work_at_once():
    meeting = threading.Barrier(3, timeout=20)
    assert len(list(ordered(iter(range(6)), lambda _: meeting.wait(), 3, 6, Stages(), "work"))) == 6


def test_made_ahead_by_another_thread():
    makers = set()

    def items():
        for number in range(5):
            makers.add(threading.get_ident())
            yield number

    assert list(ahead(items(), 2, Stages(), "items")) == [0, 1, 2, 3, 4]
    assert threading.get_ident() not in makers


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
@pytest.mark.parametrize("where", ["items", "work"])
def test_an_exception_comes_in_its_place(where, error):
    def items():
        for number in range(10):
            if where == "items" and number == 4:
                raise error
            yield number

    def work(number):
        if where == "work" and number == 4:
            raise error
        return slow_first(number)

    found = []
    with pytest.raises(type(error)):
        for result in ordered(ahead(items(), 2, Stages(), "items"), work, 3, 4, Stages(), "work"):
            found.append(result)
    assert found == [0, 1, 4, 9]


def test_closing_ends_every_thread_and_the_source():
    before = threading.active_count()
    closed = []

    def items():
        try:
            yield from range(1000)
        finally:
            closed.append(True)

    inner = ordered(items(), slow_first, 2, 3, Stages(), "inner")
    outer = ordered(inner, slow_first, 2, 3, Stages(), "outer")
    assert next(outer) == 0
    assert threading.active_count() > before
    outer.close()
    assert threading.active_count() == before
    assert closed == [True]


def test_the_time_of_an_inner_block_is_its_own(monkeypatch):
    clock = iter([0, 1, 3, 7, 7.5, 8])
    monkeypatch.setattr("data_prep.stages.time.perf_counter", lambda: next(clock))
    stages = Stages()
    with stages.works("net"), stages.works("input"):
        pass
    with stages.waits("net"):
        pass
    assert stages.table() == {"input": {"works": 2, "waits": 0}, "net": {"works": 5, "waits": 0.5}}


def test_who_waits_for_whom():
    stages = Stages()
    made = ordered(iter(range(4)), lambda number: time.sleep(0.02), 1, 2, stages, "thread")
    for _ in stages.waiting_for(made, "reader"):
        pass
    table = stages.table()
    assert table["thread"]["works"] >= 0.08
    assert table["reader"]["waits"] >= 0.06
