# Jupyter reads this file before it loads the extension that lies next to it.
import os
import sys

sys.path.append(os.path.dirname(os.path.abspath(__file__)))
