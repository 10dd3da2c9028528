"""The tables of review queues, in the database of the label log.

``reviews`` is a log as the labels are: what was answered, why it was asked, and what was taken
back; rows are only ever added. The other tables are where things stand, kept in the same
transactions: what may be asked, who was given what, and who has answered.
"""

from __future__ import annotations

import sqlalchemy as sa

QUEUE_METADATA = sa.MetaData()

QUEUES = sa.Table(
    "queues",
    QUEUE_METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("task", sa.String, nullable=False),
    sa.Column("strategy", sa.String, nullable=False),
    sa.Column("made", sa.Float, nullable=False),
    sa.Column("settings", sa.String, nullable=False),
)
ITEMS = sa.Table(
    "queue_items",
    QUEUE_METADATA,
    sa.Column("queue", sa.Integer, primary_key=True),
    sa.Column("place", sa.Integer, primary_key=True),
    sa.Column("image_id", sa.LargeBinary(32), nullable=False),
    sa.Column("score", sa.Float, nullable=False),
    sa.Column("why", sa.String, nullable=False),
    sa.Column("reviewers", sa.Integer, nullable=False),  # that are to answer
    sa.Column("lacks", sa.Integer, nullable=False),  # how many have not
    sa.Column("given", sa.Boolean, nullable=False),  # somebody may still be answering
    sa.UniqueConstraint("queue", "image_id"),
    sa.Index("queue_items_open", "queue", "lacks", "place"),
)
LEASES = sa.Table(
    "leases",
    QUEUE_METADATA,
    sa.Column("task", sa.String, primary_key=True),
    sa.Column("image_id", sa.LargeBinary(32), primary_key=True),
    sa.Column("reviewer", sa.String, primary_key=True),
    sa.Column("queue", sa.Integer, nullable=False),
    sa.Column("until", sa.Float, nullable=False),
)
ANSWERS = sa.Table(
    "answers",
    QUEUE_METADATA,
    sa.Column("queue", sa.Integer, primary_key=True),
    sa.Column("image_id", sa.LargeBinary(32), primary_key=True),
    sa.Column("reviewer", sa.String, primary_key=True),
    sa.Column("outcome", sa.String, nullable=False),
    sa.Column("review", sa.Integer, nullable=False),
)
REVIEWS = sa.Table(
    "reviews",
    QUEUE_METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("token", sa.String, nullable=False, unique=True),
    sa.Column("queue", sa.Integer, nullable=False),
    sa.Column("task", sa.String, nullable=False),
    sa.Column("image_id", sa.LargeBinary(32), nullable=False),
    sa.Column("reviewer", sa.String, nullable=False),
    sa.Column("time", sa.Float, nullable=False),
    sa.Column("outcome", sa.String, nullable=False),
    sa.Column("event", sa.Integer),  # of the label log, where it says something of labels
    sa.Column("undoes", sa.Integer),  # the review that is taken back
    sa.Column("why", sa.String, nullable=False),
    sa.Column("note", sa.String),
    sa.Column("seconds", sa.Float),
    sa.Index("reviews_by_image", "task", "image_id"),
)
