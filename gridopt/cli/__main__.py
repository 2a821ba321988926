"""``python -m gridopt.cli``."""

from gridopt.cli import main

if __name__ == "__main__":
    main()
