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
    return _ready(name, text, f"{name}: {_encoded(text, len(name) + 2)}\r\n")


def mailbox(name: str, display: str, address: str) -> Ready:
    """Make a header that holds one address, such as To; raises ValueError where either is more than one line."""
    encoded = _encoded_phrase(display, len(name) + 2)
    blank = " " if len(encoded.rpartition("\n")[2]) + len(name) + len(address) + 5 <= LONGEST_LINE else "\r\n "
    return _ready(name, f"{display} <{address}>", f"{name}: {encoded}{blank}<{address}>\r\n")


def _encoded(text: str, offset: int) -> str:
    charset = "us-ascii" if text.isascii() and "=?" not in text else "utf-8"
    return Header(text, charset, maxlinelen=LONGEST_LINE, header_name="x" * (offset - 2)).encode(linesep="\r\n")


def _encoded_phrase(text: str, offset: int) -> str:
    if text.isascii() and "=?" not in text:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return _encoded(text, offset)


def _ready(name: str, text: str, folded: str) -> Ready:
    if "\r" in text or "\n" in text:
        raise ValueError("a header is one line")
    ready = Ready(text)
    ready.name, ready.folded = name, folded
    return ready
