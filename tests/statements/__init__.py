"""Every kind of statement, on each engine, at each freshness; the table of it is ``docs/statements.md``."""
