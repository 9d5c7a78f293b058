"""A `Place` on either engine, and programs whose units are not their keys."""

from tests.findings.conftest import place

__all__ = ["place"]
