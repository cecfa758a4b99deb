"""Which packages from elsewhere a service will import, read from its source without running it."""

import ast
from collections.abc import Iterator
from pathlib import Path

_OURS = ("services", "shared", "infra")


def third_party_imports(module: str, root: Path) -> list[str]:
    """Modules that importing `module` loads from outside of the repository at `root`, found by following our own ones.

    Only what is imported at the top of a module counts: what is imported inside of a function is so on purpose.
    """
    found: dict[str, None] = {}
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        path = _source(name, root)
        if path is None:
            continue
        for imported in _imports(path):
            if imported.partition(".")[0] in _OURS:
                # Importing a module imports its packages, and a name imported from a package may be a module.
                parts = imported.split(".")
                waiting += [".".join(parts[:length]) for length in range(1, len(parts) + 1)]
            else:
                found[imported] = None
    return list(found)


def _source(module: str, root: Path) -> Path | None:
    path = root.joinpath(*module.split("."))
    candidates = (path / "__init__.py", path.with_suffix(".py"))
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _imports(path: Path) -> Iterator[str]:
    for node in ast.parse(path.read_bytes()).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            if node.module.partition(".")[0] in _OURS:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            else:
                # `from google import genai`: the name may be a module that its package does not load by itself.
                yield from (f"{node.module}.{alias.name}" for alias in node.names if alias.name.islower())
