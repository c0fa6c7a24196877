"""The style sheet: contrasts that can be read, in the light and in the dark."""

import re

import pytest

from shared.web.pages import HERE

CSS = (HERE / "assets" / "style.css").read_text(encoding="utf-8")
CODE = re.sub(r"/\*.*?\*/", "", CSS, flags=re.DOTALL)
LIGHT, DARK = re.findall(r":root \{(.*?)\}", CODE, flags=re.DOTALL)
TEXT, OPERATED = 4.5, 3.0


def colours(*blocks: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", "".join(blocks)))


SCHEMES = {"light": colours(LIGHT), "dark": colours(LIGHT, DARK)}


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    digits = colour.removeprefix("#")
    digits = digits if len(digits) == 6 else "".join(one * 2 for one in digits)
    channels = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_measured_as_the_guidelines_do() -> None:
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#fff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("front", "back", "least"),
    [
        *(("ink", back, TEXT) for back in ("paper", "surface", "accent-soft", "good-soft", "wait-soft", "bad-soft")),
        *(("quiet", back, TEXT) for back in ("paper", "surface", "accent-soft")),
        *(("accent", back, TEXT) for back in ("paper", "surface", "accent-soft", "good-soft", "wait-soft")),
        *(("accent-strong", back, TEXT) for back in ("paper", "surface", "accent-soft", "good-soft", "wait-soft")),
        *((tone, f"{tone}-soft", TEXT) for tone in ("good", "wait", "bad")),
        *(("bad", back, TEXT) for back in ("paper", "surface")),
        ("bad-strong", "bad-soft", TEXT),
        ("on-accent", "accent", TEXT),
        ("on-accent", "accent-strong", TEXT),
        ("on-bad", "bad", TEXT),
        *(("edge", back, OPERATED) for back in ("paper", "surface")),
        *(("focus", back, OPERATED) for back in ("paper", "surface", "accent-soft")),
    ],
)
def test_what_is_written_can_be_read(scheme: str, front: str, back: str, least: float) -> None:
    found = SCHEMES[scheme]
    assert contrast(found[front], found[back]) >= least


def test_the_dark_changes_every_colour() -> None:
    assert set(colours(DARK)) == set(colours(LIGHT))


def test_the_sheet_asks_nobody_for_anything() -> None:
    assert "url(" not in CODE
    assert "@import" not in CODE


def test_every_class_that_is_announced_is_there() -> None:
    announced = set(re.findall(r"\.([a-z][\w-]*)", CSS.split("*/", 1)[0])) - {"html"}
    there = set(re.findall(r"\.([a-z][\w-]*)", CODE))
    assert announced <= there | {"form"}


def test_every_class_in_the_templates_is_in_the_sheet() -> None:
    templates = "".join(path.read_text(encoding="utf-8") for path in (HERE / "templates").glob("*.html"))
    used = {name for names in re.findall(r'class="([^"{]*)', templates) for name in names.split()}
    assert used - set(re.findall(r"\.([a-z][\w-]*)", CODE)) <= {"badge-", "notice-", "button-"}


def test_motion_and_schemes_follow_the_persons_wish() -> None:
    assert "prefers-reduced-motion: reduce" in CODE
    assert "prefers-color-scheme: dark" in CODE
