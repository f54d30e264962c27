"""Flagger, as far as webhooks go: after its `pkg/controller` and the page "Webhooks" of its documentation.

Until its `confirm-rollout` hook is answered with 200 to 202, a canary waits and asks again at each interval.
Versions before 1.0 ask at each later step, too. Requests that fail with 429 or 5xx, or get no answer in time,
are repeated at once up to `retries` times.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Post = Callable[[dict[str, Any]], tuple[int, str]]
"""Sends a payload; returns status and body. It raises TimeoutError for an answer that doesn't come."""

SUCCESS = range(200, 203)
WEIGHTS = (10, 20, 30, 40, 50)


@dataclass
class Canary:
    """A canary with one `confirm-rollout` hook."""

    name: str
    namespace: str = "prod"
    checksum: str = "6c4f8f6b9d"
    token: str | None = "the-token-of-flagger"  # noqa: S105 - of this test
    retries: int = 0
    asks_at_each_step: bool = False
    phase: str = "Initialized"
    weight: int = 0
    events: list[str] = field(default_factory=list)
    answers: list[tuple[int, str]] = field(default_factory=list)

    def payload(self) -> dict[str, Any]:
        metadata = {} if self.token is None else {"token": self.token}
        return {
            "name": self.name,
            "namespace": self.namespace,
            "phase": self.phase,
            "checksum": self.checksum,
            "metadata": metadata,
        }

    def new_revision(self, checksum: str) -> None:
        self.checksum, self.phase, self.weight = checksum, "Initialized", 0

    def reconcile(self, post: Post) -> None:
        """Do what the controller does at an interval."""
        started = self.phase == "Progressing"
        if self.phase == "Succeeded" or (
            not (started and not self.asks_at_each_step) and not self._asks(post)
        ):
            return
        if not started:
            self.phase = "Progressing"
            return
        self.weight = next((each for each in WEIGHTS if each > self.weight), 100)
        if self.weight == WEIGHTS[-1]:
            self.phase = "Succeeded"

    def _asks(self, post: Post) -> bool:
        for _ in range(self.retries + 1):
            try:
                status, body = post(self.payload())
            except TimeoutError:
                continue
            self.answers.append((status, body))
            if status in SUCCESS:
                self.events.append("Confirm-rollout check gate passed")
                return True
            if status != 429 and status < 500:
                break
        if self.phase != "Waiting":
            self.phase = "Waiting"
            self.events.append(f"Halt {self.name}.{self.namespace} advancement waiting for approval gate")
        return False
