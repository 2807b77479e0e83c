"""Which commands of `cai` a shell text has, and whether the command line knows them."""

from __future__ import annotations

import difflib
import shlex
from functools import cache
from typing import TYPE_CHECKING, Any

import typer

from cai.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["command_problems", "commands_of"]

_ENDS = {";", "&", "&&", "|", "||", "(", ")", "\n", "<", ">", ">>", "`"}


def commands_of(text: str) -> Iterator[list[str]]:
    """The words behind each `cai` (or `-m cai`) of a shell text, comments left out."""
    for line in _lines(text):
        words: list[str] | None = None
        for word, before in line:
            if word in _ENDS:
                if words is not None:
                    yield words
                words = None
            elif words is not None:
                words.append(word)
            elif word.rsplit("/", 1)[-1] == "cai" and (before in _STARTS or before == "-m"):
                words = []
        if words is not None:
            yield words


# What a group does when none of its commands is named.
_DEFAULTS = {"validate": "report", "drift": "check"}
_STARTS = {None, "time", "exec", "then", "do", "!", *_ENDS}


def _lines(text: str) -> Iterator[list[tuple[str, str | None]]]:
    """The words of each line, each with the one before; a quote may go over several lines."""
    line = ""
    for part in text.replace("\\\n", " ").splitlines(keepends=True):
        line += part
        try:
            words = list(_words(line))
        except ValueError:
            continue  # within a quote
        yield words
        line = ""
    if line:
        raise ValueError(f"a quote is not closed: {line.strip()!r}")


def _words(line: str) -> Iterator[tuple[str, str | None]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|()<>")
    lexer.commenters = "#"
    before = None
    for word in lexer:
        yield word, before
        # Variables for one command stand before its name.
        before = before if "=" in word and before in _STARTS else word


def command_problems(words: list[str]) -> list[str]:
    """What the command line does not know, each as a sentence; `words` come behind `cai`.

    Words behind `--` are not looked at, nor those behind `…`, which stands for what is left out.
    """
    command, context = _root()
    path, known = ["cai"], _options(command, context)
    found = []
    for word in words:
        if word in ("--", "…"):
            break
        default = _DEFAULTS.get(path[-1]) if len(path) == 2 else None
        if default and word not in (*command.commands, "--help"):
            command = command.commands[default]
            path.append(default)
            known |= _options(command, context)
        if word.startswith("--"):
            name = word.split("=", 1)[0]
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f" Did you mean {near[0]}?" if near else ""
                found.append(f"{' '.join(path)} has no option {name}.{hint}")
        elif hasattr(command, "commands") and not word.startswith("-"):
            if word not in command.commands:
                return [*found, f"{' '.join(path)} has no command {word!r}."]
            command = command.commands[word]
            path.append(word)
            known |= _options(command, context)
    return found


@cache
def _root() -> tuple[Any, Any]:
    command = typer.main.get_command(app)
    return command, typer.Context(command)


def _options(command: Any, context: Any) -> set[str]:
    names = set()
    for parameter in command.get_params(context):
        if parameter.param_type_name == "option":
            names |= {*parameter.opts, *parameter.secondary_opts}
    return names
