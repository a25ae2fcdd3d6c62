"""Which stretches of a page are the document, and which are the site around it.

Four signs, each cheap: what elements say (`main`, `article`, `nav`, ARIA roles), what classes and ids say (`cookie-banner`),
where the running text stands (the smallest region that holds nearly all of it), and how much of a stretch is links. No sign
is believed against the text: a region that holds most of it is the document, whatever it is called. After Readability
(Mozilla) and the densities of Kohlschütter et al., Boilerplate Detection using Shallow Text Features, WSDM 2010.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

OUTSIDE_TAGS = frozenset(("nav", "aside", "footer", "form", "menu", "search", "dialog"))
OUTSIDE_ROLES = frozenset((
    "navigation", "banner", "contentinfo", "complementary", "search", "dialog", "alertdialog", "alert", "toolbar", "menu",
    "menubar", "tablist",
))  # fmt: skip
INSIDE = frozenset(("main", "article", "articleBody"))
OUTSIDE_WORDS = re.compile(
    r"(?:^|[\s_-])(?:nav|navbar|navigation|navlinks|topnav|subnav|menu|submenu|breadcrumbs?|crumbs|sidebar|side|aside"
    r"|rail|footer|foot|footnav"
    r"|masthead|topbar|toolbar|cookies?|consent|gdpr|privacy|banner|promo|promotion|promoted|ads?|advert|adverts|advertisement"
    r"|advertising|sponsor|sponsored|share|sharing|shares|social|follow|comments?|commentlist|disqus|replies|respond|related"
    r"|recommend|recommended|recommendations|popular|trending|latest|readnext|newsletter|subscribe|subscription|signup|login"
    r"|signin|account|popup|modal|overlay|lightbox|pagination|pager|paging|prevnext|widgets?|tagcloud|tags|tag-?list|byline"
    r"|metadata|postmeta|skip|skiplink|sr-only|visually-hidden|screen-reader-text|toc|copyright|legal|disclaimer|rating|ratings|outbrain"
    r"|taboola|author-?(?:box|bio|card)|headerlink|editlink|noprint|printfooter|catlinks|search|searchbox|feedback|survey"
    r"|language-?switcher|site-?header|page-?header|hero-?cta|cta|dropdown|teasers?|more-?(?:stories|posts|articles))(?:$|[\s_-])",
    re.IGNORECASE,
)
CHROME = re.compile(
    r"(?:share (?:this|on)|tweet\b|read more|continue reading|advertisement\b|subscribe\b|sign (?:up|in)\b|log ?in\b"
    r"|copyright\b|©|all rights reserved|(?:we|this (?:site|website)) uses? cookies|accept (?:all|cookies)|follow us|back to top"
    r"|skip to|edit (?:this|on)|was this (?:page|article)|previous\b|next\b|posted (?:in|on|by)\b|filed under|tags?:|print\b"
    r"|\d+ comments?\b|leave a (?:reply|comment))",
    re.IGNORECASE,
)
CHROME_CHARACTERS_MAX = 80
RUNNING_CHARACTERS = 60
"""A stretch this long, mostly not links, is running text; shorter ones say little about where they stand."""
MOST = 0.5
"""A region with more than this part of the running text is the document, whatever it is called."""
NEARLY_ALL = 0.85
SEMANTIC_SHARE = 0.4


class Region(NamedTuple):
    """One element that holds blocks: the region around it (by index, always smaller), its tag or role, its classes and id."""

    parent: int
    kind: str
    named: str


@dataclass(slots=True)
class Stretch:
    """One block's text, the element that it is, where it stands, and how much of it is links."""

    text: str
    leaf: str
    region: int
    linked: int = 0
    links: Sequence[tuple[str, str]] = ()
    row: int = 0

    @property
    def running(self) -> bool:
        """Whether it is a sentence or more of text, or code: what documents are made of."""
        return len(self.text) >= RUNNING_CHARACTERS and self.linked * 2 < len(self.text)


