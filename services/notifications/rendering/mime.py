"""A mail's bytes: headers encoded and folded (RFC 5322, RFC 2047), parts bounded (RFC 2046).

Written here because the library's newer machinery loses blanks where it folds encoded words, and took three times
as long as all the rest of a mail; what is written is read back by the library in every test.
"""

from base64 import encodebytes
from binascii import b2a_qp
from collections.abc import Sequence
from email.header import Header
from functools import lru_cache

LONGEST_LINE = 76
CRLF = b"\r\n"


def header(name: str, value: str) -> bytes:
    """Write a header of ours, which is short and plain; raises ValueError where it is more than one line."""
    _one_line(value)
    return f"{name}: {value}\r\n".encode("ascii")


@lru_cache(maxsize=256)
def unstructured(name: str, text: str) -> bytes:
    """Write a header of others' words, such as Subject; raises ValueError where they are more than one line."""
    _one_line(text)
    return f"{name}: {_encoded(text, name)}\r\n".encode("ascii")


@lru_cache(maxsize=256)
def mailbox(name: str, display: str, address: str) -> bytes:
    """Write a header that holds one address, such as To; raises ValueError where either is more than one line."""
    _one_line(display + address)
    phrase = _phrase(display, name)
    line = len(phrase.rpartition("\n")[2]) + len(name) + len(address) + len(":  <>")
    blank = " " if line <= LONGEST_LINE else "\r\n "
    return f"{name}: {phrase}{blank}<{address}>\r\n".encode()


def text(subtype: str, content: str) -> bytes:
    """Write a part that people read."""
    head = header("Content-Type", f'text/{subtype}; charset="utf-8"')
    encoding = header("Content-Transfer-Encoding", "quoted-printable")
    return head + encoding + CRLF + _lines(b2a_qp(content.encode()))


def data(content_type: str, content: bytes, filename: str | None = None) -> bytes:
    """Write a part that programs read; with a name it is a file."""
    head = header("Content-Type", content_type) + header("Content-Transfer-Encoding", "base64")
    if filename is not None:
        head += header("Content-Disposition", f'attachment; filename="{filename}"')
    return head + CRLF + _lines(encodebytes(content))


def multipart(kind: str, boundary: str, parts: Sequence[bytes]) -> bytes:
    """Write parts as one; the boundary begins with `=_`, which neither of the two encodings ever writes."""
    head = header("Content-Type", f'multipart/{kind}; boundary="=_{boundary}"')
    between = f"--=_{boundary}\r\n".encode("ascii")
    bounded = b"".join(between + part + CRLF for part in parts)
    return head + CRLF + bounded + f"--=_{boundary}--\r\n".encode("ascii")


def _lines(content: bytes) -> bytes:
    return content.replace(CRLF, b"\n").replace(b"\n", CRLF)


def _one_line(value: str) -> None:
    if "\r" in value or "\n" in value:
        raise ValueError("a header is one line")


def _phrase(display: str, name: str) -> str:
    if _plain(display):
        return '"' + display.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return _encoded(display, name)


def _encoded(value: str, name: str) -> str:
    charset = "us-ascii" if _plain(value) else "utf-8"
    return Header(value, charset, maxlinelen=LONGEST_LINE, header_name=name).encode(linesep="\r\n")


def _plain(value: str) -> bool:
    return value.isascii() and "=?" not in value
