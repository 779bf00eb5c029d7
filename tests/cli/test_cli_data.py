"""`naslib-swap data`, with downloads from a server on this machine."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typer.testing import CliRunner

from naslib_swap.cli.data import app
from naslib_swap.errors import SwapError
from naslib_swap.ground_truth import catalogue

CONTENT = b"arch,val_accuracy\n" * 5000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
RUNNER = CliRunner()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/missing":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        whole = self.path != "/interrupted"
        self.wfile.write(CONTENT if whole else CONTENT[: len(CONTENT) // 2])

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.delenv(catalogue.DATA_VARIABLE, raising=False)
    monkeypatch.setenv(catalogue.CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def listed(server, cache, monkeypatch):
    """A catalogue of six files, of which the server has one as it should be."""

    def entry(name, url, sha256=SHA256):
        return catalogue.Entry(
            name,
            f"some/{name}.csv",
            f"the {name} table",
            url,
            sha256,
            len(CONTENT),
            "MIT",
            "X 2024",
        )

    entries = [
        entry("good", f"{server}/good"),
        entry("changed", f"{server}/good", hashlib.sha256(b"").hexdigest()),
        entry("gone", f"{server}/missing"),
        entry("cut", f"{server}/interrupted"),
        entry("offline", "http://127.0.0.1:9/none"),
        entry("derived", None),
    ]
    monkeypatch.setattr(catalogue, "CATALOGUE", {entry.name: entry for entry in entries})
    monkeypatch.setattr("naslib_swap.cli.data.CATALOGUE", catalogue.CATALOGUE)
    return cache


def _files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def _run(*arguments):
    return RUNNER.invoke(app, list(arguments))


def test_fetch_verifies_and_keeps(listed):
    result = _run("fetch", "good")
    assert result.exit_code == 0
    assert result.stdout == f"good: {listed / 'some/good.csv'}\n"
    assert (listed / "some/good.csv").read_bytes() == CONTENT
    before = (listed / "some/good.csv").stat().st_mtime_ns
    assert _run("fetch", "good", "--quiet").stdout == ""
    assert (listed / "some/good.csv").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("changed", "what arrived has another sha256"),
        ("gone", "HTTPError: 404"),
        ("cut", "the connection broke off"),
        ("offline", "there is no connection"),
    ],
)
def test_a_failed_download_leaves_no_file(listed, name, reason):
    result = _run("fetch", name)
    error = result.exception
    assert isinstance(error, SwapError)
    url = catalogue.CATALOGUE[name].url
    if name == "cut" and "another sha256" in str(error):  # requests before 2.32 does not see it
        reason = "what arrived has another sha256"
    assert f"{name} could not be downloaded from {url}: {reason}" in str(error)
    assert f"put the file at {listed / 'some' / name}.csv by hand (sha256 " in str(error)
    assert "\n" not in str(error)
    assert _files(listed) == []


def test_fetch_all_goes_on_after_a_failure(listed):
    result = _run("fetch", "--all")
    assert isinstance(result.exception, SwapError)
    assert all(name in str(result.exception) for name in ("changed", "gone", "cut", "offline"))
    assert "derived" not in str(result.exception)
    assert _files(listed) == ["good.csv"]


def test_what_has_no_download_says_where_to_put_it(listed):
    error = _run("fetch", "derived").exception
    assert "derived has no public download: put the file at" in str(error)
    assert str(listed / "some/derived.csv") in str(error)


@pytest.mark.parametrize("arguments", [("fetch",), ("fetch", "good", "--all")])
def test_fetch_wants_names_or_all(listed, arguments):
    assert "either names" in str(_run(*arguments).exception)


def test_unknown_names(listed):
    for command in ("fetch", "verify"):
        assert "unknown data 'nothing': expected one of good" in str(
            _run(command, "nothing").exception
        )


def test_verify(listed):
    _run("fetch", "good")
    fine = _run("verify")
    assert fine.exit_code == 0
    assert f"good: ok ({listed / 'some/good.csv'})" in fine.stdout
    assert "gone: missing (naslib-swap data fetch gone)" in fine.stdout
    assert _run("verify", "gone").exit_code == 1

    (listed / "some/good.csv").write_bytes(CONTENT[:-1])
    damaged = _run("verify")
    assert damaged.exit_code == 1
    assert "good: corrupted" in damaged.stdout
    assert "expected " + SHA256 in damaged.stdout
    with pytest.raises(SwapError, match="is not good: its sha256 is"):
        catalogue.locate("good")
    assert (listed / "some/good.csv").exists()


def test_the_data_folder_comes_first(listed, tmp_path, monkeypatch):
    _run("fetch", "good")
    folder = tmp_path / "data"
    (folder / "some").mkdir(parents=True)
    monkeypatch.setenv(catalogue.DATA_VARIABLE, str(folder))
    assert catalogue.locate("good") == listed / "some/good.csv"
    (folder / "good.csv").write_bytes(CONTENT)
    assert catalogue.locate("good") == folder / "good.csv"
    (folder / "some/good.csv").write_bytes(CONTENT)
    assert catalogue.locate("good") == folder / "some/good.csv"


def test_a_data_folder_that_does_not_exist(listed, monkeypatch):
    monkeypatch.setenv(catalogue.DATA_VARIABLE, "/nowhere/at/all")
    assert "NASLIB_SWAP_DATA names /nowhere/at/all, which is no folder" in str(
        _run("list").exception
    )


def test_list_as_a_table(listed):
    _run("fetch", "good")
    shown = _run("list").stdout
    assert "the good table" in shown
    assert "MIT" in shown
    assert "0.1 MB" in shown
    assert "missing: naslib-swap data fetch gone" in shown
    assert "missing: no download" in shown


def test_list_as_json(listed):
    _run("fetch", "good")
    rows = {row["name"]: row for row in json.loads(_run("list", "--json").stdout)}
    assert rows["good"]["found"] == str(listed / "some/good.csv")
    assert rows["good"]["remedy"] is None
    assert rows["gone"]["found"] is None
    assert rows["gone"]["remedy"] == "naslib-swap data fetch gone"
    assert rows["gone"]["sha256"] == SHA256


def test_a_progress_bar_counts_the_bytes(listed):
    from rich.progress import Progress

    from naslib_swap.cli.data import _Bar

    progress = Progress(disable=True)
    bar = _Bar(progress, "good")
    catalogue.download(catalogue.CATALOGUE["good"], bar)
    assert progress.tasks[0].total == len(CONTENT)
    assert progress.tasks[0].completed == len(CONTENT)


def test_the_real_catalogue_is_complete():
    for name, entry in catalogue.CATALOGUE.items():
        assert name == entry.name
        assert all(
            getattr(entry, field.name)
            for field in dataclasses.fields(entry)
            if field.name not in ("url",)
        )
        assert len(entry.sha256) == 64
        if entry.url is not None:
            assert entry.url.startswith("https://")
            assert entry.url.rsplit("/", 1)[1] == entry.path.rsplit("/", 1)[1]


@pytest.mark.data
def test_the_real_files(data_dir):
    """Size and checksum of every public file that is here."""
    found = {name: catalogue.find(entry) for name, entry in catalogue.CATALOGUE.items()}
    assert sum(path is not None for path in found.values()) >= 5
    for name, path in found.items():
        if path is not None:
            entry = catalogue.CATALOGUE[name]
            assert path.stat().st_size == entry.size
            catalogue.verify(entry, path)
