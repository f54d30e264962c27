from hypothesis import given
from hypothesis import strategies as st

from app.identity.caller import ANONYMOUS, Caller, Role, person_id
from app.identity.credentials import digest, holds_secret, is_key, is_token, new_key, new_session, new_token


def test_keys_and_tokens_are_recognised_and_not_taken_for_one_another() -> None:
    key, token = new_key(), new_token()
    assert (key[:4], token[:4], len(key), len(token)) == ("fzk_", "fzo_", 43, 43)
    assert is_key(key)
    assert is_token(token)
    assert not is_token(key)
    assert not is_key(token)


def test_no_two_are_alike() -> None:
    assert len({new_key() for _ in range(1_000)}) == 1_000


@given(st.integers(min_value=0, max_value=42), st.characters())
def test_a_changed_letter_is_noticed(place: int, letter: str) -> None:
    key = new_key()
    changed = key[:place] + letter + key[place + 1 :]
    assert is_key(changed) == (changed == key)


@given(st.text())
def test_no_text_is_taken_for_one_or_breaks_anything(text: str) -> None:
    assert not is_key(text)
    assert not is_token(f"fzo_{text}")


def test_a_secret_is_found_in_the_middle_of_a_text() -> None:
    for secret in (new_key(), new_token(), new_session()):
        assert holds_secret(f"deployed with {secret}, at once")
        assert not holds_secret(f"deployed with {secret[:-1]}")
    assert not holds_secret("fzo_ and fzk_ are how they begin")


def test_what_is_stored_is_a_sha_256() -> None:
    assert digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_each_role_may_do_what_those_before_it_may() -> None:
    roles = list(Role)
    assert [role.value for role in roles] == ["viewer", "ci", "ops", "admin"]
    for place, role in enumerate(roles):
        assert [role.covers(other) for other in roles] == [other <= place for other in range(4)]
        assert Caller("x", role).may(role)
    assert not any(ANONYMOUS.may(role) for role in roles)


def test_the_same_person_is_the_same_however_they_are_written() -> None:
    assert person_id("Ada  Lovelace") == person_id(" ada lovelace ")
    assert person_id("STRASSE") == person_id("straße")
    assert person_id("alice") != person_id("alicia")
    assert person_id("\uff21lice") == "alice"
