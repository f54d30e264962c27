import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from app.core.audit import Event
from app.store.records import Lease, OutboxMessage
from app.store.store import Store
from app.store.transaction import Transaction
from tests.store.records import NOW, PATIENT, assert_chain, row

pytestmark = pytest.mark.anyio


def putting(key: str, *to: str, at: int = NOW, not_before: int = NOW) -> Callable[[Transaction], int]:
    names: Iterable[str] = to or ("ops",)
    return lambda transaction: transaction.put_notification(
        names, key, f'{{"key": "{key}"}}', at * 1_000_000, not_before
    )


def oldest(store: Store, receiver: str = "ops") -> OutboxMessage | None:
    return next(iter(store.query(lambda view: view.pending_messages(receiver, 1))), None)


def first(store: Store, receiver: str = "ops") -> OutboxMessage:
    message = oldest(store, receiver)
    assert message is not None
    return message


async def drained(store: Store, receiver: str = "ops") -> list[str]:
    """What a receiver gets, in order."""
    got = []
    while (message := oldest(store, receiver)) is not None:
        got.append(message.key)
        await store.write(lambda transaction, message=message: transaction.note_sent(message, NOW))  # type: ignore[misc]
    return got


async def test_what_is_put_waits_in_order_for_each_receiver(store: Store) -> None:
    for number in range(12):
        await store.write(putting(f"k{number}", *(("ops", "bot") if number % 2 else ("ops",))))
    assert first(store)[1:] == ("ops", "k0", '{"key": "k0"}', NOW, NOW, 0)
    assert await drained(store) == [f"k{number}" for number in range(12)]
    assert await drained(store, "bot") == [f"k{number}" for number in range(12) if number % 2]
    assert await drained(store, "nobody") == []


async def test_the_order_holds_where_clocks_differ(store: Store) -> None:
    for number, at in enumerate((NOW, NOW - 60, NOW + 60, NOW - 3_600)):
        await store.write(putting(f"k{number}", at=at))
    assert await drained(store) == ["k0", "k1", "k2", "k3"]


async def test_the_same_thing_is_put_once_for_each_receiver(store: Store) -> None:
    assert await store.write(putting("k", "ops")) == 1
    assert await store.write(putting("k", "ops", "bot")) == 1
    assert await store.write(putting("k", "ops", "bot")) == 0
    assert await drained(store) == ["k"]
    assert await store.write(putting("k", "ops")) == 0
    assert await drained(store) == []
    assert await drained(store, "bot") == ["k"]


async def test_many_that_put_the_same_at_once_put_it_once(store: Store, url: str) -> None:
    other = Store.open(url, deadline=PATIENT)
    writes = [each.write(putting("k", "ops", "bot")) for each in (store, other) for _ in range(10)]
    assert sum(await asyncio.gather(*writes)) == 2
    await other.close()


async def test_what_failed_waits_until_it_is_due(store: Store) -> None:
    await store.write(putting("k"))
    message = first(store)
    await store.write(lambda transaction: transaction.note_failed(message, NOW + 5, "answered 500"))
    assert first(store)[5:] == (NOW + 5, 1)
    await store.write(lambda transaction: transaction.note_failed(message, NOW + 15, "answered 500"))
    assert first(store)[5:] == (NOW + 15, 2)


async def test_what_is_given_up_makes_room_for_the_next(store: Store) -> None:
    await store.write(putting("k1"))
    await store.write(putting("k2"))
    message = first(store)
    await store.write(lambda transaction: transaction.give_up(message, NOW, "answered 400"))
    assert await drained(store) == ["k2"]
    assert await store.write(putting("k1")) == 0


async def test_the_first_letters_of_a_receiver_are_those_that_wait_the_oldest_first(store: Store) -> None:
    for number in range(5):
        await store.write(putting(f"k{number}", "ops", "bot"))
    message = first(store)
    await store.write(lambda transaction: transaction.note_sent(message, NOW))
    message = first(store)
    await store.write(lambda transaction: transaction.note_failed(message, NOW + 5, "answered 500"))
    assert [each.key for each in store.query(lambda view: view.pending_messages("ops", 3))] == [
        "k1",
        "k2",
        "k3",
    ]


async def test_the_backlog_counts_what_waits(store: Store) -> None:
    assert store.query(lambda view: view.backlog()) == {}
    await store.write(putting("k1", "ops", "bot"))
    await store.write(putting("k2", "ops", at=NOW + 9))
    message = first(store, "bot")
    await store.write(lambda transaction: transaction.note_sent(message, NOW))
    assert store.query(lambda view: view.backlog()) == {"ops": (2, NOW)}


async def test_the_latest_of_a_kind_is_found_whatever_became_of_it(store: Store) -> None:
    assert store.query(lambda view: view.latest_message("refused:")) is None
    await store.write(putting("refused:1", "ops", "bot"))
    await store.write(putting("refused:2"))
    await store.write(putting("good:1"))
    message = first(store, "bot")
    await store.write(lambda transaction: transaction.note_sent(message, NOW))
    assert await drained(store) == ["refused:1", "refused:2", "good:1"]
    refused = store.query(lambda view: view.latest_message("refused:"))
    good = store.query(lambda view: view.latest_message("good:"))
    assert [refused, good] == [f"ntf_{NOW * 1_000_000 + number:020}" for number in (2, 3)]


