"""The import rules of the package, read from its syntax trees,
and the sizes and names of its files."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import asr_scaling
from asr_scaling.util.layers import LAYERS, MEASURING

PACKAGE = Path(asr_scaling.__file__).parent
CONF = PACKAGE.parent / "conf"
TESTS = PACKAGE.parent / "tests"
GROUPS = ("engine", "optimisation", "device", "dataset", "batch", "profiler", "tracking")
GROUPS += ("vad", "punctuation", "speaker", "serving", "scenario")
LISTS = {("profiler", "default"), ("profiler", "all")}
"""YAMLs that only list others."""
LAYER = {name: i for i, names in enumerate(LAYERS) for name in names}
ONLY_IN = {
    "hydra": ("sweep/", "cli/"),
    "omegaconf": ("sweep/", "cli/", "core/model_spec.py"),
    "mlflow": ("tracking/mlflow", "tracking/_mlflow"),
    "codecarbon": ("profiler/energy/codecarbon.py",),
    "pynvml": ("machine/nvml.py",),
    "thop": ("profiler/flops.py",),
    "jiwer": ("profiler/quality.py", "core/text/edits.py"),
    "kaldialign": ("core/text/edits.py",),
    "prometheus_client": ("server/",),
    "pyannote": ("profiler/_turns/diarisation.py",),
    "meeteval": (),
    "starlette": ("server/",),
    "uvicorn": ("server/",),
    "rich": (
        "report/console.py",
        "report/terminal.py",
        "cli/comparison_table.py",
        "sweep/progress.py",
    ),
}
"""Package → beginnings of the paths of the files that may import it."""
HEAVY = {
    "torch",
    "scipy",
    "transformers",
    "datasets",
    "codecarbon",
    "mlflow",
    "thop",
    "jiwer",
    "pandas",
    "pyannote",
}
HEAVY |= {"pyarrow", "matplotlib", "jinja2"}
FILES = sorted(PACKAGE.rglob("*.py"))


@dataclass(frozen=True)
class Import:
    module: str
    top: bool


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def part(path: Path) -> str:
    """What lies directly in the package: a module, or a folder of modules."""
    return Path(relative(path)).with_suffix("").parts[0]


@functools.cache
def imports(path: Path) -> list[Import]:
    """What a file imports at run time; blocks under ``if TYPE_CHECKING`` are not run."""
    return list(_imports(ast.parse(path.read_text(encoding="utf-8")).body, top=True))


def _imports(nodes: Iterable[ast.AST], top: bool) -> Iterator[Import]:
    for child in nodes:
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, top) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert not child.level, "relative imports are not used here"
            yield from (Import(f"{child.module}.{alias.name}", top) for alias in child.names)
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            yield from _imports(child.orelse, top)
        else:
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _imports(ast.iter_child_nodes(child), top and not inside)


def parts(module: str) -> list[str]:
    """``asr_scaling.device.cpu.Cpu`` → device, cpu:
    the module's path in the package, names in it left out."""
    found: list[str] = []
    for name in module.split(".")[1:]:
        here = PACKAGE.joinpath(*found, name)
        if not here.is_dir() and not here.with_suffix(".py").exists():
            break
        found.append(name)
    return found


def options() -> list[tuple[str, str]]:
    return [
        (group, path.stem) for group in GROUPS for path in sorted((CONF / group).glob("*.yaml"))
    ]


def test_the_reader_of_imports_sees_what_matters():
    tree = ast.parse(
        "from typing import TYPE_CHECKING\nimport a.b\nif TYPE_CHECKING:\n    import hidden\n"
        "else:\n    import shown\n"
        "def f():\n    from c import d\nclass C:\n    import e\n    def g(self):\n"
        "        import h\n"
    )
    found = list(_imports(tree.body, top=True))
    assert [(i.module, i.top) for i in found][1:] == [
        ("a.b", True), ("shown", True), ("c.d", False), ("e", True), ("h", False)
    ]  # fmt: skip
    assert parts("asr_scaling.device.cpu.Cpu") == ["device", "cpu"]
    assert len(FILES) > 40


def packs(node: ast.Assign) -> bool:
    """Whether it writes three values or more in one line: ``a, b, c = 1, 2, 3``."""
    packed = isinstance(node.value, ast.Tuple) and len(node.value.elts) > 2
    return packed and any(isinstance(target, ast.Tuple) for target in node.targets)


