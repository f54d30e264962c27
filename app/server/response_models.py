"""The response models of the OpenAPI document; the bodies are written by `app.core.decision_json`."""

from typing import Literal

from pydantic import BaseModel, Field


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] = Field(default_factory=list, description="the fields that are wrong")


class BlockingEntry(BaseModel):
    """A policy or freeze that vetoes, warns or will veto, and from when until when it does."""

    id: str
    kind: Literal["policy", "freeze"]
    title: str
    reason: str
    from_: str | None = Field(alias="from", description="null where more than two years ago")
    until: str | None = Field(description="null where more than two years ahead")
    override: Literal["token", "never"]
    contact: str | None
    link: str | None
    started_by: str = Field(default="", description="who started a freeze; policies do not have it")


class UncoveredPart(BaseModel):
    """Why a token does not cover a deploy: the part that does not fit, and what it should have covered."""

    part: Literal["service", "environment", "policy", "freeze", "ttl", "uses", "approvals"]
    id: str = Field(description="of the service, the environment, or the policy or freeze not lifted")
    why: str


class OverrideUse(BaseModel):
    """What became of the override token that was presented."""

    id: str | None
    result: Literal[
        "spent",
        "not-needed",
        "does-not-cover",
        "pending",
        "expired",
        "used-up",
        "revoked",
        "unknown",
        "invalid",
    ] = Field(description="unknown, expired, used-up and revoked tokens of others all read invalid")
    uncovered: list[UncoveredPart] = Field(description="why it does not cover the deploy; else empty")
    uses_left: int | None


class DecisionBody(BaseModel):
    """The answer to "may this service be deployed to this environment now?"."""

    allowed: bool
    outcome: Literal["allow", "warn", "override", "deny"]
    service: str
    environment: str
    change: str
    duration_s: int
    at: str
    message: str
    blocking: list[BlockingEntry]
    warnings: list[BlockingEntry]
    opens_at: str | None
    closes_at: str | None = Field(description="when it closes; null while denied, or not within two years")
    closing: list[BlockingEntry] = Field(description="what vetoes from `closes_at` on; empty without it")
    override: OverrideUse | None
    policy_revision: str
    decision_id: str | None
