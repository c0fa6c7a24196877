"""Names in addresses, and words to be found by: letters without their accents."""

import re
import unicodedata
from collections.abc import Collection, Iterable

LONGEST_SLUG = 80
_WITHOUT_DECOMPOSITION = str.maketrans(
    {"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "·": ""}
)
"""What NFKD leaves as it is; the middle dot joins the two letters of Catalan's geminate l."""


def fold(text: str) -> str:
    """Give `text` without accents and in lower case, so that `Etapa d'habilitació` is found as `habilitacio`."""
    apart = unicodedata.normalize("NFKD", text).translate(_WITHOUT_DECOMPOSITION)
    return "".join(letter for letter in apart if not unicodedata.combining(letter)).casefold()


def words_of(texts: Iterable[str]) -> str:
    """Give what a workshop is found by: its texts, folded, a space between words."""
    return " ".join(word for text in texts for word in fold(text).split())


def slugify(title: str) -> str:
    """Make the part of an address that stands for `title`; `workshop` where no Latin letter or digit is in it."""
    words = re.findall(r"[a-z0-9]+", fold(title))
    slug = ""
    for word in words:
        longer = f"{slug}-{word}" if slug else word[:LONGEST_SLUG]
        if len(longer) > LONGEST_SLUG:
            break
        slug = longer
    return slug or "workshop"


def is_slug(text: str) -> bool:
    """Tell whether `text` can be a slug at all."""
    return re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", text) is not None


def next_slug(wanted: str, taken: Collection[str]) -> str:
    """Give `wanted`, or the first of `wanted-2`, `wanted-3`… that is not taken."""
    if wanted not in taken:
        return wanted
    return next(slug for number in range(2, len(taken) + 3) if (slug := f"{wanted}-{number}") not in taken)
