"""Who and where: postal addresses and dates of birth; and, apart, the names of persons, by list and context.

Addresses are found by the words that streets have in English, German, French, Spanish, Italian, Portuguese, Dutch and
Polish. Names need a title, a salutation, a role like `author:`, or a given name of `streams.recognisers.names`: names that
no list holds, without such a word, are not found. No model of language can be had from a package registry here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from streams.recognisers.names import GIVEN_NAMES, NO_SURNAMES
from streams.recognisers.shape import DIGIT, EDGE, Finder, Found, Recogniser

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
TOWN = (
    r"(?:(?:São|San|Santa|Sankt|St\.|Bad|Den|La|Le|Les|El|Nowy|Nowa) )?\p{Lu}[\p{L}\p{M}\-]+"
    r"(?: (?:am|an der|im|in|de|do|da|dos|del|di|sur|en|ob der|aan den) \p{Lu}[\p{L}\p{M}\-]+)?"
)
TOWN_BEHIND_CODE = rf",? (?:(?:[A-Z]{{1,2}}-)?[0-9]{{4,5}}(?: ?[A-Z]{{2}})?|[0-9]{{2}}-[0-9]{{3}}|[0-9]{{4,5}}-[0-9]{{3}}) {TOWN}"
CITY = rf"(?:{TOWN_BEHIND_CODE})?"
FR_STREET = r"(?i:rue|avenue|av\.|boulevard|bd|bld|place|chemin|impasse|allée|quai|cours|route|faubourg|passage|ruelle|sentier)"
DE_BEFORE = r"(?:Am|An der|An den|Auf dem|Auf der|Im|In der|Zum|Zur|Unter den|Hinter dem)"
"""German streets without a word for street: only with a number, a postcode and a town behind them."""

ADDRESSES = (
    (
        r"(?:(?:Flat|Apt|Apartment|Unit|Suite)\.? [0-9]{1,4}[A-Za-z]?,? )?"
        rf"[0-9]{{1,5}}[A-Za-z]? (?:(?:N|S|E|W|NE|NW|SE|SW)\.? )?(?:(?:{WORD}|[0-9]+(?:st|nd|rd|th)) ){{1,4}}"
        rf"(?:{EN_STREET}){EDGE}\.?{UNIT}{EN_PLACE}"
    ),
    (
        rf"\p{{Lu}}[\p{{L}}\p{{M}}\-]*(?:{DE_STREET}|[ \-](?:Straße|Strasse|Str\.|Weg|Platz|Allee|Ring))"
        rf" [0-9]{{1,4}} ?[a-z]?{EDGE}{CITY}"
    ),
    (
        rf"[0-9]{{1,4}}(?: (?:bis|ter))?,? {FR_STREET}"
        rf" (?:(?:de la|de l'|de|du|des|d'|la|le|les|l') ?)?{WORD}(?:[ \-](?:de |du |des )?{WORD}){{0,3}}{CITY}"
    ),
    (
        rf"(?:Calle|C/|Avenida|Avda\.?|Plaza|Paseo|Via|Viale|Piazza|Corso|Rua|Largo|Praça)"
        rf" (?:(?:de la|de las|de los|de|del|della|delle|dei|degli|da|das|do|dos) )?{WORD}(?: {WORD}){{0,3}}"
        rf",? (?:n\.?º? ?)?[0-9]{{1,4}}{EDGE}{CITY}"
    ),
    rf"(?:ul\.|al\.|pl\.|os\.) {WORD}(?: {WORD}){{0,2}} [0-9]{{1,4}}[A-Za-z]?(?:/[0-9]{{1,4}})?{EDGE}{CITY}",
    rf"{DE_BEFORE} {WORD}(?: {WORD})? [0-9]{{1,4}} ?[a-z]?{EDGE}{TOWN_BEHIND_CODE}",
    rf"(?i:P\.? ?O\.? Box) [0-9]{{1,6}}{EDGE}{EN_PLACE}",
)
ADDRESS = rf"(?P<pre>^|[^0-9A-Za-z_.,/#\-])(?P<hit>{'|'.join(ADDRESSES)})"
"""A house's number does not begin in the middle of another one."""
ADDRESS_GATE = (
    rf"[0-9][A-Za-z]? (?:\p{{Lu}}|[0-9]+(?:st|nd|rd|th))|{DE_STREET} [0-9]|(?:Straße|Strasse|Str\.|Weg|Platz|Allee|Ring) [0-9]"
    rf"|[0-9](?: bis| ter)?,? {FR_STREET} |(?:ul|al|pl|os)\. |{DE_BEFORE} \p{{Lu}}"
    r"|Calle |C/ |Avenida |Avda|Plaza |Paseo |Via|Piazza |Corso |Rua |Largo |Praça |(?i:box) [0-9]"
)

