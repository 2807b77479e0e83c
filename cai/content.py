"""Where the packaged content lies: `constitution/`, `principles/` and `prompts/`.

In a checkout they are the top-level folders; in a wheel they ship as `cai/_content/`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from cai.errors import CaiError

__all__ = ["ContentKind", "content_dir"]

ContentKind = Literal["constitution", "principles", "prompts"]


def content_dir(kind: ContentKind) -> Path:
    """The folder of one kind of content.

    Raises:
        CaiError: the installation lost its content.
    """
    package = Path(__file__).parent
    for root in (package / "_content", package.parent):
        if (root / kind).is_dir():
            return root / kind
    raise CaiError(
        f"The packaged folder '{kind}/' is missing beside {package}. "
        "Reinstall with: pip install --force-reinstall constitutional-ai"
    )
