"""A store that forgets: the same promises as `app.store.store.Store` but for surviving the process."""

from app.store.errors import IdempotencyConflictError, StoreUnavailableError
from app.store.records import DecisionRecord, PolicyRevision, Recorded


class MemoryStore:
    """Stands in where a test is about something else. The tests of the contract hold it to it."""

    def __init__(self) -> None:
        self.available = True
        self.decisions: dict[str, DecisionRecord] = {}
        self.policies: dict[str, PolicyRevision] = {}

    async def record(self, claim: DecisionRecord, policies: PolicyRevision | None = None) -> Recorded:
        if not self.available:
            raise StoreUnavailableError("the decision could not be recorded")
        if policies is not None:
            self.policies.setdefault(policies.revision, policies)
        standing = self._of_key(claim) or claim
        if standing.fingerprint != claim.fingerprint:
            raise IdempotencyConflictError("this idempotency key was used for another request")
        if claim.policy_revision not in self.policies or (standing is claim and claim.id in self.decisions):
            raise StoreUnavailableError("the decision could not be recorded")
        self.decisions.setdefault(standing.id, standing)
        return Recorded(standing.body, standing.outcome, standing.opens_at)

    def keeps(self, revision: str) -> bool:
        return revision in self.policies

    def remember_revision(self, revision: str, sources: str, now: int) -> None:
        self.policies.setdefault(revision, PolicyRevision(revision, now, sources))

    def sources(self, revision: str) -> str | None:
        kept = self.policies.get(revision)
        return None if kept is None else kept.sources

    def decision(self, decision_id: str) -> DecisionRecord | None:
        return self.decisions.get(decision_id)

    def latest_decisions(self, limit: int, before: str | None = None) -> list[DecisionRecord]:
        newest = sorted(self.decisions.values(), reverse=True)
        return [each for each in newest if before is None or each.id < before][:limit]

    def count_decisions(self) -> int:
        return len(self.decisions)

    def ping(self) -> bool:
        return self.available

    async def close(self) -> None:
        self.available = False

    def _of_key(self, claim: DecisionRecord) -> DecisionRecord | None:
        if claim.idempotency_key is None:
            return None
        key = (claim.caller, claim.idempotency_key)
        return next(
            (each for each in self.decisions.values() if (each.caller, each.idempotency_key) == key), None
        )
