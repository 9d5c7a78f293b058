"""The made-up worlds that the page is looked at in answer as the server's schema says, so that they cannot lag behind it."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.kit.asgi import get
from tests.page.scenes import SCENES
from tests.page.serving import serve_world
from tests.page.worlds import Eye
from tests.web.schema import check


@pytest.mark.parametrize("scene", SCENES)
def test_a_scene_answers_as_the_schema_says(scene: str) -> None:
    world = SCENES[scene]()
    app = serve_world(Eye(world))
    if world.problem is not None:
        assert {get(app, path).status for path in ("/status", "/healthz", "/banner.json")} == {503}
        return
    for path in ("status", "runs", "drift", "quarantine", "outbox", "streams"):
        check(path, get(app, f"/{path}").json)
    check("audit_list", get(app, "/audit").json)
    check("banner", get(app, "/banner.json").json)
    for table in (one for one in world.tables[:8] if not set("?\n") & set(one.name)):
        check("explain", get(app, f"/explain/{table.name}").json)
    for past in world.history[-4:]:
        check("run", get(app, f"/runs/{past.id}").json)
    app.state.house.close()


def test_names_are_found_however_hostile_they_are() -> None:
    world = SCENES["hostile"]()
    app = serve_world(Eye(world))
    for table in world.tables:
        if not set("?\n") & set(table.name):
            assert get(app, f"/explain/{table.name}").json["name"] == table.name
        runs = get(app, f"/runs?name={quote(table.name, safe='')}").json["runs"]
        assert len(runs) == sum(one.derived == table.name for one in world.history)
    app.state.house.close()
