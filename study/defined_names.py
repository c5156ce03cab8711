"""Whether a module of somebody's defines the name that a dotted path ends in, found without running any of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from study.errors import StudyError, did_you_mean
from trainers.names import module_of


def check_defined(path: str, files: Mapping[str, bytes]) -> None:
    """Raises StudyError if the module of a dotted path is none of the files that it should be among, or certainly has
    no such name.

    :param files: path from a folder of modules -> content, of the package or module that the dotted path begins with.
    """
    module, name = module_of(path), path.partition(":")[2].partition(".")[0]
    place = module.replace(".", "/")
    content = next((files[file] for file in (f"{place}.py", f"{place}/__init__.py") if file in files), None)
    if content is None:
        siblings = [_module_in(file) for file in files if file.startswith(f"{module.partition('.')[0]}/")]
        raise StudyError(f"{path}: there is no module {module}{did_you_mean(module, siblings)}")
    names = set(_names(ast.parse(content).body))
    is_certain = not names & {"*", "__getattr__"} and not name.startswith("__")
    if is_certain and name not in names and f"{place}/{name}.py" not in files:
        raise StudyError(f"{path}: module '{module}' has no attribute '{name}'{did_you_mean(name, sorted(names))}")


def _module_in(file: str) -> str:
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _names(statements: list[ast.stmt]) -> Iterator[str]:
    """All that is bound anywhere outside of functions and classes; `*` where it cannot be known what is."""
    for statement in statements:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                yield from (alias.asname or alias.name.partition(".")[0] for alias in aliases)
            case _:
                yield from _bound_within(statement)


def _bound_within(statement: ast.stmt) -> Iterator[str]:
    """By an assignment, or in the blocks of an `if`, `try`, `with`, `for` or `while`."""
    for node in ast.iter_child_nodes(statement):
        if isinstance(node, ast.stmt):
            yield from _names([node])
        elif isinstance(node, ast.ExceptHandler | ast.match_case):
            yield from _names(node.body)
        else:
            calls = [each.func for each in ast.walk(node) if isinstance(each, ast.Call)]
            if any(isinstance(func, ast.Name) and func.id in ("globals", "setattr", "exec", "vars") for func in calls):
                yield "*"
            yield from (
                each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
            )
