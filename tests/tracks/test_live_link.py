import struct

import numpy as np
import pytest
from sample_track import rotation

from nerface_ns.tracks.live_link import (
    ANGLE_NAMES,
    ARKIT_NAMES,
    LIVE_LINK_DISTANCE,
    parse_live_link_packet,
    read_live_link_csv,
)
from nerface_ns.tracks.track_file import read_track

COEFFICIENTS = ("EyeBlinkLeft", "JawRight", "JawLeft", "MouthSmileLeft")
ANGLES = tuple(name[0].upper() + name[1:] for name in ANGLE_NAMES)
HEADER = ",".join(("Timecode", "BlendShapeCount", *COEFFICIENTS, *ANGLES))
UP, LEFT, FORWARD = np.eye(3)[[1, 0, 2]]
"""Directions in the head's frame."""


def make_recording(path, rows: np.ndarray, first_frame: float = 50.4, step: int = 2):
    """A recording on a clock of 60 frames a second, one row each of coefficients and angles."""
    lines = [HEADER]
    for index, row in enumerate(rows):
        frame = first_frame + step * index
        code = f"09:59:{int(frame // 60):02d}:{frame % 60:06.3f}"
        lines.append(",".join([code, "61", *(f"{value:.10f}" for value in row)]))
    path.write_text("\r\n".join(lines) + "\r\n")
    return path


def make_rows(count: int = 12, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 1, (count, len(COEFFICIENTS) + len(ANGLES)))


def make_packet(
    values=None, version=6, device=b"\x24-id", subject=b"phone", clock=(90, 0.25, 60, 1), count=None, tail=b""
) -> bytes:
    """A packet as the app lays it out, written by hand."""
    values = np.zeros(61) if values is None else values
    head = struct.pack(">B", version) + struct.pack(">i", len(device)) + device
    head += struct.pack(">i", len(subject)) + subject + struct.pack(">ifii", *clock)
    count = len(values) if count is None else count
    return head + struct.pack(">B", count) + struct.pack(f">{len(values)}f", *values) + tail


def angles(**changes: float) -> np.ndarray:
    """Values of a packet with some angles, by name."""
    values = np.zeros(61)
    for name, value in changes.items():
        values[len(ARKIT_NAMES) + ANGLE_NAMES.index(name)] = value
    return values


def test_recording_by_its_header(tmp_path):
    """`read_track` tells it from another CSV; names are ARKit's, the rate is that of the timecodes."""
    rows = make_rows()
    track = read_track(make_recording(tmp_path / "take.csv", rows))
    assert track.names == ("eyeBlinkLeft", "jawRight", "jawLeft", "mouthSmileLeft")
    assert track.frames_per_s == 30.0 and track.source == "take.csv"
    np.testing.assert_allclose(track.expression, rows[:, :4], atol=1e-9)


def test_gaze_is_the_mean_of_the_eyes_turned_around(tmp_path):
    """The app's eyes turn right and down with growing angles, gaze left and up."""
    rows = make_rows()
    track = read_live_link_csv(make_recording(tmp_path / "take.csv", rows))
    by_name = dict(zip(ANGLE_NAMES, rows[:, 4:].T))
    np.testing.assert_allclose(track.gaze[:, 0], -(by_name["leftEyePitch"] + by_name["rightEyePitch"]) / 2, atol=1e-9)
    np.testing.assert_allclose(track.gaze[:, 1], -(by_name["leftEyeYaw"] + by_name["rightEyeYaw"]) / 2, atol=1e-9)


def test_angles_of_zero_are_no_angles(tmp_path):
    rows = make_rows()
    rows[:, 4:] = 0
    track = read_live_link_csv(make_recording(tmp_path / "take.csv", rows))
    assert track.gaze is None and track.camera_to_world is None


