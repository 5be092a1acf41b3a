"""The HTTP interface. Everything that touches the volume runs in a thread."""

from typing import Annotated, Any

import structlog
from anyio import to_thread
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response

from app.artifacts import MEDIA_TYPES
from app.dataset import Dataset, Listing
from app.errors import RefusedError
from app.pages import index, security
from app.service import Service
from app.units import show_size

log = structlog.get_logger()
router = APIRouter()

DatasetId = Annotated[str, Path(description="The id that `POST /datasets` gave.")]
PAGE_LENGTH = 100
NO_SUCH_DATASET: dict[int | str, dict[str, Any]] = {
    404: {"description": "There is no dataset of that id."}
}
# Any media type is taken; what the bytes are decides.
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {"schema": {"type": "string", "format": "binary"}},
            "application/x-ndjson": {"schema": {"type": "string", "format": "binary"}},
            "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"file": {"type": "string", "format": "binary"}},
                    "required": ["file"],
                }
            },
        },
    }
}


def service_of(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


@router.post(
    "/datasets",
    status_code=202,
    response_model=Dataset,
    summary="Upload a file",
    openapi_extra=BODY,
    responses={
        303: {"description": "The same, for a form on a page."},
        408: {"description": "The client stopped sending."},
        413: {"description": "The file is larger than the limit."},
        415: {"description": "The file is neither CSV, JSON-lines nor Parquet."},
        507: {"description": "The volume is full."},
    },
)
async def upload(
    request: Request,
    name: Annotated[
        str | None, Query(max_length=200, description="The file's name, where the body has none.")
    ] = None,
) -> Response:
    """Stream a CSV, JSON-lines or Parquet file in: as the body, or as the file of a form.

    The format is found from the content. The profile is made in the background.
    """
    service = service_of(request)
    dataset = await service.uploads.receive(request, name)
    structlog.contextvars.bind_contextvars(dataset=dataset.id)
    service.profiling.wake()
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse("/", 303)
    return JSONResponse(
        dataset.model_dump(mode="json"), 202, headers={"location": f"/datasets/{dataset.id}"}
    )


@router.get("/datasets", summary="List datasets")
async def listing(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=1000)] = PAGE_LENGTH,
    before: Annotated[
        str | None, Query(max_length=64, description="`next` of the page before.")
    ] = None,
) -> Listing:
    """All datasets, newest first, in pages."""
    return await to_thread.run_sync(service_of(request).datasets.list, limit, before)


@router.get("/datasets/{id}", summary="Look at one dataset", responses={**NO_SUCH_DATASET})
async def look(request: Request, id: DatasetId) -> Dataset:  # noqa: A002 - the name in the address
    """Its status and, once it is `ready`, the addresses of its artifacts."""
    dataset = await to_thread.run_sync(service_of(request).datasets.find, id)
    if dataset is None:
        raise RefusedError(404, f"there is no dataset {id[:64]!r}")
    return dataset


@router.get(
    "/datasets/{id}/artifacts/{name}",
    summary="Get an artifact",
    response_class=FileResponse,
    responses={
        200: {
            "description": "The artifact.",
            "content": {kind.partition(";")[0]: {} for kind in MEDIA_TYPES.values()},
        },
        404: {"description": "No such dataset or artifact, or it is not ready yet."},
    },
)
async def artifact(
    request: Request,
    id: DatasetId,  # noqa: A002 - the name in the address
    name: Annotated[str, Path(description=f"One of {', '.join(MEDIA_TYPES)}.")],
) -> Response:
    """One of the files that the profile left: `profile.json`, `profile.html`, `data.parquet`."""
    datasets = service_of(request).datasets
    dataset = await look(request, id)
    if name not in MEDIA_TYPES:
        raise RefusedError(
            404, f"there is no artifact {name[:64]!r}; there are {', '.join(MEDIA_TYPES)}"
        )
    path = await to_thread.run_sync(datasets.artifacts.find, id, name)
    if path is None or name not in dataset.artifacts:
        raise RefusedError(404, f"{name} is not there: the dataset is {dataset.status}")
    headers = {"x-content-type-options": "nosniff", "cache-control": "private, no-cache"}
    if name == "profile.html":
        headers["content-security-policy"] = security.POLICY
    return FileResponse(
        path,
        media_type=MEDIA_TYPES[name],
        headers=headers,
        filename=f"{id}.parquet" if name == "data.parquet" else None,
    )


@router.delete(
    "/datasets/{id}",
    status_code=204,
    summary="Delete a dataset",
    responses={**NO_SUCH_DATASET},
)
async def delete(request: Request, id: DatasetId) -> Response:  # noqa: A002 - the name in the address
    """Remove the upload and all its artifacts, also while it is being profiled."""
    service = service_of(request)
    if not await to_thread.run_sync(service.datasets.delete, id):
        raise RefusedError(404, f"there is no dataset {id[:64]!r}")
    service.profiling.drop(id)
    return Response(status_code=204)


@router.get("/healthz", summary="Is the process alive?")
async def healthz() -> dict[str, str]:
    """Touches nothing but the event loop: fails only where a restart would help."""
    return {"status": "ok"}


@router.get(
    "/readyz",
    summary="Can uploads be stored?",
    responses={503: {"description": "Uploads cannot be stored; `problems` says why."}},
)
async def readyz(request: Request) -> Response:
    """Writes a small file to the volume (at most every ten seconds) and looks at the log writer.

    Trouble with the log file alone is `degraded`, not a failure: the lines go to stderr.
    """
    service = service_of(request)
    problem = await to_thread.run_sync(service.probe.problem, limiter=service.aside)
    logs = service.writer.health()
    body: dict[str, Any] = {
        "status": "ready" if problem is None else "not ready",
        "problems": [] if problem is None else [problem],
        "degraded": [] if logs.trouble is None else [logs.trouble],
        "logs": logs.as_dict(),
        "profiles": service.profiling.counts(),
    }
    return JSONResponse(body, 200 if problem is None else 503)


@router.get("/", include_in_schema=False)
async def page(request: Request) -> HTMLResponse:
    """For people: upload, list, links."""
    service = service_of(request)
    found = await to_thread.run_sync(service.datasets.list, PAGE_LENGTH, None)
    limit = show_size(service.settings.max_upload)
    return HTMLResponse(
        index.render(found.datasets, limit),
        headers={"content-security-policy": index.POLICY, "cache-control": "no-store"},
    )
