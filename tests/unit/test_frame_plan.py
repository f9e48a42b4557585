"""Which frame stands where in a batch, of labels made up here."""

import numpy as np
import pytest

from data_prep.errors import InputError
from python_layers import frame_plan
from python_layers.settings import Settings

A = [0, 0, 1, 1, 2, 2, 0]
B = [1, -1, -1, 2, 2]


def plan_of(*labels, **changes):
    settings = {
        "dataset": "cage",
        "videos": tuple("abc"[: len(labels)]),
        "streams": ("shape",),
        "size": 20,
        "crop": 13,
        "batch_size": 4,
        "mean": {"shape": [0]},
        "seed": 5,
        "shuffle": False,
        **changes,
    }
    timeline = frame_plan.make_timeline([np.array(one) for one in labels])
    return frame_plan.make_plan(Settings(**settings), timeline)


def shown(plan, batches):
    """(video, frame, label, cont) of every place of some batches, time-major."""
    return [
        tuple(int(value) for value in place)
        for batch in batches
        for place in zip(*(array.ravel() for array in frame_plan.places(plan, batch)))
    ]


def test_a_pass_in_order_shows_each_annotated_frame_once_and_is_filled_up_without_labels():
    plan = plan_of(A, B)
    assert frame_plan.batches_in_pass(plan) == 3
    seen = shown(plan, range(3))
    annotated = [(0, frame, label) for frame, label in enumerate(A)] + [(1, 0, 1), (1, 3, 2), (1, 4, 2)]
    assert [place[:3] for place in seen[:10]] == annotated
    assert [place[:3] for place in seen[10:]] == [(0, 0, -1), (0, 1, -1)]
    assert shown(plan, [3]) == shown(plan, [0])  # the next pass is the same


def test_one_sequence_in_order_starts_only_at_videos_and_gaps():
    plan = plan_of(A, B, batch_size=1, sequence_length=4)
    seen = shown(plan, range(6))
    assert [place[:2] for place in seen if place[3] == 0] == [(0, 0), (1, 0), (1, 3), (0, 0)] * 2
    assert frame_plan.places(plan, 0).cont.shape == (4, 1)


def test_several_sequences_in_order_start_afresh_in_each_batch():
    plan = plan_of(A, B, batch_size=2, sequence_length=3)
    first = frame_plan.places(plan, 0)
    assert first.frame.tolist() == [[0, 3], [1, 4], [2, 5]]
    assert first.cont.tolist() == [[0, 0], [1, 1], [1, 1]]
    second = frame_plan.places(plan, 1)
    assert (second.video[:, 0].tolist(), second.frame[:, 0].tolist()) == ([0, 1, 1], [6, 0, 3])
    assert second.cont[:, 0].tolist() == [0, 0, 0]


def test_uniform_windows_come_once_an_epoch_in_an_order_of_their_own():
    plan = plan_of(A, B, shuffle=True, batch_size=5)
    epochs = [shown(plan, (2 * epoch, 2 * epoch + 1)) for epoch in range(2)]
    assert sorted(epochs[0]) == sorted(epochs[1]) and epochs[0] != epochs[1]
    assert len(set(epochs[0])) == 10 and all(label >= 0 for _, _, label, _ in epochs[0])


def test_windows_are_successive_frames_of_one_video_up_to_an_annotated_one():
    plan = plan_of(A, B, shuffle=True, sequence_length=3, batch_size=8)
    for batch in range(20):
        places = frame_plan.places(plan, batch)
        assert (np.diff(places.frame, axis=0) == 1).all() and (places.video == places.video[0]).all()
        assert (places.frame >= 0).all() and (places.label[-1] >= 0).all()
        assert (places.cont[0] == 0).all() and (places.cont[1:] == 1).all()


def test_balanced_sampling_shows_rare_classes_as_often_as_frequent_ones():
    plan = plan_of([0] * 970 + [1] * 25 + [2] * 5, shuffle=True, sampling="balanced", batch_size=300)
    counts = np.bincount(np.concatenate([frame_plan.places(plan, batch).label.ravel() for batch in range(10)]))
    assert counts.min() > 900


