"""Export as a calendar file: the events of the feed, from today to the end of the export."""

from app.core.feed import Wanted, feed_of
from app.core.feed_calendar import rendered
from app.core.instant import DAY
from app.core.interval import Period
from app.policies.exporters.export import Exported, ExportOptions, Remark
from app.policies.loaded import LoadedPolicies


def ics(loaded: LoadedPolicies, options: ExportOptions) -> Exported:
    """Return the freezes of a service or environment as iCalendar.

    Raises:
        UnknownNameError: the policies list no such environment or service.
    """
    engine = loaded.engine
    wanted = Wanted(options.environment, options.service)
    scope = (
        engine.environment(options.environment)
        if options.service is None
        else engine.scope(options.service, options.environment, engine.policy_set.usual_change)
    )
    span = Period(options.now - options.now % DAY, options.until)
    feed = feed_of(scope, wanted, span, options.now)
    sentence = f"only the first {len(feed.entries):,} freezes are in the calendar; export fewer days"
    remarks = () if feed.whole else (Remark("", sentence, refused=True),)
    return Exported(rendered(feed, engine.policy_set.home).decode(), len(feed.entries), remarks)
