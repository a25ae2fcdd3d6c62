"""Who and where: postal addresses and dates of birth; and, apart, the names of persons, by list and context.

Addresses are found by the words that streets have in English, German, French, Spanish, Italian and Dutch. Names need a
title, a greeting, a word like `name:`, or a given name of `streams.recognisers.names`: names that no list holds, without
such a word, are not found. No model of language can be had from a package registry here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from streams.recognisers.names import GIVEN_NAMES, NO_SURNAMES
from streams.recognisers.shape import DIGIT, EDGE, START, Finder, Found, Recogniser

EN_STREET = (
    "Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Way|Place|Pl|Square|Sq|Terrace|Ter|Parkway|Pkwy|"
    "Close|Crescent|Cres|Highway|Hwy|Gardens|Grove|Mews|Circle|Cir|Trail|Loop"
)
POSTCODE_GB = r"[A-Z]{1,2}[0-9][0-9A-Z]? ?[0-9][A-Z]{2}"
WORD = r"\p{Lu}[\p{L}\p{M}'.\-]*"
UNIT = r"(?:,? (?:Apt|Apartment|Suite|Ste|Unit|Floor|Fl|Flat|Room|Rm|#)\.? ?[0-9A-Za-z\-]{1,6})?"
EN_PLACE = (
    rf"(?:(?:,? {WORD}(?: {WORD}){{0,2}}?){{0,2}}?,? (?:{POSTCODE_GB}|(?:[A-Z]{{2}}|{WORD}),? [0-9]{{5}}(?:-[0-9]{{4}})?){EDGE}"
    rf"|, {WORD}(?: {WORD})?)?"
)
DE_STREET = r"(?:straße|strasse|str\.|weg|platz|allee|gasse|damm|ufer|chaussee|straat|laan|plein|gracht|kade|dijk|steenweg)"
CITY = r"(?:,? (?:[A-Z]{1,2}-)?[0-9]{4,5}(?: [A-Z]{2})? \p{Lu}[\p{L}\p{M}\-]+)?"

ADDRESSES = (
    (
        rf"[0-9]{{1,5}}[A-Za-z]? (?:(?:N|S|E|W|NE|NW|SE|SW)\.? )?(?:(?:{WORD}|[0-9]+(?:st|nd|rd|th)) ){{1,4}}"
        rf"(?:{EN_STREET}){EDGE}\.?{UNIT}{EN_PLACE}"
    ),
    (
        rf"\p{{Lu}}[\p{{L}}\p{{M}}\-]*(?:{DE_STREET}|[ \-](?:Straße|Strasse|Str\.|Weg|Platz|Allee|Ring))"
        rf" [0-9]{{1,4}} ?[a-z]?{EDGE}{CITY}"
    ),
    (
        rf"[0-9]{{1,4}}(?: (?:bis|ter))?,? (?i:rue|avenue|boulevard|place|chemin|impasse|allée|quai|cours|route)"
        rf" (?:(?:de la|de l'|de|du|des|d'|la|le|les|l') ?)?{WORD}(?:[ \-](?:de |du |des )?{WORD}){{0,3}}{CITY}"
    ),
    (
        rf"(?:Calle|C/|Avenida|Avda\.?|Plaza|Paseo|Via|Viale|Piazza|Corso|Rua|Largo)"
        rf" (?:(?:de la|de los|de|del|della|dei|degli|da|do|dos) )?{WORD}(?: {WORD}){{0,3}}"
        rf",? (?:n\.?º? ?)?[0-9]{{1,4}}{EDGE}{CITY}"
    ),
    rf"(?i:P\.? ?O\.? Box) [0-9]{{1,6}}{EDGE}{EN_PLACE}",
)
ADDRESS = rf"(?P<pre>{START})(?P<hit>{'|'.join(ADDRESSES)})"
ADDRESS_GATE = (
    rf"[0-9][A-Za-z]? (?:\p{{Lu}}|[0-9]+(?:st|nd|rd|th))|{DE_STREET} [0-9]|(?:Straße|Strasse|Str\.|Weg|Platz|Allee|Ring) [0-9]"
    r"|[0-9](?: bis| ter)?,? (?i:rue|avenue|boulevard|place|chemin|impasse|allée|quai|cours|route) "
    r"|Calle |C/ |Avenida |Avda|Plaza |Paseo |Via|Piazza |Corso |Rua |Largo |(?i:box) [0-9]"
)

MONTH = (
    r"(?i:jan(?:uary|uar|vier|\.)?|feb(?:ruary|ruar|\.)?|f[ée]vrier|mar(?:ch|s|zo|\.)?|märz|apr(?:il|\.)?|avril|may|mai|"
    r"jun[ei]?|juin|jul[yi]?|juillet|aug(?:ust|\.)?|août|sep(?:t|tember|tembre|\.)?|o[ck]t(?:ober|obre|\.)?|nov(?:ember|embre|\.)?|"
    r"de[cz](?:ember|\.)?|décembre|enero|febrero|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre|"
    r"gennaio|febbraio|aprile|maggio|giugno|luglio|settembre|ottobre|novembre|dicembre)"
)
DAY = (
    r"(?:[0-9]{4}[\-/.][0-9]{1,2}[\-/.][0-9]{1,2}|[0-9]{1,2}[\-/. ][0-9]{1,2}[\-/. ](?:[0-9]{4}|[0-9]{2})"
    rf"|[0-9]{{1,2}}(?:st|nd|rd|th|\.|er|º)?(?: of| de)? {MONTH}(?: de)?,? [0-9]{{4}}"
    rf"|{MONTH} [0-9]{{1,2}}(?:st|nd|rd|th)?,? [0-9]{{4}})"
)
BORN = (
    r"(?i:(?-u:\b)(?:born|date of birth|birth ?date|birthday|d\.?o\.?b\.?|b-day|geboren|geburtsdatum|geb\.|n[ée]e? le|"
    r"date de naissance|naissance|nacid[oa]|nacimiento|nat[oa] il|data di nascita|geboortedatum|urodzon[ya]|"
    r"data de nascimento|nascid[oa]))"
)
BIRTH_DATE = rf"(?P<pre>{BORN}[^0-9<>\n]{{0,20}}?)(?P<hit>{DAY}){EDGE}"
BIRTH_GATE = (
    r"(?i-u:born|birth|dob|d\.o\.b|b-day|gebor|geburt|geb\.|naiss|"
    r"nacid|nacim|nascid|nascim|nascita|urodzon|nat[oa] il)|(?i:n[ée]e? le)"
)

NAME = r"\p{Lu}[\p{L}\p{M}'’\-]+"
NAMES_IN_A_ROW = (
    rf"{NAME}(?: (?:\p{{Lu}}\.|(?:van|von|de|der|den|del|della|da|di|la|le|bin|al)(?: (?:der|den|la))?|{NAME})){{0,3}}"
)
TITLES = r"Mr|Mrs|Ms|Miss|Dr|Prof|Professor|Sir|Madam|Herr|Frau|Mme|Mlle|Monsieur|Madame|Señora?|Sra?|Signora?|Sig|Dott"
TITLED = rf"{EDGE}(?:{TITLES})\.? {NAMES_IN_A_ROW}"
GREETINGS = (
    r"my name is|name is|this is|i am|i'm|dear|hi|hello|hallo|bonjour|hola|ciao|regards,|sincerely,|cheers,|thanks,|"
    r"attn:?|name ?[:=]|contact ?[:=]|author ?[:=]|customer ?[:=]|patient ?[:=]|employee ?[:=]|signed by|written by|on behalf of"
)
GREETED = rf"{EDGE}(?i-u:{GREETINGS})\s{{1,3}}{NAMES_IN_A_ROW}"
LISTED = rf"{EDGE}(?:{'|'.join(sorted(GIVEN_NAMES))}){EDGE}(?: {NAMES_IN_A_ROW})?"
PERSON = rf"(?P<hit>{TITLED}|{GREETED}|{LISTED})"
TITLE_BEFORE = re.compile(rf"(?:{TITLES})\.? ")
GREETING_BEFORE = re.compile(rf"(?i:{GREETINGS})\s{{1,3}}")


def person_spans(candidate: str) -> Iterable[Found]:
    """Return the name in a candidate, up to the first word that no name has.

    Behind a title any name will do, behind a greeting one that begins with a given name (`Hello World` greets nobody); a
    given name by itself may be a month, a place or a word, and needs another name behind it.
    """
    title, greeting = TITLE_BEFORE.match(candidate), GREETING_BEFORE.match(candidate)
    start = title.end() if title else greeting.end() if greeting else 0
    words = candidate[start:].split(" ")
    name = words[: next((at for at, word in enumerate(words) if word in NO_SURNAMES), len(words))]
    if (title and name) or (name and name[0] in GIVEN_NAMES and (greeting or len(name) > 1)):
        yield start, start + len(" ".join(name)), "person"


RECOGNISERS = (Recogniser("birth_date", 1, str.lower), Recogniser("address", 1, str.lower))
NAME_RECOGNISERS = (Recogniser("person", 1, str.lower),)
FINDERS = (
    Finder(("birth_date",), (DIGIT, BIRTH_GATE), BIRTH_DATE),
    Finder(("address",), (DIGIT, ADDRESS_GATE), ADDRESS),
)
NAME_FINDERS = (Finder(("person",), (r"\p{Lu}[\p{L}\p{M}]",), PERSON, person_spans),)
