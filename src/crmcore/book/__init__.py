"""Policy books: a named, versioned set of policies, read from TOML and written to it."""

from crmcore.book.book import PolicyBook
from crmcore.book.timeline import Timeline

__all__ = ["PolicyBook", "Timeline"]
