"""HTML that is escaped by construction: an element's text is escaped, what is already HTML is of a type of its own."""

from __future__ import annotations

from html import escape


class Html(str):
    """Text that is HTML already. Made by `element` and `joined` alone, and by constants of ours."""

    __slots__ = ()


Child = Html | str | int | float | None


def element(tag: str, *children: Child, **attributes: str) -> Html:
    """Return an element. Children that are not Html are escaped; None is nothing. `class_` and `for_` lose their underscore."""
    said = "".join(f' {name.rstrip("_").replace("_", "-")}="{escape(value, quote=True)}"' for name, value in attributes.items())
    return Html(f"<{tag}{said}>{joined(*children)}</{tag}>")


def joined(*children: Child) -> Html:
    """Return the children one after the other."""
    return Html("".join(child if isinstance(child, Html) else escape(str(child)) for child in children if child is not None))


def link(address: str, text: str = "") -> Html:
    """Return a link to a web or mail address; text alone where the address is of any other kind (`javascript:` among them)."""
    if address.lower().startswith(("https://", "http://", "mailto:")):
        return element("a", text or address, href=address, rel="noreferrer")
    return joined(text, ": " if text else "", address)


def table(heads: list[str], rows: list[list[Child]], caption: str) -> Html:
    """Return a table that scrolls by itself where it is wider than the page."""
    head = element("tr", *(element("th", name, scope="col") for name in heads))
    body = [element("tr", *(element("td", cell, data_head=name) for name, cell in zip(heads, row, strict=True))) for row in rows]
    label = element("caption", caption)
    inner = element("table", label, element("thead", head), element("tbody", *body))
    return element("div", inner, class_="wide", tabindex="0", role="region", aria_label=caption)
