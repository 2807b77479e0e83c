"""The text of a released file: the draft's, and nothing changed but what the release says.

Single values are replaced where they stand, so that comments, quotes and line breaks of the author
stay. A YAML library that reads and writes again would wrap and indent everything anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cai.constitution.write import as_yaml
from cai.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ruamel.yaml.nodes import MappingNode, Node

__all__ = ["released_text"]

_Edit = tuple[int, int, str]


def released_text(
    text: str,
    *,
    version: str,
    extends: Mapping[int, str],
    ids: Mapping[int, Sequence[str]],
    changelog: Sequence[Mapping[str, Any]],
    only_first: bool,
) -> str:
    """Put a release into the text of a constitution file.

    Whoever calls reads the result again and makes sure that it says what it should.

    Args:
        text: of the draft, valid YAML, with line feeds alone at the ends of lines.
        version: of the release.
        extends: exact parents, by their place in the list.
        ids: the ids that an entry of `include` takes, by its place; they replace its tags, too.
        changelog: all entries, the newest first, as plain data.
        only_first: whether the text has all entries but the first already.

    Raises:
        ConfigError: values do not stand where they are used: the file has anchors, or no lines.
    """
    keys = _keys(text)
    edits = [_replaced(keys["version"][1], version)]
    for i, parent in extends.items():
        edits.append(_replaced(keys["extends"][1].value[i], parent))
    for i, taken in ids.items():
        edits += _include(text, keys["include"][1].value[i], taken)
    edits.append(_changelog(text, keys.get("changelog"), changelog, only_first))
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _keys(text: str) -> dict[str, tuple[Node, Any]]:
    from ruamel.yaml import YAML
    from ruamel.yaml.events import AliasEvent
    from ruamel.yaml.nodes import MappingNode

    yaml = YAML(typ="safe", pure=True)
    aliases = any(isinstance(event, AliasEvent) for event in yaml.parse(text))
    root = yaml.compose(text)
    lines = isinstance(root, MappingNode) and not root.flow_style
    keys = {key.value: (key, value) for key, value in root.value} if lines else {}
    if aliases or "version" not in keys:
        raise ConfigError(
            "A file that repeats values with '&' and '*', merges keys with '<<', or is written in "
            "braces cannot be released. Write each value where it is used, one key on a line."
        )
    return keys


def _replaced(node: Any, new: str) -> _Edit:
    return node.start_mark.index, _end(node), new


def _end(node: Any) -> int:
    """Where the text of a value ends; a block list itself ends only where the next key begins."""
    from ruamel.yaml.nodes import ScalarNode

    if isinstance(node, ScalarNode) or node.flow_style:
        return int(node.end_mark.index)
    last = node.value[-1]
    return _end(last[1] if isinstance(last, tuple) else last)


def _include(text: str, entry: MappingNode, ids: Sequence[str]) -> Iterable[_Edit]:
    """Name the ids in an entry, in place of its patterns and tags."""
    pairs = {key.value: (key, value) for key, value in entry.value}
    replaced = pairs.get("ids") or pairs.get("tags")
    column = (replaced or pairs["family"])[0].start_mark.column
    indent = "\n" + " " * column
    flow = "ids: [" + ", ".join(ids) + "]"
    named = flow if entry.flow_style else "ids:" + "".join(f"{indent}  - {one}" for one in ids)
    if replaced:
        yield replaced[0].start_mark.index, _end(replaced[1]), named
        if "ids" in pairs and "tags" in pairs:
            # An empty list chooses nothing; cutting the key out could take a comment along.
            yield _replaced(pairs["tags"][1], "[]")
        return
    end = _end(pairs["family"][1])
    if entry.flow_style:
        yield end, end, f", {named}"
    else:
        # A comment at the end of the line stays with the family.
        line = text.find("\n", end)
        line = len(text) if line < 0 else line
        yield line, line, indent + named


def _changelog(
    text: str,
    found: tuple[Node, Any] | None,
    entries: Sequence[Mapping[str, Any]],
    only_first: bool,
) -> _Edit:
    written = as_yaml({"changelog": entries}, "").strip("\n")
    if found is None:
        gap = "\n" if text.endswith("\n") else "\n\n"
        return len(text), len(text), f"{gap}{written}\n"
    key, value = found
    if not only_first or value.flow_style or not value.value:
        # The end of a folded text is that of its line.
        end = len(text[: _end(value)].rstrip())
        return key.start_mark.index, end, written
    first = as_yaml({"changelog": entries[:1]}, "").strip("\n").split("\n")[1:]
    indent = " " * value.start_mark.column
    lines = [f"{indent}{line.removeprefix('  ')}".rstrip() for line in first]
    start = value.start_mark.index
    return start, start, "\n".join(lines).lstrip() + f"\n{indent}"
