import hashlib
import io

import pytest

from nerface_ns.tracking import model_file


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "nerface-ns" / "models" / "face_landmarker.task"


def answer(monkeypatch, content: bytes | OSError) -> list[str]:
    """Let the network answer so; returns the addresses asked for."""
    asked = []

    def urlopen(url: str, timeout: float) -> io.BytesIO:
        asked.append(url)
        if isinstance(content, OSError):
            raise content
        return io.BytesIO(content)

    monkeypatch.setattr(model_file.urllib.request, "urlopen", urlopen)
    return asked


def test_named_file_is_taken_as_it_is(tmp_path):
    (tmp_path / "my.task").write_bytes(b"model")
    assert model_file.landmarker_file(tmp_path / "my.task") == tmp_path / "my.task"
    with pytest.raises(FileNotFoundError, match="--landmarker"):
        model_file.landmarker_file(tmp_path / "other.task")


def test_model_is_fetched_once(cache, monkeypatch):
    monkeypatch.setattr(model_file, "LANDMARKER_SHA256", hashlib.sha256(b"model").hexdigest())
    asked = answer(monkeypatch, b"model")
    assert model_file.landmarker_file(None) == cache
    assert model_file.landmarker_file(None).read_bytes() == b"model"
    assert asked == [model_file.LANDMARKER_URL]


def test_offline_error_says_what_to_fetch_and_where_to_put_it(cache, monkeypatch):
    answer(monkeypatch, OSError("no network"))
    with pytest.raises(FileNotFoundError) as error:
        model_file.landmarker_file(None)
    for part in ("no network", model_file.LANDMARKER_URL, str(cache), "--landmarker"):
        assert part in str(error.value)
    assert list(cache.parent.iterdir()) == []


def test_wrong_file_is_not_kept(cache, monkeypatch):
    answer(monkeypatch, b"an error page")
    with pytest.raises(FileNotFoundError, match="another file"):
        model_file.landmarker_file(None)
    assert list(cache.parent.iterdir()) == []
    cache.write_bytes(b"damaged")
    with pytest.raises(ValueError, match="expected sha256"):
        model_file.landmarker_file(None)


def test_hash_is_that_of_googles_file(shared_data):
    path = shared_data / "models" / "face_landmarker.task"
    assert model_file.file_sha256(path) == model_file.LANDMARKER_SHA256
