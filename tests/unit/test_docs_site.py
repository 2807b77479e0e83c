"""The docs site: where links lead, and the pages that are made from the code, without Sphinx."""

import sys
from importlib import import_module
from pathlib import Path

import pytest

import cai
from cai.config import Config

ROOT = Path(cai.__file__).parent.parent


@pytest.fixture
def site(monkeypatch):
    """The modules of `docs/_site`, by name."""
    monkeypatch.syspath_prepend(ROOT / "docs/_site")
    names = ("pages", "lists", "docstrings", "commands", "settings")
    modules = {name: import_module(name) for name in names}
    yield modules
    for name in names:
        sys.modules.pop(name)


def test_links_of_the_docs_lead_somewhere(site, tmp_path):
    assert site["pages"].copy_pages(ROOT, tmp_path) == []


def test_links_are_those_of_the_new_places(site, tmp_path):
    root, to = tmp_path / "repo", tmp_path / "site"
    for name, text in {
        "docs/guide.md": "[a](../examples/README.md#x) [b](../examples/01_a/) [c](decisions/) "
        "[d](../examples/02_b) [e](../examples/02_b/cai.yaml) [f](../README.md) [g](https://x.y) "
        "[h](#here) `[i](nowhere.md)` [j](other.md)\n\n```text\n[k](nowhere.md)\n```\n",
        "docs/other.md": "# Other\n",
        "docs/decisions/0001-a.md": "[a](../guide.md)\n",
        "examples/README.md": "# Examples\n",
        "examples/01_a/README.md": "# A\n",
        "examples/02_b/cai.yaml": "run: x\n",
        "README.md": "# Project\n",
        "CHANGELOG.md": "# Changes\n",
        "CONTRIBUTING.md": "# Contributing\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    assert site["pages"].copy_pages(root, to) == []
    assert (to / "guide.md").read_text() == (
        "[a](examples/index.md#x) [b](examples/01_a.md) [c](decisions/index.md) "
        "[d](examples/index.md) [e](files/examples/02_b/cai.yaml) [f](index.md) [g](https://x.y) "
        "[h](#here) `[i](nowhere.md)` [j](other.md)\n\n```text\n[k](nowhere.md)\n```\n"
    )
    assert (to / "decisions/0001-a.md").read_text() == "[a](../guide.md)\n"
    assert (to / "files/examples/02_b/cai.yaml").read_text() == "run: x\n"

    (root / "docs/other.md").write_text("[a](gone.md)\n")
    (said,) = site["pages"].copy_pages(root, to)
    assert said.startswith("docs/other.md links to gone.md.")


def test_contents_are_the_links_of_the_front_page(site, tmp_path):
    (tmp_path / "index.md").write_text("# It\n\n## Begin\n\n- [A](a.md)\n- [B](b.md) [A](a.md#x)\n")
    (tmp_path / "prompts.md").write_text("# Prompts\n")
    (tmp_path / "prompts").mkdir()
    (tmp_path / "examples/09_c").mkdir(parents=True)
    for name in ("index.md", "01_a.md", "09_c.md", "09_c/deep.md"):
        (tmp_path / "examples" / name).write_text("# Title\n")
    site["lists"].write_contents(tmp_path)
    index = (tmp_path / "index.md").read_text()
    assert ":caption: Begin\n\na.md\nb.md\n```" in index
    assert "cli/index.md\nconfig/index.md\napi/index.md\n```" in index
    assert "01_a.md\n09_c.md\n```" in (tmp_path / "examples/index.md").read_text()
    assert "09_c/deep.md\n```" in (tmp_path / "examples/09_c.md").read_text()


def test_every_key_of_a_config_has_its_text(site, tmp_path):
    site["settings"].write_settings(tmp_path)
    page = (tmp_path / "cai.md").read_text()
    for key in Config.model_fields:
        assert f"- **`{key}`**" in page
    assert "- **`tie_band`** (number ≥ 0 < 0.5; `0.05` by default): A probability within" in page
    assert '- **`run`** † (text; `"runs/default"` by default)' in page
    assert "([`prompts`](#key-prompts); required)" in page
    assert all(not line.rstrip().endswith("):") for line in page.splitlines()), "a key without text"


def test_every_command_has_a_page(site, tmp_path):
    site["commands"].write_commands(tmp_path)
    index = (tmp_path / "index.md").read_text()
    for name in ("generate", "judge", "constitution", "run"):
        assert f"| [`cai {name}`]({name}.md) |" in index
    page = (tmp_path / "generate.md").read_text()
    assert "* `--limit <int range>`: Use only the first so many prompts." in page
    assert "Example:\n\n```bash\ncai generate cai.yaml --limit 20\n```" in page


def test_docstrings_become_restructured_text(site):
    lines = ["A `name", " of` two.", "", "```yaml", "run: x", "```"]
    assert site["docstrings"].to_rst(lines) == [
        "A ``name of`` two.",
        "",
        "",
        ".. code-block:: yaml",
        "",
        "   run: x",
        "",
    ]
