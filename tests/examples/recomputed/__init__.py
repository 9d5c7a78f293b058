"""Soundgraph's derived tables worked out a second time: in plain Python, from the base tables, by the network's rules alone.

No declared query and nothing of the generator's answers is used, so that a mistake which those two share shows as a
difference. Where the example departs from the network's rules, as examples/soundgraph/DIFFERENCES.md says, a comment names
the section. ``python -m tests.examples.recomputed`` tries as many random databases as one likes.
"""
