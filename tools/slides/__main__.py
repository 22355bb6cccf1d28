"""Runs `tools.slides.build`: python -m tools.slides"""

from tools.slides.build import main

main()