MONTH = (
    r"(?i:jan(?:uary|uar|vier|\.)?|feb(?:ruary|ruar|\.)?|f[ée]vrier|mar(?:ch|s|zo|\.)?|märz|apr(?:il|\.)?|avril|may|mai|"
    r"jun[ei]?|juin|jul[yi]?|juillet|aug(?:ust|\.)?|août|sep(?:t|tember|tembre|\.)?|o[ck]t(?:ober|obre|\.)?|nov(?:ember|embre|\.)?|"
    r"de[cz](?:ember|\.)?|décembre|enero|febrero|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre|"
    r"gennaio|febbraio|aprile|maggio|giugno|luglio|settembre|ottobre|novembre|dicembre)"
)
DAY = (
    r"(?:[0-9]{4}[\-/.][0-9]{1,2}[\-/.][0-9]{1,2}(?:T[0-9:.]+Z?)?|[0-9]{1,2}[\-/. ][0-9]{1,2}[\-/. ](?:[0-9]{4}|[0-9]{2})"
    rf"|[0-9]{{1,2}}(?:st|nd|rd|th|\.|er|º)?(?: of| de)?[ \-/]{MONTH}(?: de)?,?[ \-/](?:[0-9]{{4}}|[0-9]{{2}})"
    rf"|{MONTH} [0-9]{{1,2}}(?:st|nd|rd|th)?,? [0-9]{{4}}){EDGE}"
)
BORN = (
    r"(?:(?i:(?:(?-u:\b)|_)(?:born|date[ _]?of[ _]?birth|birth[ _-]?da(?:te|y)|birthday|d\.?o\.?b\.?|b-day|geboren|geburtsdatum|"
    r"geburtstag|geb\.|n[ée]e? (?:le|en)|date de naissance|naissance|nacid[oa]|nacimiento|fecha de nac\.?|nat[oa] il|"
    r"data di nascita|geboortedatum|urodzon[ya]|ur\.|data urodzenia|data de nascimento|nascid[oa]|född|født|fødselsdato|"
    r"födelsedatum|syntynyt|doğum tarihi))|[Дд]ата рождения|[Рр]одил(?:ся|ась)|生年月日|生日|出生日期|생년월일)"
)
BIRTH_DATE = (
    rf"(?P<pre>{BORN}[^0-9<>\n]{{0,20}}?)(?P<hit>{DAY}|(?:19|20)[0-9]{{2}} ?[年년] ?[0-9]{{1,2}} ?[月월] ?[0-9]{{1,2}} ?[日일])"
)
BIRTH_GATE = (
    r"(?i-u:born|birth|dob|d\.o\.b|b-day|gebor|geburt|geb\.|naiss|"
    r"nacid|nacim|de nac|nascid|nascim|nascita|urodz|ur\. |nat[oa] il|delsedat|syntynyt)"
    r"|(?i:n[ée]e? (?:le|en) |f[öø]dd|f[øö]d[ts]|doğum)|ождения|одил|生年月日|生日|出生|생년월일"
)

NAME = r"\p{Lu}[\p{L}\p{M}'’\-]+"
PARTICLE = r"(?:van|von|de|der|den|del|della|da|di|dos|la|le|bin|bint|ibn|al|ter|ten|zu)(?: (?:der|den|la|las|los))?"
MORE = rf"(?: (?:\p{{Lu}}\.|{PARTICLE}|{NAME}))"
NAMES_IN_A_ROW = rf"{NAME}{MORE}{{0,3}}"
TITLES = (
    r"Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Professor|Sir|Madam|Lady|Lord|Herrn?|Frau|Mme|Mlle|Monsieur|Madame|Señora?|Sra?|Signora?|Sig|Dott|"
    r"Dottoressa|Mevrouw|Meneer|Pani|Doña|Don|Senhora?"
)
TITLED = rf"{EDGE}(?:{TITLES})\.? {NAMES_IN_A_ROW}"
CLOSING = (
    r"regards,|sincerely,|faithfully,|wishes,|cheers,|thanks,|yours,|best,|grüßen,?|grüße,?|cordialement,|amicalement,|saludos,|"
    r"atentamente,|saluti,|groeten?,|hälsningar,?|pozdrawiam,?"
)
ADDRESSING = (
    r"dear|hi|hello|hey|hallo|bonjour|hola|ciao|liebe|lieber|cher|chère|estimad[oa]|querid[oa]|cara|caro|beste|"
    r"my name is|mein name ist|je m'appelle|me llamo|mi chiamo"
)
ROLES = (
    r"author|customer|patient|employee|applicant|assignee|reporter|owner|recipient|contact|beneficiary|cardholder|tenant|"
    r"signed by|written by|reported by|assigned to|approved by|created by|spoke (?:with|to)|on behalf of|attn|"
    r"(?:full|first|last|given|family|contact|customer|sur)[_ ]?name"
)
WEAK = r"name is|this is|i am|i'm|name|cc|bcc|thanks|thank you|merci|danke|gracias"
BETWEEN = r"[ :=\"']{1,4}"
GREETED = rf"{EDGE}(?i-u:(?:{ADDRESSING}|{ROLES}|{WEAK}){BETWEEN}|(?:{CLOSING})\s{{1,3}}){NAMES_IN_A_ROW}"
SAID = rf"{NAME}{MORE}{{1,3}} (?:wrote|writes|schrieb|a écrit|escribió|ha scritto|schreef|skrev):"


