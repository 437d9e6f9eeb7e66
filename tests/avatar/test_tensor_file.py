import json
import struct

import pytest
import torch

from nerface_ns.avatar import tensor_file
from nerface_ns.avatar.tensor_file import TensorFile, read_tensor_file, write_tensor_file

CONTENT = TensorFile(
    {"a": [1, 2.5], "b": "ü"},
    {
        "floats": torch.tensor([[1.5, -0.0], [3e-40, 2.0]]),
        "flags": torch.tensor([True, False]),
        "bytes": torch.arange(6, dtype=torch.uint8).reshape(1, 2, 3),
        "scalar": torch.tensor(-1),
        "none": torch.empty(0, 3),
    },
)


@pytest.fixture
def path(tmp_path):
    write_tensor_file(tmp_path / "a.nerface", CONTENT)
    return tmp_path / "a.nerface"


def rewritten(path, edit):
    """Change the header's JSON in place."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    header = edit(header) or header
    packed = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(packed)) + packed + data[8 + length :])
    return path


def test_what_is_written_is_read(path):
    """Bit for bit, also -0 and denormal numbers."""
    read = read_tensor_file(path)
    assert read.description == CONTENT.description
    assert read.tensors.keys() == CONTENT.tensors.keys()
    for name, tensor in CONTENT.tensors.items():
        assert read.tensors[name].dtype == tensor.dtype and read.tensors[name].shape == tensor.shape
        assert read.tensors[name].numpy().tobytes() == tensor.numpy().tobytes()
    assert [file.name for file in path.parent.iterdir()] == ["a.nerface"]


def test_safetensors_own_reader_takes_it(path):
    from safetensors.torch import load_file

    torch.testing.assert_close(load_file(path)["floats"], CONTENT.tensors["floats"], rtol=0, atol=0)


def test_failed_write_leaves_what_was_there(path, monkeypatch):
    before = path.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tensor_file.os, "fsync", full)
    with pytest.raises(ValueError, match="No space left"):
        write_tensor_file(path, TensorFile({}, {}))
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["a.nerface"]


def test_other_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_tensor_file(tmp_path / "gone.nerface")
    for data in (b"", b"short", bytes(8) + b"more", b"\xff" * 40, struct.pack("<Q", 2**62) + b"{}"):
        (tmp_path / "b.nerface").write_bytes(data)
        with pytest.raises(ValueError, match=r"b\.nerface"):
            read_tensor_file(tmp_path / "b.nerface")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda header: header["__metadata__"].update(format="other"), "expected an avatar"),
        (lambda header: header["__metadata__"].update(version="2"), "expected version 1"),
        (lambda header: header["__metadata__"].update(description="{"), "description: expected JSON"),
        (lambda header: header["__metadata__"].update(description='{"a": NaN}'), "NaN is no number"),
        (lambda header: header["__metadata__"].update(description='{"a": 1, "a": 2}'), "twice"),
        (lambda header: header["__metadata__"].update(description="[" * 100_000), "description: expected JSON"),
        (lambda header: header["floats"].update(shape=[2**40, 2**40]), "safetensors|damaged"),
        (lambda header: header["floats"].update(data_offsets=[0, 2**50]), "safetensors|damaged"),
        (lambda header: header["floats"].update(dtype="F16"), "damaged|type"),
        (lambda header: header["floats"].update(dtype="I32"), None),
    ],
)
def test_headers_that_lie(path, edit, message):
    if message is None:
        assert read_tensor_file(rewritten(path, edit)).tensors["floats"].dtype == torch.int32
        return
    with pytest.raises(ValueError, match=message):
        read_tensor_file(rewritten(path, edit))


def test_numbers_that_are_none(tmp_path):
    for bad in (torch.tensor([torch.nan]), torch.zeros(1, dtype=torch.float64)):
        with pytest.raises(ValueError, match="tensor 'x': expected finite numbers"):
            write_tensor_file(tmp_path / "a.nerface", TensorFile({}, {"x": bad}))
    write_tensor_file(tmp_path / "a.nerface", TensorFile({}, {"x": torch.tensor([1.0])}))
    data = (tmp_path / "a.nerface").read_bytes()
    (tmp_path / "a.nerface").write_bytes(data[:-4] + b"\x00\x00\xc0\x7f")
    with pytest.raises(ValueError, match="tensor 'x': expected finite numbers"):
        read_tensor_file(tmp_path / "a.nerface")
    write_tensor_file(tmp_path / "a.nerface", TensorFile({}, {"x": torch.tensor([True])}))
    data = (tmp_path / "a.nerface").read_bytes()
    (tmp_path / "a.nerface").write_bytes(data[:-1] + b"\x02")
    with pytest.raises(ValueError, match="booleans of 0 or 1"):
        read_tensor_file(tmp_path / "a.nerface")