def test_no_module_imports_another_in_a_circle():
    """Neither when it runs, nor for types, nor inside a function."""
    names = {".".join(("asr_scaling", *parts_of(path))): path for path in FILES}
    graph = dict[str, set[str]]()
    for name, path in names.items():
        modules = {longest_module(found, names) for found in every_import(path)}
        graph[name] = modules - {name, "asr_scaling"}
    order = TopologicalSorter(graph).static_order()  # raises CycleError, which names the circle
    assert {*order} == {*names}


def parts_of(path: Path) -> tuple[str, ...]:
    """``asr_scaling/batch/__init__.py`` → batch; ``asr_scaling/batch/fixed.py`` → batch, fixed."""
    inside = Path(relative(path)).with_suffix("").parts
    return inside[:-1] if inside[-1] == "__init__" else inside


def every_import(path: Path) -> Iterator[str]:
    """What a file imports anywhere, under ``if TYPE_CHECKING`` too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("asr_scaling"):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def longest_module(name: str, modules: Collection[str]) -> str:
    """The module that ``name`` is, or is in."""
    while name not in modules:
        name = name.rpartition(".")[0]
    return name


@pytest.mark.parametrize("path", FILES, ids=relative)
class TestEveryFile:
    def test_is_short(self, path: Path):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 300

    def test_has_short_functions(self, path: Path):
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        definitions = [n for n in nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
        assert not [f.name for f in definitions if f.end_lineno - f.lineno + 1 > 40]

    def test_an_assignment_packs_at_most_two_values(self, path: Path):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        packed = [
            node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assign) and packs(node)
        ]
        assert packed == []

    def test_heavy_packages_are_imported_where_they_are_used(self, path: Path):
        heavy = [i.module for i in imports(path) if i.top and i.module.split(".")[0] in HEAVY]
        assert heavy == []

    def test_each_dependency_has_its_place(self, path: Path):
        for found in imports(path):
            places = ONLY_IN.get(found.module.split(".")[0])
            assert places is None or relative(path).startswith(places), found.module

    def test_imports_only_from_lower_layers(self, path: Path):
        own = part(path)
        if path.name == "__main__.py":
            return  # another name of a command
        for found in imports(path):
            if not found.module.startswith("asr_scaling"):
                continue
            other = parts(found.module)[0]
            if own == other and (PACKAGE / own).is_dir():
                continue  # a package's own modules
            assert LAYER[other] < LAYER[own], f"{relative(path)} imports {found.module}"

    def test_options_never_import_one_another(self, path: Path):
        known = options()
        own = tuple(Path(relative(path)).with_suffix("").parts[:2])
        if own not in known:
            return
        for found in imports(path):
            if found.module.startswith("asr_scaling"):
                other = tuple(parts(found.module)[:2])
                below = (
                    own[0] == "optimisation" != other[0]
                )  # it changes what the other groups made
                assert other == own or other not in known or below, found.module


def test_hydras_plugin_is_thin_and_costs_other_programs_nothing():
    """Every Hydra program imports whatever lies in this namespace;
    a package there would hide other plugins."""
    plugins = list((PACKAGE.parent / "hydra_plugins").glob("*.py"))
    assert {plugin.name for plugin in plugins} == {
        "asr_scaling_sweeper.py", "asr_scaling_optimiser.py", "asr_scaling_launchers.py"
    }  # fmt: skip
    for plugin in plugins:
        assert len(plugin.read_text(encoding="utf-8").splitlines()) <= 60
        assert {found.module.split(".")[0] for found in imports(plugin) if found.top} <= {
            "__future__", "collections", "functools", "hydra", "importlib", "omegaconf",
            "pathlib", "typing",
        }  # fmt: skip


def test_every_layer_has_its_files():
    assert {part(path) for path in FILES} == set(LAYER)


def test_what_a_points_fingerprint_leaves_out_is_what_measures_nothing():
    """A change of any other part makes a sweep that goes on measure its points anew."""
    found, left = set[str](), {"measure", "cascade", "load", *GROUPS} - {"tracking"}
    while left:
        found |= left
        files = [path for path in FILES if part(path) in left]
        modules = {
            i.module for path in files for i in imports(path) if i.module.startswith("asr_scaling.")
        }
        left = {parts(module)[0] for module in modules} - found
    assert found == MEASURING


@pytest.mark.parametrize(("group", "name"), options())
def test_an_option_is_a_yaml_and_a_module_of_one_name(group: str, name: str):
    if (group, name) in LISTS or group == "optimisation":
        return
    module = PACKAGE / group / f"{name}.py"
    assert module.exists() or (PACKAGE / group / name / "__init__.py").exists()
    assert f"_target_: asr_scaling.{group}.{name}." in (CONF / group / f"{name}.yaml").read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize("group", GROUPS)
def test_a_public_module_of_a_group_has_a_yaml(group: str):
    found = [
        *(PACKAGE / group).glob("*.py"),
        *(path.parent for path in (PACKAGE / group).glob("*/__init__.py")),
    ]
    public = {path.stem for path in found if not path.stem.startswith("_")}
    named = (
        mechanisms() if group == "optimisation" else {name for g, name in options() if g == group}
    )
    assert public - {"fragments"} <= named


def mechanisms() -> set[str]:
    """The modules that the YAMLs of optimisations name."""
    texts = (path.read_text(encoding="utf-8") for path in (CONF / "optimisation").glob("*.yaml"))
    return {
        match[1]
        for text in texts
        for match in re.finditer(r"_target_: asr_scaling\.optimisation\.(\w+)\.", text)
    }


def test_an_optimisation_is_a_yaml_whose_key_is_its_name():
    for path in (CONF / "optimisation").glob("*.yaml"):
        keys = re.findall(r"^(\w+):", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert keys == [path.stem]
    assert all((PACKAGE / "optimisation" / f"{name}.py").exists() for name in mechanisms())


@pytest.mark.parametrize(
    "module",
    [
        "asr_scaling",
        "asr_scaling.analysis.comparison",
        "asr_scaling.profiler.energy",
        "asr_scaling.tracking.mlflow",
    ],
)
def test_the_core_needs_no_heavy_package(module: str):
    code = (
        f"import sys, {module}; "
        "print([n for n in "
        "('hydra','omegaconf','mlflow','torch','transformers','datasets','codecarbon','thop',"
        "'jiwer','rich') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    assert done.stdout.strip() == "[]"


def test_the_tests_folders_are_the_packages():
    """One module's tests may be a folder too; the four others test what no single folder does."""
    folders = {path.relative_to(TESTS).parent for path in TESTS.rglob("test_*.py")}
    alone = {
        str(f)
        for f in folders
        if not (PACKAGE / f).is_dir() and not (PACKAGE / f).with_suffix(".py").is_file()
    }
    assert alone == {"docs", "end_to_end", "fuzz", "team_server"}


