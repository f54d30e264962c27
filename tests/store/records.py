"""Decisions to be recorded, one like another but for what a test says."""

from app.store.records import DecisionRecord, PolicyRevision

POLICIES = PolicyRevision(
    "sha256:x", 1_795_000_000, '{"policies":{"policies.yaml":"version: 1\\n"},"calendars":{}}'
)


def decision(number: int, key: str | None = None, fingerprint: str = "f") -> DecisionRecord:
    return DecisionRecord(
        id=f"dec_{number:06}",
        at=1_795_784_700,
        recorded_at=1_795_784_700_000_000 + number,
        service="api",
        environment="production",
        change="normal",
        duration=0,
        outcome="deny",
        opens_at=1_796_022_000 + number,
        body=f'{{"number": {number}}}',
        ref=None,
        actor="Ünï — ☂ 'quoted' \"twice\"",
        run_url=None,
        caller="",
        idempotency_key=key,
        fingerprint=None if key is None else fingerprint,
        policy_revision=POLICIES.revision,
        tzdata_version="2026.6",
        holidays_version="0.109",
        request_id="r",
    )
