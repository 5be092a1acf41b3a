"""What the service answers, over real HTTP."""

import json
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import duckdb
import httpx
import pytest

from tests.integration.app.server import CSV, App, until

DATASET = "/datasets/00000000000-0000000000"


def left_behind(app: App) -> list[str]:
    return [name for name in app.files("datasets") if "/incoming/" in name]


def test_an_upload_becomes_a_profile_a_page_and_parquet(app: App) -> None:
    """1 the upload is accepted; 2 it becomes ready; 3 each artifact says the same of it."""
    accepted = app.upload(CSV, "cities.csv")
    assert accepted.status_code == 202
    assert accepted.json()["name"] == "cities.csv"
    assert accepted.headers["location"] == f"/datasets/{accepted.json()['id']}"

    ready = app.profiled(accepted.json()["id"])
    assert (ready["status"], ready["rows"], ready["columns"]) == ("ready", 3, 4)
    assert sorted(ready["artifacts"]) == ["data.parquet", "profile.html", "profile.json"]

    profile = app.http.get(ready["artifacts"]["profile.json"]).json()
    columns = {column["name"]: column for column in profile["columns"]}
    assert columns["city"]["nulls"] == 1
    assert (columns["amount"]["min"], columns["amount"]["max"]) == (2.5, 9.25)
    assert columns["day"]["type"] == "DATE"
    page = app.http.get(ready["artifacts"]["profile.html"])
    assert "<svg" in page.text
    assert "cities.csv" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    with duckdb.connect() as connection:
        found = connection.execute(
            f"SELECT id, city FROM '{app.volume}/artifacts/{ready['id']}/data.parquet'"
        ).fetchall()
    assert found == [(1, "Oslo"), (2, "Rome"), (3, None)]
    assert app.files(f"artifacts/{ready['id']}") == ["data.parquet", "profile.html", "profile.json"]


def test_json_lines_parquet_and_forms_are_read_alike(app: App) -> None:
    """The format is found from the content, in a form's file as in a body."""
    lines = b'{"id": 1, "at": {"x": 1}}\n{"id": 2, "tags": ["a"]}\n'
    first = app.profiled(app.upload(lines, "x.txt").json()["id"])
    assert (first["format"], first["rows"], first["columns"]) == ("jsonl", 2, 3)

    parquet = app.http.get(first["artifacts"]["data.parquet"]).content
    second = app.profiled(app.upload(parquet, "x").json()["id"])
    assert (second["format"], second["rows"], second["columns"]) == ("parquet", 2, 3)

    form = app.http.post("/datasets", files={"file": ("ö/ä.csv", CSV, "text/csv")}, data={"a": "b"})
    third = app.profiled(form.json()["id"])
    assert (third["format"], third["rows"], third["name"]) == ("csv", 3, "ä.csv")
    assert third["bytes"] == len(CSV)


def test_a_browsers_form_comes_back_to_the_page(app: App) -> None:
    """A form sent by a browser without scripts is answered with the page that lists it."""
    answer = app.http.post(
        "/datasets",
        files={"file": ("<b>form.csv", CSV, "text/csv")},
        headers={"accept": "text/html"},
        follow_redirects=True,
    )
    assert answer.status_code == 200
    assert "&lt;b&gt;form.csv" in answer.text
    assert "<b>form.csv" not in answer.text


@pytest.mark.parametrize(
    ("content", "headers", "status", "said"),
    [
        (b"", {}, 422, "empty"),
        (b"  \n ", {}, 422, "white space"),
        (b"\x89PNG\r\n", {}, 415, "image"),
        (b"a,b\n\0\0", {}, 415, "binary"),
        (b'[{"a": 1}]', {}, 415, "JSON array"),
        (b'{"a": \n', {}, 415, "begins like JSON"),
        (CSV, {"content-type": "application/pdf"}, 415, "application/pdf"),
        (b"x" * 2_000_001, {}, 413, "larger than 2.0 MB"),
        (b"none", {"content-type": "multipart/form-data"}, 422, "boundary"),
        (b"none", {"content-type": "multipart/form-data; boundary=x"}, 422, "form"),
        (
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n1,2\n3',
            {"content-type": "multipart/form-data; boundary=x"},
            422,
            "middle of the file",
        ),
    ],
)
def test_a_refused_upload_says_why_and_leaves_nothing(
    app: App, content: bytes, headers: dict[str, str], status: int, said: str
) -> None:
    """Each refusal has its status and reason, and no trace on the volume."""
    before = app.http.get("/datasets").json()
    answer = app.upload(content, **headers)
    assert answer.status_code == status
    assert said in answer.json()["detail"]
    assert left_behind(app) == []
    assert len(app.http.get("/datasets").json()["datasets"]) == len(before["datasets"])


def test_a_body_of_unknown_length_is_cut_off_at_the_limit(app: App) -> None:
    """A chunked upload declares no length: it is refused while it streams, and is gone."""

    def chunks() -> Iterator[bytes]:
        for _ in range(40):
            yield b"1,2,3,4,5,6,7,8\n" * 4096

    answer = app.http.post("/datasets", content=chunks())
    assert answer.status_code == 413
    assert left_behind(app) == []