def test_rows_without_a_face_and_dropped_frames_are_filled(tmp_path):
    path = make_recording(tmp_path / "take.csv", make_rows())
    lines = path.read_text().splitlines()
    lines[5] = lines[5].split(",")[0] + ",0"
    del lines[9]
    path.write_text("\n".join(lines))
    track = read_live_link_csv(path)
    rows = make_rows()[:, :4]
    kept = [0, 1, 2, 3, 5, 6, 7, 9, 10, 11]
    assert len(track) == 12 and track.frames_per_s == 30.0
    np.testing.assert_allclose(track.expression[kept], rows[kept], atol=1e-9)
    np.testing.assert_allclose(track.expression[4], (rows[3] + rows[5]) / 2, atol=1e-9)
    np.testing.assert_allclose(track.expression[8], (rows[7] + rows[9]) / 2, atol=1e-9)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda lines: lines[:1], "at least one frame, got only a header"),
        (lambda lines: lines[:2], "at least two frames with a face, got one"),
        (
            lambda lines: [lines[0], "09:00:00:00.0,0", "09:00:00:02.0,0"],
            "at least one row with a face, got 2 rows without",
        ),
        (lambda lines: [*lines[:3], "x" + lines[3], *lines[4:]], "frame 2: expected a timecode like"),
        (
            lambda lines: [*lines[:3], lines[3] + ",1", *lines[4:]],
            "frame 2: expected 14 cells as in the header, got 15",
        ),
        (
            lambda lines: [
                *lines[:3],
                ",".join([*lines[3].split(",")[:2], "1e9", *lines[3].split(",")[3:]]),
                *lines[4:],
            ],
            "frame 2: expected a finite",
        ),
        (
            lambda lines: [*lines[:3], lines[3][:-12] + "abc", *lines[4:]],
            "frame 2: expected a number in column 'RightEyeRoll'",
        ),
        (lambda lines: [*lines[:3], lines[2], *lines[4:]], "frame 2: expected a time after that of the frame before"),
        (
            lambda lines: ["Timecode,BlendShapeCount", "09:00:00:00,0"],
            "columns Timecode, BlendshapeCount and coefficients",
        ),
    ],
)
def test_bad_recordings_are_named(tmp_path, edit, message):
    path = make_recording(tmp_path / "take.csv", make_rows())
    path.write_text("\n".join(edit(path.read_text().splitlines())))
    with pytest.raises(ValueError, match=rf"take.csv: .*{message}"):
        read_live_link_csv(path)


def test_recording_of_the_shared_data(shared_data):
    """4030 frames of 30 a second with three dropped; gaze goes with the eyeLook coefficients of the same frames."""
    track = read_track(shared_data / "head_model" / "alex_rom_3.csv")
    assert (len(track), track.frames_per_s, len(track.names)) == (4033, 30.0, 52)
    assert set(track.names) == set(ARKIT_NAMES)
    assert track.camera_to_world is None
    value = dict(zip(track.names, track.expression.T))
    left = value["eyeLookOutLeft"] - value["eyeLookInLeft"] + value["eyeLookInRight"] - value["eyeLookOutRight"]
    up = value["eyeLookUpLeft"] - value["eyeLookDownLeft"]
    assert np.corrcoef(left, track.gaze[:, 1])[0, 1] > 0.99
    assert np.corrcoef(up, track.gaze[:, 0])[0, 1] > 0.99


def test_packet_names_and_values():
    values = np.random.default_rng(0).uniform(0, 1, 61).astype(np.float32)
    frame = parse_live_link_packet(make_packet(values))
    assert len(ARKIT_NAMES) == 52 and len(set(ARKIT_NAMES)) == 52 and frame.names == ARKIT_NAMES
    assert (frame.device, frame.subject, frame.frames_per_s) == ("$-id", "phone", 60.0)
    assert frame.time_s == pytest.approx(90.25 / 60)
    np.testing.assert_array_equal(frame.values, values[:52])
    jaw = frame.values[frame.names.index("jawLeft")], frame.values[frame.names.index("jawRight")]
    assert jaw == (values[15], values[16])


def test_packet_without_angles():
    frame = parse_live_link_packet(make_packet())
    assert frame.gaze is None and frame.camera_to_world is None


def test_packet_gaze():
    values = angles(leftEyeYaw=0.1, rightEyeYaw=0.3, leftEyePitch=-0.2, rightEyePitch=-0.2)
    np.testing.assert_allclose(parse_live_link_packet(make_packet(values)).gaze, [0.2, -0.2], atol=1e-7)


@pytest.mark.parametrize(
    ("name", "seen_from"),
    [
        ("headYaw", -LEFT),  # turned to its left, the head has the camera on its right
        ("headPitch", -UP),  # turned up, below
    ],
)
def test_camera_stands_where_a_turned_head_has_it(name, seen_from):
    pose = parse_live_link_packet(make_packet(angles(**{name: 0.4}))).camera_to_world
    expected = LIVE_LINK_DISTANCE * (np.cos(0.4) * FORWARD + np.sin(0.4) * seen_from)
    np.testing.assert_allclose(pose[:, 3], expected, atol=1e-6)
    # It looks at the origin along its own -z.
    np.testing.assert_allclose(pose[:, 2], expected / LIVE_LINK_DISTANCE, atol=1e-6)


