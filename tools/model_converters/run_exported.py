"""Predict with an exported model, in a process without rml_mmseg.

`export_segmentor.py` runs this to see whether what it wrote stands alone.
The model is loaded strictly. The package cannot be imported, unless the config
itself asks for it: the learner may be made of its classes.
"""

import argparse
import importlib.util
import sys
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

PACKAGE = 'rml_mmseg'


def parse_args():
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', type=Path, help='exported config')
    parser.add_argument('checkpoint', type=Path, help='exported checkpoint')
    parser.add_argument('image', type=Path, help='tensor (3, H, W), saved')
    parser.add_argument('out', type=Path, help='file for the predictions')
    parser.add_argument(
        '--data',
        choices=['val_dataloader', 'test_dataloader'],
        help='also predict on the first image of this loader',
    )
    parser.add_argument(
        '--workarounds',
        type=Path,
        help='file to run first if mmseg cannot be imported without it',
    )
    return parser.parse_args()


def is_stock_broken(needs_torchvision):
    """Whether mmseg, or what the config imports, needs workarounds."""
    if importlib.util.find_spec('mmcv._ext') is None:
        return True
    if needs_torchvision:
        try:
            importlib.import_module('torchvision')
        except ModuleNotFoundError:
            return False
        except RuntimeError:
            return True
    return False


def run_file(path):
    """Run a file as a module that belongs to no package."""
    spec = importlib.util.spec_from_file_location('workarounds', path)
    module = importlib.util.module_from_spec(spec)
    # What the file defines is looked up there when it is called.
    sys.modules['workarounds'] = module
    spec.loader.exec_module(module)


def main():
    """Load the model strictly, predict, and save the predictions."""
    args = parse_args()
    # Read without its imports, which may need the workarounds.
    text = Config.fromfile(args.config, import_custom_modules=False)
    imports = text.get('custom_imports', {}).get('imports', [])
    if PACKAGE not in imports:
        # An import of the package now raises ModuleNotFoundError.
        sys.modules[PACKAGE] = None
        if args.workarounds and is_stock_broken(bool(imports)):
            run_file(args.workarounds)
            print('workarounds were needed')
    cfg = Config.fromfile(args.config)

    from mmseg.registry import DATASETS, MODELS
    from mmseg.structures import SegDataSample

    init_default_scope(cfg.get('default_scope', 'mmseg'))
    model = MODELS.build(cfg.model).eval()
    checkpoint = torch.load(
        args.checkpoint, map_location='cpu', weights_only=True
    )
    model.load_state_dict(checkpoint['state_dict'], strict=True)
    image = torch.load(args.image, weights_only=True)
    size = tuple(image.shape[-2:])
    sample = SegDataSample(metainfo=dict(ori_shape=size, img_shape=size))
    batches = [dict(inputs=[image], data_samples=[sample])]
    if args.data:
        item = DATASETS.build(cfg[args.data].dataset)[0]
        batches.append({key: [value] for key, value in item.items()})
    with torch.no_grad():
        results = [model.test_step(batch)[0] for batch in batches]
    torch.save(
        [
            (result.seg_logits.data, result.pred_sem_seg.data)
            for result in results
        ],
        args.out,
    )


if __name__ == '__main__':
    main()