def test_an_upload_of_exactly_the_limit_is_taken(app: App) -> None:
    """The limit itself is allowed."""
    content = b"a\n" + b"1\n" * 999_999
    assert app.upload(content).status_code == 202
    assert app.upload(content + b"1").status_code == 413


def connect(app: App) -> socket.socket:
    address = urlsplit(app.url)
    assert address.hostname
    assert address.port
    return socket.create_connection((address.hostname, address.port), timeout=10)


def test_a_client_that_leaves_in_the_middle_leaves_nothing(app: App) -> None:
    """1 half an upload is on the volume; 2 the client goes; 3 it is gone and logged as 499."""
    with connect(app) as client:
        client.sendall(
            b"POST /datasets?name=half HTTP/1.1\r\nHost: x\r\nContent-Length: 1500000\r\n"
        )
        client.sendall(b"X-Request-Id: half-an-upload\r\n\r\n" + b"1,2\n" * 300_000)
        until(lambda: any(name.endswith("/source") for name in left_behind(app)))
    until(lambda: left_behind(app) == [])
    until(lambda: any(line.get("request_id") == "half-an-upload" for line in app.lines()))
    line = next(line for line in app.lines() if line.get("request_id") == "half-an-upload")
    assert (line["event"], line["status"], line["disconnected"]) == ("request", 499, True)


