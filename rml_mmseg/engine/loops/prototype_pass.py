"""Prototypes over the whole training set, Eq. 10 of RML."""

from collections.abc import Iterator
from typing import Any

import torch
from mmengine.dist import get_dist_info, is_main_process
from mmengine.utils import ProgressBar

from rml_mmseg.datasets import SemiSegDataset
from rml_mmseg.models.utils.segmentor_forward import logits_of


def whole_images(dataset: SemiSegDataset) -> Iterator[tuple[dict, int]]:
    """This rank's images, whole, one by one.

    Args:
        dataset (SemiSegDataset): Labelled and unlabelled images.

    Yields:
        tuple[dict, int]: A batch of one image, and how many there are.
    """
    rank, world_size = get_dist_info()
    parts = (dataset.labelled, dataset.unlabelled)
    places = [(part, i) for part in parts for i in range(len(part))]
    places = places[rank::world_size]
    for part, i in places:
        info = part.get_data_info(i)
        item = dataset.load_image(info['img_path'])
        batch = dict(
            inputs=[item['inputs']], data_samples=[item['data_samples']]
        )
        yield batch, len(places)


@torch.no_grad()
def initialise_prototypes(model: Any, dataset: SemiSegDataset) -> None:
    """Set every rectifier's prototypes to its teacher's class means.

    Mean over all pixels of all labelled and unlabelled images that the
    teacher puts into the class; summed over all ranks.

    Args:
        model (MutualSemiSegmentor): Unwrapped model.
        dataset (SemiSegDataset): The training set.
    """
    if not getattr(model, 'rectifiers', ()):
        return
    bar = None
    for batch, total in whole_images(dataset):
        if bar is None and is_main_process():
            print('Prototypes over all images (Eq. 10)')
            bar = ProgressBar(total)
        images = model.data_preprocessor(batch, training=False)['inputs']
        for teacher, rectifier in zip(model.teachers, model.rectifiers):
            logits, features = logits_of(teacher, images, True)
            rectifier.accumulate(features, logits.argmax(1))
        if bar is not None:
            bar.update()
    if bar is not None:
        print()
    for rectifier in model.rectifiers:
        rectifier.initialise()
