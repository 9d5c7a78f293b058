"""A music network: blocks of a public ledger become base tables, and Tidemark keeps every count over them true.

``python -m examples.soundgraph`` ingests, ``python -m examples.soundgraph.generator`` makes input of any size,
``python -m examples.soundgraph.demo`` shows it end to end. The package writes base tables only; everything derived
is declared in :mod:`examples.soundgraph.derived`.
"""
