"""Everything that icehouse raises on purpose.

::

    IcehouseError
    ├── UsageError               a request that cannot be carried out as it was put
    │   ├── LookupFailed         no such dataset, task, head, encoder or image in the store
    │   ├── MissingExtra         an optional package is not installed
    │   └── SettingError         a setting that a head does not have, or cannot have
    ├── StoreError               the store cannot be used
    │   ├── NotAStore            no store there, or a folder that is something else
    │   ├── StoreTooNew          written by a later version of icehouse
    │   ├── StoreCorrupt         a stored file is damaged
    │   ├── StoreUnreadable      no permission to read it
    │   └── StoreUnwritable      no permission, or no space left
    ├── SourceError              a folder, manifest, tar, table or URL is no source
    ├── ImageError               one input cannot become a picture; kept as a typed row
    ├── EncoderError             an encoder cannot be used
    │   ├── UnknownEncoder       its name is not understood
    │   ├── WeightsError         its weights are absent, incomplete or have parts too many
    │   ├── CanaryError          it no longer gives the vectors that it once gave
    │   └── VectorError          it gave a vector that cannot be stored
    ├── HeadError                a head cannot be fitted or used
    │   ├── UnknownHead          its name is not understood
    │   ├── TrainingDataError    the labels do not make a training set
    │   ├── EncoderMismatch      features of another encoder
    │   ├── MemberChanged        a head that an ensemble is made of is another now, or gone
    │   └── HeadCorrupt          its files are damaged
    ├── ExportError              a head or an encoder cannot be written as ONNX
    ├── MilvusError              Milvus cannot be reached, or did not do what it was asked
    ├── ServiceError             the service has no answer
    │   ├── ServiceBusy          as much is waiting as may; again in some seconds
    │   ├── ServiceDown          what would answer has failed, and is started anew
    │   ├── ServiceTimeout       it would have taken longer than a request may
    │   └── ServiceRefused       another answer than hoped for, as a client gets it
    └── Interrupted              stopped by the user; all that was done is kept

A message says what was wrong, what was got, and what to do.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = [
    "CanaryError",
    "EncoderError",
    "EncoderMismatch",
    "ExportError",
    "HeadCorrupt",
    "HeadError",
    "IcehouseError",
    "ImageError",
    "ImageErrorKind",
    "Interrupted",
    "LookupFailed",
    "MemberChanged",
    "MilvusError",
    "MissingExtra",
    "NotAStore",
    "ServiceBusy",
    "ServiceDown",
    "ServiceError",
    "ServiceRefused",
    "ServiceTimeout",
    "SettingError",
    "SourceError",
    "StoreCorrupt",
    "StoreError",
    "StoreTooNew",
    "StoreUnreadable",
    "StoreUnwritable",
    "TrainingDataError",
    "UnknownEncoder",
    "UnknownHead",
    "UsageError",
    "VectorError",
    "WeightsError",
]


class IcehouseError(Exception):
    """Base of all; catching it catches everything that icehouse raises on purpose."""


class UsageError(IcehouseError):
    """A request that cannot be carried out as it was put."""


class LookupFailed(UsageError):
    """No such dataset, task, head, encoder or image in the store."""


class MissingExtra(UsageError):
    """An optional package is not installed.

    Parameters
    ----------
    package : str
        The name that could not be imported.
    extra : str
        The extra of icehouse that brings it.
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"this needs {package}, which is not installed. "
            f"Install it with: pip install 'icehouse[{extra}]'"
        )
        self.package = package
        self.extra = extra


class SettingError(UsageError, ValueError):
    """A setting that a head does not have, or a value that it cannot have."""


class StoreError(IcehouseError):
    """The store cannot be used."""


class NotAStore(StoreError):
    """There is no store at the place given, or the folder there is something else."""


class StoreTooNew(StoreError):
    """The store was written by a later version of icehouse."""


class StoreCorrupt(StoreError):
    """A stored file is damaged."""


class StoreUnreadable(StoreError):
    """There is no permission to read the store, or a part of it."""


