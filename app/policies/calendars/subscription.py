"""The calendars that policy files name by URL, and the texts of the files without those URLs.

A private URL is a secret, and the record keeps the texts of policy files for years. So each URL is replaced
by its masked form before a text is stored. The revision is computed from the masked texts, so that it can be
verified, and replayed, from the record alone.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from app.core import calendar_url
from app.core.errors import MalformedValueError
from app.yaml.compose import read_document
from app.yaml.document import Document
from app.yaml.problem import Path, Problem

MOST_URLS: Final = 20
"""Calendars by URL in a set. Each may hold 1 MiB and is fetched every 15 minutes by each replica."""

_KEY: Final = r"""(\burl["']?[ \t]*:[ \t]+(?:&[^\s]+[ \t]+)?["']?)"""
_END: Final = r"""(?=["'\s,}\]]|$)"""


class Subscription(NamedTuple):
    """A calendar that policies name by its URL."""

    url: str
    title: str | None

    @property
    def name(self) -> str:
        """Its public name: its title, or the host and a short hash."""
        return self.title or calendar_url.label(self.url)

    @property
    def key(self) -> str:
        """The masked URL, which identifies it in snapshots."""
        return calendar_url.masked(self.url)


def subscriptions(texts: Iterable[str]) -> tuple[Subscription, ...]:
    """Return the calendars by URL that policy files name, each once; malformed URLs are left out."""
    titles: dict[str, str | None] = {}
    for text in texts:
        for _, window in windows(text):
            if (url := _url_of(window)) is not None:
                titles[url] = titles.get(url) or _title_of(window)
    return tuple(Subscription(url, titles[url]) for url in sorted(titles))


def windows(text: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the ``icalendar`` windows of a policy file, each with its path."""
    if "icalendar" in text:
        yield from windows_of(read_document("", text).data)


def windows_of(data: Any) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the ``icalendar`` windows in the values of a policy file, each with its path."""
    for number, policy in enumerate(_list_in(data, "policies")):
        for key in ("when", "except_when"):
            for index, entry in enumerate(_list_in(policy, key)):
                window = entry.get("icalendar") if isinstance(entry, dict) else None
                if isinstance(window, dict):
                    yield ("policies", number, key, index, "icalendar"), window


def mask(text: str, urls: Iterable[str]) -> str:
    """Return the text of a policy file with each of these URLs, behind a key ``url``, in its masked form."""
    longest_first = sorted(urls, key=len, reverse=True)
    if not any(url in text for url in longest_first):
        return text
    either = "|".join(map(re.escape, longest_first))
    return re.sub(f"{_KEY}({either}){_END}", lambda found: found[1] + calendar_url.masked(found[2]), text)


def url_problems(documents: Sequence[Document], texts: Mapping[str, str]) -> Iterator[Problem]:
    """Yield the URLs beyond `MOST_URLS`, and those that can't be masked as they are written."""
    seen: set[str] = set()
    for document in documents:
        named = ((path, _url_of(window)) for path, window in windows_of(document.data))
        found = [(path, url) for path, url in named if url is not None]
        for path, url in found:
            if url not in seen and len(seen) == MOST_URLS:
                sentence = f"a set may have {MOST_URLS} calendars by URL in all its files"
                yield document.problem((*path, "url"), sentence)
            seen.add(url)
        yield from _unmasked(document, texts[document.name], found)


def _unmasked(document: Document, text: str, found: Sequence[tuple[Path, str]]) -> Iterator[Problem]:
    """Yield the URLs that masking the text leaves in it."""
    if not found:
        return
    hidden = {path: window.get("url") for path, window in windows(mask(text, {url for _, url in found}))}
    for path, url in found:
        if hidden.get(path) != calendar_url.masked(url):
            sentence = (
                "write it as it is, right behind url: and without escapes, so that the record can mask it"
            )
            yield document.problem((*path, "url"), sentence)


def _url_of(window: Mapping[str, Any]) -> str | None:
    """Return the URL of a window; None without a well-formed one."""
    url = window.get("url")
    try:
        calendar_url.parse(url if isinstance(url, str) else "")
    except MalformedValueError:
        return None
    return str(url)


def _title_of(window: Mapping[str, Any]) -> str | None:
    title = window.get("title")
    return title if isinstance(title, str) and title else None


def _list_in(data: Any, key: str) -> list[Any]:
    value = data.get(key) if isinstance(data, dict) else None
    return value if isinstance(value, list) else []
