"""The FrameSequenceData layer, inside a net, on a small prepared dataset made here."""

import csv
import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import lmdb
import numpy as np
import pytest

import caffe
from caffe.proto import caffe_pb2
from data_prep import dataset as datasets
from data_prep import datum, lmdb_store
from data_prep.errors import InputError
from python_layers import frame_plan, settings

SIZE, CROP = 20, 13
FRAMES = {"a": 9, "b": 6}
CLASSES = ("eat", "rest", "walk")
REPOSITORY = Path(__file__).parents[2]


def grey(video, frame):
    """A picture that tells its video, its frame and each pixel's place."""
    y, x = np.mgrid[:SIZE, :SIZE]
    return ((100 * "ab".index(video) + 7 * frame + 3 * y + x) % 256).astype(np.uint8)


def motion(video, frame):
    return np.stack([grey(video, frame) // (channel + 1) for channel in range(4)])


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "cage"
    (folder / "videos").mkdir(parents=True)
    (folder / "classes.txt").write_text("\n".join(CLASSES))
    for stem, frames in FRAMES.items():
        (folder / "videos" / f"{stem}.mp4").write_bytes(stem.encode())
        datasets.write_labels(folder / "labels" / f"{stem}.csv", CLASSES, [frame % 3 for frame in range(frames)])
        prepare(folder, stem, frames)
    return folder


def position(video, frame):
    """A row that tells its video and frame; the animal is not found in every fourth."""
    return np.array([*(10 * "ab".index(video) + frame + np.arange(10) / 10), frame % 4 > 0], np.float32)


STORED = {
    "shape": lambda stem, frame: datum.encode_raw(grey(stem, frame)[np.newaxis]),
    "motion": lambda stem, frame: datum.encode_raw(motion(stem, frame)),
    "position": lambda stem, frame: datum.encode_floats(position(stem, frame)),
}


def prepare(folder, stem, frames):
    prepared = folder / "prepared" / stem
    digests = {}
    for stream, encoded in STORED.items():
        with lmdb_store.Writer(prepared / f"{stream}.lmdb") as writer:
            writer.write([(frame, encoded(stem, frame)) for frame in range(frames)])
        digests[stream] = lmdb_store.digest(lmdb_store.open_reader(prepared / f"{stream}.lmdb"))
    meta = {
        "version": datasets.VERSION,
        "video": f"{stem}.mp4",
        "bytes": len(stem),
        "frames": frames,
        "size": SIZE,
        "streams": list(STORED),
        "mean": {"shape": [100.0], "motion": [40.0, 30.0, 20.0, 10.0], "position": [0.0] * 21},
        "digest": digests,
    }
    (prepared / "meta.json").write_text(json.dumps(meta))


def png_datum(picture):
    """A grey picture as datasets of earlier versions, and Caffe's convert_imageset, hold it."""
    png = cv2.imencode(".png", picture)[1].tobytes()
    return caffe_pb2.Datum(channels=1, height=SIZE, width=SIZE, data=png, encoded=True).SerializeToString()


def rewrite_digest(path):
    meta = path.parent / "meta.json"
    values = json.loads(meta.read_text())
    values["digest"][path.stem] = lmdb_store.digest(lmdb_store.Reader(path))
    meta.write_text(json.dumps(values))


def param_str(folder, **changes):
    values = {
        "dataset": str(folder),
        "videos": ["a", "b"],
        "streams": ["shape", "motion"],
        "size": SIZE,
        "crop": CROP,
        "batch_size": 4,
        "mean": {"shape": [100.0], "motion": [40.0, 30.0, 20.0, 10.0]},
        "seed": 3,
        "shuffle": True,
        **changes,
    }
    return json.dumps({key: value for key, value in values.items() if value is not None})


def net_text(param, tops=("data", "motion", "label", "cont")):
    return f"""
        layer {{
          name: "data" type: "Python" {" ".join(f'top: "{top}"' for top in tops)}
          python_param {{
            module: "python_layers.frame_sequences" layer: "FrameSequenceData" param_str: '{param}'
          }}
        }}"""


@pytest.fixture
def open_net(tmp_path):
    def open_net(param, phase=caffe.TRAIN, **keywords):
        (tmp_path / "net.prototxt").write_text(net_text(param, **keywords))
        return caffe.Net(str(tmp_path / "net.prototxt"), phase)

    return open_net


def forward(net):
    net.forward()
    return {name: blob.data.copy() for name, blob in net.blobs.items()}


def workers_of(net):
    return [worker.pid for worker in net.layers[0]._source._workers]


def ended(pid, seconds=5):
    """Whether a process is gone, or is within some seconds."""
    for _ in range(int(seconds * 50)):
        if not Path(f"/proc/{pid}").exists() or ") Z " in Path(f"/proc/{pid}/stat").read_text():
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("phase", [caffe.TRAIN, caffe.TEST])
@pytest.mark.parametrize("steps", [1, 3])
def test_tops_hold_the_planned_frames_cropped_less_their_mean(dataset, open_net, phase, steps):
    param = param_str(dataset, sequence_length=steps, shuffle=phase == caffe.TRAIN)
    net = open_net(param, phase)
    plan = frame_plan.read_plan(settings.parse(param))
    for batch in range(5):
        blobs = forward(net)
        places = frame_plan.places(plan, batch)
        listed = frame_plan.frame_list(plan.settings, batch, places, training=phase == caffe.TRAIN)
        assert (blobs["label"] == places.label.ravel()).all() and (blobs["cont"] == places.cont).all()
        for row, (video, frame, top, left) in enumerate(listed):
            window = (slice(None), slice(top, top + CROP), slice(left, left + CROP))
            picture = grey("ab"[video], frame)[np.newaxis][window] - np.float32(100)
            assert (blobs["data"][row] == picture).all()  # in each of three channels
            means = np.array([40, 30, 20, 10], np.float32)[:, np.newaxis, np.newaxis]
            assert (blobs["motion"][row] == motion("ab"[video], frame)[window] - means).all()


POSITION = {"streams": ["position", "shape"], "mean": {"position": list(range(10)), "shape": [0]},
            "deviation": {"position": [2.0] * 10}}  # fmt: skip


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("shuffle", [True, False])
def test_positions_are_standardised_and_0_where_the_animal_was_not_found(dataset, open_net, workers, shuffle):
    param = param_str(dataset, sequence_length=2, workers=workers, shuffle=shuffle, **POSITION)
    net = open_net(param, tops=("position", "data", "label", "cont"))
    plan = frame_plan.read_plan(settings.parse(param))
    for batch in range(4):
        blobs = forward(net)
        assert blobs["position"].shape == (8, 10)
        places = frame_plan.places(plan, batch)
        for row, video, frame in zip(blobs["position"], places.video.ravel(), places.frame.ravel()):
            *features, found = position("ab"[video], frame)
            np.testing.assert_allclose(row, (np.array(features) - range(10)) / 2 * found, atol=1e-6)
        assert blobs["data"].shape == (8, 3, CROP, CROP)


def test_tops_are_as_many_as_the_prototxt_wants(dataset, open_net):
    blobs = forward(open_net(param_str(dataset, streams=["motion"]), tops=("motion", "label")))
    assert {name: data.shape for name, data in blobs.items()} == {"motion": (4, 4, CROP, CROP), "label": (4,)}
    with pytest.raises(InputError, match="2 tops"):
        open_net(param_str(dataset), tops=("data", "label"))


@pytest.mark.parametrize("sampling", ["uniform", "balanced"])
def test_batches_are_the_same_with_any_number_of_workers(dataset, open_net, sampling):
    nets = [open_net(param_str(dataset, sampling=sampling, workers=workers)) for workers in (0, 1, 3)]
    for _ in range(9):
        first, *others = [forward(net) for net in nets]
        for other in others:
            assert all((first[name] == other[name]).all() for name in first)


def test_a_batch_stays_as_it_is_until_the_next_forward(dataset, open_net):
    ahead, alone = (open_net(param_str(dataset, workers=workers)) for workers in (1, 0))
    for _ in range(6):
        for net in (ahead, alone):
            net.forward()
        time.sleep(0.1)  # the worker makes all that it is asked for
        for name, blob in alone.blobs.items():
            assert (ahead.blobs[name].data == blob.data).all()


@pytest.mark.parametrize("workers", [0, 1])
def test_pictures_that_are_stored_encoded_give_the_same_batches(dataset, open_net, tmp_path, workers):
    shutil.copytree(dataset, tmp_path / "encoded")
    for stem, frames in FRAMES.items():
        path = tmp_path / "encoded" / "prepared" / stem / "shape.lmdb"
        with lmdb_store.Writer(path) as writer:
            writer.write([(frame, png_datum(grey(stem, frame))) for frame in range(frames)])
        rewrite_digest(path)
    raw, encoded = (open_net(param_str(folder, workers=workers)) for folder in (dataset, tmp_path / "encoded"))
    for _ in range(3):
        batch = forward(encoded)
        assert all((batch[name] == values).all() for name, values in forward(raw).items())


def waits(net, pause, batches=15):
    """Seconds of each forward, with so many between two of them."""
    found = []
    for _ in range(batches):
        start = time.perf_counter()
        net.forward()
        found.append(time.perf_counter() - start)
        time.sleep(pause)
    return found


def test_a_net_waits_less_for_batches_that_are_made_ahead(dataset, open_net):
    # Long batches, so that making one outweighs telling a worker; half of it is then far from either.
    param = {"batch_size": 400, "sampling": "balanced"}
    alone = np.median(waits(open_net(param_str(dataset, **param)), 0))
    ahead = np.median(waits(open_net(param_str(dataset, workers=1, **param)), 5 * alone))
    assert ahead < alone / 2


def test_resuming_goes_on_with_the_same_batches(dataset, open_net):
    whole = open_net(param_str(dataset))
    batches = [forward(whole) for _ in range(8)]
    for workers in (0, 2):
        resumed = open_net(param_str(dataset, start_batch=5, workers=workers))
        for batch in batches[5:]:
            assert all((batch[name] == values).all() for name, values in forward(resumed).items())


@pytest.fixture
def solver_of(request):
    """solver_of(rank, count): from now on this process is one of several that train together."""
    def become(rank, count):
        caffe.set_solver_count(count)
        caffe.set_solver_rank(rank)

    yield become
    become(0, 1)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("settings", [{"batch_size": 2}, {"batch_size": 1, "shuffle": False, "sequence_length": 3}])
def test_of_several_solvers_each_takes_its_batches_in_training(dataset, open_net, solver_of, workers, settings):
    param = param_str(dataset, workers=workers, **settings)
    alone, test = open_net(param), open_net(param, caffe.TEST)
    nets, tests = [], []
    for rank in range(2):
        solver_of(rank, 2)
        nets.append(open_net(param))
        tests.append(open_net(param, caffe.TEST))
    for batch in range(6):
        theirs, expected = forward(nets[batch % 2]), forward(alone)
        expected["cont"][0] = 0  # the sequence went on in the other solver
        assert all((theirs[name] == expected[name]).all() for name in expected)
        shown = [forward(net) for net in (test, *tests)]
        assert all((shown[0][name] == other[name]).all() for other in shown for name in other)


def test_training_and_validation_nets_read_the_same_video(dataset, open_net):
    nets = [open_net(param_str(dataset, videos=["a"])) for _ in range(2)]
    assert (forward(nets[0])["data"] == forward(nets[1])["data"]).all()


def test_workers_end_with_the_net(dataset, open_net):
    net = open_net(param_str(dataset, workers=2))
    forward(net)
    pids = workers_of(net)
    assert len(pids) == 2 and not any(ended(pid, 0.05) for pid in pids)
    del net
    gc.collect()
    assert all(ended(pid) for pid in pids)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_the_process_that_started_them(dataset, tmp_path, how):
    (tmp_path / "net.prototxt").write_text(net_text(param_str(dataset, workers=2)))
    script = (
        "import caffe, time\n"
        f"net = caffe.Net({str(tmp_path / 'net.prototxt')!r}, caffe.TRAIN)\n"
        "net.forward()\n"
        "print(*(worker.pid for worker in net.layers[0]._source._workers), flush=True)\n"
        "time.sleep(60)\n"
    )
    path = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "engine")])
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    pids = [int(pid) for pid in process.stdout.readline().split()]
    assert len(pids) == 2
    process.send_signal(how)
    process.wait(20)
    process.stdout.close()
    assert all(ended(pid) for pid in pids)


