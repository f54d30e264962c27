"""The faults that the fakes of other systems have in common."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx


@dataclass
class Faulty:
    """A fake that answers what a test wants first, or loses its answer after it did what was asked."""

    token: str
    answers: deque[httpx.Response | Exception] = field(default_factory=deque)
    """What is answered or raised instead, request by request."""
    lost: int = 0
    """The number of writes that are done, but answered by 502."""
    requests: list[httpx.Request] = field(default_factory=list)

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self.answer))

    def writes(self) -> list[str]:
        return [each.method for each in self.requests if each.method != "GET"]

    def is_allowed(self, headers: Mapping[str, str]) -> bool:
        raise NotImplementedError

    def handle(self, request: httpx.Request) -> httpx.Response:
        raise NotImplementedError

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.answers:
            answer = self.answers.popleft()
            if isinstance(answer, Exception):
                raise answer
            return answer
        if not self.is_allowed(request.headers):
            return httpx.Response(401, json={"message": "401 Unauthorized"})
        answer = self.handle(request)
        if self.lost and request.method != "GET" and answer.is_success:
            self.lost -= 1
            return httpx.Response(502)
        return answer


def error(status: int, message: Any = "", **headers: str) -> httpx.Response:
    return httpx.Response(status, json={"message": message}, headers=headers)
