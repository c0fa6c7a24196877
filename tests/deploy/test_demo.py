"""The demo: whom it lets take part, and that it tells its story again and again."""

import subprocess
from collections import Counter
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

from deploy.demo import people
from deploy.demo.cities import LARGEST, NAMES, SMALLEST, choose, known
from deploy.demo.steps import Step
from tests.deploy.running import CONVOCA, free_port, surroundings, those_in

STEPS = 7


def test_every_city_is_one_that_geonames_knows_and_neither_large_nor_tiny() -> None:
    wanted = {(country, name) for country, names in NAMES.items() for name in names.split(", ")}
    found = known()
    assert Counter((city.country, city.name) for city in found) == Counter(dict.fromkeys(wanted, 1))
    for city in found:
        assert SMALLEST <= city.population <= LARGEST
        ZoneInfo(city.timezone)


def test_a_story_has_people_of_different_cities_with_addresses_of_their_own() -> None:
    for seed in range(20):
        chance = Random(seed)  # noqa: S311 - nothing secret
        cities = choose(40, chance)
        invited = list(people.of(cities, "3f9a1c", chance))
        assert len({(person.city.country, person.city.name) for person in invited}) == 40
        assert len({person.email for person in invited}) == 40
        assert all(person.email.isascii() and person.email.endswith("-3f9a1c.example.org") for person in invited)
        assert {person.language for person in invited} == {"ca", "es", "en"}


def test_a_step_whose_effect_is_missing_does_not_hold() -> None:
    step = Step("One withdraws")
    step.check("the seat is free", holds=True)
    step.done = True
    assert step.holds
    step.check("the next has it", holds=False)
    assert not step.holds


def test_it_is_told_twice_on_the_same_data_and_finds_every_effect(tmp_path: Path) -> None:
    told = [_tell(tmp_path) for _ in range(2)]
    for run in told:
        assert run.returncode == 0, run.stderr
        assert len(run.stdout.splitlines()) == 1
        assert len([line for line in run.stderr.splitlines() if line.startswith("ok ")]) == STEPS
    assert _mails(told[0]).isdisjoint(_mails(told[1]))
    assert those_in(tmp_path) == []


def _tell(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [CONVOCA, "demo", "--once", "--data", str(folder), "--port", str(free_port())],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env=surroundings(),
    )


def _mails(run: subprocess.CompletedProcess[str]) -> set[str]:
    """Give the addresses of those who were told that a seat is theirs or that they wait."""
    lines = [line for line in run.stderr.splitlines() if line.startswith("mail ")]
    return {line.split()[2] for line in lines if "Cancel" in line and "example.org" in line}
