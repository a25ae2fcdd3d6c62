"""Documents: bytes of HTML, Markdown, reST, plain text or PDF to text with title, language, links and sections."""
