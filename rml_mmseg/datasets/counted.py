"""Numbers of things in words."""

from typing import Optional


def counted(number: int, one: str, several: Optional[str] = None) -> str:
    """A number and the noun that goes with it.

    Args:
        number (int): How many.
        one (str): The noun for one, such as ``'image'``.
        several (str, optional): The noun for any other number. Defaults to
            ``one`` with an s.
    """
    return f'{number} {one if number == 1 else several or f"{one}s"}'
