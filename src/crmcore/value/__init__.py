"""What customers are worth: classes by cumulative sales, RFM scores, value tiers, and what follows from them."""

from crmcore.value.accounts import Care, KeyAccountPolicy, KeyAccounts
from crmcore.value.classes import AbcPolicy, Classed, Classes, ClassShare, ClassSummary, abc, abc_frame
from crmcore.value.cuts import NEGATIVE, ZERO, Scale
from crmcore.value.lifetime import Lifetime, clv_frame, clv_summary
from crmcore.value.migration import GONE, NEW, Migration, class_periods, migration, migration_frame, migrations
from crmcore.value.policy import ValuePolicy
from crmcore.value.presets import PRESETS, S1, S4, Preset
from crmcore.value.scores import RfmPolicy, RfmScores, Scored, rfm, rfm_frame
from crmcore.value.scoring import Cuts, Quantiles
from crmcore.value.segments import Segment, SegmentMap
from crmcore.value.settings import Value
from crmcore.value.signals import Candidate, Signals, candidates
from crmcore.value.stability import ClassHistory, Override, Settled, Settlement, StabilityPolicy, Why
from crmcore.value.treatment import CLASS_A, KEY_ACCOUNT, TREATMENT, Treatment, treatment
from crmcore.value.values import TIERS, Activity, TierFacts, TierReason, TierRow

__all__ = [
    "CLASS_A",
    "GONE",
    "KEY_ACCOUNT",
    "NEGATIVE",
    "NEW",
    "PRESETS",
    "S1",
    "S4",
    "TIERS",
    "TREATMENT",
    "ZERO",
    "AbcPolicy",
    "Activity",
    "Candidate",
    "Care",
    "ClassHistory",
    "ClassShare",
    "ClassSummary",
    "Classed",
    "Classes",
    "Cuts",
    "KeyAccountPolicy",
    "KeyAccounts",
    "Lifetime",
    "Migration",
    "Override",
    "Preset",
    "Quantiles",
    "RfmPolicy",
    "RfmScores",
    "Scale",
    "Scored",
    "Segment",
    "SegmentMap",
    "Settled",
    "Settlement",
    "Signals",
    "StabilityPolicy",
    "TierFacts",
    "TierReason",
    "TierRow",
    "Treatment",
    "Value",
    "ValuePolicy",
    "Why",
    "abc",
    "abc_frame",
    "candidates",
    "class_periods",
    "clv_frame",
    "clv_summary",
    "migration",
    "migration_frame",
    "migrations",
    "rfm",
    "rfm_frame",
    "treatment",
]
