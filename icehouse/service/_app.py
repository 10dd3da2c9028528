"""The application of those who review a queue."""

from __future__ import annotations

from fastapi import FastAPI

from icehouse.service.desk import Desk
from icehouse.service.http import People, add_map, add_pages, add_pictures, add_review, new_app


def make_app(desk: Desk, people: People | None = None) -> FastAPI:
    """Return the review application of a desk.

    Parameters
    ----------
    desk : Desk
    people : People, optional
        Who is let in. By default anybody on this machine, who has to ask by a name of it.
    """
    people = people or People()
    app = new_app("icehouse review", people)
    add_review(app, lambda _person: desk, people)
    add_pictures(app, desk.jpeg)
    add_map(app, lambda _person: desk)
    add_pages(app, {"/": "review", "/review": "review", "/map": "map"})
    return app
