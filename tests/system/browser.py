"""Pages as a browser without scripts sees them: their language, their links, and forms that can be filled in."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Self
from urllib.parse import urljoin

import httpx

VOID = {"meta", "link", "img", "input", "br", "hr"}


@dataclass(slots=True)
class FilledForm:
    """A form with what stands in its fields, which names may repeat."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)


class Page(HTMLParser):
    """A page that was read."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.language = ""
        self.links: list[str] = []
        self.forms: list[FilledForm] = []
        self.text = ""
        self._select = ""

    @classmethod
    def of(cls, response: httpx.Response) -> Self:
        """Read an answer; fails where it is no page."""
        assert response.headers["content-type"].startswith("text/html"), response.text
        page = cls(str(response.url))
        page.feed(response.text)
        page.text = " ".join(page.text.split())
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what matters of an element."""
        given = {name: value or "" for name, value in attrs}
        match tag:
            case "html":
                self.language = given.get("lang", "")
            case "a":
                self.links.append(urljoin(self.url, given.get("href", "")))
            case "form":
                action = urljoin(self.url, given.get("action", "")) if given.get("action") else self.url
                self.forms.append(FilledForm(action, given.get("method", "get").lower()))
            case "input" if self.forms:
                self._input(self.forms[-1], given)
            case "select" if self.forms:
                self._select = given["name"]
                self.forms[-1].names.add(self._select)
                self.forms[-1].fields[self._select] = ""
            case "option" if self.forms and "selected" in given:
                self.forms[-1].fields[self._select] = given["value"]

    def handle_data(self, data: str) -> None:
        """Note what a person reads."""
        self.text += f" {data}"

    def form(self, name: str | None = None) -> FilledForm:
        """Give the form that is sent with POST and, where one is named, has such a field."""
        (found,) = [each for each in self.forms if each.method == "post" and (name is None or name in each.names)]
        return found

    def link(self, end: str) -> str:
        """Give the one address linked to that ends so."""
        (found,) = {each for each in self.links if each.endswith(end)}
        return found

    @staticmethod
    def _input(form: FilledForm, given: dict[str, str]) -> None:
        name = given.get("name", "")
        form.names.add(name)
        if given.get("type") in {"radio", "checkbox"} and "checked" not in given:
            return
        form.fields[name] = given.get("value", "")
