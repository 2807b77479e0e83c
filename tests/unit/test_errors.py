"""The exception tree, as its docstring draws it."""

import re

import pytest

from cai import errors
from cai.errors import (
    CaiError,
    ChangedRunError,
    MissingExtraError,
    TransientEngineError,
    UsageError,
    nearest,
)

CLASSES = {
    name: kind
    for name in errors.__all__
    if isinstance(kind := getattr(errors, name), type) and issubclass(kind, Exception)
}


def drawn() -> dict[str, str]:
    """Each class of the drawing and the one that it hangs from."""
    above: list[str] = []
    parents = {}
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"([│├└─ ]*)(\w+Error)\b", line)
        if found:
            depth = len(found[1]) // 4
            parents[found[2]] = above[depth - 1] if depth else "Exception"
            above[depth:] = [found[2]]
    return parents


def test_the_drawing_is_true_and_complete():
    assert drawn() == {name: kind.__bases__[0].__name__ for name, kind in CLASSES.items()}
    assert len(CLASSES) == 16


def test_exit_codes():
    codes = {name: kind.exit_code for name, kind in CLASSES.items()}
    usage = {"UsageError", "ConfigError", "InputError", "ChangedRunError"}
    assert codes == {name: 2 if name in usage else 1 for name in CLASSES}


def test_a_missing_extra_prints_its_install_line():
    said = str(MissingExtraError("The engine 'transformers'", "local"))
    assert said.startswith("The engine 'transformers' needs packages that are not installed.")
    assert said.endswith("pip install 'constitutional-ai[local]'")


def test_what_errors_carry():
    changed = ChangedRunError("changed", ("loop.seed",))
    assert (str(changed), changed.keys) == ("changed", ("loop.seed",))
    assert TransientEngineError("later").retry_after is None
    assert TransientEngineError("later", 2.5).retry_after == 2.5


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        ("sampels", " Did you mean 'samples'?"),
        ("samples", " Did you mean 'samples'?"),
        ("zzz", ""),
        ("", ""),
    ],
)
def test_nearest(got, expected):
    assert nearest(got, iter(["rounds", "samples"])) == expected
    assert nearest(got, []) == ""


def test_usage_errors_are_errors_of_the_toolkit():
    with pytest.raises(CaiError):
        raise UsageError("wrong")
