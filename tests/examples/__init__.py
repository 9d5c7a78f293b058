"""Tests of the example applications, on both engines."""
