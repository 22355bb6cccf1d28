"""The digest of a chapter: what it depends on in `holicam`, boiled down to 64 hexadecimal digits.

A chapter is stale when its own code, a definition of `holicam` it uses, anything that definition
uses in turn, or a network it loads has changed since it was run. Comments, docstrings, layout and
definitions it never reaches do not count. Everything is read from the source; nothing is imported.

Names are followed through imports, through attributes (`hc.toyland.batch`, `ops.normalise`) and
through the lazy table of `holicam/__init__.py`. Where a method is called on a value whose class
cannot be known, every class of `holicam` with a method of that name counts as used.
"""

import ast
import hashlib
import json
import re
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = re.compile(r"\.?([a-z_][\w.]*):(\w+)")  # a registry's "gradcam:GradCAM"
# Tables of networks: an entry counts where a chapter names it, so that a new network is nobody's business.
BY_NAME = {("toynets", "BUILDERS")}
Key = tuple[str, str]  # (module below holicam, name); the name "" is the module's loose code


def canonical(node: object) -> object:
    """A syntax tree as nested lists, without docstrings; the same on every version of Python."""
    if isinstance(node, ast.AST):
        fields = dict(ast.iter_fields(node))
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            fields["body"] = fields["body"][bool(ast.get_docstring(node, clean=False)) :]
        for name in ("kind", "type_comment", "type_ignores", "ctx"):
            fields.pop(name, None)
        kept = [[k, canonical(v)] for k, v in sorted(fields.items()) if v not in (None, [])]
        # A constant None is a value, not an absent field.
        if isinstance(node, ast.Constant):
            kept = [["value", f"{type(node.value).__name__} {node.value!r}"]]
        return [type(node).__name__, *kept]
    return [canonical(item) for item in node] if isinstance(node, list) else repr(node)


class Module:
    """One file: its definitions, and what its names stand for."""

    def __init__(self, name: str, path: Path, package: bool):
        self.name, self.package = name, package
        self.tree = ast.parse(path.read_text(encoding="utf-8"))

    @cached_property
    def definitions(self) -> dict[str, list[ast.stmt]]:
        """Name -> the statements that bind it; "" -> statements that bind nothing."""
        found: dict[str, list[ast.stmt]] = {}
        for statement in self.tree.body:
            if isinstance(statement, (ast.Import, ast.ImportFrom)):
                continue
            is_docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            if not is_docstring:
                for name in bound(statement) or {""}:
                    found.setdefault(name, []).append(statement)
        return found

    @cached_property
    def imports(self) -> dict[str, tuple[str, str | None]]:
        """Local name -> (module below holicam, name in it or None for the module itself)."""
        found = {}
        base = self.name.split(".") if self.name else []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom):
                if node.level:
                    keep = len(base) - node.level + (1 if self.package else 0)
                    parts = base[: max(keep, 0)] + (node.module.split(".") if node.module else [])
                elif node.module and node.module.split(".")[0] == "holicam":
                    parts = node.module.split(".")[1:]
                else:
                    continue
                for alias in node.names:
                    found[alias.asname or alias.name] = (".".join(parts), alias.name)
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    if alias.name.split(".")[0] == "holicam":
                        inner = ".".join(alias.name.split(".")[1:]) if alias.asname else ""
                        found[alias.asname or "holicam"] = (inner, None)
        return found


