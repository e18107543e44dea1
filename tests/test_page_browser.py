"""The page in a real browser: headless Chromium types a question, clicks a hit, moves the slider."""

from __future__ import annotations

import shutil

import cv2
import memory_helpers as mh
import numpy as np
import pytest
import synthetic as room
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from spatialmem import SpatialMemory
from spatialmem.view.page import MemoryPage

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason="no Chromium here: apt-get install chromium chromium-driver"
)
OPTIONS = (
    "--headless --no-sandbox --disable-quic --no-first-run --disable-background-networking --disable-component-update "
    "--disable-sync --use-angle=swiftshader --enable-unsafe-swiftshader --ignore-gpu-blocklist --window-size=900,700"
).split()
WAIT_S = 60


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "room.mem"
    with mh.create(path, room.room_frames(12)) as memory:
        memory.declare_up((0.0, 0.0, 1.0))
    with SpatialMemory.open(path) as memory, MemoryPage(memory, port=0, max_bytes=1_000_000) as page:
        yield page


@pytest.fixture
def browser(tmp_path):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for option in [*OPTIONS, f"--user-data-dir={tmp_path / 'profile'}"]:
        options.add_argument(option)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


def wait(browser, condition):
    """What `condition` gives once it is true."""
    ignored = (StaleElementReferenceException,)
    return WebDriverWait(browser, WAIT_S, ignored_exceptions=ignored).until(lambda _: condition())


def visible(browser, css, text=""):
    """The elements that are shown and hold a text."""
    found = browser.find_elements("css selector", css)
    return [element for element in found if element.is_displayed() and text in element.text]


def said(browser, text):
    return text in browser.find_element("tag name", "body").text


def coloured(browser, low, high):
    """How many pixels of what the browser shows lie between two colours, BGR."""
    image = cv2.imdecode(np.frombuffer(browser.get_screenshot_as_png(), np.uint8), cv2.IMREAD_COLOR)
    return int(((image >= low) & (image <= high)).all(axis=2).sum())


def test_a_question_is_typed_and_its_hit_clicked(page, browser, tmp_path):
    browser.get(page.url)
    wait(browser, lambda: visible(browser, "label", "Question"))
    question = min(visible(browser, "input"), key=lambda element: element.location["y"])
    wait(browser, lambda: coloured(browser, (60, 60, 60), (190, 190, 190)) > 20_000)  # the room is drawn

    question.send_keys("blue")
    hit = wait(browser, lambda: visible(browser, "button", "1: present"))[0]
    wait(browser, lambda: said(browser, "blue: 1 place"))
    hit.click()
    wait(browser, lambda: said(browser, "Hit 1: present"))
    frames = wait(browser, lambda: visible(browser, "img"))
    assert 1 <= len(frames) <= 3 and all(int(frame.get_property("naturalWidth")) == 420 for frame in frames)

    # the view has gone to the hit
    (client,) = page._server.get_clients().values()
    blue = np.array(room.BLUE_BOX.centre_m)
    wait(browser, lambda: np.linalg.norm(client.camera.look_at - blue) < 0.25)
    assert np.linalg.norm(client.camera.position - blue) < 4.0
    wait(browser, lambda: coloured(browser, (120, 30, 0), (255, 120, 90)) > 5_000)
    (tmp_path / "page.png").write_bytes(browser.get_screenshot_as_png())
    assert cv2.imread(str(tmp_path / "page.png")).shape[:2] > (400, 800)

    # so its box is in the middle of the map, and a click there chooses it as well
    page.ask("blue")
    wait(browser, lambda: not visible(browser, "img"))
    canvas = max(visible(browser, "canvas"), key=lambda element: element.size["width"])
    click = ActionChains(browser).move_to_element(canvas).click()
    wait(browser, lambda: (click.perform(), visible(browser, "img"))[1])
    assert said(browser, "Hit 1: present")

    # the slider shows what had been seen by then
    wait(browser, lambda: said(browser, "now: "))
    slider = visible(browser, "[role=slider]")[0]
    slider.send_keys(Keys.HOME)
    wait(browser, lambda: said(browser, "what had been seen by then"))
    slider.send_keys(Keys.END)
    wait(browser, lambda: said(browser, "now: "))

    page.ask("purple")
    wait(browser, lambda: said(browser, "purple: nothing found"))
    assert not visible(browser, "button", "1: ") and not visible(browser, "img")
    check_that_nothing_else_was_asked(browser)


def check_that_nothing_else_was_asked(browser):
    """No error in the page, and no other machine was asked for anything."""
    assert [line["message"] for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []
    names = browser.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert all(name.startswith(("http://127.0.0.1:", "data:", "blob:")) for name in names)
