"""The settings of Sphinx. `build` lays out the pages and starts it."""

from api import MOCKED

from cai import __version__

project = "constitutional-ai"
author = "the authors of constitutional-ai"
project_copyright = "the authors of constitutional-ai, Apache-2.0"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "docstrings"]
exclude_patterns = ["files/**"]  # what pages link to, to be downloaded, not to be read as a page
root_doc = "index"
smartquotes = False  # they would make one dash of the two before an option

# Links to a heading are those of the code host, and are checked.
myst_heading_anchors = 4
# A class is known by the package that exports it and by its module: two targets, one description.
suppress_warnings = ["ref.python"]
highlight_language = "none"

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
maximum_signature_line_length = 88
napoleon_numpy_docstring = False
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"
autodoc_mock_imports = MOCKED

html_theme = "furo"
html_title = "constitutional-ai"
html_show_sourcelink = False
html_copy_source = False