def bound(statement: ast.stmt) -> set[str]:
    """The top-level names a statement defines."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {statement.name}
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


class Package:
    """All of `holicam`, and the way from a name to the definitions behind it."""

    def __init__(self, root: Path = ROOT):
        self.root = root
        self.modules = {}
        for path in sorted((root / "holicam").rglob("*.py")):
            parts = list(path.relative_to(root / "holicam").with_suffix("").parts)
            package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if package else parts)
            self.modules[name] = Module(name, path, package)

    @cached_property
    def lazy(self) -> dict[str, str]:
        """The table of `holicam/__init__.py`: public name -> the module that defines it."""
        found = {}
        for node in ast.walk(self.modules[""].tree):
            if isinstance(node, ast.Dict):
                for key, value in zip(node.keys, node.values, strict=True):
                    if not (isinstance(key, ast.Constant) and isinstance(value, ast.Constant)):
                        continue
                    if key.value in self.modules:  # {file: "its names"}
                        found |= dict.fromkeys(str(value.value).split(), str(key.value))
                    elif str(value.value).lstrip(".") in self.modules:  # {name: ".file"}
                        found[str(key.value)] = str(value.value).lstrip(".")
        return found

    @cached_property
    def methods(self) -> dict[str, set[Key]]:
        """Method name -> the classes that have one."""
        found: dict[str, set[Key]] = {}
        for module in self.modules.values():
            for name, statements in module.definitions.items():
                for cls in (s for s in statements if isinstance(s, ast.ClassDef)):
                    for item in cls.body:
                        if isinstance(item, ast.FunctionDef) and not item.name.startswith("__"):
                            found.setdefault(item.name, set()).add((module.name, name))
        return found

    def find(self, module: str, name: str, seen: frozenset = frozenset()) -> Key | str | None:
        """What `module.name` is: a definition's key, a module's name, or None."""
        if (module, name) in seen or module not in self.modules:
            return None
        here = self.modules[module]
        if name in here.definitions:
            return module, name
        if name in here.imports:
            source, inner = here.imports[name]
            return source if inner is None else self.find(source, inner, seen | {(module, name)})
        if module == "" and name in self.lazy:
            return self.find(self.lazy[name], name)
        inner = f"{module}.{name}".lstrip(".")
        return inner if inner in self.modules else None

    def used(self, tree: ast.AST, resolve) -> set[Key]:
        """The definitions a piece of code names; `resolve` says what a bare name stands for."""
        keys: set[Key] = set()

        def value(node: ast.AST) -> Key | str | None:
            if isinstance(node, ast.Name):
                return resolve(node.id)
            if isinstance(node, ast.Attribute):
                owner = value(node.value)
                if isinstance(owner, str):
                    return self.find(owner, node.attr)
                if owner is None:
                    keys.update(self.methods.get(node.attr, ()))
            return None

        for node in ast.walk(tree):
            found = None
            if isinstance(node, (ast.Name, ast.Attribute)):
                found = value(node)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                if match := REFERENCE.fullmatch(node.value):
                    found = self.find(*match.groups())
            if isinstance(found, tuple):
                keys.add(found)
        return keys

    def closure(self, keys: set[Key]) -> dict[Key, object]:
        """The given definitions and all they use, with the canonical form of each."""
        done: dict[Key, object] = {}
        waiting = set(keys)
        while waiting:
            key = waiting.pop()
            statements = self.modules[key[0]].definitions.get(key[1], [])
            done[key] = [canonical(s) for s in statements]
            for statement in statements:
                found = self.used(statement, lambda name, m=key[0]: self.find(m, name))
                found.add((key[0], ""))  # loose code of a module acts on all of it
                waiting |= found - done.keys()
        return done


def entries(statement: ast.stmt, names: set[str]) -> list[ast.AST]:
    """Of a table `NAME = {"a": ..., "b": ...}`, the entries with these names; of anything else, all of it."""
    table = getattr(statement, "value", None)
    if not isinstance(table, ast.Dict) or not all(isinstance(k, ast.Constant) for k in table.keys):
        return [statement]
    kept = ([k, v] for k, v in zip(table.keys, table.values, strict=True) if k.value in names)
    return [node for pair in kept for node in pair]


def chapter_code(notebook: dict) -> list[str]:
    """The sources of a notebook's code cells."""
    cells = (cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    return ["".join(cell["source"]) for cell in cells]


def chapter_digest(notebook: dict, package: Package | None = None) -> str:
    """The digest of a chapter (64 hexadecimal digits). A cell that is no Python raises."""
    package = package or Package()
    trees = [ast.parse(source) for source in chapter_code(notebook)]
    everything = ast.Module([s for tree in trees for s in tree.body], [])
    names = {}  # what the chapter's own names stand for in holicam
    for node in ast.walk(everything):
        if isinstance(node, ast.Import):
            names |= {
                a.asname or "holicam": ".".join(a.name.split(".")[1:]) if a.asname else ""
                for a in node.names
                if a.name.split(".")[0] == "holicam"
            }
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "holicam":
            inner = ".".join(node.module.split(".")[1:])
            names |= {a.asname or a.name: package.find(inner, a.name) for a in node.names}
    parts = package.closure(package.used(everything, names.get))
    strings = {n.value for n in ast.walk(everything) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    weights = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((package.root / "data").rglob("*.safetensors"))
        if path.stem in strings
    }
    for key in BY_NAME & parts.keys():
        statements = package.modules[key[0]].definitions[key[1]]
        parts[key] = [canonical(entries(s, strings)) for s in statements]
    content = [canonical(everything), sorted((list(k), v) for k, v in parts.items()), weights]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
