"""What the source must be, as checkers: each takes one parsed file and yields a sentence a fault.

They look at the text and not at what runs, so they see also what no test calls.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

FLOORS = ("contracts", "lineage", "streams", "features", "infra")
"""From the lowest up: a room may import those before it."""

IMPURE_FOLDERS = ("connectors", "engines")

IMPURE_MODULES = {
    "asyncio", "fcntl", "glob", "http", "importlib.metadata", "importlib.resources", "io.open", "logging", "multiprocessing",
    "os", "random", "requests", "secrets", "select", "shutil", "signal", "socket", "sqlite3", "subprocess", "sys.stdin",
    "tempfile", "threading", "time", "urllib.request",
}  # fmt: skip
"""Modules whose use touches a socket, file, clock, process, environment or randomness."""

IMPURE_CALLS = {
    "open", "input", "print", "datetime.now", "datetime.utcnow", "datetime.today", "datetime.datetime.now",
    "datetime.datetime.utcnow", "date.today", "datetime.date.today", "uuid.uuid1", "uuid.uuid4", "uuid1", "uuid4",
    "Path.cwd", "Path.home", "np.random", "numpy.random", "sys.exit",
}  # fmt: skip

IMPURE_METHODS = {
    "read_text", "write_text", "read_bytes", "write_bytes", "mkdir", "unlink", "iterdir", "rglob", "touch", "is_file", "is_dir",
    "expanduser", "resolve", "symlink_to",
}  # fmt: skip
"""Methods that `pathlib` has and nothing else that a pure module would hold."""

SYSTEMS: dict[str, tuple[str, ...]] = {
    "confluent_kafka": ("streams/connectors/kafka.py", "streams/connectors/kafka_groups.py"),
    "aiokafka": ("streams/engines/faust_worker.py",),
    "faust": ("streams/engines/faust_worker.py",),
    "mode": ("streams/engines/faust_worker.py",),
    "datacontract": ("contracts/connectors/exports.py",),
    "boto3": ("lineage/connectors/object_store.py",),
    "botocore": ("lineage/connectors/object_store.py",),
    "deltalake": (
        "streams/connectors/delta.py",
        "streams/connectors/maintenance.py",
    ),
    "feast": ("features/connectors/feast_registry.py", "features/definitions/", "features/sources.py"),
    "redis": ("features/connectors/redis_client.py",),
    "sqlite3": (
        "features/connectors/online_sqlite.py",
        "contracts/connectors/key_store.py",
        "streams/connectors/scanned_sqlite.py",
    ),
    "cryptography": ("contracts/sealing.py", "contracts/format_preserving.py"),
    "wordllama": ("features/connectors/embedding.py",),
    "sklearn": ("features/model.py",),
    "selectolax": ("streams/documents/html.py",),
    "markdown_it": ("streams/documents/markdown.py",),
    "ftfy": ("streams/documents/repair.py",),
    "py3langid": ("streams/documents/language.py",),
    "pypdfium2": ("streams/connectors/pdf.py",),
    "presidio_analyzer": ("streams/connectors/presidio.py",),
    "spacy": (),
    "trafilatura": (),
    "openlineage": (),
    "duckdb": (),
    "great_expectations": ("contracts/connectors/great_expectations.py",),
    "pyspark": ("streams/connectors/spark.py",),
    "pyflink": ("streams/engines/flink_job.py", "streams/engines/flink_function.py"),
}
"""Foreign library -> where it may be imported. A benchmark may use any beside: it measures the bare thing."""

SLEEPS = ("time.sleep", "asyncio.sleep", "sleep")
SUPPRESSING = ("suppress", "contextlib.suppress")
MODULE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70


@dataclass(frozen=True)
class Source:
    """One file, parsed."""

    path: str
    tree: ast.Module
    lines: int

    @property
    def room(self) -> str:
        """First folder of its path."""
        return PurePosixPath(self.path).parts[0]

    @property
    def pure(self) -> bool:
        """Whether STYLE.md promises that it touches nothing."""
        parts = PurePosixPath(self.path).parts
        return self.room in FLOORS and self.room != "infra" and not set(parts) & set(IMPURE_FOLDERS)


def source(path: str, text: str) -> Source:
    """Return a file's text, parsed."""
    return Source(path, ast.parse(text), text.count("\n"))


