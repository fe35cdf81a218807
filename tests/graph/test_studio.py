"""The graph as LangGraph Studio opens it: by the name in langgraph.json, with a model that starts when it is asked."""

import importlib
import json
import os
from unittest import mock

from evolgraph.graph.state import initial
from evolgraph.samples.formats.reader import read
from evolgraph.samples.images import ImageRoot
from evolgraph.samples.sample import Sample

from ..conftest import ROOT, SEEDS


async def test_the_graph_of_langgraph_json_opens_and_evolves_a_sample() -> None:
    (named,) = json.loads((ROOT / "langgraph.json").read_text(encoding="utf-8"))["graphs"].values()
    module, _, name = named.partition(":")
    factory = vars(importlib.import_module(module))[name]  # as LangGraph's server looks it up
    sample = next(row for row in read(SEEDS, ImageRoot(SEEDS.parent)) if isinstance(row, Sample))
    with mock.patch.dict(os.environ, {"EVOLGRAPH_EVOLVE_IMAGES": str(SEEDS.parent)}):
        async with factory() as graph:
            assert {"route", "perception", "reasoning", "interaction", "judge"} <= {*graph.get_graph().nodes}
            final = await graph.ainvoke(initial(sample, 0))
    assert final["status"] == "exhausted"
    assert any(past["accepted"] for past in final["history"])
