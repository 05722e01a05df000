"""How much of the data a run has read."""

from mmengine.logging import MessageHub, print_log


def draws_before(hub: MessageHub, iteration: int, each: int) -> int:
    """Draws of all ranks before an iteration.

    They are counted in the hub, and so in checkpoints: a run resumed with
    another number of ranks or another batch size reads no image twice and
    skips none.

    Args:
        hub (MessageHub): Message hub of the run.
        iteration (int): The iteration, from 0.
        each (int): Draws of all ranks per iteration from there on.

    Returns:
        int: Number of draws.
    """
    # Older checkpoints have no count: assume that nothing has changed.
    known = (0, 0, each)
    if iteration:
        known = hub.get_info('draws', known)
    since, count, before = known
    count += (iteration - since) * before
    if before != each:
        print_log(
            f'An iteration draws {each} labelled images instead of {before}, '
            f'from draw {count} on',
            logger='current',
        )
    hub.update_info('draws', (iteration, count, each))
    return int(count)
