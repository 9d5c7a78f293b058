"""A `Place` on either engine, and programs whose units are not their keys."""

from tests.findings.conftest import lite, place

__all__ = ["lite", "place"]
