"""What spans and their attributes are called outside: OpenTelemetry's GenAI conventions, or OpenInference's.

A vocabulary maps facts, as spans.py gathers them, to attribute names. A fact that a vocabulary does not name is left
out; what neither knows has a name of our own, which begins with `evolgraph.`.
"""

from collections.abc import Mapping
from typing import Final

SEMCONV_VERSION: Final = "1.44.0"
"""OpenTelemetry's semantic conventions that GENAI follows; the GenAI part is still called development."""
SCHEMA_URL: Final = f"https://opentelemetry.io/schemas/{SEMCONV_VERSION}"
EVALUATION: Final = "gen_ai.evaluation.result"
"""The event that carries a verdict."""

Vocabulary = Mapping[str, str]

_SHARED: Final = {"server": "server.address", "port": "server.port", "error": "error.type"}
GENAI: Final[Vocabulary] = {
    **_SHARED,
    "operation": "gen_ai.operation.name",
    "conversation": "gen_ai.conversation.id",
    "agent": "gen_ai.agent.name",
    "provider": "gen_ai.provider.name",
    "model": "gen_ai.request.model",
    "response": "gen_ai.response.id",
    "finish_reasons": "gen_ai.response.finish_reasons",
    "output_type": "gen_ai.output.type",
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cached_tokens": "gen_ai.usage.cache_read.input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
    "input": "gen_ai.input.messages",
    "output": "gen_ai.output.messages",
    "instructions": "gen_ai.system_instructions",
    "evaluation": "gen_ai.evaluation.name",
    "score": "gen_ai.evaluation.score.value",
    "label": "gen_ai.evaluation.score.label",
    "explanation": "gen_ai.evaluation.explanation",
}
OPENINFERENCE: Final[Vocabulary] = {
    **_SHARED,
    "kind": "openinference.span.kind",
    "conversation": "session.id",
    "agent": "agent.name",
    "node": "graph.node.id",
    "parent_node": "graph.node.parent_id",
    "model": "llm.model_name",
    "finish_reason": "llm.finish_reason",
    "input_tokens": "llm.token_count.prompt",
    "output_tokens": "llm.token_count.completion",
    "total_tokens": "llm.token_count.total",
    "cached_tokens": "llm.token_count.prompt_details.cache_read",
    "reasoning_tokens": "llm.token_count.completion_details.reasoning",
    "asked": "input.value",
    "text": "output.value",
    "evaluation": "evaluation.name",
    "score": "evaluation.score",
    "label": "evaluation.label",
    "explanation": "evaluation.explanation",
}
VOCABULARIES: Final[Mapping[str, Vocabulary]] = {"genai": GENAI, "openinference": OPENINFERENCE}
