"""Headers as they travel: encoded and folded (RFC 2047, RFC 5322), and never more than the one that was meant.

The newer machinery of `email` loses blanks where it folds encoded words, and costs more than the rest of a mail.
"""

from email.header import Header

LONGEST_LINE = 76


class Ready(str):
    """A header that is encoded and folded already: an `EmailMessage` takes it as it is."""

    __slots__ = ("folded", "name")
    name: str
    folded: str

    def fold(self, *, policy: object) -> str:  # noqa: ARG002 - the protocol of header objects
        """Give the header's lines."""
        return self.folded


def unstructured(name: str, text: str) -> Ready:
    """Make a header such as Subject; raises ValueError where the text is more than one line."""
    _one_line(text)
    return _ready(name, text, f"{name}: {_encoded(text, name)}\r\n")


def mailbox(name: str, display: str, address: str) -> Ready:
    """Make a header that holds one address, such as To; raises ValueError where either is more than one line."""
    _one_line(display + address)
    encoded = _phrase(display, name)
    blank = " " if len(encoded.rpartition("\n")[2]) + len(name) + len(address) + 5 <= LONGEST_LINE else "\r\n "
    return _ready(name, f"{display} <{address}>", f"{name}: {encoded}{blank}<{address}>\r\n")


def _one_line(text: str) -> None:
    if "\r" in text or "\n" in text:
        raise ValueError("a header is one line")


def _encoded(text: str, name: str) -> str:
    charset = "us-ascii" if _plain(text) else "utf-8"
    return Header(text, charset, maxlinelen=LONGEST_LINE, header_name=name).encode(linesep="\r\n")


def _phrase(text: str, name: str) -> str:
    if _plain(text):
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return _encoded(text, name)


def _plain(text: str) -> bool:
    return text.isascii() and "=?" not in text


def _ready(name: str, text: str, folded: str) -> Ready:
    ready = Ready(text)
    ready.name, ready.folded = name, folded
    return ready