def test_a_killed_worker_is_an_error_and_ends_the_others(dataset, open_net):
    net = open_net(param_str(dataset, workers=2))
    pids = workers_of(net)
    os.kill(pids[1], signal.SIGKILL)
    with pytest.raises(RuntimeError, match="signal 9"):
        for _ in range(9):
            net.forward()
    assert all(ended(pid) for pid in pids)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_frame_that_is_missing_is_named_with_its_file(dataset, open_net, workers):
    path = str(dataset / "prepared" / "a" / "shape.lmdb")
    with lmdb.open(path) as environment, environment.begin(write=True) as transaction:
        value = transaction.pop(lmdb_store.key(3))
        transaction.put(lmdb_store.key(99), value)  # the number of frames stays right
    net = open_net(param_str(dataset, workers=workers, shuffle=False))
    with pytest.raises(InputError, match=r"a/shape\.lmdb: no frame 3 .*ethocaffe prepare"):
        net.forward()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_frame_of_another_size_is_named_with_its_file(dataset, open_net, workers):
    with lmdb_store.Writer(dataset / "prepared" / "b" / "motion.lmdb") as writer:
        writer.write([(2, datum.encode_raw(np.zeros((4, 8, 8), np.uint8)))])
    net = open_net(param_str(dataset, workers=workers, videos=["b"], shuffle=False))
    with pytest.raises(InputError, match=r"b/motion\.lmdb: frame 2: .*\(4, 8, 8\)"):
        net.forward()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": "", "videos": []}, "no dataset named; `ethocaffe train` fills"),
        ({"videos": []}, "no videos named"),
        ({"dataset": "/nowhere"}, "/nowhere: no such folder"),
        ({"videos": ["c"]}, "no video 'c'; there are a, b"),
        ({"streams": ["sound"]}, "unknown stream 'sound'; the streams are shape, motion"),
        ({"streams": []}, "at least one stream"),
        ({"crop": 21}, "crop 21 is larger than size 20"),
        ({"size": 64}, "prepared at 20 pixels, and the network has 64; run `ethocaffe prepare .* --size 64`"),
        ({"mean": {"shape": [1, 2]}}, "a list of 1 for shape"),
        ({**POSITION, "deviation": None}, "deviation must hold a list of 10 for position"),
        ({**POSITION, "deviation": {"position": [0] * 10}}, "a positive number per feature"),
        ({**POSITION, "mean": {"position": [0], "shape": [0]}}, "a list of 10 for position"),
        ({"batch_size": 0}, "batch_size is 0; it must be a whole number of sequences"),
        ({"seed": -1}, "seed is -1"),
        ({"sampling": "fair"}, 'sampling is "fair"; it must be uniform or balanced or running'),
        ({"batchsize": 4}, "unknown key 'batchsize'; the keys are dataset, videos"),
        ({"crop": None}, "no crop; add it"),
        ({"sequence_length": 10}, "no video has 10 frames"),
    ],
)
def test_wrong_settings_are_one_line_that_says_what_to_do(dataset, open_net, changes, message):
    with pytest.raises(InputError, match=message) as caught:
        open_net(param_str(dataset, **changes))
    assert "\n" not in str(caught.value)


