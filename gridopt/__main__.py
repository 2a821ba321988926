"""``python -m gridopt``: the command line."""

from gridopt.cli import main

if __name__ == "__main__":
    main()
