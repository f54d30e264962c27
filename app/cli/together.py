"""One answer for several services: allowed if each of them is. Nothing is claimed."""

from collections.abc import Sequence
from typing import Any

from app.cli.decision_source import Answer, BatchSource, Query
from app.cli.errors import UndecidedError
from app.cli.server import DEADLINE
from app.core.instant import parse_instant


class Together:
    """A decision source for several services, which are asked about at the same instant."""

    def __init__(self, source: BatchSource, services: Sequence[str]) -> None:
        """Ask `source` about `services`."""
        self._source = source
        self._services = services

    def ask(self, query: Query, now: int, timeout: float = DEADLINE) -> Answer:
        """Return the answer for all; the service of the query doesn't matter.

        Raises:
            UndecidedError: there is no usable answer for one of them.
        """
        queries = [query._replace(service=service) for service in self._services]
        answers = []
        for service, answer in zip(self._services, self._source.ask_all(queries, now, timeout), strict=True):
            if not isinstance(answer, Answer):
                raise UndecidedError(f"{service}: {answer}", misnamed=True)
            answers.append(answer)
        return _together(answers)


def _together(answers: Sequence[Answer]) -> Answer:
    denied = [answer for answer in answers if not answer.allowed]
    return Answer(
        {
            "allowed": not denied,
            "outcome": "deny" if denied else "allow",
            "at": answers[0].body["at"],
            "message": " ".join(answer.body["message"] for answer in denied or answers),
            "blocking": [entry for answer in denied for entry in answer.body["blocking"]],
            "opens_at": _opens_at(denied),
            "answers": [answer.body for answer in answers],
        }
    )


def _opens_at(denied: Sequence[Answer]) -> Any:
    """Return the instant before which not all are allowed; None if one of them has none in sight."""
    openings = [answer.body["opens_at"] for answer in denied]
    return None if None in openings else max(openings, key=parse_instant, default=None)
