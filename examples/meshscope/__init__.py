"""A mesh-radio observatory: packets heard by many observers, and what the table of packets says about who heard them.

``python -m examples.meshscope`` makes a database, adds derived columns to it, ingests and serves;
``python -m examples.meshscope.demo`` shows it end to end. The application writes packets and observations only; the
derived columns are declared in :mod:`examples.meshscope.derived`.
"""
