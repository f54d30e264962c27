import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from app.store.errors import DatabaseUrlError, StoreUnavailableError
from app.store.store import Store
from tests.store.records import POLICIES, decision

pytestmark = pytest.mark.anyio


async def test_claims_that_come_together_share_their_commits(store: Store) -> None:
    batches: list[int] = []
    commit = store._writer._commit

    def counting(claims: Sequence[Any]) -> Any:
        batches.append(len(claims))
        return commit(claims)

    store._writer._commit = counting
    await asyncio.gather(*(store.record(decision(number)) for number in range(200)))
    assert batches == [200]
    assert store.count_decisions() == 200


async def test_a_batch_of_many_more_than_a_statement_takes_is_recorded_whole(store: Store) -> None:
    claims = [decision(number, "same" if number % 100 == 0 else None) for number in range(1_200)]
    recorded = await asyncio.gather(*(store.record(claim) for claim in claims))
    assert [each.body for each in recorded if each.body != '{"number": 0}'] == [
        claim.body for claim in claims if claim.idempotency_key is None
    ]
    assert store.count_decisions() == 1_200 - 11


async def test_a_claim_that_no_database_takes_spoils_no_other_one(store: Store) -> None:
    odd = [
        decision(1)._replace(ref="half a pair: \ud83d"),
        decision(2)._replace(opens_at=2**63),
        decision(3)._replace(policy_revision="sha256:unknown"),
        decision(4)._replace(service=None),  # type: ignore[arg-type]
        decision(5)._replace(actor=object()),  # type: ignore[arg-type]
        decision(10),
    ]
    good = [decision(number, key) for number, key in ((10, None), (11, "k"), (12, "k"))]
    results = await asyncio.gather(
        *(store.record(claim) for claim in [good[0], *odd, *good[1:]]), return_exceptions=True
    )
    assert [isinstance(each, StoreUnavailableError) for each in results] == [False, *[True] * 6, False, False]
    assert [each.id for each in store.latest_decisions(20)] == ["dec_000011", "dec_000010"]
    assert results[-1] == results[-2]


async def test_what_is_waiting_when_it_closes_is_recorded_first(url: str) -> None:
    store = Store.open(url)
    waiting = [asyncio.create_task(store.record(decision(number), POLICIES)) for number in range(700)]
    await asyncio.sleep(0)
    await store.close()
    assert len(await asyncio.gather(*waiting)) == 700
    again = Store.open(url)
    assert again.count_decisions() == 700
    await again.close()


async def test_closing_leaves_one_file_behind(file: Path, url: str) -> None:
    store = Store.open(url)
    await store.record(decision(1), POLICIES)
    await store.close()
    assert not file.with_name("gate.db-wal").exists()


async def test_a_store_that_was_never_written_to_closes_too(url: str) -> None:
    await Store.open(url).close()


async def test_what_another_process_kept_is_kept_once_more_without_harm(store: Store, url: str) -> None:
    another = Store.open(url)
    assert not another.keeps(POLICIES.revision)
    await another.record(decision(1), POLICIES._replace(sources="of another"))
    await another.close()
    assert store.sources(POLICIES.revision) == POLICIES.sources


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "can't be read"),
        ("postgresql://localhost/x", "postgresql are not supported"),
        ("mysql://user:secret@host/x", "mysql are not supported"),
        ("sqlite://", "must survive a restart"),
        ("sqlite:///:memory:", "must survive a restart"),
        ("sqlite:///file:x?mode=memory", "must survive a restart"),
        ("sqlite:///x.db?timeout=0", "nothing else"),
        ("sqlite://host/x.db", "nothing else"),
    ],
)
async def test_a_database_that_cannot_be_used_is_refused(url: str, said: str) -> None:
    with pytest.raises(DatabaseUrlError, match=said) as caught:
        Store.open(url)
    assert "secret" not in str(caught.value)


async def test_odd_characters_in_the_path_are_those_of_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "a b#c%41?d=e"
    folder.mkdir()
    store = Store.open(f"sqlite:///{quote(str(folder))}/gate.db")
    assert store.ping()
    await store.close()
    assert [each.name for each in folder.iterdir() if each.suffix == ".db"] == ["gate.db"]


@pytest.mark.parametrize("content", [None, b"this is no database, but a text that somebody put there" * 99])
async def test_a_database_that_cannot_be_opened_is_told(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "no such folder" / "gate.db"
    if content is not None:
        file = tmp_path / "gate.db"
        file.write_bytes(content)
    with pytest.raises(StoreUnavailableError, match=r"gate\.db can't be opened"):
        Store.open(f"sqlite:///{file}")