def _listed() -> str:
    """Return a pattern of given names with what follows. `EDGE` is one of ASCII: names that end or begin otherwise go without."""
    plain = [name for name in GIVEN_NAMES if name[0].isascii() and name[-1].isascii()]
    open_ended = [name for name in GIVEN_NAMES if name[0].isascii() and not name[-1].isascii()]
    foreign = [name for name in GIVEN_NAMES if not name[0].isascii()]
    one_of = [
        rf"{EDGE}(?:{'|'.join(sorted(plain))}){EDGE}{MORE}{{0,3}}",
        rf"{EDGE}(?:{'|'.join(sorted(open_ended))}){MORE}{{1,3}}",
        rf"(?:{'|'.join(sorted(foreign))}){MORE}{{1,3}}",
    ]
    return "|".join(one_of)


LISTED = _listed()
PERSON = rf"(?P<hit>{TITLED}|{GREETED}|{SAID}|{LISTED})"
INTRODUCTIONS = (
    (re.compile(rf"(?:{TITLES})\.? "), 1),
    (re.compile(rf"(?i:(?:{ADDRESSING}){BETWEEN}|(?:{CLOSING})\s{{1,3}})"), 1),
    (re.compile(rf"(?i:{ROLES}){BETWEEN}"), 2),
    (re.compile(rf"(?i:{WEAK}){BETWEEN}"), 0),
)
SAID_BEHIND = re.compile(r" (?:wrote|writes|schrieb|a écrit|escribió|ha scritto|schreef|skrev):$")
PARTICLES = frozenset((
    "van", "von", "de", "der", "den", "del", "della", "da", "di", "dos", "la", "las", "los", "le", "bin", "bint", "ibn", "al",
    "ter", "ten", "zu",
))  # fmt: skip


def person_spans(candidate: str) -> Iterable[Found]:
    """Return the name in a candidate, up to the first word that no name has.

    Behind a title or a salutation any name will do but a word that people are addressed by (`Dear Customer`); behind a role
    (`author:`) and before `wrote:` two words that could be names; elsewhere a given name of the list begins it (`I am
    German` names nobody). Such a name by itself may be a month, a place or a word, and needs another behind it.
    """
    end = SAID_BEHIND.search(candidate)
    told = candidate[: end.start()] if end else candidate
    start, words_min = _introduced(told)
    if end:
        words_min = 2
    name = _name(told[start:])
    known = bool(name) and name[0] in GIVEN_NAMES and (len(name) > 1 or start > 0)
    if name and (known or (words_min and len(name) >= words_min)):
        yield start, start + len(" ".join(name)), "person"


def _introduced(candidate: str) -> tuple[int, int]:
    """Return where the name begins behind what introduces it, and from how many words on any will do; 0 if no number does."""
    for before, words_min in INTRODUCTIONS:
        behind = before.match(candidate)
        if behind:
            return behind.end(), words_min
    return 0, 0


def _name(text: str) -> list[str]:
    """Return the words of a name at the start of a text: those before one that no name has, without particles at their end."""
    words = text.split(" ")
    name = words[: next((at for at, word in enumerate(words) if word in NO_SURNAMES), len(words))]
    while name and name[-1] in PARTICLES:
        name.pop()
    return name


RECOGNISERS = (Recogniser("birth_date", 2, str.lower), Recogniser("address", 2, str.lower))
NAME_RECOGNISERS = (Recogniser("person", 2, str.lower),)
FINDERS = (
    Finder(("birth_date",), (DIGIT, BIRTH_GATE), BIRTH_DATE),
    Finder(("address",), (DIGIT, ADDRESS_GATE), ADDRESS),
)
NAME_FINDERS = (Finder(("person",), (r"\p{Lu}[\p{L}\p{M}]",), PERSON, person_spans),)
