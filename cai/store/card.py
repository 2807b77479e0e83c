"""The data-set card of an export, from its manifest alone."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cai.formats.layouts import LAYOUTS
from cai.store.hub import configs_of, dataset_info
from cai.store.spending import dollars

if TYPE_CHECKING:
    from collections.abc import Mapping

    from markupsafe import Markup

__all__ = ["markdown", "render_card"]

_MARKS = re.compile(r"([\\`*_{}\[\]()<>|~&^$@]|:(?=//)|(?<=www)\.)", re.IGNORECASE)


def render_card(manifest: Mapping[str, Any]) -> str:
    """Markdown with YAML front matter, as model hubs read it.

    Args:
        manifest: from `cai.store.manifest.make_manifest`, with all data files.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # A value that lacks the filter `md` is at least no HTML.
        autoescape=True,
    )
    environment.filters |= {
        "md": markdown,
        "rate": _rate,
        "number": _number,
        "dollars": lambda use: dollars(use["cost_usd"], use["unpriced"], use["calls"]),
    }
    configs = configs_of(manifest)
    infos = dataset_info(configs)
    return environment.get_template("_card.md.jinja").render(
        m=manifest,
        configs=configs,
        infos=_yaml({"dataset_info": infos}) if infos else "",
        layouts=[(name, LAYOUTS[name]) for name in manifest["layouts"]],
    )


def markdown(value: object) -> Markup:
    """Text on one line that Markdown and HTML take literally, whatever it holds."""
    from markupsafe import Markup

    text = " ".join(str(value).split())
    visible = "".join(c for c in text if unicodedata.category(c)[0] != "C")
    escaped = _MARKS.sub(r"\\\1", visible)
    # Markdown knows backslashes, lenient HTML renderers do not.
    for sign, entity in (("\\&", "&amp;"), ("\\<", "&lt;"), ("\\>", "&gt;")):
        escaped = escaped.replace(sign, entity)
    return Markup(escaped)  # noqa: S704 - escaped just above


def _yaml(value: Any) -> Markup:
    """Names and numbers of our own as YAML; no text of a run is among them."""
    from io import StringIO

    from markupsafe import Markup
    from ruamel.yaml import YAML

    yaml, text = YAML(typ="safe", pure=True), StringIO()
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(value, text)
    return Markup(text.getvalue())  # noqa: S704 - nothing in it comes from outside


def _rate(rate: Mapping[str, Any]) -> str:
    if rate["value"] is None:
        return "none (0 cases)"
    return f"{rate['value']:.1%} ({rate['count']:,} of {rate['n']:,})"


def _number(value: float | None, digits: int = 0) -> str:
    return "none" if value is None else f"{value:,.{digits}f}"
