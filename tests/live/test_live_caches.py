"""The order of the prompts lets a vLLM take from its caches what they allow."""

import pytest
from evolgraph.benchmarks.caches import Scenario, caches
from evolgraph.endpoints.client import Endpoint

pytestmark = pytest.mark.live


async def test_images_and_prefixes_are_found_in_the_caches(endpoint: Endpoint) -> None:
    if not endpoint.image_uuid:
        pytest.skip("the server is no vLLM")
    found = await caches(Scenario(endpoint=endpoint.url, model=endpoint.model))
    ours, plain, original = found["ours"], found["without_uuid"], found["original"]
    assert ours["requests"] >= 60
    assert ours["mm_hit_share"] >= 0.8
    assert ours["prefix_hits_of_most"] >= 0.9
    assert ours["prefix_hit_share"] > 1.3 * original["prefix_hit_share"]
    assert ours["bytes_per_sample"] < plain["bytes_per_sample"] / 3
    assert ours["images_sent"] == ours["samples"]
