"""A page for people about a task and its head: can it be trusted, and what was measured?

``gather`` collects all that is known, once. Each section is a function from that to plain data
(``_blocks``), which ``page.html.j2`` turns into HTML; ``page_of`` has them in their order.
"""

from icehouse.report.page._evidence import Evidence, gather
from icehouse.report.page._page import page_of
from icehouse.report.page._summary import cautions_of, sentences

__all__ = ["Evidence", "cautions_of", "gather", "page_of", "sentences"]
