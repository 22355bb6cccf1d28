"""What pyproject.toml cannot say: the wheel carries the top-level data/ as holicam/data/.

The trained toy networks lie in data/ at the top of the repository, where a reader finds them.
A wheel has no such place, so there the same folder is a part of the package.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["holicam", "holicam.*"]), "holicam.data"],
    package_dir={"holicam": "holicam", "holicam.data": "data"},
    package_data={"holicam.data": ["**/*"]},
)
