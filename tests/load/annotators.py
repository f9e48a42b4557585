"""Simulated annotators who all save at once, and a server that is killed meanwhile.

    python tests/load/annotators.py [--people 50] [--saves 40] [--kills 0] [--database postgresql]

Every person has a labelling of their own and puts bouts into it, a request after the other, as the page does: what is
not answered is sent again under the same name. In the end every bout that was acknowledged must be there, once. Prints
how long the saves took. Simulated people, and a simulated video.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np

HERE = Path(__file__).resolve().parent
for room in ("..", "../engine", ".", "browser", "integration"):
    sys.path.insert(0, str((HERE.parent / room).resolve()))

import postgresql  # noqa: E402
import site_under_test  # noqa: E402
import tiny  # noqa: E402

SEED = 1
PATIENCE = 120.0  # seconds that a person tries a save again
THINKING = 0.5  # seconds between two saves of a person


class Outcome(NamedTuple):
    """Seconds of every save that was answered at the first try, how many had to be sent again, and what was
    acknowledged: a set of bouts per labelling."""

    seconds: list[float]
    repeated: int
    acknowledged: dict[int, set[str]]


def annotate(address: str, headers: dict[str, str], track: int, saves: int, seed: int, out: list[Outcome]) -> None:
    """One person's work."""
    rng = random.Random(seed)
    seconds, repeated, done = [], 0, set()
    client = httpx.Client(base_url=address, headers=headers, timeout=30)
    for number in range(saves):
        time.sleep(rng.random() * 2 * THINKING)
        name = f"b{number}"
        start = rng.randrange(80)
        bout = {"id": name, "behaviour": "still", "start": start, "stop": start + 5}
        body = {"edits": [{"edit": f"e{number}", "action": "put", "bout": bout},
                          {"edit": f"s{number}", "action": "annotated", "spans": [[0, 90]]}]}  # fmt: skip
        began = time.monotonic()
        tries = 0
        while True:
            try:
                asked = time.monotonic()
                answer = client.post(f"/api/tracks/{track}/edits", json=body)
                answer.raise_for_status()
                break
            except httpx.HTTPError:
                tries += 1
                if time.monotonic() - began > PATIENCE:
                    raise
                time.sleep(0.1)
        seconds.append(time.monotonic() - asked)
        repeated += tries > 0
        done.add(name)
    out.append(Outcome(seconds, repeated, {track: done}))


def join(site: site_under_test.Site, people: int) -> list[tuple[dict[str, str], int]]:
    """People with a token and a labelling each."""
    secret = site.link.partition("invitation=")[2]
    admin = httpx.Client(base_url=site.address, timeout=60)
    body = {"name": "ada", "password": site_under_test.PASSWORD, "invitation": secret}
    admin.headers["X-CSRF-Token"] = admin.post("/api/join", json=body).json()["csrf"]
    found = []
    for number in range(people):
        invitation = admin.post("/api/projects/1/invitations", json={"role": "annotator"}).json()["secret"]
        own = httpx.Client(base_url=site.address, timeout=60)
        body = {"name": f"p{number}", "password": site_under_test.PASSWORD, "invitation": invitation}
        own.headers["X-CSRF-Token"] = own.post("/api/join", json=body).json()["csrf"]
        token = own.post("/api/tokens", json={"name": "load"}).json()["secret"]
        track = own.post("/api/videos/1/tracks").json()["id"]
        found.append(({"Authorization": f"Bearer {token}"}, track))
    return found


def run(people: int, saves: int, kills: int, kind: str, folder: Path) -> dict[str, float]:
    """All of it; the figures. Raises AssertionError where an acknowledged bout is not there."""
    tiny.write_dataset(folder / "data", videos=1)
    with ExitStack() as stack:
        more: list[str] = []
        if kind == "postgresql":
            place = Path(tempfile.mkdtemp(prefix="postgresql"))
            stack.callback(shutil.rmtree, place, ignore_errors=True)
            server = stack.enter_context(postgresql.server(place))
            more = ["--database", postgresql.new_database(server, "load")]
        site = site_under_test.Site(folder / "data", *more)
        stack.callback(site.stop)
        ready = join(site, people)
        outcomes: list[Outcome] = []
        threads = [
            threading.Thread(target=annotate, args=(site.address, headers, track, saves, SEED + number, outcomes))
            for number, (headers, track) in enumerate(ready)
        ]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        killed = 0
        rng = random.Random(SEED)
        while any(thread.is_alive() for thread in threads):
            if killed < kills:
                time.sleep(rng.random())
                site.kill()
                killed += 1
                site.start(site.port)
            else:
                time.sleep(0.1)
        for thread in threads:
            thread.join()
        elapsed = time.monotonic() - began
        assert len(outcomes) == people, f"{people - len(outcomes)} people gave up"
        lost = 0
        for headers, track in ready:
            acknowledged = next(one.acknowledged[track] for one in outcomes if track in one.acknowledged)
            there = httpx.get(f"{site.address}/api/tracks/{track}", headers=headers, timeout=60).json()
            lost += len(acknowledged - {bout["id"] for bout in there["bouts"]})
            assert there["version"] == 2 * saves, "a change was made twice, or not"
        assert lost == 0, f"{lost} acknowledged bouts are lost"
    seconds = np.array([second for one in outcomes for second in one.seconds])
    return {
        "people": people, "saves": len(seconds), "kills": killed, "seconds": elapsed,
        "sent again": sum(one.repeated for one in outcomes), "lost": lost,
        **{f"{share} %": float(np.percentile(seconds, share)) for share in (50, 95, 99)},
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--saves", type=int, default=40, help="of each person")
    parser.add_argument("--kills", type=int, default=0, help="SIGKILLs of the server meanwhile")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = run(args.people, args.saves, args.kills, args.database, Path(folder))
    print(args.database, ", ".join(f"{name}: {value:.3g}" if isinstance(value, float) else f"{name}: {value}"
                                   for name, value in found.items()))  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
