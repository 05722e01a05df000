"""What a model keeps of an iteration while somebody looks at it."""

from typing import Any

READERS = 'readers'


def open_record(model: Any) -> None:
    """Ask a model to keep what it makes in the next iteration.

    Several hooks may ask for the same iteration; each of them must call
    :func:`close_record` after it.

    Args:
        model (MutualSemiSegmentor): Model with the attribute ``record``.
    """
    if model.record is None:
        model.record = {READERS: 0}
    model.record[READERS] += 1


def close_record(model: Any) -> dict[str, Any]:
    """Take what a model kept; the last reader lets go of it.

    Args:
        model (MutualSemiSegmentor): Model that was asked before.

    Returns:
        dict: ``sources``, ``mixed`` and what
        ``rml_mmseg.models.utils.monitored`` lists; none of them in an
        iteration that used no unlabelled image.
    """
    record = model.record
    record[READERS] -= 1
    if record[READERS] == 0:
        model.record = None
    return record
