"""What LLaVA's published files ask where the answer is a caption: to describe the whole image, and nothing else."""

import re
from typing import Final

_REQUESTS: Final = """
Describe the image
Describe this image
Describe the following image
Describe the image in detail
Describe this image in detail
Describe the following image in detail
Describe the image concisely
Describe the following image concisely
Provide a brief description of the given image
Provide a detailed description of the given image
Give an elaborate explanation of the image you see
Share a comprehensive rundown of the presented image
Offer a thorough analysis of the image
Offer a succinct explanation of the picture presented
Explain the various aspects of the image before you
Clarify the contents of the displayed image with great detail
Characterize the image using a well-detailed description
Break down the elements of the image in a detailed manner
Walk through the important details of the image
Portray the image with a rich, descriptive narrative
Narrate the contents of the image with precision
Analyze the image in a comprehensive and detailed manner
Illustrate the image through a descriptive explanation
Examine the image closely and share its details
Write an exhaustive depiction of the given image
Write a detailed description of the given image
Write a terse but informative summary of the picture
Write a terse but informative summary of the following picture
Summarize the visual content of the image
Summarize the visual content of the following image
Give a short and clear explanation of the subsequent image
Share a concise interpretation of the image provided
Present a compact description of the photo's key features
Relay a brief, clear account of the picture shown
Render a clear and concise summary of the photo
Render a clear and concise summary of the photo below
Create a compact narrative representing the image presented
"""


def _key(request: str) -> str:
    """The words of `request`, whatever its case and punctuation."""
    return " ".join(re.findall(r"[a-z]+", request.lower()))


_KEYS: Final = frozenset(map(_key, _REQUESTS.strip().splitlines()))
_LONGEST: Final = 2 * max(map(len, _KEYS))


def is_description(request: str) -> bool:
    """Whether `request` is one of those that only ask for a description of the image."""
    return len(request) <= _LONGEST and _key(request) in _KEYS
