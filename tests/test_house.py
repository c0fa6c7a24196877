"""The house keeps its rules: what is imported is declared, and a domain knows nothing but Python."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OWN = {"services", "shared", "deploy", "tests"}
ROOMS = {
    "shared": ("shared",),
    "services/catalogue": ("shared", "services/catalogue"),
    "services/registration": ("shared", "services/registration"),
    "services/notifications": ("shared", "services/notifications"),
    "deploy": ("shared", "deploy", "deploy/embedded"),
    "tests": ("shared", "services/notifications", "deploy", "deploy/embedded", "tests"),
}
"""Where code lives, and whose requirements it may stand on."""
DISTRIBUTIONS = packages_distributions()


def normal(name: str) -> str:
    return name.lower().replace("_", "-").partition("[")[0]


def declared(room: str) -> set[str]:
    lines = (ROOT / room / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return {normal(line.strip()) for line in lines if line.strip() and not line.startswith("#")}


def python_in(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def imported(room: str) -> Iterator[tuple[Path, str]]:
    for path in python_in(room):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                yield from ((path, alias.name.partition(".")[0]) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield path, node.module.partition(".")[0]


@pytest.mark.parametrize("room", ROOMS)
def test_what_a_room_imports_stands_in_its_requirements(room: str) -> None:
    allowed = set().union(*(declared(each) for each in ROOMS[room]))
    strangers = {
        f"{path.relative_to(ROOT)}: {module}"
        for path, module in imported(room)
        if module not in sys.stdlib_module_names
        and module not in OWN
        and not allowed.intersection(map(normal, DISTRIBUTIONS.get(module, [])))
    }
    assert strangers == set()


@pytest.mark.parametrize("service", ["catalogue", "registration", "notifications"])
def test_a_domain_imports_python_and_itself_alone(service: str) -> None:
    home = ROOT / "services" / service
    files = [home / "domain.py"] if (home / "domain.py").exists() else sorted((home / "domain").rglob("*.py"))
    assert files
    for path in files:
        for node in ast.walk(ast.parse(path.read_bytes())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                own = name.startswith(f"services.{service}.domain")
                assert own or name.partition(".")[0] in sys.stdlib_module_names, f"{path}: {name}"


def test_no_two_advisory_locks_are_one() -> None:
    """Services and what they share take theirs in the same database, where a number means one thing."""
    code = [path.read_text(encoding="utf-8") for room in ("shared", "services", "deploy") for path in python_in(room)]
    numbers = re.findall(r"^[A-Z_]+ = (7_243_\d{3})$", "\n".join(code), flags=re.MULTILINE)
    assert len(numbers) > 1
    assert sorted(numbers) == sorted(set(numbers))


def test_every_test_is_run_by_make_test_or_by_one_that_needs_an_engine() -> None:
    chosen = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["ini_options"][
        "testpaths"
    ]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").splitlines()
    for target in ("test-kafka", "test-compose"):
        begins = next(number for number, line in enumerate(makefile) if line.startswith(f"{target}:"))
        chosen += makefile[begins + 1].split()
    files = [path.relative_to(ROOT) for path in (ROOT / "tests").rglob("test_*.py")]
    assert files
    assert [str(path) for path in files if not any(path.is_relative_to(each) for each in chosen)] == []