def kept(stretches: Sequence[Stretch], regions: Sequence[Region]) -> list[Stretch]:
    """Return the stretches that are the document, in order. Never none where there are any: then all that is not outside."""
    weights = [len(s.text) - s.linked if s.running else 0 for s in stretches]
    outside = _outside(regions, _sums(stretches, weights, regions))
    inner = [weight if not outside[s.region] else 0 for s, weight in zip(stretches, weights, strict=True)]
    held = _sums(stretches, inner, regions)
    root = _root(regions, held)
    within = _within(regions, root)
    found = [s for s in stretches if within[s.region] and not outside[s.region]]
    lists = _link_lists(found, regions)
    chosen = [s for s in found if s.region not in lists and not _chrome(s)]
    chosen = _trimmed(_with_title(chosen, stretches))
    return chosen or [s for s in stretches if not outside[s.region]] or list(stretches)


def _sums(stretches: Sequence[Stretch], weights: Sequence[int], regions: Sequence[Region]) -> list[int]:
    """Return the weight that each region holds, all within it included."""
    sums = [0] * len(regions)
    for stretch, weight in zip(stretches, weights, strict=True):
        sums[stretch.region] += weight
    for at in range(len(regions) - 1, 0, -1):
        sums[regions[at].parent] += sums[at]
    return sums


def _outside(regions: Sequence[Region], held: Sequence[int]) -> list[bool]:
    """Say of each region whether it is of the site, and not of the document."""
    most = MOST * held[0]
    outside = [False] * len(regions)
    for at in range(1, len(regions)):
        region = regions[at]
        outside[at] = outside[region.parent] or (_is_outside(region.kind, region.named) and held[at] <= most)
    return outside


def _is_outside(kind: str, named: str) -> bool:
    if kind in OUTSIDE_TAGS or kind in OUTSIDE_ROLES:
        return True
    return bool(named) and kind not in INSIDE and kind != "body" and _said_outside(named)


@lru_cache(maxsize=8_192)
def _said_outside(named: str) -> bool:
    return OUTSIDE_WORDS.search(named) is not None


def _root(regions: Sequence[Region], held: Sequence[int]) -> int:
    """Return the region that is the document: one that says so, then the smallest within it that has nearly all."""
    semantic = [at for at, region in enumerate(regions) if region.kind in INSIDE and held[at] >= SEMANTIC_SHARE * held[0]]
    root = max(semantic, key=lambda at: (held[at], at)) if semantic and held[0] else 0
    total = held[root]
    for at in range(root + 1, len(regions)):
        if regions[at].parent == root and total and held[at] >= NEARLY_ALL * total:
            root = at
    return root


def _within(regions: Sequence[Region], root: int) -> list[bool]:
    within = [False] * len(regions)
    within[root] = True
    for at in range(root + 1, len(regions)):
        within[at] = within[regions[at].parent]
    return within


def _link_lists(found: Sequence[Stretch], regions: Sequence[Region]) -> set[int]:
    """Return the lists and other small regions that are links and hardly anything else."""
    linked: dict[int, list[int]] = {}
    for stretch in found:
        if regions[stretch.region].kind in ("ul", "ol", "dl", "div", "section", "table", "tbody", "header"):
            sums = linked.setdefault(stretch.region, [0, 0, 0])
            sums[0] += stretch.linked
            sums[1] += len(stretch.text)
            sums[2] += 1
    return {at for at, (links, characters, count) in linked.items() if links >= 0.75 * characters and characters < 120 * count}


def _chrome(stretch: Stretch) -> bool:
    """Say whether a short stretch is a button, a label or a notice of the site."""
    if stretch.leaf in ("pre", "h1", "h2", "h3", "td", "th"):
        return False
    short = len(stretch.text) < CHROME_CHARACTERS_MAX
    if short and stretch.leaf in ("", "p", "div") and stretch.linked >= 0.8 * len(stretch.text) > 0:
        return True
    return short and CHROME.match(stretch.text) is not None


def _with_title(chosen: list[Stretch], stretches: Sequence[Stretch]) -> list[Stretch]:
    """Return the chosen with the page's only main heading before them, where that stands outside."""
    if not chosen or any(s.leaf == "h1" for s in chosen):
        return chosen
    first = next((s for s in stretches if s is chosen[0] or s.leaf == "h1"), None)
    return [first, *chosen] if first is not None and first is not chosen[0] else chosen


def _trimmed(chosen: list[Stretch]) -> list[Stretch]:
    """Return the chosen without headings at the end that nothing follows."""
    end = len(chosen)
    while end > 1 and chosen[end - 1].leaf in ("h2", "h3", "h4", "h5", "h6"):
        end -= 1
    return chosen[:end]
