import pytest

from nerface_ns.rendering.shard import Shard


def test_every_frame_has_one_shard():
    shards = [Shard.parse(f"{number}/3") for number in (1, 2, 3)]
    assert [[shard.takes(frame) for frame in range(7)].count(True) for shard in shards] == [3, 2, 2]
    assert all(sum(shard.takes(frame) for shard in shards) == 1 for frame in range(7))


@pytest.mark.parametrize("text", ["0/3", "4/3", "1/0", "1", "a/b", "-1/3", "1/3/2", "", "1/9999999"])
def test_no_such_shard(text):
    with pytest.raises(ValueError, match=r"--shard .*: expected i/n with i from 1 to n"):
        Shard.parse(text)
