"""Sites that the extractor was made with; the benchmark's are others."""

from __future__ import annotations

from html import escape

from infra.bench.pages import Site


def simple(site: Site, body: str) -> str:
    return f"""<!doctype html><html><head><title>{escape(site.title)}</title></head><body><nav>{site.links()}</nav>
<article>{body}</article><footer>{site.notice}</footer></body></html>"""


def columns(site: Site, body: str) -> str:
    teasers = "".join(
        f'<div class="card"><h3>{name}</h3><p>{text}</p><a href="#">Read more</a></div>' for name, text in site.teasers
    )
    return f"""<!doctype html><html><head><title>{escape(site.title)} :: Example</title></head><body>
<div class="navbar"><ul class="menu">{site.links()}</ul></div><div class="cookie-notice"><p>{site.notice}</p></div>
<div class="container"><div class="col-8 content">{body}<div class="related-posts">{teasers}</div>
<div id="disqus_thread">{"".join(f"<p>{text}</p>" for text in site.remarks)}</div></div>
<div class="col-4 sidebar"><div class="widget">{site.notice}</div><ul>{site.links()}</ul></div></div>
<div class="footer">Copyright Example. <ul>{site.links()}</ul></div></body></html>"""


def nameless(site: Site, body: str) -> str:
    teasers = "".join(f'<div><div><a href="#">{name}</a></div><div>{text}</div></div>' for name, text in site.teasers[:3])
    return f"""<html><head><title>{escape(site.title)}</title></head><body><div><div>{site.links(item="<div>{}</div>")}</div>
<div><div>{body}</div><div>{teasers}</div></div><div>{site.notice}</div></div></body></html>"""


def book(site: Site, body: str) -> str:
    return f"""<!doctype html><html><head><title>{escape(site.title)} - The book</title></head><body><div id="sidebar"
class="sidebar">
<ol class="chapter">{site.links()}</ol></div><div class="page-wrapper"><div id="menu-bar"><h1 class="menu-title">The book</h1>
</div>
<div id="content"><main>{body}</main><nav class="nav-wrapper"><a href="#">next</a></nav></div></div></body></html>"""


SITES = (simple, columns, nameless, book)
