"""Hypothesis, where it is installed. Elsewhere the tests that need it are skipped, and the rest of their file runs."""

from __future__ import annotations

import pytest

try:
    from hypothesis import given, settings
    from hypothesis import strategies as st
except ImportError:

    class _Strategies:
        def __getattr__(self, name):
            return lambda *args, **options: None

    st = _Strategies()

    def given(*args, **options):
        def skipped(test):
            def stand_in():
                pytest.skip("hypothesis is not installed")

            stand_in.__name__ = test.__name__
            return stand_in

        return skipped

    def settings(*args, **options):
        return lambda test: test


__all__ = ["given", "settings", "st"]
