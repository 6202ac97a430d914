"""The short version of ``python -m tests.faults.users``, on a server in this process."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from bgm.environment import Environment
from bgm.ui.page import build
from tests.faults.conftest import SETTINGS
from tests.faults.journeys import JOURNEYS, User, alone, draw
from tests.faults.server import Footprint
from tests.faults.users import ODDS, not_given_back

KINDS = ("program", "page", "two tabs", "leave", "stop")


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[User]]:
    folder = tmp_path_factory.mktemp("users")
    page = build(Environment(data=folder / "data"), SETTINGS)
    page.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    found = [alone(number, folder, page.blocks.local_url) for number in (0, 3)]
    yield found
    for user in found:
        user.close()
    page.blocks.close(verbose=False)


@pytest.mark.parametrize("kinds", [("program", "two tabs"), pytest.param(KINDS, marks=pytest.mark.slow)])
def test_all_at_once_everyone_gets_its_own(users: list[User], kinds: tuple[str, ...]) -> None:
    assert len({user.wanted for user in users}) == len(users)
    with ThreadPoolExecutor(len(kinds)) as everyone:
        work = [
            everyone.submit(JOURNEYS[kind], users[i % len(users)], random.Random(i)) for i, kind in enumerate(kinds)
        ]
        for done in work:
            done.result()


def test_what_is_kept_would_be_seen() -> None:
    before = Footprint(800, 20, 10)
    assert not_given_back(before, Footprint(810, 22, 8)) == []
    assert len(not_given_back(before, Footprint(1800, 80, 100))) == 3


def test_every_kind_of_user_is_drawn() -> None:
    chance = random.Random(0)
    assert {draw(chance, ODDS) for _ in range(200)} == set(JOURNEYS) == set(KINDS)
