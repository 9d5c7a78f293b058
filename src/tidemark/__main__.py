"""``python -m tidemark`` is the command line."""

from tidemark.cli import run_and_exit

if __name__ == "__main__":
    run_and_exit()
