"""S1, C1, S2 and C2 of the current system, against loops written out."""

from __future__ import annotations

import numpy as np
import pytest

from current_system import maps, templates
from data_prep.motion import FRAMES, SCALE, gabor_bank, motion_energy, motion_images


def test_c1_is_the_maximum_of_each_cell():
    energy = np.random.default_rng(1).random((4, maps.SIDE, maps.SIDE)).astype(np.float32)
    found = maps.c1(energy)
    assert found.shape == (4, maps.CELLS, maps.CELLS)
    for row, column in ((0, 0), (3, 7), (maps.CELLS - 1, maps.CELLS - 1)):
        top, left = row * maps.STRIDE, column * maps.STRIDE
        cell = energy[:, top : top + maps.CELL, left : left + maps.CELL]
        assert (found[:, row, column] == cell.max(axis=(1, 2))).all()


def frames(count, seed=2):
    random = np.random.default_rng(seed)
    noise = random.integers(0, 255, size=(count, 128, 170)).astype(np.uint8)
    return [(one, np.array([random.random(), random.random()])) for one in noise]


@pytest.mark.parametrize("count", [1, 3, 5, 20])
def test_every_frame_has_a_map_of_the_nine_around_it_through_its_own_window(count):
    shown = frames(count)
    found = list(maps.c1_maps(shown))
    assert len(found) == count
    for middle in range(count):
        around = [shown[min(max(middle + step, 0), count - 1)][0] for step in range(-(FRAMES // 2), FRAMES // 2 + 1)]
        stack = maps.window(np.stack([maps.scaled(one) for one in around]), *shown[middle][1])
        expected = np.minimum(np.rint(maps.c1(motion_energy(stack, gabor_bank())) * SCALE), 255)
        assert np.abs(found[middle].astype(float) - expected).max() <= 1


def test_s1_is_what_the_networks_motion_images_are_made_of():
    shown = [np.random.default_rng(3).integers(0, 255, (maps.SIDE, maps.SIDE)).astype(np.uint8) for _ in range(FRAMES)]
    middle = list(motion_images(shown))[FRAMES // 2]
    energy = motion_energy(np.stack(shown).astype(np.float32), gabor_bank())
    assert np.abs(np.minimum(np.rint(energy * SCALE), 255) - middle).max() <= 1


def test_a_window_beyond_the_border_repeats_it():
    frame = np.arange(100 * 200).reshape(1, 100, 200)
    found = maps.window(frame, 0.0, 0.0)
    half = maps.SIDE // 2
    assert (found[0, : half + 1, : half + 1] == frame[0, 0, 0]).all()
    assert found[0, half + 5, half + 7] == frame[0, 5, 7]


def some_maps(count, seed=4):
    return np.random.default_rng(seed).integers(0, 255, (count, 4, maps.CELLS, maps.CELLS)).astype(np.uint8)


def test_c2_is_the_largest_product_with_a_template_anywhere():
    shown = some_maps(3)
    own = templates.sample([shown], [np.array([0, 1, 0])], 2, seed=1, count=6)
    assert [one.shape for one in own.patches] == [(6, 64), (6, 256)]
    found = templates.c2(shown, own)
    for frame, (index, size) in ((0, (0, 4)), (2, (1, 8))):
        for number, patch in enumerate(own.patches[index]):
            best = max(
                float((shown[frame, :, row : row + size, column : column + size] * patch.reshape(4, size, size)).sum())
                for row in range(maps.CELLS - size + 1)
                for column in range(maps.CELLS - size + 1)
            )
            assert found[frame, 6 * index + number] == pytest.approx(np.log1p(best), rel=1e-5)


def test_a_template_answers_most_of_all_patches_of_its_energy_to_the_one_it_was_cut_from():
    shown = some_maps(1)
    patches = templates.patches_of(shown, 4)[0]
    own = templates.Templates((patches[[50]] / np.linalg.norm(patches[50]), np.zeros((0, 256), np.float32)))
    lengths = np.linalg.norm(patches, axis=1)
    assert int((patches @ own.patches[0][0] / lengths).argmax()) == 50


def test_patches_come_from_every_class_and_from_where_much_moves():
    shown = np.zeros((40, 4, maps.CELLS, maps.CELLS), np.uint8)
    labels = np.repeat([0, 1], 20)
    shown[:20, 0, 2, 2] = 200  # class 0 moves right, in one cell
    shown[20:, 2, 12, 12] = 200  # class 1 left, in another
    own = templates.sample([shown], [labels], 2, seed=3, count=20)
    by_direction = own.patches[0].reshape(20, 4, 16).sum(axis=2) > 0
    assert by_direction[:, 0].sum() == by_direction[:, 2].sum() == 10
    assert np.linalg.norm(own.patches[0], axis=1) == pytest.approx(1)


def test_selection_keeps_what_tells_classes_apart():
    random = np.random.default_rng(5)
    labels = random.integers(2, size=400)
    shown = np.zeros((400, 4, maps.CELLS, maps.CELLS), np.uint8)
    shown[:, 1] = random.integers(0, 60, (400, maps.CELLS, maps.CELLS))  # says nothing
    shown[labels == 1, 3, 7, 7] = 200
    telling = np.zeros((1, 4, 4, 4), np.float32)
    telling[0, 3, 1, 1] = 1
    silent = np.zeros((30, 4, 4, 4), np.float32)
    silent[:, 1] = random.random((30, 4, 4))
    silent /= np.linalg.norm(silent.reshape(30, -1), axis=1)[:, np.newaxis, np.newaxis, np.newaxis]
    own = templates.Templates((np.concatenate([silent, telling]).reshape(31, 64), np.zeros((0, 256), np.float32)))
    kept = templates.select(own, shown, labels, seed=1, kept=3)
    assert kept.number == 3 and (kept.patches[0] == telling.reshape(64)).all(axis=1).any()
