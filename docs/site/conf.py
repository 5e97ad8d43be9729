"""Settings of the site, for Sphinx. ``docs/build.sh`` calls it on what ``docs.site.gather`` has put together."""

from docs.site import mathml
from ensemble import __version__

project = "reid-ensemble"
author = "the authors of reid-ensemble"
release = version = __version__
language = "en"

extensions = ["myst_parser", "docs.site.mathml", "docs.site.stepnames"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 4
nitpicky = True  # a reference that leads nowhere is an error
root_doc = "index"
html_theme = "furo"
html_title = f"{project} {release}"
html_static_path = ["look"]
html_css_files = ["look.css"]
html_math_renderer = mathml.NAME
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}
pygments_style, pygments_dark_style = "friendly", "monokai"
python_maximum_signature_line_length = 60
toc_object_entries = False
rst_prolog = "\n".join(f".. role:: {name}" for name in ("gain", "loss", "level")) + "\n\n"
exclude_patterns = ["docs/site/*"]
smartquotes = False
suppress_warnings = ["misc.highlighting_failure"]  # signatures that leave something out: …
