"""Caffe's random numbers: the same stream of mt19937 words, and Boost's distributions on it, bit for bit.

One main stream per process serves fillers and CPU dropout in the order in which they ask
(src/caffe/common.cpp, src/caffe/util/math_functions.cpp); data layers seed streams of their own from it.

Boost changed its normal distribution twice. The environment variable CAFFE_BOOST names the version to follow:
1.74 as in Debian 11's Caffe (the default), or 1.54 as on Ubuntu 14.04.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable

import numpy as np

from caffe.errors import CaffeError
from caffe.random import ziggurat

_BLOCK = 1 << 16
_WORDS = 2.0**32


class Stream:
    """Boost's mt19937 seeded with `seed` (its lowest 32 bits), and the numbers Caffe makes of its words.

    Every method advances the stream by exactly the words that Boost would take.
    """

    def __init__(self, seed: int, boost: str | None = None) -> None:
        self._engine = np.random.RandomState(int(seed) & 0xFFFFFFFF)
        self._unread = np.empty(0, np.uint32)
        self._normal = normal_of(boost or os.environ.get("CAFFE_BOOST", "1.74"))

    def uint32(self, n: int) -> np.ndarray:
        """The next `n` words (uint32). One of them is what caffe_rng_rand gives."""
        kept, self._unread = self._unread[:n], self._unread[n:]
        if len(kept) == n:
            return kept
        fresh = self._engine.randint(0, 1 << 32, n - len(kept), dtype=np.uint32)
        return np.concatenate([kept, fresh]) if len(kept) else fresh

    def give_back(self, words: np.ndarray) -> None:
        """Undo the reading of `words`, which must be the last ones read."""
        self._unread = np.concatenate([words, self._unread])

    def uniform(self, low: float, high: float, n: int) -> np.ndarray:
        """`n` float32 values from [low, high], as caffe_rng_uniform<float>.

        That is boost::uniform_real up to the number after `high`, drawing again where rounding reaches it.
        Raises CaffeError if low > high.
        """
        if not low <= high:
            raise CaffeError(f"uniform numbers need min <= max, not min {low} and max {high}")
        bottom = np.float32(low)
        top = np.nextafter(np.float32(high), np.float32(np.inf))
        if not float(top) - float(bottom) <= float(np.finfo(np.float32).max):
            raise CaffeError(f"uniform numbers need a finite range, not {low} … {high}")
        values = np.empty(n, np.float32)
        done = 0
        while done < n:
            words = self.uint32(min(n - done, _BLOCK))
            block = words.astype(np.float32)
            block /= np.float32(_WORDS)
            block *= top - bottom
            block += bottom
            kept = block[block < top]
            values[done:done + len(kept)] = kept
            done += len(kept)
        return values

    def uniform_01(self, n: int) -> np.ndarray:
        """`n` float32 values from [0, 1), as boost::uniform_01<float>."""
        values = np.empty(0, np.float32)
        while len(values) < n:
            fresh = self.uint32(n - len(values)).astype(np.float32)
            fresh /= np.float32(_WORDS)
            values = np.concatenate([values, fresh[fresh < 1]])
        return values

    def gaussian(self, mean: float, std: float, n: int) -> np.ndarray:
        """`n` float32 values from N(mean, std²), as caffe_rng_gaussian<float>. CaffeError unless std > 0."""
        if not std > 0:
            raise CaffeError(f"gaussian numbers need std > 0, not {std}")
        values = self._normal(self, n)
        values *= np.float32(std)
        values += np.float32(mean)
        return values

    def bernoulli(self, p: float, n: int, dtype: type = np.float64) -> np.ndarray:
        """`n` int32 values, 1 with probability `p`, as caffe_rng_bernoulli<dtype>.

        Source: boost/random/bernoulli_distribution.hpp: a word counts as 1 up to p·(2³² − 1), in `dtype`
        (the Dropout layer asks in double precision, sparse fillers in single); for p = 0 no words are read.
        Raises CaffeError unless 0 <= p <= 1.
        """
        if not 0 <= p <= 1:
            raise CaffeError(f"a probability is between 0 and 1, not {p}")
        if p == 0:
            return np.zeros(n, np.int32)
        limit = dtype(p) * dtype(0xFFFFFFFF)
        return (self.uint32(n).astype(dtype) <= limit).astype(np.int32)

    def integer(self, high: int) -> int:
        """One integer from [0, high], as boost::uniform_int: equal buckets of words, drawing again beyond."""
        if high == 0:
            return 0
        bucket = (1 << 32) // (high + 1)
        while (value := int(self.uint32(1)[0]) // bucket) > high:
            pass
        return value

    def shuffled(self, n: int) -> np.ndarray:
        """0 … n − 1 in the order in which caffe::shuffle (include/caffe/util/rng.hpp) leaves n items."""
        order = np.arange(n)
        for i in range(n - 1, 0, -1):
            j = self.integer(i)
            order[i], order[j] = order[j], order[i]
        return order


def _ziggurat(variant: ziggurat.Variant) -> Callable[[Stream, int], np.ndarray]:
    def normal(stream: Stream, n: int) -> np.ndarray:
        values = np.empty(n, np.float32)
        done, margin = 0, 16
        while done < n:
            wanted = n - done
            words = stream.uint32(min(wanted + wanted // 32 + margin, _BLOCK + margin))
            block = ziggurat.normal_block(words, wanted, variant)
            stream.give_back(words[block.used:])
            values[done:done + len(block.values)] = block.values
            done += len(block.values)
            margin = 16 if block.used else 2 * margin
        return values
    return normal


def _box_muller(stream: Stream, n: int) -> np.ndarray:
    """Pairs of values from pairs of words; the second of the last pair is dropped if n is odd.

    Logarithm, cosine and sine are rounded correctly here. A C library's logf, cosf and sinf nearly are: with
    glibc 2.36 one value in 75 differs, in its last place.
    """
    values = np.empty((n + 1) // 2 * 2, np.float32)
    for start in range(0, len(values), _BLOCK):
        block = values[start:start + _BLOCK]
        pairs = stream.uniform_01(len(block))
        radius = np.log(np.float32(1) - pairs[1::2], dtype=np.float64).astype(np.float32)
        radius *= np.float32(-2)
        np.sqrt(radius, out=radius)
        angle = np.multiply(pairs[0::2], np.float32(2) * np.float32(np.pi)).astype(np.float64)
        for place, function in enumerate((np.cos, np.sin)):
            np.multiply(function(angle).astype(np.float32), radius, out=block[place::2])
    return values[:n]


# By the version of Boost from which each is in use.
_NORMAL: dict[tuple[int, int], Callable[[Stream, int], np.ndarray]] = {
    (1, 0): _box_muller,
    (1, 56): _ziggurat(ziggurat.FIRST),
    (1, 64): _ziggurat(ziggurat.SECOND),
}


def normal_of(boost: str) -> Callable[[Stream, int], np.ndarray]:
    """The standard normal numbers of Boost version `boost`, such as "1.54"."""
    try:
        version = tuple(int(part) for part in boost.split(".")[:2])
        return _NORMAL[max(first for first in _NORMAL if first <= version)]
    except ValueError:
        raise CaffeError(f"CAFFE_BOOST is a version of Boost such as 1.54 or 1.74, not {boost!r}") from None


class CRand:
    """The C library's rand(), never seeded by Caffe: every process starts with the same numbers.

    What std::random_shuffle takes its numbers from. Source: glibc's random_r.c (TYPE_3: r_i = r_{i−3} + r_{i−31}).
    """

    def __init__(self) -> None:
        state = [1]
        for _ in range(30):
            state.append(16807 * state[-1] % 0x7FFFFFFF)
        self._state = deque(state[3:] + state[:3], maxlen=31)
        for _ in range(310):
            self.next()

    def next(self) -> int:
        """The next number, 0 to 2³¹ − 1."""
        self._state.append((self._state[0] + self._state[-3]) & 0xFFFFFFFF)
        return self._state[-1] >> 1

    def shuffle(self, items: list[int]) -> None:
        """Shuffle in place as libstdc++'s std::random_shuffle."""
        for i in range(1, len(items)):
            j = self.next() % (i + 1)
            items[i], items[j] = items[j], items[i]


c_rand = CRand()  # the process's

_main: list[Stream] = []


def seed_main(seed: int) -> None:
    """Start the main stream anew from `seed`; pycaffe's set_random_seed."""
    _main[:] = [Stream(seed)]


def main() -> Stream:
    """The process's main stream; never seeded, it starts from the system's entropy as Caffe's does."""
    if not _main:
        seed_main(int.from_bytes(os.urandom(4), "little"))
    return _main[0]
