"""Draw all sheets, or one, into a folder: python -m tools.drawn FOLDER [SHEET]"""

import sys
from pathlib import Path

from holicam.notebook.explorer.packed import jpeg
from tools.drawn import QUALITY, file, panels, sheets

if len(sys.argv) < 2:
    sys.exit(__doc__)
folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
for name in sys.argv[2:] or sheets():
    for panel in panels(name):
        (folder / file(name, panel)).write_bytes(jpeg(panel.pixels, QUALITY))
