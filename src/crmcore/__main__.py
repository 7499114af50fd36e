"""``python -m crmcore``: the command line."""

from crmcore.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