def test_running_sequences_go_on_where_those_of_the_batch_before_left_off():
    plan = plan_of(A, B, shuffle=True, sampling="running", batch_size=2, sequence_length=2, carry=100)
    runs = [frame_plan.places(plan, batch) for batch in range(10)]
    assert frame_plan.batches_in_pass(plan) == 3
    annotated = [(0, frame) for frame in range(7)] + [(1, 0), (1, 3), (1, 4)]
    starts = {(0, 0), (1, 0), (1, 3)}
    for sequence in range(2):
        shown = [(int(run.video[step, sequence]), int(run.frame[step, sequence])) for run in runs for step in range(2)]
        cont = [int(run.cont[step, sequence]) for run in runs for step in range(2)]
        begin = annotated.index(shown[0])
        assert shown == [annotated[(begin + step) % 10] for step in range(20)]
        assert cont == [0] + [int(place not in starts) for place in shown[1:]]
    assert runs[0].label.tolist() == [[(A, B)[v][f] for v, f in zip(*row)] for row in zip(runs[0].video, runs[0].frame)]
    first = annotated.index((runs[0].video[0, 0], runs[0].frame[0, 0]))
    assert annotated.index((runs[0].video[0, 1], runs[0].frame[0, 1])) == (first + 5) % 10  # as far apart as can be


def test_running_sequences_start_afresh_elsewhere_every_few_batches_with_new_crops():
    plan = plan_of([0] * 50, shuffle=True, sampling="running", batch_size=3, sequence_length=2, carry=4)
    starts = [frame_plan.places(plan, batch).cont[0].max() for batch in range(9)]
    assert starts == [0, 1, 1, 1, 0, 1, 1, 1, 0]
    first = [int(frame_plan.places(plan, batch).frame[0, 0]) for batch in range(0, 400, 4)]
    assert len(set(first)) > 40  # of 50 frames
    crops = [frame_plan.crop_offsets(plan.settings, batch, training=True).tolist() for batch in range(9)]
    assert crops[0] == crops[3] != crops[4] == crops[7]


def test_batches_depend_on_seed_and_number_alone():
    for sampling in ("uniform", "balanced", "running"):
        plan = plan_of(A, B, shuffle=True, sampling=sampling)
        again = plan_of(A, B, shuffle=True, sampling=sampling, start_batch=2, workers=3)
        other = plan_of(A, B, shuffle=True, sampling=sampling, seed=6)
        late, early = shown(again, [7]), shown(plan, range(8))
        assert early[-4:] == late
        assert shown(other, range(8)) != early


def test_crops_are_central_in_test_and_cover_every_offset_in_training():
    plan = plan_of(A)
    assert (frame_plan.crop_offsets(plan.settings, 0, training=False) == 3).all()
    drawn = np.concatenate([frame_plan.crop_offsets(plan.settings, k, training=True) for k in range(200)])
    assert set(drawn[:, 0]) == set(drawn[:, 1]) == set(range(8))


def test_all_frames_of_a_sequence_have_one_crop():
    plan = plan_of(A, shuffle=True, sequence_length=3, batch_size=2)
    places = frame_plan.places(plan, 4)
    listed = frame_plan.frame_list(plan.settings, 4, places, training=True).reshape(3, 2, 4)
    assert (listed[:, :, 2:] == listed[0, :, 2:]).all()
    assert (listed[:, :, 1] == places.frame).all()


def test_windows_longer_than_every_video_are_refused():
    with pytest.raises(InputError, match="sequence_length smaller"):
        plan_of(A, B, shuffle=True, sequence_length=8)


@pytest.mark.parametrize(
    "changes",
    [
        {"shuffle": True},
        {"shuffle": True, "sampling": "balanced", "sequence_length": 2},
        {"shuffle": True, "sampling": "running", "sequence_length": 2, "carry": 2},
        {},
    ],
)
@pytest.mark.parametrize("parts", [1, 2, 4])
def test_the_shares_of_a_batch_side_by_side_are_the_batch(parts, changes):
    whole = plan_of(A, B, **changes)
    shares = [plan_of(A, B, share=(part, parts), **changes) for part in range(parts)]
    for batch in range(5):
        expected = frame_plan.places(whole, batch)
        found = [frame_plan.places(share, batch) for share in shares]
        for index in range(len(expected)):
            np.testing.assert_array_equal(np.hstack([one[index] for one in found]), expected[index])
        crops = [frame_plan.crop_offsets(share.settings, batch, True) for share in shares]
        np.testing.assert_array_equal(np.vstack(crops), frame_plan.crop_offsets(whole.settings, batch, True))
