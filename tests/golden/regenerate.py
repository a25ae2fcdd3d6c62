"""Write the expectations of golden cases anew, from the pure function: `python -m tests.golden.regenerate CASE...` (or --all).

Never called by a test. Read the difference (`git diff tests/golden`) before you commit it: it is the change of behaviour that
every engine and every table will show.
"""

from __future__ import annotations

import sys

from tests.golden.cases import cases, pure


def main(wanted: list[str]) -> int:
    """Regenerate the named cases, say which changed, and return 2 when misused."""
    known = {case.name: case for case in cases()}
    unknown = [name for name in wanted if name not in known and name != "--all"]
    if not wanted or unknown:
        print(f"name cases, or --all; known are: {', '.join(known)}", file=sys.stderr)  # noqa: T201
        return 2
    for name in known if "--all" in wanted else wanted:
        case, made = known[name], pure(known[name])
        case.write(made)
        print(f"{name}: {len(made.rows)} rows, {len(made.dead_letters)} dead letters")  # noqa: T201
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
