"""What stands on a page, read as a browser would read it."""

from html.parser import HTMLParser
from typing import Final

_EMPTY: Final = frozenset({"meta", "link", "input", "br", "hr", "img", "base"})


class Page(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.unclosed: list[str] = []
        self.isolated: list[str] = []
        """The whole text of every element that keeps its direction of reading to itself."""
        self.exposed: list[str] = []
        """Texts that do not stand in such an element, nor in the title of a drawing, which takes none."""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in _EMPTY:
            self.unclosed.append(tag)
        if tag == "bdi":
            self.isolated.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.unclosed.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if "bdi" in self.unclosed:
            self.isolated[-1] += data
        elif "svg" not in self.unclosed:
            self.exposed.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def filled(self, name: str) -> str:
        """What a form sends of a field: for boxes, those that are ticked."""
        boxes = [
            each
            for each in self.named("input")
            if each.get("name") == name and each.get("type") == "checkbox"
        ]
        return (
            ",".join(each["value"] or "" for each in boxes if "checked" in each)
            if boxes
            else self.value(name)
        )

    def value(self, name: str) -> str:
        """Of an input, by its name; the first."""
        found = next(each["value"] for each in self.named("input") if each.get("name") == name)
        assert found is not None
        return found
