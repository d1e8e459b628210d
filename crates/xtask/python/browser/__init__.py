"""Checks in Chromium. The Python of `.venv-browser` runs them: it has selenium, but neither Jupyter nor psutil."""
