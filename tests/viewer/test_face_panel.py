"""The panel in nerfstudio's own viewer, used over viser's websocket as a browser does."""

import copy
import pickle
import socket
import threading
import time

import numpy as np
import pytest
import torch
import viser
from blob_model import HEIGHT, NUM_FRAMES, make_metadata, make_model, train_expression, train_rays
from live_link_packets import packet
from nerfstudio.plugins.types import MethodSpecification
from page_client import PageClient

from nerface_ns.configs import method_configs
from nerface_ns.viewer.expression_controls import FIRST_SHOWN, ExpressionControls
from nerface_ns.viewer.face_driver import FaceDriver
from nerface_ns.viewer.face_panel import RATE_ELSEWHERE
from nerface_ns.viewer.live_link_source import LiveLinkSource
from nerface_ns.viewer.panel_context import PanelContext
from nerface_ns.viewer.slider_specs import slider_specs
from nerface_ns.viewer.view_controls import MOST_SHARP
from nerface_ns.viewer.viewer_page import NO_CLICK, warn_if_open

TRAIN = train_expression().double().numpy()


def middle(picture: np.ndarray) -> np.ndarray:
    """Colour of the ball."""
    return picture[picture.shape[0] // 2, picture.shape[1] // 2].astype(float) / 255


def ball_colour(model, jaw: float, code: float) -> np.ndarray:
    mean = float(model.expression_encoding.mean[0])
    return torch.sigmoid(torch.tensor([jaw - mean, code])).numpy()


def shows(model, jaw: float, code: float):
    expected = ball_colour(model, jaw, code)
    return lambda picture: np.abs(middle(picture)[:2] - expected).max() < 0.02


def test_the_page_has_the_panel_first(page):
    tabs = [widget for widget in page.widgets.values() if widget["type"] == "GuiAddTabGroupMessage"]
    assert tabs[0]["tab_labels"][0] == "Face" and set(tabs[0]["tab_labels"][1:]) == {"Control", "Render", "Export"}
    for label in ("jawOpen", "mouthSmileLeft", "browInnerUp", "Driven by", "Frame", "Track", "Latent code", "Time"):
        page.widget(label)
    assert page.widget("jawOpen")["min"] == pytest.approx(TRAIN[:, 0].min() - 0.1 * np.ptp(TRAIN[:, 0]), abs=1e-5)


def test_the_page_opens_on_the_face(page, model):
    """Before the ball, upright, at nerfstudio's ten units of the page for one of the model."""
    page.wait_for(lambda: len(page.set_camera) == 4)
    np.testing.assert_allclose(np.linalg.norm(page.set_camera["Position"]), 5.0, atol=0.05)
    np.testing.assert_allclose(page.set_camera["LookAt"], 0, atol=0.2)
    assert page.set_camera["UpDirection"][1] > 0.99
    assert page.set_camera["Fov"] == pytest.approx(2 * np.arctan(HEIGHT / 2 / 20), abs=1e-4)


def test_training_cameras_are_hidden_until_asked_for(page, viewer):
    page.wait_for(lambda: viewer.show_images.visible)
    assert not viewer.hide_images.visible
    assert not any(handle.visible for handle in viewer.camera_handles.values())


def test_a_slider_renders_at_once(page, model):
    for jaw in (float(TRAIN[:, 0].max()), float(TRAIN[:, 0].min())):
        page.use("jawOpen", jaw)
        page.wait_for(lambda jaw=jaw: page.pictures and shows(model, jaw, 0.0)(page.pictures[-1]))
    assert page.widget("Driven by")["value"] == "expression sliders"


def test_the_time_slider_drives_and_sliders_follow(page, panel, model):
    page.use("jawOpen", 0.5)
    page.wait_for(lambda: page.pictures and shows(model, 0.5, 0.0)(page.pictures[-1]))
    page.use("Time", 0.16)
    page.wait_for(lambda: page.pictures and shows(model, TRAIN[1, 0], 0.0)(page.pictures[-1]))
    page.wait_for(lambda: abs(page.widget("jawOpen")["value"] - TRAIN[1, 0]) < 0.01)
    assert panel.driver.state.mode == "time slider"


def test_a_training_frame_with_its_camera(page, panel, model):
    page.use("Camera too", True)
    page.use("Frame", 4)
    page.wait_for(lambda: page.pictures and shows(model, TRAIN[4, 0], 0.5)(page.pictures[-1]))
    position = model.train_camera_to_world[4, :, 3].numpy() * 10
    page.wait_for(lambda: np.allclose(page.set_camera.get("Position", 0), position, atol=1e-4))
    assert page.widget("Latent code")["value"] == "training frame"
    np.testing.assert_allclose(page.widget("browInnerUp")["value"], TRAIN[4, 2], atol=0.01)


def test_a_clicked_training_camera_loads_its_frame(page, viewer, panel, model):
    viewer.current_camera_idx = 5  # what nerfstudio does at a click
    page.use("Background", "colour")  # anything that renders
    page.wait_for(lambda: page.pictures and shows(model, TRAIN[5, 0], 0.6)(page.pictures[-1]))
    assert viewer.current_camera_idx == NO_CLICK


def test_neutral_and_random_any_number_of_times(page, panel):
    shown = []
    for choice in ("Random", "Random", "Neutral", "Neutral"):
        before = panel.driver.state
        page.use("Set to", choice)
        page.wait_for(lambda before=before: panel.driver.state is not before)
        shown.append(panel.driver.shown_expression)
    assert np.abs(shown[0] - shown[1]).max() > 1e-3
    np.testing.assert_array_equal(shown[2], shown[3])


def test_play_moves_and_pause_stops(page, panel):
    page.use("Speed", 0.1)
    page.use("▶ Play", True)
    page.wait_for(lambda: panel.driver.player.is_playing)
    count = len(page.pictures)
    page.wait_for(lambda: len(page.pictures) > count + 3)
    page.use("⏸ Pause", True)
    page.wait_for(lambda: not panel.driver.player.is_playing)
    shown = panel.driver.shown_expression
    time.sleep(0.1)
    np.testing.assert_array_equal(panel.driver.shown_expression, shown)
    assert panel.driver.state.mode == "track"


def test_back_to_the_opening_view(page):
    page.wait_for(lambda: len(page.set_camera) == 4)
    opened = dict(page.set_camera)
    page.set_camera.clear()
    page.use("Opening view", True)
    page.wait_for(lambda: len(page.set_camera) == 4)
    assert page.set_camera == opened


def test_picture_rate(page, viewer):
    rates = lambda: {machine.target_fps for machine in viewer.render_statemachines.values()}  # noqa: E731
    page.wait_for(lambda: rates() == {RATE_ELSEWHERE})
    page.use("Picture rate", 20)
    page.wait_for(lambda: rates() == {20.0})
    machines = viewer.render_statemachines
    with PageClient(viewer.viser_server.get_port()) as other:
        other.wait_for(lambda: len(machines) == 2)
        assert rates() == {20.0}, "a browser that came later"


def test_sharp_radius(page, model):
    page.use("Sharp radius", 0.25)
    page.wait_for(lambda: model.foveation.radius == 0.25)
    assert model.foveation.radius == 0.25
    page.use("Sharp radius", MOST_SHARP)
    page.wait_for(lambda: model.foveation.radius == 0)
    assert model.foveation.radius == 0


def test_search_hides_the_others(page):
    page.use("Find", "smile")
    page.wait_for(lambda: not page.widget("jawOpen")["visible"])
    assert page.widget("mouthSmileLeft")["visible"]
    page.use("Find", "")
    page.wait_for(lambda: page.widget("jawOpen")["visible"])


def test_live_packets_drive(start_viewer, model):
    source = LiveLinkSource(port=0)
    model.face_panel.live_source = source
    viewer = start_viewer()
    with PageClient(viewer.viser_server.get_port()) as page:
        page.widget("My face is at rest")
        assert "live" in page.widget("Driven by")["options"]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for frame in range(3):
                sender.sendto(packet(frame, jawOpen=0.25), source.address)
                sender.sendto(b"garbage", source.address)
        driver = model.face_panel.driver
        page.wait_for(lambda: driver.live_expression is not None)
        page.wait_for(lambda: page.pictures and shows(model, driver.live_expression[0], 0.0)(page.pictures[-1]))
        page.wait_for(lambda: "3 unusable" in model.face_panel._sections[0]._report.content)
    source.stop()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5"])
def test_a_page_that_others_can_reach_is_warned_of(host):
    with pytest.warns(UserWarning, match=rf"listening on {host}.*pass --viewer.websocket-host 127.0.0.1"):
        warn_if_open(host)


def test_pages_of_trainings_are_for_this_machine_only():
    """Unless asked otherwise; nerfstudio's own default is every address."""
    specifications = [value for value in vars(method_configs).values() if isinstance(value, MethodSpecification)]
    assert specifications and {each.config.viewer.websocket_host for each in specifications} == {"127.0.0.1"}


def test_no_control_for_live_without_a_source(page):
    assert "live" not in page.widget("Driven by")["options"]


def test_unnamed_coefficients_show_the_most_varying(tmp_path):
    model = make_model(make_metadata(num_coefficients=76))
    driver, server = FaceDriver(model), viser.ViserServer(host="127.0.0.1", port=17307, verbose=False)
    train = driver.train_expression
    nothing = lambda *_: None  # noqa: E731
    context = PanelContext(server.gui, driver, (), tmp_path, nothing, nothing, nothing)
    controls = ExpressionControls(context, slider_specs(model.expression_names, train, 0.1), 76)
    visible = {index for index, slider in controls._sliders.items() if slider.visible}
    server.stop()
    assert visible == set(np.argsort(-train.std(axis=0))[:FIRST_SHOWN].tolist())


def test_the_panel_is_no_part_of_the_model():
    """Neither checkpoints nor optimizers nor copies know of it, and it is idle without a viewer."""
    model = make_model(make_metadata())
    assert not any("panel" in name for name in model.state_dict())
    assert not any("panel" in name for name, _ in model.named_modules())
    assert model.frame_driver is None
    other = copy.deepcopy(model)
    assert other.face_panel is not model.face_panel and other.face_panel._model is other


def test_a_copy_of_a_shown_model_is_idle(viewer, model):
    """Threads and sockets of a viewer can be neither copied nor pickled."""
    assert hasattr(model.face_panel, "viewer")
    for other in (copy.copy(model.face_panel), pickle.loads(pickle.dumps(model)).face_panel):
        assert not hasattr(other, "viewer") and other._sections == []


def test_training_is_not_driven_while_sliders_move(page, panel, model):
    """Rays of a batch carry their own conditions; a step in between sees none of the panel."""
    model.train()
    rays = train_rays([1, 4])
    condition, _ = model.get_ray_conditions(rays)
    stop = threading.Event()

    def move() -> None:
        value = 0.0
        while not stop.is_set():
            value = (value + 0.1) % 1
            page.use("jawOpen", value)
            time.sleep(0.005)

    mover = threading.Thread(target=move)
    mover.start()
    for _ in range(10):
        again, _ = model.get_ray_conditions(train_rays([1, 4]))
        torch.testing.assert_close(again.expression, condition.expression)
        torch.testing.assert_close(again.latent_code, condition.latent_code)
    stop.set()
    mover.join()
    assert len(panel.driver.train_expression) == NUM_FRAMES


def test_a_browser_may_leave_while_its_camera_moves(viewer, page):
    """nerfstudio itself then locks viser for all the others."""
    with PageClient(viewer.viser_server.get_port()) as other:
        other.wait_for(lambda: len(viewer.viser_server.get_clients()) == 2)
        client = viewer.viser_server.get_clients()[1]
    page.wait_for(lambda: len(viewer.viser_server.get_clients()) == 1)
    callbacks = client.camera._state.camera_cb
    for callback in callbacks:
        callback(client.camera)
    page.use("Find", "smile")
    page.wait_for(lambda: not page.widget("jawOpen")["visible"])
    assert callbacks and page.widget("mouthSmileLeft")["visible"]
    assert list(viewer.viser_server.get_clients()) == [0]