def test_a_client_that_stops_sending_is_answered(app: App) -> None:
    """An upload that goes quiet ends with 408 and leaves nothing."""
    with connect(app) as client:
        client.sendall(b"POST /datasets HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\na,b\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 408 ")
    assert left_behind(app) == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", DATASET, 404),
        ("DELETE", DATASET, 404),
        ("GET", f"{DATASET}/artifacts/profile.json", 404),
        ("GET", "/datasets/.queue", 404),
        ("GET", "/datasets/.workers", 404),
        ("DELETE", "/datasets/.workers", 404),
        ("DELETE", "/datasets/%2e%2e", 404),
        ("GET", "/datasets/..%2f..%2fetc%2fpasswd", 404),
        ("GET", "/datasets/%00", 404),
        ("GET", "/datasets/" + "a" * 5000, 404),
        ("GET", "/nothing", 404),
        ("PUT", "/datasets", 405),
        ("GET", "/datasets?limit=0", 422),
        ("GET", "/datasets?limit=many", 422),
        ("POST", "/datasets?name=" + "a" * 201, 422),
    ],
)
def test_what_does_not_exist_has_its_status(app: App, method: str, path: str, status: int) -> None:
    """Unknown ids, tricks in paths and bad parameters are refused as such, in JSON."""
    answer = app.http.request(method, path)
    assert answer.status_code == status
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    "name",
    [
        "dataset.json",
        "../dataset.json",
        "..%2f..%2fdatasets",
        "%2e%2e",
        ".",
        "%00",
        "profile.json/",
        "data.parquet%00",
        "PROFILE.JSON",
    ],
)
def test_only_artifacts_can_be_got_by_name(app: App, name: str) -> None:
    """A name is one of three; nothing else on the volume can be reached through it."""
    dataset = app.profiled(app.upload().json()["id"])["id"]
    with connect(app) as client:
        client.sendall(
            f"GET /datasets/{dataset}/artifacts/{name} HTTP/1.1\r\nHost: x\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        # A trailing slash is a redirect to the address without it.
        wanted = b"HTTP/1.1 307 " if name.endswith("/") else b"HTTP/1.1 404 "
        assert client.recv(4096).startswith(wanted)


def test_a_file_that_cannot_be_read_fails_with_a_reason(app: App) -> None:
    """The status is failed, the reason names the trouble, no artifact is there."""
    broken = b'{"a": 1}\n{"a": \n{"a": 3}\n'
    failed = app.profiled(app.upload(broken).json()["id"])
    assert failed["status"] == "failed"
    assert "JSON" in failed["reason"]
    assert str(app.volume) not in failed["reason"]
    assert app.files(f"artifacts/{failed['id']}") == []
    assert app.http.get(f"/datasets/{failed['id']}/artifacts/profile.json").status_code == 404
    assert app.profiled(app.upload(b"PAR1 but not Parquet").json()["id"])["status"] == "failed"


def test_a_deleted_dataset_is_gone_with_its_artifacts(app: App) -> None:
    """Nothing of it stays on the volume, ready or still being profiled."""
    ready = app.profiled(app.upload().json()["id"])["id"]
    fresh = app.upload(b"a,b\n" + b"1,2\n" * 200_000).json()["id"]
    for dataset in (ready, fresh):
        assert app.http.delete(f"/datasets/{dataset}").status_code == 204
        assert app.http.get(f"/datasets/{dataset}").status_code == 404
        assert app.http.delete(f"/datasets/{dataset}").status_code == 404

    def gone() -> bool:
        return not any(
            dataset in name
            for dataset in (ready, fresh)
            for name in [*app.files("datasets"), *app.files("artifacts")]
        )

    until(gone)


def test_the_list_is_paged_newest_first(app: App) -> None:
    """`next` leads through all datasets, each once."""
    wanted = [app.upload().json()["id"] for _ in range(3)]
    seen: list[str] = []
    page = app.http.get("/datasets", params={"limit": 2}).json()
    while True:
        seen += [dataset["id"] for dataset in page["datasets"]]
        if page["next"] is None:
            break
        page = app.http.get("/datasets", params={"limit": 2, "before": page["next"]}).json()
    assert len(seen) == len(set(seen))
    assert seen == sorted(seen, reverse=True)
    assert set(wanted) <= set(seen)


def test_the_page_is_whole_in_itself(app: App) -> None:
    """The front page loads nothing from elsewhere, and its policy allows its own script."""
    answer = app.http.get("/")
    assert answer.status_code == 200
    assert "//" not in answer.text.replace("http-equiv", "")
    assert "script-src 'sha256-" in answer.headers["content-security-policy"]


def test_the_api_describes_itself(app: App) -> None:
    """OpenAPI names each route of the contract with a summary, and `/docs` shows it."""
    paths = app.http.get("/openapi.json").json()["paths"]
    assert {
        "/datasets": {"get", "post"},
        "/datasets/{id}": {"get", "delete"},
        "/datasets/{id}/artifacts/{name}": {"get"},
        "/healthz": {"get"},
        "/readyz": {"get"},
    } == {path: set(routes) for path, routes in paths.items()}
    assert all(route["summary"] for routes in paths.values() for route in routes.values())
    assert app.http.get("/docs").status_code == 200


def test_each_request_is_one_line(app: App) -> None:
    """One line has id, method, path, status, duration and bytes; a given id is kept."""
    given = "my-id.1"
    answer = app.http.get(DATASET, headers={"x-request-id": given})
    assert answer.headers["x-request-id"] == given
    forged = app.http.get("/healthz", headers={"x-request-id": 'x" forged'})
    assert forged.headers["x-request-id"].isalnum()
    until(lambda: any(line.get("request_id") == given for line in app.lines()))
    (line,) = [line for line in app.lines() if line.get("request_id") == given]
    assert line["event"] == "request"
    assert (line["method"], line["path"], line["status"]) == ("GET", DATASET, 404)
    assert line["duration_ms"] > 0
    assert line["bytes_out"] == len(answer.content)
    assert line["timestamp"].endswith("Z")
    assert len(line["timestamp"]) == len("2026-01-01T00:00:00.000Z")


def test_a_profile_is_logged_with_the_uploads_request_id(app: App) -> None:
    """Whoever has the id of an upload finds what became of it."""
    answer = app.upload()
    app.profiled(answer.json()["id"])
    wanted = answer.headers["x-request-id"]

    def finished() -> bool:
        return any(
            line["event"] == "profile_finished" and line.get("request_id") == wanted
            for line in app.lines()
        )

    until(finished)


def test_readiness_shows_the_log_writer(app: App) -> None:
    """A healthy service says so, with the counts of its log lines."""
    answer = app.http.get("/readyz")
    assert answer.status_code == 200
    told = answer.json()
    assert (told["status"], told["problems"], told["degraded"]) == ("ready", [], [])
    assert told["logs"]["written"] > 0
    assert told["logs"]["lost"] == 0


def test_parts_of_an_artifact_can_be_got(app: App) -> None:
    """Range requests work, as readers of Parquet need them."""
    ready = app.profiled(app.upload().json()["id"])
    answer = app.http.get(ready["artifacts"]["data.parquet"], headers={"range": "bytes=0-3"})
    assert (answer.status_code, answer.content) == (206, b"PAR1")


def test_a_hostile_file_cannot_reach_beyond_itself(app: App) -> None:
    """Names that are paths, markup or SQL come out as text."""
    content = (
        b"'\"; DROP TABLE x,<script>alert(1)</script>\n../../etc/passwd,read_csv('/etc/passwd')\n"
    )
    ready = app.profiled(app.upload(content, "../../../<i>evil.csv").json()["id"])
    assert ready["status"] == "ready", ready
    assert ready["name"] == "<i>evil.csv"
    page = app.http.get(ready["artifacts"]["profile.html"]).text
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "<i>" not in page
    assert "root:" not in json.dumps(app.http.get(ready["artifacts"]["profile.json"]).json())


def test_expecting_clients_are_refused_before_they_send(app: App) -> None:
    """With `Expect: 100-continue` an oversize upload is answered without its body."""
    with connect(app) as client:
        client.sendall(
            b"POST /datasets HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
            b"Content-Length: 999999999\r\n\r\n"
        )
        assert client.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_health_needs_no_volume(app: App) -> None:
    """The health answer is small and says ok."""
    assert httpx.get(f"{app.url}/healthz").json() == {"status": "ok"}