async def test_what_is_old_is_forgotten_and_order_goes_on(store: Store) -> None:
    await store.write(putting("k1"))
    await store.write(putting("k2", at=NOW + 100))
    assert await store.write(lambda transaction: transaction.prune_outbox(NOW + 1, "notice:", NOW)) == 1
    assert await drained(store) == ["k2"]
    assert await store.write(lambda transaction: transaction.prune_outbox(NOW + 101, "notice:", NOW)) == 1
    await store.write(putting("k1", at=NOW + 200))
    assert await drained(store) == ["k1"]


async def test_what_must_be_known_for_longer_is_kept_for_longer(store: Store) -> None:
    await store.write(putting("notice:1"))
    await store.write(putting("other:1"))
    assert await store.write(lambda transaction: transaction.prune_outbox(NOW + 1, "notice:", NOW)) == 1
    assert await drained(store) == ["notice:1"]
    assert await store.write(lambda transaction: transaction.prune_outbox(NOW + 1, "notice:", NOW + 1)) == 1


async def test_answers_to_holds_are_kept_apart_from_notifications(store: Store) -> None:
    await store.write(lambda transaction: transaction.put_answer("github", "hld_1", "old", NOW))
    await store.write(putting("k1"))
    (old,) = store.query(lambda view: view.due_answers(NOW, 10))
    await store.write(lambda transaction: transaction.put_answer("github", "hld_1", "new", NOW + 5))
    assert store.query(lambda view: view.due_answers(NOW, 10)) == []
    assert not await store.write(lambda transaction: transaction.drop_message(old))
    assert await store.write(lambda transaction: transaction.prune_outbox(NOW + 99, "notice:", NOW + 99)) == 1
    (new,) = store.query(lambda view: view.due_answers(NOW + 5, 10))
    assert (new.key, new.data, new.attempts) == ("hld_1", "new", 0)
    assert await store.write(lambda transaction: transaction.drop_message(new))
    assert oldest(store, "hold:github") is None


async def test_one_holds_the_lease_until_it_runs_out(store: Store) -> None:
    def taking(holder: str, now: int) -> Callable[[Transaction], bool]:
        return lambda transaction: transaction.take_lease(holder, now, now + 15)

    assert store.query(lambda view: view.lease()) == Lease("", 0, 0, 0, "{}")
    assert await store.write(taking("one", NOW))
    assert not await store.write(taking("two", NOW + 14))
    assert await store.write(taking("one", NOW + 14))
    assert not await store.write(taking("two", NOW + 28))
    assert await store.write(taking("two", NOW + 29))
    assert not await store.write(taking("one", NOW + 30))
    await store.write(lambda transaction: transaction.release_lease("one"))
    assert not await store.write(taking("one", NOW + 30))
    await store.write(lambda transaction: transaction.release_lease("two"))
    assert await store.write(taking("one", NOW + 30))


async def test_of_many_that_take_the_lease_at_once_one_gets_it(store: Store, url: str) -> None:
    other = Store.open(url, deadline=PATIENT)

    def taking(holder: str) -> Callable[[Transaction], bool]:
        return lambda transaction: transaction.take_lease(holder, NOW, NOW + 15)

    writes = [(store if n % 2 else other).write(taking(f"replica {n}")) for n in range(20)]
    assert sum(await asyncio.gather(*writes)) == 1
    await other.close()


async def test_only_the_holder_moves_on_and_only_from_where_it_was(store: Store) -> None:
    def moving(holder: str, before: Lease, after: Lease) -> Callable[[Transaction], bool]:
        return lambda transaction: transaction.advance_lease(holder, before, after)

    await store.write(lambda transaction: transaction.take_lease("one", NOW, NOW + 15))
    before = store.query(lambda view: view.lease())
    after = before._replace(seq=5, looked_until=NOW, environments='{"x": 1}')
    assert not await store.write(moving("two", before, after))
    assert await store.write(moving("one", before, after))
    assert store.query(lambda view: view.lease()) == after
    assert not await store.write(moving("one", before, after))


async def test_the_news_are_all_but_decisions_and_of_those_the_denials(store: Store) -> None:
    def recorded(number: int, **changes: Any) -> Callable[[Transaction], None]:
        made = row(number)._replace(**changes)
        return lambda transaction: transaction.record(made, Event(NOW, "decision", "", f"[{number}]"))

    await store.write(recorded(1, actor="carol", caller="ci"))
    await store.write(recorded(2, outcome="allow"))
    await store.write(lambda transaction: transaction.append(Event(NOW, "freeze-lifted", "bob", "{}")))
    await store.write(recorded(3, actor=None, caller="ci", environment="staging"))
    await store.write(recorded(4, actor="", caller=""))
    news = store.query(lambda view: view.news(0, 10))
    assert [(link.seq, link.kind) for link in news] == [(3, "freeze-lifted")]
    assert store.query(lambda view: view.news(3, 10)) == store.query(lambda view: view.news(0, 2)) == []
    denials = store.query(lambda view: view.denials(0, 10))
    assert [tuple(each) for each in denials] == [
        (NOW, "api", "production", "carol", "[1]"),
        (NOW, "api", "staging", "ci", "[3]"),
        (NOW, "api", "production", "", "[4]"),
    ]
    assert len(store.query(lambda view: view.denials(1, 4))) == 1
    assert_chain(store)
