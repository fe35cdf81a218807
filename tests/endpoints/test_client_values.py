"""Settings of an endpoint and the schemas that servers get."""

from typing import Any

import pytest
from evolgraph.agents.replies import EvolveReply, JudgeReply, asked
from evolgraph.endpoints.client import Endpoint
from evolgraph.endpoints.errors import EndpointError
from evolgraph.endpoints.schemas import strict_schema


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"url": "ftp://host/v1"}, "not an http or https address"),
        ({"url": "host:8000"}, "not an http or https address"),
        ({"url": "http://host:99999/v1"}, "not an http or https address"),
        ({"url": "http://me:hunter22@host/v1"}, "name the key's variable in key_env"),
        ({"url": "http://host/v1?key=hunter22"}, "query"),
        ({"timeout_s": 0}, "timeout_s is 0"),
        ({"max_in_flight": -1}, "max_in_flight is -1"),
        ({"timeout_s": float("nan")}, "timeout_s is nan"),
        ({"model": ""}, "no model"),
        ({"extra_body": {"messages": []}}, "extra_body sets messages"),
    ],
)
def test_settings_that_cannot_work_are_refused_in_one_line(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(EndpointError) as caught:
        Endpoint(**{"url": "http://host/v1", "model": "toy", **settings})
    assert said in str(caught.value)
    assert caught.value.kind == "setup"
    assert "hunter22" not in f"{caught.value!r} {caught.value} {caught.value.where}"


EVOLVED = asked(EvolveReply, ("q0", 'the "second"'))


@pytest.mark.parametrize("reply", [EVOLVED, asked(JudgeReply, ("q0",))])
def test_schemas_keep_to_what_every_server_enforces(reply: type) -> None:
    def walk(node: object) -> None:
        if isinstance(node, dict):
            if "properties" in node:
                assert node["required"] == list(node["properties"])
                assert node["additionalProperties"] is False
            assert not {"prefixItems", "default", "maxLength"} & set(node)
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(strict_schema(reply))


def test_a_box_is_an_array_of_four_fractions() -> None:
    box = strict_schema(EVOLVED)["$defs"]["ProposedBox"]["properties"]["bbox"]
    assert box == {
        "type": "array",
        "items": {"type": "number", "minimum": 0.0, "maximum": 1.0},
        "minItems": 4,
        "maxItems": 4,
    }
    assert "proposed_boxes" in strict_schema(EVOLVED)["$defs"]["EvolvedQA"]["required"]


def test_a_schema_asks_for_exactly_one_row_for_each_id() -> None:
    rows = strict_schema(EVOLVED)["properties"]["evolved"]
    assert (rows["type"], rows["required"], rows["additionalProperties"]) == ("object", ["q0", 'the "second"'], False)
    assert "id" not in strict_schema(EVOLVED)["$defs"]["EvolvedQA"]["properties"]


def test_rows_are_read_by_their_keys_and_from_a_list() -> None:
    row = {"objects": [], "skills": [], "form": "open", "question": "?", "steps": [], "answer": "!"}
    by_key = EVOLVED.model_validate({"evolved": {"q0": row, "other": row | {"id": "q0"}}})
    assert [qa.id for qa in by_key.evolved] == ["q0", "other"], "the key counts, whatever the row says"
    listed = EVOLVED.model_validate({"evolved": [row | {"id": "q0"}, row | {"id": "other"}]})
    assert listed == by_key
