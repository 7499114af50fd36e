"""Files that users keep: strict TOML, maps, and records read through a map."""

from crmcore.files.columns import Plain
from crmcore.files.maps import STATUS_CODES, FactKind, FactSpec, Map
from crmcore.files.records import Progress, Record, Records
from crmcore.files.toml import Reader, Section, cannot_read, did_you_mean, key_path, read_toml

__all__ = [
    "STATUS_CODES",
    "FactKind",
    "FactSpec",
    "Map",
    "Plain",
    "Progress",
    "Reader",
    "Record",
    "Records",
    "Section",
    "cannot_read",
    "did_you_mean",
    "key_path",
    "read_toml",
]
