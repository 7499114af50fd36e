"""The entry point; the command line itself needs the extra `cli`, and says so where it is missing."""

from __future__ import annotations

import gc
import sys

from crmcore.errors import MissingExtra

__all__ = ["main"]


def main() -> None:
    """Runs `crmcore`; exit 0 done, 1 findings or --fail-on, 2 bad input."""
    try:
        from crmcore.cli.commands import crmcore
    except ImportError as error:
        if error.name not in {"click", "rich"}:
            raise
        sys.exit(f"crmcore: {MissingExtra(error.name, 'cli', 'the command line')}")
    gc.disable()  # one job and out, and no cycles: the collector would only walk the lists again and again
    crmcore()
