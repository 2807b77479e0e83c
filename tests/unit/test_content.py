"""Finding the packaged folders in a checkout and in an installation."""

from pathlib import Path
from typing import get_args

import pytest

from cai import content
from cai.content import ContentKind, content_dir
from cai.errors import CaiError


def test_a_checkout_has_all_folders_at_the_top():
    for kind in get_args(ContentKind):
        assert content_dir(kind) == Path(content.__file__).parent.parent / kind


def test_an_installation_has_them_inside_the_package(tmp_path, monkeypatch):
    package = tmp_path / "cai"
    for folder in (package / "_content/prompts", tmp_path / "prompts"):
        folder.mkdir(parents=True)
    monkeypatch.setattr(content, "__file__", str(package / "content.py"))
    assert content_dir("prompts") == package / "_content/prompts"
    with pytest.raises(
        CaiError, match=r"The packaged folder 'principles/' is missing .* Reinstall"
    ):
        content_dir("principles")
