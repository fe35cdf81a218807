"""Talking to models: the HTTP client, LangChain models, and the embedded model."""
