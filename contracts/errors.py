"""Every error Headwater raises, in one tree, each saying what came, what was expected, where, and what to do.

    HeadwaterError
    ├── TransientError            worth trying again: nothing was wrong with the data or the code
    │   ├── BrokerAway            the broker did not answer in time
    │   ├── StoreAway             the object store did not answer in time
    │   └── CommitConflict        another writer took the table version we wanted
    └── TerminalError             trying again gives the same answer
        ├── ContractInvalid       a contract file breaks ODCS or what we can honour of it
        ├── ContractFrozen        a frozen contract changed within one major version
        ├── SettingsInvalid       a setting is unknown, ill-typed or out of range
        ├── RulesDisagree         stream and landed table judge a rule of a contract differently
    ├── DefinitionInvalid     a feature definition cannot be honoured
        ├── StackBroken           the local stack cannot start, or lacks a program
        ├── DiskFull              no room left where we write
        ├── StoreRefused          the object store lacks the bucket, or does not take our credentials
        ├── LedgerBroken          the ledger holds what we did not write
        ├── KeysBroken            the key store cannot be read, or not with this master key
        ├── SealBroken            sealed bytes are not what this key sealed for this place
        ├── NotExtractable        no text can be had from a document that was given by itself
        └── NotFound              what was asked for by name is not there

Bad data is not an error: it is a dead letter (`contracts.records`). Messages and fields never carry a record's content.
"""

from __future__ import annotations


class HeadwaterError(Exception):
    """Say what came, what was expected, where, and what to do about it."""

    transient: bool = False

    def __init__(self, came: str, *, expected: str = "", where: str = "", remedy: str = "") -> None:
        self.came = came
        self.expected = expected
        self.where = where
        self.remedy = remedy
        super().__init__(self.message())

    def message(self) -> str:
        """Return the parts as one readable sentence a line."""
        head = f"{self.where}: {self.came}" if self.where else self.came
        parts = [head]
        if self.expected:
            parts.append(f"expected: {self.expected}")
        if self.remedy:
            parts.append(f"try: {self.remedy}")
        return "\n  ".join(parts)


class TransientError(HeadwaterError):
    """Something outside was away or busy: the same call may succeed later."""

    transient = True


class BrokerAway(TransientError):
    """The Kafka broker did not answer within the time allowed."""


class StoreAway(TransientError):
    """The object store did not answer within the time allowed, however often it was asked."""


class CommitConflict(TransientError):
    """Another writer committed the table version that this commit was made for."""


class TerminalError(HeadwaterError):
    """The same call gives the same answer until somebody changes something."""


class ContractInvalid(TerminalError):
    """A contract file breaks the ODCS schema, or asks for what is not honoured."""


class ContractFrozen(TerminalError):
    """A contract of mode `freeze` is no more what its table was made under, in the same major version."""


class RulesDisagree(TerminalError):
    """The stream's predicate and the landed table's expectation of one rule do not say the same of a row."""


class SettingsInvalid(TerminalError):
    """A setting is unknown, ill-typed or out of range."""


class DefinitionInvalid(TerminalError):
    """A feature definition names what does not exist, or cannot be honoured."""


class StackBroken(TerminalError):
    """A server of the local stack cannot be started, or a program it needs is missing."""


class DiskFull(TerminalError):
    """There is no room left on the disk that a commit must be written to."""


class StoreRefused(TerminalError):
    """The object store answered no: there is no such bucket, or the credentials may not do this."""


class LedgerBroken(TerminalError):
    """The ledger holds a line that was not written by its own code."""


class KeysBroken(TerminalError):
    """The key store cannot be read, or not with this installation's master key."""


class SealBroken(TerminalError):
    """Sealed bytes do not open: another key, another place, or a bit was changed."""


class NotExtractable(TerminalError):
    """A document that was given by itself holds no text that can be had. In a stream it is a dead letter, and no error."""


class NotFound(TerminalError):
    """The dataset, feature service, entity or record asked for is not there."""
