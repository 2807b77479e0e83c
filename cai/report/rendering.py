"""From a document to the bytes of a page, and to Markdown.

All text is escaped by Jinja's autoescape and by nothing else. What acts without being markup, such
as an override of the direction, is made visible in every value before that.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cai.report.sections import make_document
from cai.report.visible import visible

if TYPE_CHECKING:
    from jinja2 import Environment

    from cai.report.charts.records import Chart
    from cai.report.figures import Figures

__all__ = ["render_html", "render_markdown", "render_svg"]

_TEMPLATES = Path(__file__).with_name("templates")


def render_html(figures: Figures) -> bytes:
    """One HTML file in UTF-8 that needs nothing else; equal for equal figures.

    It has no script. Its own policy allows no source but the style sheet inside, by its hash.
    """
    environment = _environment()
    style = environment.get_template("page.css").render()
    page = environment.get_template("page.html.jinja").render(
        document=make_document(figures),
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    )
    return page.encode()


def render_markdown(figures: Figures) -> str:
    """The same figures without charts and transcripts."""
    return _environment().get_template("summary.md.jinja").render(document=make_document(figures))


def render_svg(chart: Chart) -> bytes:
    """One chart as an SVG file in UTF-8, with its style, title and description inside.

    It has no script and refers to nothing outside.
    """
    return _environment().get_template("chart.svg.jinja").render(one=chart).strip().encode()


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from cai.store.card import markdown

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
        finalize=_finalize,
    )
    environment.filters["md"] = lambda text: markdown(visible(str(text)))
    environment.filters["place"] = lambda number: f"{number:.1f}".removesuffix(".0")
    return environment


def _finalize(value: Any) -> Any:
    """Every value that a template prints; what is markup already went through here."""
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return visible(value)
    return value
