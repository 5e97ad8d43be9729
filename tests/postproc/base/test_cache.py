"""The limit of a cache holds, and what was used longest ago goes first."""

import numpy as np
import pytest

from postproc.base.cache import Cache, size


def numbers(count):
    return (np.zeros(count, np.float32),)  # 4 bytes each


def test_bytes_of_nested_values():
    ten = np.zeros(10, np.uint8)
    assert size({"a": ten, "b": (ten, {"c": ten, "d": "text"}), "e": None}) == 30


def test_the_limit_holds_and_the_oldest_goes_first():
    cache = Cache(limit=100)
    cache.put("a", numbers(10))
    cache.put("b", numbers(10))
    assert cache.get("a") is not None  # used: b is the oldest now
    cache.put("c", numbers(10))
    assert (cache.bytes, len(cache)) == (80, 2)
    assert cache.get("b") is None
    assert cache.get("a") is not None
    cache.put("d", numbers(26))  # 104 bytes: never
    assert cache.get("d") is None
    assert cache.bytes == 80
    assert (cache.hits, cache.misses) == (2, 2)


def test_a_new_value_takes_the_place_of_the_old_one():
    cache = Cache(limit=100)
    cache.put("a", numbers(10))
    cache.put("a", numbers(20))
    assert (cache.bytes, len(cache), len(cache.get("a")[0])) == (80, 1, 20)


def test_refuses_no_room():
    with pytest.raises(ValueError, match="limit: wanted a whole number, 1 or more, got 0"):
        Cache(0)
