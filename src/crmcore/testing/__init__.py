"""
The test kit: strategies, laws and a clock, for the policies and adapters of whoever uses the library.

    from crmcore.testing import check_reclaim_policy

    def test_our_policy() -> None:
        check_reclaim_policy(our_policy)

The laws themselves are the functions of `crmcore.testing.laws`, the promises of a store those of
`crmcore.testing.contracts`. Needs the extra ``testing``.
"""

from crmcore.testing import laws as laws
from crmcore.testing.checks import check_book, check_cap_policy, check_reclaim_policy
from crmcore.testing.clocks import ManualClock
from crmcore.testing.contracts import (
    CountersContract,
    DueContract,
    NotesContract,
    OutboxContract,
    ProspectsContract,
    StoreContract,
)
from crmcore.testing.machines import check_store
from crmcore.testing.policies import (
    books,
    cap_policies,
    changed_policies,
    longer_policies,
    moments,
    policies_and_prospects,
    prospects,
    reclaim_policies,
)
from crmcore.testing.times import calendars, instants, nudged, spans, zones

__all__ = [
    "CountersContract",
    "DueContract",
    "ManualClock",
    "NotesContract",
    "OutboxContract",
    "ProspectsContract",
    "StoreContract",
    "books",
    "calendars",
    "cap_policies",
    "changed_policies",
    "check_book",
    "check_cap_policy",
    "check_reclaim_policy",
    "check_store",
    "instants",
    "longer_policies",
    "moments",
    "nudged",
    "policies_and_prospects",
    "prospects",
    "reclaim_policies",
    "spans",
    "zones",
]
