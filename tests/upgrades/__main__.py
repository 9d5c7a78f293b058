"""``python -m tests.upgrades --write`` freezes what this version installs, for the tests of later ones."""

import sys

from tests.upgrades.shop import freeze

if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("say --write")
    freeze()
