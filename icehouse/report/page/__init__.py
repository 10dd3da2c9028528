"""A page for people about a task and its head: can it be trusted, and what was measured?

``_evidence`` gathers all that is known once. Each section is a function from that to plain data
(``_blocks``), which ``page.html.j2`` turns into HTML; ``_write`` has them in their order.
"""

from icehouse.report.page._write import PageReport, write_page

__all__ = ["PageReport", "write_page"]
