"""A small reader of pages: what stands in them, and whether a person who cannot see can use them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "input", "img", "br", "hr"}


@dataclass
class Element:
    """A tag with its attributes and the text inside it."""

    tag: str
    attributes: dict[str, str]
    above: tuple[str, ...]
    text: str = ""


@dataclass
class Reading(HTMLParser):
    """A page taken apart; raises AssertionError where a tag is not closed."""

    elements: list[Element] = field(default_factory=list)
    _open: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Set the parser up."""
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        element = Element(tag, {name: value or "" for name, value in attrs}, tuple(one.tag for one in self._open))
        assert len(element.attributes) == len(attrs), f"an attribute twice in {element}"
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        """Close the element."""
        assert self._open, f"</{tag}> closes nothing"
        assert self._open[-1].tag == tag, f"</{tag}> closes {self._open[-1]}"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        """Give the text to all that it stands in."""
        for element in self._open:
            element.text += data

    def all(self, tag: str, **attributes: str) -> list[Element]:
        """Find elements."""
        return [one for one in self.elements if one.tag == tag and attributes.items() <= one.attributes.items()]

    def one(self, tag: str, **attributes: str) -> Element:
        """Find the only element of its kind."""
        (found,) = self.all(tag, **attributes)
        return found


def read(html: str) -> Reading:
    """Take a page apart."""
    reading = Reading()
    reading.feed(html)
    reading.close()
    assert not reading._open, f"not closed: {reading._open}"  # noqa: SLF001
    return reading


def barriers(page: Reading) -> list[str]:
    """Tell what would keep somebody out: of WCAG 2.2, what a program can see."""
    return [*_loose_ends(page), *_unnamed(page), *_without_landmarks(page), *_forbidden(page)]


def _loose_ends(page: Reading) -> Iterator[str]:
    ids = [one.attributes["id"] for one in page.elements if "id" in one.attributes]
    yield from (f"the id {name} twice" for name in set(ids) if ids.count(name) > 1)
    for one in page.elements:
        targets = [
            *(one.attributes.get("aria-describedby", "").split()),
            *(one.attributes.get("aria-labelledby", "").split()),
            *(one.attributes.get("for", "").split()),
            *([one.attributes["href"][1:]] if one.attributes.get("href", "").startswith("#") else []),
        ]
        yield from (f"leads nowhere: {one}" for target in targets if target not in ids)


def _unnamed(page: Reading) -> Iterator[str]:
    labelled = {one.attributes.get("for") for one in page.all("label") if one.text.strip()}
    fields = [*page.all("input"), *page.all("select"), *page.all("textarea")]
    for one in fields:
        if one.attributes.get("type") != "hidden" and one.attributes.get("id") not in labelled:
            yield f"without a label: {one}"
    for one in page.elements:
        if one.tag in {"a", "button", "h1", "h2", "th", "legend"} and not one.text.strip():
            yield f"empty: {one}"
    yield from (f"without a text: {one}" for one in page.all("img") if "alt" not in one.attributes)


def _without_landmarks(page: Reading) -> Iterator[str]:
    if not page.one("html").attributes.get("lang"):
        yield "the page does not say its language"
    for tag in ("h1", "main", "header", "footer"):
        if len([one for one in page.all(tag) if tag == "h1" or "main" not in one.above]) != 1:
            yield f"one {tag}, no more and no less"
    names = [one.attributes.get("aria-label", "") for one in page.all("nav")]
    if "" in names or len(set(names)) != len(names):
        yield "navigations have different names"


def _forbidden(page: Reading) -> Iterator[str]:
    for one in page.elements:
        if one.tag in {"script", "style"} or any(name == "style" or name.startswith("on") for name in one.attributes):
            yield f"the policy forbids: {one}"
