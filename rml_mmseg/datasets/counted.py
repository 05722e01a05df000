"""Numbers with their nouns, for messages."""

from typing import Optional


def counted(number: int, one: str, several: Optional[str] = None) -> str:
    """A number and its noun, in the singular or plural.

    Args:
        number (int): The number.
        one (str): The noun in the singular, such as ``'image'``.
        several (str, optional): The noun in the plural. Defaults to ``one``
            with an s.
    """
    return f'{number} {one if number == 1 else several or f"{one}s"}'
