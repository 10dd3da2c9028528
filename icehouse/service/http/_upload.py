"""Images as they come over HTTP: one as the body, several as a form, those of the store by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from icehouse.errors import UsageError
from icehouse.service.http._models import IMAGE_ID, FlagIn, ImageIds, SearchIn
from icehouse.service.http._schema import image_id_of
from icehouse.service.inference import Upload

FORM, JSON = "multipart/form-data", "application/json"
BYTES = "application/octet-stream"
FIELDS = 32  # of a form, besides images
FIELD_BYTES = 2**20
Read = TypeVar("Read", bound=BaseModel)

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FILES = {"type": "array", "items": {"type": "string", "format": "binary"}}
_IDS = {"type": "array", "items": {"type": "string", "pattern": IMAGE_ID}}
_RAW = {"image/*": _BINARY, BYTES: _BINARY}


def upload_body(model: type[BaseModel], **fields: dict[str, Any]) -> dict[str, Any]:
    """Return what OpenAPI says of a route that takes images, or JSON by a model."""
    properties = {"images": _FILES, "image_ids": _IDS, **fields}
    form = {"schema": {"type": "object", "properties": properties}}
    by_name = {"schema": model.model_json_schema()}
    return {"requestBody": {"required": True, "content": {**_RAW, FORM: form, JSON: by_name}}}


IMAGES_BODY = upload_body(ImageIds)
SEARCH_BODY = upload_body(SearchIn, text={"type": "string", "maxLength": 1000})
FLAG_BODY = upload_body(
    FlagIn,
    head={"type": "string"},
    labels={"type": "array", "items": {"type": "string"}},
    note={"type": "string", "maxLength": 2000},
)


@dataclass(frozen=True)
class Sent:
    """What came: images, and what was said beside them.

    Attributes
    ----------
    images : list of Upload
    said : dict
        Fields of the form or of the JSON.
    """

    images: list[Upload]
    said: dict[str, Any] = field(default_factory=dict)


async def read_upload(request: Request, most: int, model: type[Read]) -> Sent:
    """Read what was sent.

    Parameters
    ----------
    request : Request
    most : int
        Images.
    model : type
        Of what is sent as JSON, and of the fields beside images.

    Raises
    ------
    HTTPException
        413 for more images, 415 for another type of content, 400 for what is no form.
    UsageError
        No image at all, or fields that are none.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == FORM:
        return await _read_form(request, most, model)
    if kind == JSON:
        try:
            said = model.model_validate_json(await request.body())
        except ValidationError as error:
            raise UsageError(words_of(error)) from None
        return _by_name(said.model_dump(exclude_none=True), most)
    if kind == BYTES or kind.startswith("image/"):
        return Sent([Upload(data=await request.body())])
    raise HTTPException(
        415, f"send an image as image/… or {BYTES}, several as {FORM}, or {JSON}; got {kind!r:.80}"
    )


async def _read_form(request: Request, most: int, model: type[BaseModel]) -> Sent:
    limits = {"max_files": most, "max_fields": most + FIELDS, "max_part_size": FIELD_BYTES}
    try:
        form = await request.form(**limits)
    except HTTPException as error:
        if "Too many files" in str(error.detail):
            raise HTTPException(413, _too_many(most)) from None
        raise
    images: list[Upload] = []
    texts: dict[str, Any] = {}
    try:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                images.append(Upload(value.filename or None, await value.read()))
            elif name in ("image_ids", "image_id"):
                images.append(Upload(image_id=image_id_of(value)))
            elif name in model.model_fields and name != "labels":
                texts[name] = value
            elif name == "labels" and name in model.model_fields:
                texts.setdefault(name, []).append(value)
            else:
                raise UsageError(f"a form with a field {name[:80]!r} is not understood")
    finally:
        await form.close()
    try:
        said = model.model_validate(texts) if texts else None
    except ValidationError as error:
        raise UsageError(words_of(error)) from None
    return _checked(images, {} if said is None else said.model_dump(exclude_none=True), most)


def _by_name(said: dict[str, Any], most: int) -> Sent:
    ids = said.pop("image_ids", [])
    if one := said.pop("image_id", None):
        ids = [one]
    return _checked([Upload(image_id=image_id_of(each)) for each in ids], said, most)


def _checked(images: list[Upload], said: dict[str, Any], most: int) -> Sent:
    if len(images) > most:
        raise HTTPException(413, _too_many(most))
    return Sent(images, said)


def require_images(sent: Sent) -> list[Upload]:
    """Return the images, or raise UsageError where there are none."""
    if not sent.images:
        raise UsageError("no image was sent: give some as files of a form, or their image_ids")
    return sent.images


def require_one(sent: Sent) -> Upload:
    """Return the only image, or raise UsageError."""
    if len(sent.images) != 1:
        raise UsageError(f"one image is asked for, got {len(sent.images)}")
    return sent.images[0]


def words_of(error: ValidationError) -> str:
    """Return what is wrong with fields."""
    wrong = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in wrong[:5])


def _too_many(most: int) -> str:
    return f"a request has {most} images at most; send the others in another one"
