"""The ground of the tests of processors, on each engine in turn."""

from tests.findings.conftest import place

__all__ = ["place"]
