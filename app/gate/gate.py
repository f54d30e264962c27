"""One replica's use cases on one database, built together; the layers above never see the store."""

from collections.abc import Callable, Mapping, Sequence

from app.clock import Clock
from app.core.hold import Reporting
from app.gate import keys
from app.gate.answering import Answering
from app.gate.archive import chosen_folder
from app.gate.backtest import Backtests
from app.gate.claim import Claims
from app.gate.collector import Receiver
from app.gate.deliveries import Deliveries
from app.gate.event_feed import SIEM, Anchoring, EventFeed
from app.gate.exports import Exports
from app.gate.feeds import policies_stamp
from app.gate.freezes import Freezes
from app.gate.holds import Holds
from app.gate.in_force import Policies
from app.gate.incidents import Incidents
from app.gate.insights import Measurement
from app.gate.job_queue import JobQueue
from app.gate.leases import Lease
from app.gate.live import Live
from app.gate.merges import Merges
from app.gate.notifications import Notifications
from app.gate.outcomes import Outcomes
from app.gate.overrides import Overrides
from app.gate.overview import GateState, Overview, overview
from app.gate.past import Past
from app.gate.projections import Projections
from app.gate.pruning import Pruning, Retention
from app.gate.record import DecisionFilter, Record
from app.gate.refusals import Refusals
from app.gate.revisions import Revisions
from app.gate.sessions import Sessions
from app.gate.store_cache import StoreCache
from app.gate.waiting_deploys import HoldDesk
from app.identity.sealing import Sealing, sealing_in
from app.store.store import Store, Watcher


class Gate:
    """The use cases of a running gate."""

    def __init__(self, store: Store, policies: Policies, clock: Clock) -> None:
        """Build the use cases on an open store; see `open`."""
        self._store = store
        self.policies = policies
        self._clock = clock
        self.cache = cache = StoreCache(store, policies, clock)
        self.claims = Claims(store, clock, cache)
        self.overrides = Overrides(store, cache)
        self.freezes = Freezes(store, clock, cache)
        self.deliveries = Deliveries(store, clock)
        self.holds = Holds(store, clock, cache)
        self.hold_desk = HoldDesk(store, self.holds, policies, cache)
        self.projections = Projections(store, policies, clock)
        self.incidents = Incidents(store, clock, cache, self.deliveries)
        self.record = Record(store, clock)
        self.exports = Exports(store.url)
        self.revisions = Revisions(store.query)
        self.past = Past(store.query)
        self.outcomes = Outcomes(store, clock, cache)
        self.merges = Merges(policies, clock)
        self.measurement = Measurement(store, clock)
        self.backtests = Backtests(store, clock)
        self.jobs = JobQueue()
        self.refusals = Refusals(store, clock)
        self.sessions = Sessions(store, cache)
        self.live = Live(store, policies, cache, clock)
        self.feeds: list[EventFeed] = []
        """The feeds of the record that this gate serves."""
        self.anchorings: list[Anchoring] = []
        """The anchors that it makes."""

    @classmethod
    def open(cls, url: str, policies: Policies, clock: Clock) -> "Gate":
        """Open the database of a URL, or make a new one, and build the use cases on it.

        Raises:
            DatabaseUrlError: the URL names no database that can be used.
            StoreUnavailableError: the database can't be opened.
        """
        return cls(Store.open(url), policies, clock)

    def event_feed(self, own_name: str, *, from_start: bool) -> EventFeed:
        """Return the feed of the record for a SIEM; see `EventFeed`."""
        feed = EventFeed(self._store, self._clock, SIEM, own_name, from_start=from_start)
        self.feeds.append(feed)
        return feed

    def anchoring(self, every: int, own_name: str) -> Anchoring:
        """Return the anchors of the record, one `every` so many seconds."""
        anchoring = Anchoring(self._store, self._clock, every, own_name)
        self.anchorings.append(anchoring)
        return anchoring

    async def close(self) -> None:
        """Finish the claims that are waiting, and close the database."""
        await self._store.close()

    async def ping(self) -> bool:
        """Return whether the database can be read and written."""
        return await self._store.ping()

    def watched_by(self, watcher: Watcher) -> None:
        """Report to `watcher`, from now on, how writing goes."""
        self._store.watched_by(watcher)

    def use_secret_key(self, given: str | None) -> bool:
        """Encrypt the secrets of holds by a key, or by the one beside the database, which is made if missing.

        Returns:
            Whether there is one: on a database server, it must be given.

        Raises:
            SecretKeyError: the key, or its file, can't be used.
        """
        if given is not None:
            self.holds.sealing = Sealing.of(given)
        elif self._store.folder is not None:
            self.holds.sealing = sealing_in(self._store.folder)
        return self.holds.sealing is not None

    def ensure_key(self, given: str | None, show: Callable[[str], None] | None) -> bool:
        """Make a first key if there never was one; see `app.gate.keys.begin`."""
        return keys.begin(self._store, self._clock, given, show)

    def notifications(self, receivers: Sequence[Receiver], own_name: str) -> Notifications:
        """Return the use cases of notifications to `receivers`; `own_name` is unique to this replica."""
        return Notifications(self._store, self.policies, self._clock, receivers, own_name)

    def lease(self, name: str, own_name: str) -> Lease:
        """Return the lease of some work that one replica does at a time; see `Lease`."""
        return Lease(self._store, self._clock, name, own_name)

    def pruning(self, keep: int | None, archive: str | None, own_name: str) -> Pruning:
        """Return the pruning of the record.

        Args:
            keep: the seconds that decisions are kept; None: all are.
            archive: its folder, or `NO_ARCHIVE`; None: beside the database file.
            own_name: of this replica, unique to it.

        Raises:
            SettingsError: the archive of a database server is not chosen.
        """
        if keep is None:
            return Pruning(self._store, self._clock, own_name, None)
        folder = chosen_folder(archive, self._store.folder)
        return Pruning(self._store, self._clock, own_name, Retention(keep, folder))

    def answering(self, reportings: Mapping[str, Reporting], own_name: str) -> Answering:
        """Return the work on holds; `reportings` are the progress reports that each vendor takes."""
        return Answering(
            self._store,
            self.policies,
            self._clock,
            self.cache,
            self.claims,
            self.holds,
            reportings,
            own_name,
        )

    async def policies_stamp(self) -> int:
        """Return when other policies were last loaded; see `app.gate.feeds.policies_stamp`."""
        return await policies_stamp(self.policies.in_force, self._store)

    def overview(self, state: GateState, wanted: DecisionFilter) -> Overview:
        """Return what the dashboard shows; see `app.gate.overview.overview`."""
        return overview(self._store.query, state, wanted)
