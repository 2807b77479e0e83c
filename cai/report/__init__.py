"""The report of a run: one HTML file that opens from disk, and a short summary in Markdown.

```
from cai.report import gather, render_html

Path("report.html").write_bytes(render_html(gather(Path("runs/default"))))
```
"""

from cai.report.figures import Figures
from cai.report.gather import gather
from cai.report.rendering import render_html, render_markdown
from cai.report.writing import write_page

__all__ = ["Figures", "gather", "render_html", "render_markdown", "write_page"]
