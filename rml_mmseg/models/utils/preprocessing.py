"""Properties of mmseg's data preprocessors."""

from typing import Any


def swaps_channels(preprocessor: Any) -> bool:
    """Whether a preprocessor swaps the first and last channel of images.

    Args:
        preprocessor (SegDataPreProcessor): Of stock mmseg or of its fork,
            which name the attribute differently.
    """
    if hasattr(preprocessor, 'channel_conversion'):
        return bool(preprocessor.channel_conversion)
    return bool(preprocessor._channel_conversion)
