"""
Time as policies need it: instants, spans, business calendars, holiday dates, recurrences.

Light to import; the libraries that keep holiday dates are imported when a calendar asks for them.
"""

from crmcore.calendars.bound import BoundSpan
from crmcore.calendars.business import BusinessCalendar
from crmcore.calendars.every import Every
from crmcore.calendars.explain import Explanation, Skipped
from crmcore.calendars.importers import HolidayDates, load
from crmcore.calendars.instants import EARLIEST, OPEN_ENDED, to_utc
from crmcore.calendars.spans import Span
from crmcore.calendars.windows import Window
from crmcore.calendars.zones import Zone, zone

__all__ = [
    "EARLIEST",
    "OPEN_ENDED",
    "BoundSpan",
    "BusinessCalendar",
    "Every",
    "Explanation",
    "HolidayDates",
    "Skipped",
    "Span",
    "Window",
    "Zone",
    "load",
    "to_utc",
    "zone",
]
