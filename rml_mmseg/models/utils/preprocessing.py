"""What a preprocessor does to images."""

from typing import Any


def swaps_channels(preprocessor: Any) -> bool:
    """Whether the first and the last channel of an image change places.

    Args:
        preprocessor (SegDataPreProcessor): Of stock mmseg or of its fork,
            which name the attribute differently.
    """
    if hasattr(preprocessor, 'channel_conversion'):
        return bool(preprocessor.channel_conversion)
    return bool(preprocessor._channel_conversion)