def test_every_test_asserts_something():
    """Itself, or through a function of its file, of ``tests/support`` or of a conftest."""
    shared = [path for path in TESTS.rglob("*.py") if not path.name.startswith("test_")]
    common = asserting([function for path in shared for function in functions(path)], set())
    for path in TESTS.rglob("test_*.py"):
        helpers = asserting(functions(path), common)
        assert not [
            f.name for f in functions(path) if f.name.startswith("test_") and f.name not in helpers
        ], path


def functions(path: Path) -> list[ast.FunctionDef]:
    """Those of a module and of its classes."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    return [
        node for body in (tree, *classes) for node in body.body if isinstance(node, ast.FunctionDef)
    ]


def asserting(found: list[ast.FunctionDef], helpers: set[str]) -> set[str]:
    """``helpers`` and the names of those that assert, or call one that does."""
    more = {function.name for function in found if asserts(function, helpers)} - helpers
    return asserting(found, helpers | more) if more else helpers


def asserts(function: ast.FunctionDef, helpers: set[str]) -> bool:
    nodes = list(ast.walk(function))
    called = {ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call)}
    known = {
        name
        for name in called
        if name.split(".")[-1].startswith("assert_") or name.removeprefix("self.") in helpers
    }
    return (
        bool(known)
        or "pytest.raises" in called
        or any(isinstance(node, ast.Assert) for node in nodes)
    )


def test_no_test_module_imports_another():
    """What tests share is in ``tests/support`` or a conftest."""
    for path in TESTS.rglob("*.py"):
        assert not [
            i.module
            for i in imports(path)
            if re.match(r"(tests\.)?(\w+\.)*(test_\w+|conftest)\.", i.module)
        ]
