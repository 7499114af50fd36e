"""The command line: arguments, the library, rendering; nothing is decided here."""

from crmcore.cli.entry import main

__all__ = ["main"]
