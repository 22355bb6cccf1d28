"""For machines without the package: tools/gpu.py puts this folder on the path there, and nobody else does."""
