"""The verb that answers about images over HTTP: serve."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from icehouse.cli._app import LabelsUrl, app, echo
from icehouse.cli._search import MilvusUrl

Few = list[str] | None


@app.command()
def serve(
    store: Annotated[
        str | None,
        typer.Option("--store", "-s", envvar="ICEHOUSE_STORE", help="Folder of the store, or URL."),
    ] = None,
    head: Annotated[
        Few, typer.Option(metavar="TASK/NAME", help="Served; the first is the default. All.")
    ] = None,
    encoder: Annotated[Few, typer.Option(help="Served besides those of the heads.")] = None,
    index: MilvusUrl = None,
    queue: Annotated[int | None, typer.Option(help="Of the review page. Default: newest.")] = None,
    host: Annotated[
        str | None, typer.Option(help="Other machines reach 0.0.0.0. Default: 127.0.0.1.")
    ] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Default: 8400.")] = None,
    engine: Annotated[
        str | None, typer.Option(help="auto, torch or openvino. Default: auto.")
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Tokens of visitors, one in a line.")
    ] = None,
    person: Annotated[
        Few, typer.Option(metavar="NAME:ROLE:TOKEN", help="As of the verb review.")
    ] = None,
    people: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The same, one in a line.")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(metavar="FILE", help="In PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="In PEM.")] = None,
    trust_proxy: Annotated[
        str | None, typer.Option(metavar="ADDRESSES", help="Whose X-Forwarded is believed.")
    ] = None,
    max_upload: Annotated[
        float | None, typer.Option(help="MiB of one request. Default: 32.")
    ] = None,
    max_pixels: Annotated[
        float | None, typer.Option(help="Millions, of one image. Default: 50.")
    ] = None,
    max_images: Annotated[int | None, typer.Option(help="Of one request. Default: 64.")] = None,
    max_waiting: Annotated[
        int | None, typer.Option(help="Images in the queue. Default: 256.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds of a request. Default: 30.")
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(help="Requests/s of an address; 0: any, as where only this machine asks."),
    ] = None,
    window_ms: Annotated[
        float | None,
        typer.Option(
            help="Milliseconds for which a batch that is not full waits for more. Default: 4."
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="All of these, as TOML.")
    ] = None,
    labels: LabelsUrl = None,
) -> None:
    """Answer about images over HTTP, until Ctrl-C."""
    from icehouse.embedder import keep_freed_memory

    keep_freed_memory()  # before Arrow is imported, and before there are threads
    from icehouse import service
    from icehouse.store import Store

    # What is wrong is said before torch is loaded, which takes seconds: names of a room are
    # loaded when they are asked for.
    settings = service.ServeSettings.of(
        config,
        store=store,
        labels=labels,
        heads=tuple(head or ()),
        encoders=tuple(encoder or ()),
        index=index,
        queue=queue,
        host=host,
        port=port,
        engine=engine,
        token_file=token_file,
        persons=tuple(person or ()),
        people=people,
        tls_cert=tls_cert,
        tls_key=tls_key,
        trust_proxy=trust_proxy,
        max_upload=max_upload,
        max_pixels=max_pixels,
        max_images=max_images,
        max_waiting=max_waiting,
        timeout=timeout,
        rate=rate,
        window_ms=window_ms,
    )
    known = settings.who()
    grace = int(settings.timeout) + 1
    wire = service.Wire(settings.tls_cert, settings.tls_key, settings.trust_proxy, grace)
    with service.listen(settings.host, settings.port, known) as listener:
        opened = Store.open(settings.store, settings.labels)
        served = service.of_settings(settings, known, opened)
        scheme = "https" if settings.tls_cert else "http"
        address = f"{scheme}://{settings.host}:{listener.getsockname()[1]}/"
        echo(f"serving {settings.store} at {address}")
        if not known.anybody:
            echo(f"the page is opened by a token: {address}?token=TOKEN")
        echo("Ctrl-C ends it, after what was accepted is answered")
        service.serve(served, listener, wire)
