"""The work on holds of one replica: their release and their answers, under one lease."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from app.clock import Clock
from app.core.hold import Reporting
from app.gate.answers import Answers
from app.gate.claim import Claims
from app.gate.holds import Holds
from app.gate.in_force import Policies
from app.gate.leases import Lease
from app.gate.releases import Releases
from app.gate.store_cache import StoreCache

if TYPE_CHECKING:
    from app.store.store import Store

_LEASE: Final = "holds"


class Answering:
    """The use cases that run beside requests; see `app.gate.releases` and `app.gate.answers`."""

    def __init__(
        self,
        store: "Store",
        policies: Policies,
        clock: Clock,
        cache: StoreCache,
        claims: Claims,
        holds: Holds,
        reportings: Mapping[str, Reporting],
        own_name: str,
    ) -> None:
        """Work on the holds of `store`; `reportings` are the progress reports that each vendor takes."""
        self.lease = Lease(store, clock, _LEASE, own_name)
        self.answers = Answers(store, policies, clock, cache, holds, self.lease)
        full = self.answers.full
        self.releases = Releases(store, policies, clock, cache, claims, self.lease, reportings, full)
