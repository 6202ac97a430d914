"""The house: who may know whom, and what starting may cost."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = (
    "torch",
    "transformers",
    "diffusers",
    "whisper",
    "librosa",
    "scipy",
    "gradio",
    "ctranslate2",
    "faster_whisper",
    "fluidsynth",
)
MOST_MODULES, MOST_LINES = 120, 450
"""A module is one thought: at most 400 lines, and up to 450 where that one thought needs them."""
PRODUCT = sorted([*(ROOT / "bgm").rglob("*.py"), *ROOT.glob("app.py")])


def imports(file: Path, *, top_level: bool = False) -> Iterator[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(file: Path) -> str:
    parts = file.relative_to(ROOT).parts
    return parts[1] if parts[0] == "bgm" and len(parts) > 2 else ""


def test_arrows_go_one_way() -> None:
    """The contracts stand in pyproject.toml: layers, stages apart, Gradio in bgm/ui."""
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 kept, 0 broken" in done.stdout


def test_the_house_stays_small_enough_to_know() -> None:
    modules = [file for file in PRODUCT if file.name != "__init__.py"]
    assert len(modules) <= MOST_MODULES
    long = {str(f.relative_to(ROOT)): n for f in modules if (n := len(f.read_text("utf-8").splitlines())) > MOST_LINES}
    assert long == {}


def test_no_import_comes_back() -> None:
    """Whether at the top or inside a function; TopologicalSorter names the circle."""
    graph = grimp.build_graph("bgm", exclude_type_checking_imports=True, cache_dir=None)
    needs = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    TopologicalSorter(needs).prepare()


@pytest.mark.parametrize("file", PRODUCT, ids=lambda f: str(f.relative_to(ROOT)))
def test_importing_a_module_imports_nothing_heavy(file: Path) -> None:
    if room(file) not in ("ui", "training") and file.name != "app.py":
        assert not {n.split(".")[0] for n in imports(file, top_level=True)} & set(HEAVY)


def test_the_architecture_names_what_is_there() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"bgm(?:/[a-z_]+)+(?:\.[a-z]+)*", text))
    assert len(named) > 30
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_the_table_of_packages_names_every_module() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(bgm[a-z/]*)` \| (.*) \|$", text, re.MULTILINE)
    assert len(rows) >= 8
    for package, described in rows:
        there = {file.stem for file in (ROOT / package).glob("*.py")} - {"__init__", "__main__"}
        assert set(re.findall(r"`([a-z_]+)`", described)) == there, package


def test_the_timeline_imports_nothing_of_ours() -> None:
    assert not [n for n in imports(ROOT / "bgm" / "timeline.py") if n.startswith("bgm")]


@pytest.mark.parametrize("command", [["--help"], ["engines", "--help"], ["make", "--help"]])
def test_help_imports_nothing_heavy(command: list[str]) -> None:
    check = (
        f"import sys; from bgm.cli import main; main({command!r}); print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