def test_rolled_head_sees_the_camera_rolled_back():
    """With its left side up, the head's own left axis points up and right in the picture's plane."""
    pose = parse_live_link_packet(make_packet(angles(headRoll=0.4))).camera_to_world
    np.testing.assert_allclose(pose[:, 3], LIVE_LINK_DISTANCE * FORWARD, atol=1e-6)
    left_in_picture = pose[:, :3].T @ LEFT
    np.testing.assert_allclose(left_in_picture, [np.cos(0.4), np.sin(0.4), 0], atol=1e-6)


def test_turns_are_applied_roll_first():
    """Head axes in the camera's: yaw about y, after pitch about x, after roll about z."""
    pose = parse_live_link_packet(make_packet(angles(headYaw=0.5, headPitch=0.2, headRoll=-0.3))).camera_to_world
    head = rotation((0, 1, 0), 0.5) @ rotation((1, 0, 0), -0.2) @ rotation((0, 0, 1), -0.3)
    np.testing.assert_allclose(pose[:, :3], head.T, atol=1e-6)


@pytest.mark.parametrize("clock", [(90, 0.25, 60, 0), (90, 0.25, 0, 1), (90, 0.25, -60, 1), (90, 0.25, 2**31 - 1, 1)])
def test_packet_with_a_clock_that_makes_no_sense(clock):
    """Other senders than the app leave it out; the face is good all the same."""
    frame = parse_live_link_packet(make_packet(clock=clock))
    assert frame.frames_per_s is None and frame.time_s is None


@pytest.mark.parametrize(
    ("packet", "message"),
    [
        (b"", "version 6 in its first byte, got nothing"),
        (make_packet(version=5), "version 6 in its first byte, got 05"),
        (make_packet()[:3], "the length of a text at byte 1, got 3 bytes in all"),
        (make_packet(device=b"\xff\xfe"), "UTF-8 at byte 5"),
        (b"\x06" + struct.pack(">i", -1) + bytes(320), "a text within its 325 bytes, got one of -1 at byte 1"),
        (b"\x06" + struct.pack(">i", 2**31 - 1) + bytes(320), "a text within its 325 bytes, got one of 2147483647"),
        (make_packet(np.zeros(0)), "a face, got a frame without one"),
        (make_packet()[:34], "a face, got a frame without one"),
        (make_packet(np.zeros(52)), "61 values in 279 bytes, got 52 in 243"),
        (make_packet(tail=b"\0"), "61 values in 279 bytes, got 61 in 280"),
        (make_packet()[:-1], "61 values in 279 bytes, got 61 in 278"),
        (make_packet(angles(headYaw=float("nan"))), r"finite values within \+-1e\+06, got nan for headYaw"),
        (make_packet(angles(rightEyeRoll=float("inf"))), r"finite values within \+-1e\+06, got inf for rightEyeRoll"),
    ],
)
def test_malformed_packets_are_refused(packet, message):
    with pytest.raises(ValueError, match=f"^packet: expected {message}"):
        parse_live_link_packet(packet)


def test_every_truncation_is_refused():
    packet = make_packet()
    for length in range(len(packet)):
        with pytest.raises(ValueError, match=r"^packet: "):
            parse_live_link_packet(packet[:length])


def test_garbage_never_raises_anything_else():
    """Random bytes, and good packets with some bytes exchanged, are read or refused."""
    random = np.random.default_rng(0)
    num_read = 0
    for trial in range(1200):
        if trial % 2:
            packet = bytearray(make_packet(random.uniform(0, 1, 61)))
            for place in random.integers(0, len(packet), 1 + trial % 4):
                packet[place] = random.integers(256)
        else:
            packet = bytearray(b"\x06" if trial % 4 else b"") + random.bytes(int(random.integers(0, 600)))
        try:
            frame = parse_live_link_packet(bytes(packet))
        except ValueError:
            continue
        num_read += 1
        assert frame.values.shape == (52,) and np.isfinite(frame.values).all()
    assert num_read > 200
