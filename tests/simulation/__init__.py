"""Random worlds, queries and programs from a seed; the host engine's own answer is the oracle."""