def upward_imports(of: Source) -> Iterator[str]:
    """Yield imports of a room that stands above the file's own, or of the tests."""
    allowed = FLOORS[: FLOORS.index(of.room) + 1]
    for line, name in imports(of):
        top = name.split(".")[0]
        if top in (*FLOORS, "tests") and top not in allowed:
            yield f"{of.path}:{line} imports {name}: arrows go downward"


def impurities(of: Source) -> Iterator[str]:
    """Yield what a pure module does with the world outside."""
    if not of.pure:
        return
    for line, name in imports(of):
        if any(name == module or name.startswith(module + ".") for module in IMPURE_MODULES):
            yield f"{of.path}:{line} imports {name}: pure modules touch nothing"
    for node in ast.walk(of.tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            if method in IMPURE_METHODS or any(called == call or called.startswith(call + ".") for call in IMPURE_CALLS):
                yield f"{of.path}:{node.lineno} calls {called}: pure modules touch nothing"


def strangers(of: Source) -> Iterator[str]:
    """Yield imports of a foreign system's library outside the one file that knows it."""
    if of.path.startswith(("infra/bench/", "tests/")):
        return
    for line, name in imports(of):
        allowed = SYSTEMS.get(name.split(".")[0])
        if allowed is not None and not of.path.startswith(allowed):
            yield f"{of.path}:{line} imports {name}: only {', '.join(allowed) or 'nothing'} may"


def oversizes(of: Source) -> Iterator[str]:
    """Yield a module, and functions, too long to be read in one go."""
    if of.lines > MODULE_LINES_MAX:
        yield f"{of.path} has {of.lines} lines: at most {MODULE_LINES_MAX}"
    for node in ast.walk(of.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or node.lineno) - node.lineno + 1
            if size > FUNCTION_LINES_MAX:
                yield f"{of.path}:{node.lineno} {node.name} has {size} lines: at most {FUNCTION_LINES_MAX}"


def swallowed(of: Source) -> Iterator[str]:
    """Yield handlers that drop an error without a word, and those that take any error at all."""
    for node in ast.walk(of.tree):
        if isinstance(node, ast.ExceptHandler):
            if node.type is None:
                yield f"{of.path}:{node.lineno} a bare except"
            if all(isinstance(part, ast.Pass) or _is_ellipsis(part) for part in node.body):
                yield f"{of.path}:{node.lineno} an error is swallowed"
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in SUPPRESSING and _takes_any(node):
            yield f"{of.path}:{node.lineno} any error is swallowed"


def unexplained(of: Source) -> Iterator[str]:
    """Yield a module that does not open with its job."""
    if not ast.get_docstring(of.tree):
        yield f"{of.path} does not say its job"


def sleeps(of: Source) -> Iterator[str]:
    """Yield sleeps of a fixed time in tests. One in a loop that looks and can leave is a wait for a condition."""
    if of.room != "tests":
        return
    polls = {id(inner) for loop in ast.walk(of.tree) if _looks(loop) for inner in ast.walk(loop)}
    for node in ast.walk(of.tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in SLEEPS and id(node) not in polls:
            yield f"{of.path}:{node.lineno} sleeps: wait for the condition"


def imports(of: Source) -> Iterator[tuple[int, str]]:
    """Yield line and full name of each import, inside functions too; a relative one is told by its absolute name."""
    for node in ast.walk(of.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = PurePosixPath(of.path).parts[: -node.level] if node.level else ()
            base = ".".join([*package, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def _looks(loop: ast.AST) -> bool:
    if isinstance(loop, ast.While):
        return not isinstance(loop.test, ast.Constant) or any(
            isinstance(inner, ast.Break | ast.Return) for inner in ast.walk(loop)
        )
    return isinstance(loop, ast.For) and any(isinstance(inner, ast.Break | ast.Return) for inner in ast.walk(loop))


def _takes_any(call: ast.Call) -> bool:
    return bool({ast.unparse(argument) for argument in call.args} & {"Exception", "BaseException"})


def _is_ellipsis(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and node.value.value is ...
