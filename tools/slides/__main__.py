"""Runs `tools.slides.build`: python -m tools.slides"""

import sys

from tools.slides.build import main

sys.exit(main())
