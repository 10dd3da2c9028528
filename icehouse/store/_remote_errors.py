"""What goes wrong on the way to object storage, as errors that say what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from icehouse.errors import IcehouseError, StoreError, StoreUnreadable, StoreUnwritable

AGAIN = "All that was committed before is good; run the same command again"
# Of botocore, aiohttp and fsspec, which are not imported here: by their names.
NO_WAY = re.compile(
    r"EndpointConnectionError|ConnectTimeoutError|ConnectionError|ConnectionClosedError"
    r"|ProxyConnectionError|Client\w*(Connect|DNS|OS|Payload|Disconnected)\w*Error|gaierror"
)
LATE = re.compile(r"\w*Timeout\w*")
NOBODY = re.compile(r"\w*(NoCredentials|PartialCredentials|ProfileNotFound|TokenRetrieval)\w*")


def shown(url: str) -> str:
    """Return a URL as it may be shown: without a password.

    Examples
    --------
    >>> shown("sftp://ada:secret@host/photos")
    'sftp://ada:***@host/photos'
    """
    return re.sub(r"(?<=://)([^/@:]*):[^/@]*@", r"\1:***@", url)


@contextmanager
def reading(where: str) -> Iterator[None]:
    """Turn what a file system raises into StoreUnreadable, but for files that are not there."""
    try:
        yield
    except IcehouseError:
        raise
    except (FileNotFoundError, NotADirectoryError) as error:
        if "NoSuchBucket" in _codes(error):
            raise _explained(error, "read", where, StoreUnreadable) from error
        raise FileNotFoundError(where) from error
    except Exception as error:
        raise _explained(error, "read", where, StoreUnreadable) from error


@contextmanager
def writing(where: str) -> Iterator[None]:
    """Turn what a file system raises into StoreUnwritable."""
    try:
        yield
    except IcehouseError:
        raise
    except Exception as error:
        raise _explained(error, "write", where, StoreUnwritable) from error


def _explained(error: Exception, do: str, where: str, kind: type[StoreError]) -> StoreError:
    names = [type(each).__name__ for each in _chain(error)]
    said = " ".join(str(error).split()) or names[0]
    if any(NOBODY.fullmatch(name) for name in names):
        remedy = "Give them: for S3 AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile"
    elif "NoSuchBucket" in _codes(error):
        said, remedy = "there is no such bucket", "Check its name and AWS_ENDPOINT_URL, or make it"
    elif isinstance(error, PermissionError):
        remedy = "Check the credentials (for S3 AWS_…), and what they may do in this bucket"
    elif any(NO_WAY.fullmatch(name) for name in names):
        remedy = f"Check the network and the endpoint (for S3 AWS_ENDPOINT_URL). {AGAIN}"
    elif any(LATE.fullmatch(name) for name in names):
        said = "the server did not answer in time"
        remedy = f"Check the network. {AGAIN}"
    elif isinstance(error, NotImplementedError):
        said, remedy = "this kind of URL cannot be written to", "Take s3:// or a folder"
    else:
        remedy = AGAIN
    return kind(f"cannot {do} {where}: {said.rstrip('.')}. {remedy}")


def _codes(error: BaseException) -> str:
    """Return the codes of S3 in an error and its causes."""
    answers = (getattr(each, "response", None) for each in _chain(error))
    return " ".join(
        str(answer.get("Error", {}).get("Code", ""))
        for answer in answers
        if isinstance(answer, dict)
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
