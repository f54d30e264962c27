"""Evaluating a recorded decision again, by the policies that it was made by."""

import json
from typing import Any, NamedTuple, Protocol

from app.core.decision import Question
from app.gate.claim import claim_body
from app.gate.errors import UnknownRecordError
from app.gate.in_force import InForce
from app.gate.versions import holidays_version, tzdata_version
from app.policies.load import load_untested
from app.policies.source import Snapshot
from app.store.records import DecisionRecord


class KeptRecords(Protocol):
    """Where decisions and their policies are found again; `app.store.store.Store` is one."""

    def decision(self, decision_id: str) -> DecisionRecord | None:
        """A recorded decision."""
        ...

    def sources(self, revision: str) -> str | None:
        """The text of a policy set."""
        ...


class Replay(NamedTuple):
    """A recorded answer and the one that the same question gets now."""

    recorded: dict[str, Any]
    evaluated: dict[str, Any]
    same_data: bool
    """Whether time zones and holidays are of the versions of then; if not, answers may differ."""

    @property
    def same(self) -> bool:
        """Whether both are equal in every member."""
        return self.recorded == self.evaluated


def replay(records: KeptRecords, decision_id: str) -> Replay:
    """Evaluate a recorded decision again.

    Raises:
        UnknownRecordError: there is no such decision, or its policies were not kept.
        PolicyFileError: its policies are no longer accepted, by the holidays known now, say.
        StoreUnavailableError: the record can't be read.
    """
    record = records.decision(decision_id)
    if record is None:
        raise UnknownRecordError("there is no decision of that id")
    sources = records.sources(record.policy_revision)
    if sources is None:
        raise UnknownRecordError("the policies of that decision were not kept")
    snapshot = Snapshot.from_json(sources)
    engine = load_untested(snapshot).engine
    question = Question(record.service, record.environment, record.change, record.duration)
    recorded = json.loads(record.body)
    evaluated = claim_body(
        engine.decide(question, record.at),
        InForce(engine, snapshot, record.at, ()),
        record.id,
        token_presented=recorded["override"] is not None,
    )
    versions = (record.tzdata_version, record.holidays_version)
    return Replay(recorded, evaluated, versions == (tzdata_version(), holidays_version()))
