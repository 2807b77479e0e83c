"""Content hashes: equal for equal meaning, different otherwise, and the same on every machine."""

import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cai.hashing import canonical_json, content_hash, short_id, unit_interval

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
VALUES = st.recursive(
    LEAVES, lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text(), v, max_size=4)
)


def reordered(value):
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(list(value))}
    return [reordered(v) for v in value] if isinstance(value, list) else value


@given(VALUES)
def test_the_order_of_keys_does_not_matter(value):
    assert content_hash(reordered(value)) == content_hash(value)


@given(VALUES)
def test_nothing_is_lost(value):
    # Two values can only share a canonical form if both are read back from it.
    assert json.loads(canonical_json(value)) == value


@given(VALUES, VALUES)
def test_different_values_differ(one, other):
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (content_hash(one) == content_hash(other)) == same


def test_the_canonical_form_is_what_other_tools_would_write():
    value = {"b": [1, 2.5, None, True], "a": "é\n", "A": {}}
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical_json(value) == text.encode()
    assert content_hash(value) == hashlib.sha256(text.encode()).hexdigest()
    assert short_id(value) == content_hash(value)[:16]


@dataclass(frozen=True)
class Point:
    y: int
    x: tuple[int, ...]


def test_dataclasses_are_written_with_their_fields_in_order():
    assert canonical_json([Point(1, (2, 3))]) == b'[{"y":1,"x":[2,3]}]'


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", 2**70, "\ud800"])
def test_what_json_cannot_hold_is_an_error(value):
    with pytest.raises(TypeError):
        content_hash({"a": value})


@given(st.lists(LEAVES, max_size=4))
def test_unit_interval_is_open_and_depends_on_its_parts_alone(parts):
    number = unit_interval(*parts)
    assert 0.0 < number < 1.0
    assert number == unit_interval(*parts)


def test_unit_interval_keeps_its_parts_apart():
    assert unit_interval("ab", "c") != unit_interval("a", "bc")
    assert unit_interval("a", "b") != unit_interval("b", "a")
    assert unit_interval(1) != unit_interval("1")


def test_unit_interval_is_uniform():
    # Kolmogorov-Smirnov: for 4,000 uniform draws, sup |F_n - F| exceeds 1.95 / sqrt(n) once in
    # a thousand; these draws are the same ones every time.
    n = 4000
    draws = sorted(unit_interval("uniform", i) for i in range(n))
    distance = max(max((i + 1) / n - x, x - i / n) for i, x in enumerate(draws))
    assert distance < 1.95 / n**0.5


def test_hashes_do_not_depend_on_the_process():
    script = "from cai.hashing import *; print(content_hash({'b': 1, 'a': 2}), unit_interval('x'))"
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        )
        assert done.stdout.split() == [
            content_hash({"a": 2, "b": 1}),
            str(unit_interval("x")),
        ]
