"""Build the docs site: `python docs/_site/build.py [FOLDER]`, build/docs when absent.

Lays the pages out in FOLDER/source, makes those about commands, config files and Python from the
code, and has Sphinx write FOLDER/html. Exits with 1 on a broken link or any warning of Sphinx.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from api import write_api
from commands import write_commands
from lists import write_contents, write_decisions
from pages import copy_pages
from settings import write_settings
from sphinx.cmd.build import build_main

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def main(folder: Path) -> int:
    """Build into `folder`; returns the exit code."""
    source, html = folder / "source", folder / "html"
    shutil.rmtree(folder, ignore_errors=True)
    source.mkdir(parents=True)
    broken = copy_pages(ROOT, source)
    write_commands(source / "cli")
    write_settings(source / "config")
    write_api(ROOT, source / "api")
    write_decisions(source)
    write_contents(source)
    options = ["-b", "html", "-c", str(HERE), "-W", "--keep-going", "-q", "-j", "auto"]
    failed = build_main([*options, str(source), str(html)])
    if broken or failed:
        print("\n".join(broken), file=sys.stderr)
        return 1
    print(f"The docs site is in {html}/index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/docs").resolve()))
