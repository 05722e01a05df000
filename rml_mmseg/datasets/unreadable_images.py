"""Count of unreadable unlabelled images, up to a limit."""

import logging
import math

from mmengine.logging import print_log

from rml_mmseg.setting_checks import check_number


class UnreadableImages:
    """Count the unlabelled images that a process could not read.

    Every process of a run has its own count, as each worker of a data loader
    reads all images in the course of time.

    Args:
        total (int): Number of unlabelled images.
        share (float): Largest share of them that may be unreadable, in
            [0, 1]; rounded up to whole images.

    Raises:
        ValueError: If the share is out of range.
    """

    def __init__(self, total: int, share: float) -> None:
        check_number('dataset.max_unreadable', share, '[0, 1]')
        self.total = total
        # 0.07 * 100 must give 7, but is a little more in floating point.
        self.limit = math.ceil(share * total - 1e-9)
        self.problems: dict[str, str] = {}

    def __contains__(self, path: str) -> bool:
        return path in self.problems

    def note(self, path: str, error: Exception) -> None:
        """Log and count an unreadable image; once for each image.

        Raises:
            RuntimeError: If more images than the limit are unreadable.
        """
        if path in self.problems:
            return
        self.problems[path] = str(error)
        count = len(self.problems)
        message = f'unlabelled image {path!r} cannot be read ({error})'
        if count > self.limit:
            raise RuntimeError(
                f'cannot load {path!r}: {message}; {count} of {self.total} '
                f'are unreadable, but dataset.max_unreadable allows '
                f'{self.limit}. tools/analysis_tools/check_data.py lists all '
                'of them'
            ) from error
        print_log(
            f'{message} and is replaced by another: {count} of {self.total} '
            f'so far; the run stops at more than {self.limit}',
            logger='current',
            level=logging.WARNING,
        )
