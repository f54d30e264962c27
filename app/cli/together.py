"""One answer for several services: allowed if each of them is. Nothing is claimed."""

from collections.abc import Sequence
from typing import Any, Final

from app.cli.decision_source import Answer, BatchSource, Query
from app.cli.errors import UndecidedError
from app.cli.server import DEADLINE
from app.core.instant import parse_instant

_MOST_SENTENCES: Final = 3


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
    blocking: dict[str, Any] = {}
    for entry in (entry for answer in denied for entry in answer.body["blocking"]):
        blocking.setdefault(str(entry.get("id")), entry)
    return Answer(
        {
            "allowed": not denied,
            "outcome": "deny" if denied else "allow",
            "at": answers[0].body["at"],
            "message": _message(denied or answers),
            "blocking": [*blocking.values()],
            "opens_at": _opens_at(denied),
            "answers": [answer.body for answer in answers],
        }
    )


def _message(answers: Sequence[Answer]) -> str:
    """Return what the answers say: a sentence for all services about which they say the same."""
    from app.core.decision import in_words  # not before an answer came: it loads all of the policies' types

    said: dict[str, list[str]] = {}
    for answer in answers:
        service = answer.body["service"]
        said.setdefault(answer.body["message"].removeprefix(service), []).append(service)
    shown = [*said.items()][:_MOST_SENTENCES]
    # A name is followed by a space; a sentence that begins otherwise stays as it is.
    sentences = [f"{in_words(services)}{rest}" if rest[:1] == " " else rest for rest, services in shown]
    left = len(answers) - sum(len(services) for _, services in shown)
    more = [f"And {left} more."] if left else []
    return " ".join([*sentences, *more])


def _opens_at(denied: Sequence[Answer]) -> Any:
    """Return the instant before which not all are allowed; None if one of them has none in sight."""
    openings = [answer.body["opens_at"] for answer in denied]
    return None if None in openings else max(openings, key=parse_instant, default=None)