def test_settings_that_are_not_json_are_named(dataset, open_net):
    with pytest.raises(InputError, match="not JSON"):
        open_net("dataset: cage")


def remove_labels(folder):
    (folder / "labels" / "b.csv").unlink()


def clear_labels(folder):
    for stem, frames in FRAMES.items():
        datasets.write_labels(folder / "labels" / f"{stem}.csv", CLASSES, [-1] * frames)


def lengthen_labels(folder):
    with open(folder / "labels" / "b.csv", "a", newline="") as file:
        csv.writer(file).writerow([6, 1, 0, 0])


def unprepare(folder):
    (folder / "prepared" / "b" / "meta.json").unlink()


def drop_stream(folder):
    path = folder / "prepared" / "b" / "meta.json"
    meta = json.loads(path.read_text())
    path.write_text(json.dumps({**meta, "streams": ["shape"]}))


def swap_lmdb(folder):
    lmdbs = [folder / "prepared" / stem / "shape.lmdb" / "data.mdb" for stem in ("a", "b")]
    shutil.copy(*lmdbs)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (remove_labels, r"labels/b\.csv: no labels"),
        (clear_labels, "no annotated frame in a, b"),
        (lengthen_labels, r"labels/b\.csv, line 8: a label for frame 6"),
        (unprepare, "'b' is not prepared; run `ethocaffe prepare"),
        (drop_stream, "no motion stream; run `ethocaffe prepare"),
        (swap_lmdb, r"b/shape\.lmdb: not the LMDB that meta\.json"),
    ],
)
def test_a_dataset_that_does_not_fit_is_refused_at_setup(dataset, open_net, damage, message):
    damage(dataset)
    with pytest.raises(InputError, match=message):
        open_net(param_str(dataset))
