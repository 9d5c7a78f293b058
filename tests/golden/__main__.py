"""``python -m tests.golden --write`` rewrites the golden files and tells which changed."""

import sys

from tests.golden.shapes import write_shape
from tests.golden.texts import write_all

if sys.argv[1:] != ["--write"]:
    sys.exit("usage: python -m tests.golden --write")
for path in (*write_all(), *write_shape()):
    print(path)