class StoreUnwritable(StoreError):
    """The store cannot be written to: no permission, or no space left."""


class SourceError(IcehouseError):
    """A folder, manifest, tar, table or URL cannot be read as a source of images."""


class ImageErrorKind(StrEnum):
    """Why an input is not a picture; the value is what the catalog stores."""

    UNREADABLE = "unreadable"
    """The system or a network refused to read it (permission, disk, removed meanwhile)."""
    NOT_A_FILE = "not-a-file"
    """A link, FIFO, socket, device or folder where a file was expected."""
    EMPTY = "empty"
    """Zero bytes, or an empty cell."""
    NOT_AN_IMAGE = "not-an-image"
    """Its bytes are of no picture format known here, or its box is no part of the picture."""
    TRUNCATED = "truncated"
    """The picture ends too early."""
    CORRUPT = "corrupt"
    """The picture's bytes contradict its format."""
    TOO_LARGE = "too-large"
    """More pixels than the limit, more bytes than are read of a file, or more than memory holds."""
    UNSUPPORTED = "unsupported"
    """A sound picture that nobody means: of floating-point samples, or of a hundred scans."""

    @property
    def transient(self) -> bool:
        """Whether reading the same bytes again later may succeed (limits can be raised)."""
        return self in (
            ImageErrorKind.UNREADABLE,
            ImageErrorKind.NOT_A_FILE,
            ImageErrorKind.TOO_LARGE,
        )


class ImageError(IcehouseError):
    """One input cannot become a picture.

    Parameters
    ----------
    kind : ImageErrorKind
    detail : str
        What was found, for people.
    """

    def __init__(self, kind: ImageErrorKind, detail: str) -> None:
        super().__init__(f"{kind.value}: {detail}")
        self.kind = kind
        self.detail = detail


class EncoderError(IcehouseError):
    """An encoder cannot be used."""


class UnknownEncoder(EncoderError):
    """The encoder's name is not understood."""


class WeightsError(EncoderError):
    """The weights are absent, incomplete, or have parts that the network lacks."""


class CanaryError(EncoderError):
    """The encoder no longer gives the vectors that it gave when the store met it."""


class VectorError(EncoderError):
    """The encoder gave a vector that cannot be stored (not finite, or of a wrong shape)."""


class HeadError(IcehouseError):
    """A head cannot be fitted or used."""


class UnknownHead(HeadError):
    """The head's name is not understood."""


class TrainingDataError(HeadError, ValueError):
    """The labels and features do not make a training set."""


class EncoderMismatch(HeadError):
    """A head was given features of another encoder than the one it was fitted on."""


class MemberChanged(HeadError):
    """A head that an ensemble is made of was fitted again, or is gone."""


class HeadCorrupt(HeadError):
    """A head's files are damaged or were changed by hand."""


class ExportError(IcehouseError):
    """A head or an encoder cannot be written as ONNX, or would answer otherwise there."""


class MilvusError(IcehouseError):
    """Milvus cannot be reached, or did not do what it was asked."""


class ServiceError(IcehouseError):
    """The service has no answer."""


class ServiceBusy(ServiceError):
    """As much is waiting as may.

    Parameters
    ----------
    words : str
    retry_after : int
        Seconds after which it is worth to ask again.
    """

    def __init__(self, words: str, retry_after: int = 1) -> None:
        super().__init__(words)
        self.retry_after = retry_after


class ServiceDown(ServiceError):
    """What would answer has failed; it is started anew."""


class ServiceTimeout(ServiceError):
    """The answer would have taken longer than a request may."""


class ServiceRefused(ServiceError):
    """A service has answered something else than was hoped for.

    Parameters
    ----------
    status : int
        Of HTTP.
    error : str
        What kind it is, as the service calls it.
    detail : str
    """

    def __init__(self, status: int, error: str, detail: str) -> None:
        super().__init__(f"{error} ({status}): {detail}")
        self.status = status
        self.error = error
        self.detail = detail


class Interrupted(IcehouseError):
    """Stopped by the user; everything done until then is kept."""
