"""What the docs show exists: fences follow the convention, commands and options are known."""

from pathlib import Path

import pytest

import cai
from tests.docs.commands import command_problems, commands_of
from tests.docs.fences import documents, fence_problems, read_fences, spans

ROOT = Path(cai.__file__).parent.parent
FURTHER = ("CONTRIBUTING.md", "examples/README.md", "constitution/README.md", "prompts/README.md")
DOCUMENTS = [*documents(ROOT), *(ROOT / name for name in FURTHER)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_fences_and_commands(document):
    problems = fence_problems(document)
    shown = [fence.text for fence in read_fences(document) if fence.has_commands]
    for text in [*shown, *spans(document)]:
        for words in commands_of(text):
            problems += [f"cai {' '.join(words)}: {said}" for said in command_problems(words)]
    assert problems == []


def test_the_front_page_names_every_document():
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    missing = [p.name for p in (ROOT / "docs").glob("*.md") if f"]({p.name})" not in index]
    assert missing == ["index.md"]


TEXT = """\
# cai is named in a comment
pip install 'constitutional-ai[train]' && cd cai
KEY=x cai generate cai.yaml --limit 2 && time cai show runs/first 1   # cai nothing
cai judge attack \\
    --data pairs.json | head
accelerate launch --num_processes 8 -m cai train dpo training.yaml
.venv/bin/cai init it
OPTIONS="--set a=b
  --set cai=x"; cai check runs/first
"""


def test_commands_are_found_in_shell_texts():
    assert list(commands_of(TEXT)) == [
        ["generate", "cai.yaml", "--limit", "2"],
        ["show", "runs/first", "1"],
        ["judge", "attack", "--data", "pairs.json"],
        ["train", "dpo", "training.yaml"],
        ["init", "it"],
        ["check", "runs/first"],
    ]


def test_a_quote_that_is_not_closed_is_an_error():
    with pytest.raises(ValueError, match="a quote is not closed"):
        list(commands_of("cai init it\ncai show 'it\n"))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("generate cai.yaml --limt 3", "cai generate has no option --limt. Did you mean --limit?"),
        ("generat cai.yaml", "cai has no command 'generat'."),
        ("judge bensh", "cai judge has no command 'bensh'."),
        ("validate runs/first --gat", "cai validate report has no option --gat."),
    ],
)
def test_unknown_commands_and_options_are_named(line, says):
    assert command_problems(line.split())[0].startswith(says)


@pytest.mark.parametrize(
    "line", ["validate runs/first --gate", "validate plan runs/first", "--version", "init --help"]
)
def test_known_ones_pass(line):
    assert command_problems(line.split()) == []


DOCUMENT = """\
# Title

```bash
cai init it
```

<!-- docs-check: run echo more >> it/prompts.txt -->
<!-- docs-check: append it/cai.yaml -->

```yaml
run: runs/it
```

```bash not-run: a key is needed
cai generate it/cai.yaml
```

```bash exits 3
cai run it/cai.yaml
```

```text
3
```
"""


def test_fences_are_read(tmp_path):
    document = tmp_path / "guide.md"
    document.write_text(DOCUMENT)
    first, hidden, config, skipped, waiting, output = read_fences(document)
    assert (first.line, first.text, first.reason, first.exits) == (3, "cai init it\n", "", 0)
    assert (hidden.text, hidden.has_commands) == ("echo more >> it/prompts.txt\n", True)
    assert (config.file, config.append, config.text) == ("it/cai.yaml", True, "run: runs/it\n")
    assert skipped.reason == "a key is needed"
    assert waiting.exits == 3
    assert not output.has_commands
    assert fence_problems(document) == []


@pytest.mark.parametrize(
    ("fence", "says"),
    [
        ("```\ncai init it\n```\n", "begins with a command"),
        ("```text\n$ make test\n```\n", "begins with a command"),
        ("```console\n$ cai init\n```\n", "Allowed: bash for commands"),
        ("```bash not-run:\ncai init\n```\n", "not-run"),
        ("```bash later\ncai init\n```\n", "got ```bash later"),
    ],
)
def test_what_leaves_the_convention_is_named(tmp_path, fence, says):
    document = tmp_path / "guide.md"
    document.write_text(f"# Title\n\n{fence}")
    (problem,) = fence_problems(document)
    assert problem.startswith("guide.md:3: ")
    assert says in problem
