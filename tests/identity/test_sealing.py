import stat
from pathlib import Path
from threading import Thread

import pytest

from app.identity.credentials import new_key, new_secret_key
from app.identity.sealing import FILE_NAME, Sealing, SecretKeyError, UnsealError, sealing_in


def test_a_secret_comes_back_and_does_not_show() -> None:
    sealing = Sealing([new_secret_key()])
    sealed = sealing.seal("hunter2 ☂")
    assert "hunter2" not in sealed
    assert sealed != sealing.seal("hunter2 ☂")
    assert sealing.unseal(sealed) == "hunter2 ☂"


def test_a_key_can_be_changed_while_deploys_wait() -> None:
    old, new = new_secret_key(), new_secret_key()
    sealed = Sealing.of(old).seal("s")
    both = Sealing.of(f"{new}\n{old}\n")
    assert both.unseal(sealed) == "s"
    assert Sealing.of(new).unseal(both.seal("t")) == "t"
    with pytest.raises(UnsealError):
        Sealing.of(new).unseal(sealed)
    with pytest.raises(UnsealError):
        both.unseal(f"{sealed[:-4]}AAA=")


@pytest.mark.parametrize(
    "text", ["", "fze_x", new_key(), "\n".join(new_secret_key() for _ in range(11))], ids=range(4)
)
def test_what_is_no_key_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(SecretKeyError, match="must be 1 to 10 secret keys") as refused:
        Sealing.of(text)
    assert not text or text not in str(refused.value)


def test_the_key_file_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    sealed = sealing_in(tmp_path).seal("s")
    assert sealing_in(tmp_path).unseal(sealed) == "s"
    (file,) = tmp_path.iterdir()
    assert file.name == FILE_NAME
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_processes_that_start_together_make_one_key(tmp_path: Path) -> None:
    made: list[Sealing] = []
    threads = [Thread(target=lambda: made.append(sealing_in(tmp_path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sealed = made[0].seal("s")
    assert [each.unseal(sealed) for each in made] == ["s"] * 8
    assert len(list(tmp_path.iterdir())) == 1


def test_a_key_file_that_can_not_be_used_is_named(tmp_path: Path) -> None:
    file = tmp_path / FILE_NAME
    file.write_text("hunter2")
    with pytest.raises(
        SecretKeyError, match=r"secret\.key can't be used: it holds something else"
    ) as refused:
        sealing_in(tmp_path)
    assert "hunter2" not in str(refused.value)
    file.write_bytes(b"\xff")
    with pytest.raises(SecretKeyError, match="no text"):
        sealing_in(tmp_path)
    with pytest.raises(SecretKeyError, match="No such file"):
        sealing_in(tmp_path / "missing")
