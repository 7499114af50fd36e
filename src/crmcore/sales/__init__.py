"""What was sold: sales, exact sums of them, periods, and their columns; what `value` and `analysis` read."""

from crmcore.sales.figures import Number, exact, exact_sum, share, sums
from crmcore.sales.periods import Period, PeriodKind, Periods
from crmcore.sales.values import Sale, SaleFacts, as_sale, read_sales

__all__ = [
    "Number",
    "Period",
    "PeriodKind",
    "Periods",
    "Sale",
    "SaleFacts",
    "as_sale",
    "exact",
    "exact_sum",
    "read_sales",
    "share",
    "sums",
]
