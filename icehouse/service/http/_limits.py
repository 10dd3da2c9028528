"""What is too much, of all requests and of each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from icehouse.errors import ServiceTimeout

MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """What is too much.

    Attributes
    ----------
    body : int
        Bytes of one request.
    memory : int
        Bytes of all requests that are under way.
    idle : float
        Seconds for which a body may stall.
    whole : float
        Seconds within which it has to be there.
    rate : float
        Requests a second of each address; 0: any number. Twice as many may come at once.
    """

    body: int = 32 * MIB
    memory: int = 1024 * MIB
    idle: float = 10.0
    whole: float = 60.0
    rate: float = 0.0


@dataclass(frozen=True)
class Terms:
    """What one request may ask.

    Attributes
    ----------
    images : int
        At most.
    seconds : float
        Until it is answered, or told that it will not be.
    """

    images: int = 64
    seconds: float = 30.0

    @asynccontextmanager
    async def in_time(self) -> AsyncIterator[None]:
        """Take back what was asked of encoders and heads when the time is over.

        Raises
        ------
        ServiceTimeout
        """
        try:
            async with asyncio.timeout(self.seconds):
                yield
        except TimeoutError:
            raise ServiceTimeout(
                f"there was no answer within {self.seconds:g} s; send fewer or smaller images, or "
                "try again later"
            ) from None
