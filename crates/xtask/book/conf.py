"""The book: Sphinx reads the published notebooks, with their outputs, and runs nothing."""

project = "nchw: convolutional networks you can see"
author = "the nchw founders"
html_title = "nchw"
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
