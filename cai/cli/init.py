"""`cai init`: a folder to start from."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["config_schema", "init"]

_PROMPTS = 12
_SCHEMAS = ("constitution", "cases")


def init(
    folder: Annotated[Path, typer.Argument(help="Folder to write to; made if it is not there.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that exist.")] = False,
) -> None:
    """Write a commented config, a few prompts, and a constitution of your own with test cases.

    Example: cai init my-project
    """
    from cai.cli.tables import print_text
    from cai.errors import UsageError

    files = _files()
    taken = sorted(name for name in files if (folder / name).exists())
    if taken and not force:
        raise UsageError(
            f"{folder} already has {', '.join(taken)}. Choose another folder, or overwrite "
            "with --force."
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    print_text(
        f"Wrote {', '.join(files)} to {folder}.\nNext:  cd {folder} && cai generate cai.yaml"
    )


def _files() -> dict[str, str]:
    from cai.constitution.schema import editor_schemas
    from cai.content import content_dir

    source = Path(__file__).parent / "_init"
    schemas = editor_schemas()
    starter = content_dir("prompts") / "starter" / "starter.jsonl"
    with starter.open(encoding="utf-8") as lines:
        prompts = "".join(islice(lines, _PROMPTS))
    return {
        "cai.yaml": (source / "cai.yaml").read_text(encoding="utf-8"),
        "prompts.jsonl": prompts,
        "constitution.yaml": (source / "constitution.yaml").read_text(encoding="utf-8"),
        "cases.yaml": (source / "cases.yaml").read_text(encoding="utf-8"),
        # Beside the files that name them, so that editors need no network and no package.
        "config.schema.json": config_schema(),
        **{f"{name}.schema.json": schemas[f"{name}.schema.json"] for name in _SCHEMAS},
        "README.md": (source / "README.md").read_text(encoding="utf-8"),
        ".gitignore": (source / "gitignore").read_text(encoding="utf-8"),
    }


def config_schema() -> str:
    """The JSON Schema of config files, with the meaning of every key, for editors."""
    import json

    from cai.config import Config

    return json.dumps(Config.model_json_schema(), indent=2) + "\n"
