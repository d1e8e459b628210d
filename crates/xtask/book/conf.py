"""The book: Sphinx reads the published notebooks, with their outputs, and runs nothing."""

import os
from urllib.parse import urlsplit

project = "nchw: convolutional networks you can see"
author = "the nchw founders"
html_title = "nchw"
# Without one, browsers ask for /favicon.ico, which is not a part of the book if it is published in a folder.
html_favicon = "logo.svg"
language = "en"
extensions = ["myst_nb"]
nb_execution_mode = "off"
# Cells are Rust.
highlight_language = "rust"
nb_render_error_lexer = "myst-ansi"
nb_render_markdown_format = "myst"
myst_enable_extensions = ["html_image"]
myst_heading_anchors = 3
html_theme = "sphinx_book_theme"
html_static_path = ["static"]
html_css_files = ["book.css"]
html_theme_options = {
    "use_download_button": False,
    "use_fullscreen_button": False,
    "show_toc_level": 2,
}
html_copy_source = False
html_show_sourcelink = False
# Rust's lexer does not know evcxr's `:dep`; nothing is wrong with the cell.
suppress_warnings = ["misc.highlighting_failure", "mystnb.unknown_mime_type", "myst.header"]

# Only for a book that is published: these need the absolute address.
site = os.environ.get("NCHW_BOOK_SITE")
if site:
    extensions += ["sphinxext.opengraph", "notfound.extension"]
    html_baseurl = ogp_site_url = site
    ogp_site_name = "nchw"
    # One picture for all pages, so no matplotlib is needed.
    ogp_social_cards = {"enable": False}
    ogp_image = f"{site}_static/social-card.png"
    ogp_image_alt = "A photo of a pagoda, the filter for vertical edges, and the edges that it finds"
    ogp_custom_meta_tags = [
        '<meta property="og:image:width" content="1200">',
        '<meta property="og:image:height" content="630">',
        '<meta name="twitter:card" content="summary_large_image">',
    ]
    # A server shows this page for an address in any folder, so its links begin with the site's own folder.
    notfound_urls_prefix = urlsplit(site).path
    notfound_context = {
        "title": "There is no such page",
        "body": f"""<h1>There is no such page</h1>
<p>The address is mistyped, or the page has moved. Begin at <a href="{notfound_urls_prefix}index.html">the first page</a>,
or <a href="{notfound_urls_prefix}search.html">search the book</a>.</p>""",
    }
