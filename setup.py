"""What pyproject.toml cannot say: the wheel carries the top-level data/ as holicam/data/.

The trained toy networks lie in data/ at the top of the repository, where a reader finds them.
A wheel has no such place, so there the same folder is a part of the package.
The explorer's script and style lie beside the book's pages and travel as holicam/static/.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["holicam", "holicam.*"]), "holicam.data", "holicam.static"],
    package_dir={"holicam": "holicam", "holicam.data": "data", "holicam.static": "book/_static"},
    package_data={"holicam.data": ["**/*"], "holicam.static": ["explorer.mjs", "explorer.css"]},
)
