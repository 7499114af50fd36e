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
        print(f"crmcore: {MissingExtra(error.name, 'cli', 'the command line')}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    gc.disable()  # one job and out, and no cycles: the collector would only walk the lists again and again
    try:
        crmcore()
    except OSError as error:  # of standard output: a full disk, a device that is gone
        print(f"crmcore: the output cannot be written: {error.strerror}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
