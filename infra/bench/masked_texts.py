"""Labelled texts for masking: sentences with a place in them, filled with made-up values by a seed; so each label is known.

A template is a sentence with slots, `write to {email}`. A slot that plants personal data has a type, and its span is a
label; a slot of `HARMLESS` looks like personal data and is none, so what is found there counts against precision. Which
templates there are is the caller's: the benchmark's own are `masked_templates.py`, and the recognisers were made with others.
"""

from __future__ import annotations

import re
import string
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from random import Random

from infra.bench import identity_values, personal_values
from infra.bench.personal_values import digits, drawn, filled, luhn_digit

Maker = Callable[[Random], str]
SLOT = re.compile(r"\{([a-z_]+)\}")

SAME_TYPE = {"given_name": "person"}
"""Makers whose name is not the type with something behind it."""


def _makers() -> dict[str, tuple[str, Maker]]:
    """Return each maker by the name of its slot, with the type that it plants: `us_ssn_bare` is a `us_ssn`."""
    contact = ("email", "phone", "ip", "url_credentials", "card", "iban", "api_key", "jwt", "password", "private_key", "address",
               "birth_date", "person", "given_name", "phone_bare", "api_key_bare")  # fmt: skip
    identity = (
        "us_ssn", "us_ssn_bare", "uk_nino", "uk_nhs", "de_tax_id", "fr_nir", "es_id", "it_fiscal_code", "nl_bsn", "pl_pesel",
        "in_aadhaar", "in_pan", "br_cpf", "br_cpf_bare", "ca_sin", "au_tfn", "se_personnummer", "fi_hetu", "be_number", "ch_ahv",
        "kr_rrn", "sg_nric",
    )  # fmt: skip
    found = {name: getattr(personal_values, name) for name in contact} | {
        name: getattr(identity_values, name) for name in identity
    }
    return {name: (SAME_TYPE.get(name, name.removesuffix("_bare")), maker) for name, maker in found.items()}


PLANTED = _makers()


def _card_broken(chance: Random) -> str:
    number = "4" + digits(chance, 14)
    return number + str((int(luhn_digit(number)) + chance.randint(1, 9)) % 10)


def _time(chance: Random) -> str:
    day = f"2026-{chance.randint(1, 12):02d}-{chance.randint(1, 28):02d}"
    return f"{day}T{chance.randint(0, 23):02d}:{chance.randint(0, 59):02d}:07Z"


HARMLESS: Mapping[str, Maker] = {
    "uuid": lambda chance: str(uuid.UUID(int=chance.getrandbits(128), version=4)),
    "sha": lambda chance: drawn(chance, "0123456789abcdef", chance.choice((7, 40, 64))),
    "order": lambda chance: filled(chance, chance.choice(("#######", "A-####-##", "2026-#####", "ORD######", "##-####-####"))),
    "price": lambda chance: f"{chance.randint(1, 9999):,}.{chance.randint(0, 99):02d}",
    "isbn": lambda chance: filled(chance, "978-#-###-#####-#"),
    "epoch": lambda chance: str(chance.randint(1_700_000_000, 1_800_000_000) * chance.choice((1, 1000))),
    "release": lambda chance: f"{chance.randint(0, 12)}.{chance.randint(0, 40)}.{chance.randint(0, 99)}",
    "time": _time,
    "day": lambda chance: _time(chance)[:10],
    "count": lambda chance: str(chance.randint(2, 99_999)),
    "place": lambda chance: f"{chance.uniform(-80, 80):.6f}, {chance.uniform(-170, 170):.6f}",
    "mac": lambda chance: ":".join(f"{chance.randrange(256):02x}" for _ in range(6)),
    "card_broken": _card_broken,
    "hex": lambda chance: "#" + drawn(chance, "0123456789abcdef", 6),
    "word": lambda chance: drawn(chance, string.ascii_lowercase, chance.randint(4, 9)),
}
"""What looks like personal data, in part or to a loose pattern, and is none."""


@dataclass(frozen=True)
class Templates:
    """What sentences there are: of each slot the ones that it stands in, harmless ones with numbers, and plain ones."""

    by_slot: Mapping[str, Sequence[str]]
    negatives: Sequence[str]
    fillers: Sequence[str]


Label = tuple[str, int, int]
"""Type, first character, the one behind the last."""


@dataclass(frozen=True)
class LabelledText:
    """A text, and the personal data in it, in order."""

    text: str
    labels: tuple[Label, ...]


CLEAN_SHARE = 0.3
"""So many texts hold nothing personal: in most streams it is more."""


def labelled(templates: Templates, count: int, seed: int) -> list[LabelledText]:
    """Return `count` texts: each slot comes as often as any other, and its templates in turn."""
    chance = Random(seed)
    sentences = {slot: cycle(chance.sample(list(held), len(held))) for slot, held in templates.by_slot.items()}
    slots = cycle(templates.by_slot)
    made = []
    for _ in range(count):
        planted = [] if chance.random() < CLEAN_SHARE else list(islice(slots, chance.randint(1, 3)))
        parts = [next(sentences[slot]) for slot in planted]
        parts += chance.choices(templates.negatives, k=chance.randint(1, 3)) + chance.choices(
            templates.fillers, k=chance.randint(3, 7)
        )
        chance.shuffle(parts)
        made.append(_joined([filled_in(part, chance) for part in parts], chance))
    return made


def filled_in(template: str, chance: Random) -> LabelledText:
    """Return a template with its slots filled, and the labels of those that plant personal data."""
    pieces, labels, at, size = [], [], 0, 0
    for slot in SLOT.finditer(template):
        before = template[at : slot.start()]
        kind, maker = PLANTED.get(slot[1]) or ("", HARMLESS[slot[1]])
        value = maker(chance)
        size += len(before)
        if kind:
            labels.append((kind, size, size + len(value)))
        size += len(value)
        pieces += [before, value]
        at = slot.end()
    return LabelledText("".join([*pieces, template[at:]]), tuple(labels))


def _joined(parts: Sequence[LabelledText], chance: Random) -> LabelledText:
    """Return the sentences as one text: on lines of their own or behind one another."""
    gap = chance.choice((" ", "\n", "\n\n"))
    labels: list[Label] = []
    at = 0
    for part in parts:
        labels += [(kind, at + start, at + end) for kind, start, end in part.labels]
        at += len(part.text) + len(gap)
    return LabelledText(gap.join(part.text for part in parts), tuple(labels))
