"""A `logging.Filter` that lets no personal data into a service's logs: message, arguments, exception and stack are masked.

    handler.addFilter(MaskingFilter(key))

A filter of a handler sees every record that reaches it, whichever logger it came from; one of a logger sees that logger's own
alone. Only `logging` is imported until a record comes.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Collection

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
"""What every record has; anything else came by `extra`."""


class MaskingFilter(logging.Filter):
    """Masks each record in place and lets it pass. Thread-safe: it holds nothing but its key.

    Afterwards a record has no arguments and no exception object left, only masked text: no handler behind it can bring back
    what was masked. Texts given by `extra` are masked too; other objects there become their masked text if it holds any.
    """

    def __init__(self, key: bytes, types: Collection[str] | None = None) -> None:
        """`key` is what placeholders are made with (32 bytes); `types` those to mask, all but names of persons by default."""
        super().__init__()
        self._key = key
        self._types = types

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask a record. A message that its arguments do not fit is masked as it stands, with them behind it."""
        extra = {name: value for name, value in vars(record).items() if name not in _OWN and not isinstance(value, int | float)}
        texts = [_message(record), _exception(record), record.stack_info or "", *(_text(value) for value in extra.values())]
        message, exception, stack, *rest = self._masked(texts)
        record.msg, record.args = message, None
        record.exc_info, record.exc_text = None, exception or None
        record.stack_info = stack or None
        for (name, value), before, after in zip(extra.items(), texts[3:], rest, strict=True):
            setattr(record, name, value if after == before and value is not None else after)
        return True

    def _masked(self, texts: list[str]) -> list[str]:
        import polars as pl  # noqa: PLC0415  a service that logs nothing does not wait for it

        from streams.free_text import masked  # noqa: PLC0415
        from streams.recognise import TYPES  # noqa: PLC0415

        column = pl.Series(texts, dtype=pl.String)
        hidden: list[str] = masked(column, self._key, None, TYPES if self._types is None else self._types).to_list()
        return hidden


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return f"{record.msg} {record.args!r}"


def _exception(record: logging.LogRecord) -> str:
    """Return the traceback as a formatter would write it: it would write the exception's own text in clear."""
    if record.exc_info and record.exc_info[0] is not None:
        return "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
    return record.exc_text or ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else repr(value)
