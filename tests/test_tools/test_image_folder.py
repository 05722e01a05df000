import json
import re
import shlex
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS
from PIL import Image

from tests.test_tools.converter_helpers import ids, photo, save
from tools.dataset_converters import image_folder

ROOT = Path(__file__).resolve().parents[2]


class TestImageFolder:
    def _source(self, root, labelled=5, unlabelled=3):
        for index in range(labelled + unlabelled):
            save(root / f'images/city/{index}.png', photo(2, 4, index))
        for index in range(labelled):
            save(root / f'masks/city/{index}.png', [[0, 0, 1, 255]] * 2)
        return root / 'images', root / 'out', '--masks', root / 'masks'

    def _list(self, root, name):
        return (root / f'out/splits/{name}.txt').read_text().split()

    def test_layout_lists_and_statistics(self, tmp_path, call, capsys):
        call(image_folder, *self._source(tmp_path))
        labelled, val = (self._list(tmp_path, n) for n in ('labelled', 'val'))
        assert len(labelled) == 4 and len(val) == 1
        assert sorted(labelled + val) == [f'city/{i}' for i in range(5)]
        unlabelled = self._list(tmp_path, 'unlabelled')
        assert unlabelled == ['city/5', 'city/6', 'city/7']
        out = tmp_path / 'out'
        for split, names in (
            ('train', labelled + unlabelled),
            ('val', val),
        ):
            for name in names:
                assert (out / f'img_dir/{split}/{name}.png').is_file()
                mask = out / f'ann_dir/{split}/{name}.png'
                assert mask.is_file() == (name not in unlabelled)
        report = json.loads((out / 'statistics.json').read_text())
        assert report['labelled'] == dict(
            images=4,
            ignored_pixels=8,
            classes=dict(
                class_0=dict(pixels=16, share=0.666667, images=4),
                class_1=dict(pixels=8, share=0.333333, images=4),
            ),
        )
        assert report['unlabelled'] == dict(images=3)
        printed = capsys.readouterr()
        assert '66.67 %' in printed.out and 'val: 1 image\n' in printed.out
        # No progress bar where there is no terminal.
        assert not printed.err

    def test_seed_decides_validation(self, tmp_path, call):
        arguments = self._source(tmp_path, labelled=12)
        chosen = []
        for seed in (0, 0, 1):
            out = tmp_path / f'out{len(chosen)}'
            call(
                image_folder, arguments[0], out, *arguments[2:],
                '--seed', seed, '--val-fraction', 0.34,
            )  # fmt: skip
            chosen.append((out / 'splits/val.txt').read_text().split())
        assert len(chosen[0]) == 4
        assert chosen[0] == chosen[1] != chosen[2]

    def test_config_builds_the_datasets(self, tmp_path, call, capsys):
        arguments = self._source(tmp_path / "Ann's")
        call(image_folder, *arguments, '--classes', 'road, tram')
        ready = capsys.readouterr().out.splitlines()[-1]
        config = tmp_path / "Ann's/out/rml.py"
        assert shlex.split(ready.partition(': ')[2])[-1] == str(config)
        cfg = Config.fromfile(config)
        assert cfg.num_classes == 2
        init_default_scope('mmseg')
        sizes = dict(labelled=4, unlabelled=3, val=1)
        for part, size in sizes.items():
            dataset = DATASETS.build(cfg[f'{part}_dataset'])
            assert len(dataset) == size
            assert dataset.metainfo['classes'] == ('road', 'tram')
            info = dataset.get_data_info(0)
            assert Path(info['img_path']).is_file()
            if part != 'unlabelled':
                assert Path(info['seg_map_path']).is_file()

    def test_colour_table_gives_ids_names_and_palette(self, tmp_path, call):
        images, out, _, masks = self._source(tmp_path, 3, 0)
        for path in masks.rglob('*.png'):
            save(path, [[[9, 9, 9], [0, 0, 8], [1, 2, 3], [9, 9, 9]]] * 2)
        table = tmp_path / 'table.csv'
        table.write_text('name,r,g,b\nroad,1,2,3\nvoid,0,0,8\ntram,9,9,9\n')
        call(
            image_folder, images, out, '--masks', masks,
            '--colour-table', table, '--val-fraction', 0,
        )  # fmt: skip
        expected = [[1, 255, 0, 1]] * 2
        assert ids(out / 'ann_dir/train/city/1.png') == expected
        cfg = Config.fromfile(str(out / 'dataset_config.py'))
        assert tuple(cfg.metainfo.classes) == ('road', 'tram')
        assert cfg.metainfo.palette == [[1, 2, 3], [9, 9, 9]]

    def test_mixed_formats_become_png(self, tmp_path, call):
        arguments = self._source(tmp_path)
        image = tmp_path / 'images/city/7.png'
        with Image.open(image) as file:
            file.save(image.with_suffix('.BMP'))
        image.unlink()
        with pytest.raises(SystemExit, match='images of one format'):
            call(image_folder, *arguments, '--link')
        call(image_folder, *arguments)
        written = cv2.imread(str(tmp_path / 'out/img_dir/train/city/7.png'))
        assert np.array_equal(written[..., ::-1], photo(2, 4, 7))

    @pytest.mark.parametrize('suffix', ['.ppm', '.pgm', '.jp2'])
    def test_formats_that_are_rare(self, tmp_path, call, suffix):
        arguments = self._source(tmp_path)
        for path in (tmp_path / 'images/city').iterdir():
            with Image.open(path) as file:
                mode = 'L' if suffix == '.pgm' else 'RGB'
                file.convert(mode).save(path.with_suffix(suffix))
            path.unlink()
        call(image_folder, *arguments)
        cfg = Config.fromfile(tmp_path / 'out/dataset_config.py')
        init_default_scope('mmseg')
        for part in ('labelled', 'unlabelled'):
            dataset = DATASETS.build(cfg[f'{part}_dataset'])
            assert dataset.pipeline(dataset.get_data_info(0))

    def test_links(self, tmp_path, call):
        call(image_folder, *self._source(tmp_path), '--link')
        link = tmp_path / 'out/img_dir/train/city/6.png'
        assert link.is_symlink()
        assert link.resolve() == tmp_path / 'images/city/6.png'
        masks = list((tmp_path / 'out/ann_dir').rglob('*.png'))
        assert len(masks) == 5 and all(mask.is_symlink() for mask in masks)

    def test_masks_beside_the_images(self, tmp_path, call):
        for index in range(3):
            save(tmp_path / f'all/{index}.png', photo(1, 2))
        for index in range(2):
            save(tmp_path / f'all/{index}_mask.png', [[0, 1]])
        call(
            image_folder, tmp_path / 'all', tmp_path / 'out',
            '--masks', tmp_path / 'all', '--mask-ending', '_mask',
        )  # fmt: skip
        assert self._list(tmp_path, 'unlabelled') == ['2']
        assert len(self._list(tmp_path, 'labelled')) == 1
        assert len(self._list(tmp_path, 'val')) == 1

    def test_masks_without_an_ending_beside_the_images(self, tmp_path, call):
        save(tmp_path / 'all/0.png', photo(1, 2))
        with pytest.raises(SystemExit, match="such as --mask-ending '_mask'"):
            call(
                image_folder, tmp_path / 'all', tmp_path / 'out',
                '--masks', tmp_path / 'all',
            )  # fmt: skip

    def test_ignored_zero_moves_ids_down(self, tmp_path, call):
        images, out, _, masks = self._source(tmp_path, 3, 1)
        for path in masks.rglob('*.png'):
            save(path, [[0, 1, 2, 255]] * 2)
        call(
            image_folder, images, out, '--masks', masks,
            '--ignore-index', 0, '--val-fraction', 0,
        )  # fmt: skip
        expected = [[255, 0, 1, 255]] * 2
        assert ids(out / 'ann_dir/train/city/1.png') == expected
        assert (out / 'classes.txt').read_text() == 'class_0\nclass_1\n'
        cfg = Config.fromfile(str(out / 'rml.py'))
        assert 'val_dataloader' not in cfg and 'val_cfg' not in cfg

    def test_ids_from_one_and_a_background_of_zero(
        self, tmp_path, call, capsys
    ):
        images, out, *masks = self._source(tmp_path, 4, 1)
        for path in masks[1].rglob('*.png'):
            save(path, [[0, 1, 2, 255]] * 2)
        names = ('--classes', 'road,tram')
        settings = (*masks, '--val-fraction', 0)
        with pytest.raises(SystemExit, match='nothing was written'):
            call(image_folder, images, out, *settings, *names)
        text = capsys.readouterr().out
        assert text.count('is 2, the number of --classes. If 0 is none') == 1
        # Both suggested ways name the ids correctly.
        call(image_folder, images, out, *settings, *names, '--ignore-index', 0)
        assert ids(out / 'ann_dir/train/city/1.png') == [[255, 0, 1, 255]] * 2
        assert (out / 'classes.txt').read_text() == 'road\ntram\n'
        again = tmp_path / 'again'
        names = ('--classes', 'background,road,tram')
        call(image_folder, images, again, *settings, *names)
        mask = ids(again / 'ann_dir/train/city/1.png')
        assert mask == [[0, 1, 2, 255]] * 2
        assert 'warning: The' not in capsys.readouterr().out

    def test_names_that_may_be_wrong_by_one(self, tmp_path, call, capsys):
        arguments = self._source(tmp_path)
        for path in (tmp_path / 'masks').rglob('*.png'):
            save(path, [[1, 1, 2, 255]] * 2)
        call(image_folder, *arguments, '--classes', 'road,tram,sky')
        text = capsys.readouterr().out
        assert 'warning: No mask holds 0, which is road' in text
        assert '--ignore-index 0 shifts the ids by one' in text

    def test_labelme(self, tmp_path, call):
        images, out, *_ = self._source(tmp_path, 0, 4)
        for index, label in enumerate(('tram', 'road')):
            shape = dict(label=label, points=[[0, 0], [1, 1]])
            shape['shape_type'] = 'rectangle'
            text = json.dumps(
                dict(shapes=[shape], imageHeight=2, imageWidth=4)
            )
            (images / f'city/{index}.json').write_text(text)
        call(
            image_folder, images, out, '--labelme', images,
            '--val-fraction', 0, '--outside', 'ignore',
        )  # fmt: skip
        assert (out / 'classes.txt').read_text() == 'road\ntram\n'
        mask = ids(out / 'ann_dir/train/city/0.png')
        assert mask == [[1, 1, 255, 255]] * 2

    def test_coco(self, tmp_path, call):
        pytest.importorskip('pycocotools')
        images, out, *_ = self._source(tmp_path, 0, 3)
        file = tmp_path / 'coco.json'
        part = dict(id=1, image_id=7, category_id=3)
        part['segmentation'] = [[0, 0, 2, 0, 2, 2, 0, 2]]
        image = dict(id=7, file_name='city/1.png', height=2, width=4)
        file.write_text(
            json.dumps(
                dict(
                    images=[image],
                    annotations=[part],
                    categories=[dict(id=3, name='tram')],
                )
            )
        )
        call(
            image_folder, images, out, '--coco', file, '--val-fraction', 0
        )  # fmt: skip
        assert self._list(tmp_path, 'labelled') == ['city/1']
        assert ids(out / 'ann_dir/train/city/1.png') == [[1, 1, 0, 0]] * 2
        assert (out / 'classes.txt').read_text() == 'background\ntram\n'

    def test_configs_have_our_bases_and_the_data(self, tmp_path, call):
        arguments = self._source(tmp_path)
        call(
            image_folder, *arguments, '--iters', 40, '--networks', 'tiny',
            '--batch-size', 3, '--classes', 'road,tram',
        )  # fmt: skip
        rml = Config.fromfile(str(tmp_path / 'out/rml.py'))
        heads = [s.decode_head.num_classes for s in rml.model.segmentors]
        assert heads == [2, 2]
        assert rml.train_cfg.iters_per_stage == 40
        assert rml.train_cfg.burn_in_iters == 20
        assert rml.train_cfg.val_interval == 10
        assert rml.default_hooks.checkpoint.interval == 10
        assert rml.default_hooks.checkpoint.save_best == 'mIoU'
        assert rml.work_dir == './work_dirs/out/rml'
        scales = rml.tta_pipeline[1].transforms[0]
        assert [s.scale for s in scales] == [(3, 2), (4, 2), (5, 2)]
        # Short runs have curves, too.
        assert rml.default_hooks.logger.interval == 2
        monitors = [h for h in rml.custom_hooks if 'Monitor' in h.type]
        assert [hook.interval for hook in monitors] == [2]
        assert 'type' in rml.default_hooks.checkpoint
        assert rml.train_dataloader.batch_size == 3
        assert rml.train_dataloader.dataset.type == 'SemiSegDataset'
        assert rml.train_dataloader.sampler == dict(type='SemiSegSampler')
        root = rml.train_dataloader.dataset.unlabelled.data_root
        assert Path(root) == tmp_path / 'out'
        plain = Config.fromfile(str(tmp_path / 'out/supervised.py'))
        assert plain.model.decode_head.num_classes == 2
        assert plain.train_dataloader.dataset.ann_file == 'splits/labelled.txt'
        assert plain.val_evaluator.type == 'IoUMetric'
        assert plain.default_hooks.checkpoint.save_best == 'mIoU'

    def test_configs_of_the_guide_have_a_folder_of_their_own(
        self, tmp_path, call, monkeypatch
    ):
        """A config that inherits a work_dir would overwrite checkpoints."""
        images, _, *masks = self._source(tmp_path)
        out = tmp_path / 'data/mine'
        call(image_folder, images, out, *masks, '--networks', 'tiny')
        text = (ROOT / 'docs/your_data.md').read_text('utf-8')
        blocks = re.findall(r'```python\n(.*?)```', text, re.S)
        children = [block for block in blocks if "_base_ = './" in block]
        assert len(children) == 2
        monkeypatch.chdir(tmp_path)
        folders = set()
        for block in children:
            path = Path(block.splitlines()[0].removeprefix('# '))
            path.write_text(block)
            cfg = Config.fromfile(str(path))
            assert cfg.work_dir == f'./work_dirs/mine/{path.stem}'
            folders.add(cfg.work_dir)
        assert len(folders) == 2

    def test_no_unlabelled_image_no_mutual_config(
        self, tmp_path, call, capsys
    ):
        call(image_folder, *self._source(tmp_path, 4, 0))
        assert 'all images are annotated' in capsys.readouterr().out
        assert (tmp_path / 'out/supervised.py').is_file()
        assert not (tmp_path / 'out/rml.py').exists()

    def test_the_same_file_under_two_names_is_told(
        self, tmp_path, call, capsys
    ):
        arguments = self._source(tmp_path)
        names = tmp_path / 'val.txt'
        names.write_text('city/3\n')
        save(tmp_path / 'images/city/3.png', photo(2, 4, 7))
        call(image_folder, *arguments, '--val-list', names)
        assert 'city/3 (val) = city/7' in capsys.readouterr().out

    def test_val_list(self, tmp_path, call):
        arguments = self._source(tmp_path)
        names = tmp_path / 'val.txt'
        names.write_text('city/3\ncity/0\n', 'utf-8-sig')
        call(image_folder, *arguments, '--val-list', names)
        assert self._list(tmp_path, 'val') == ['city/0', 'city/3']
        names.write_text('city/3\ncity/6\n')
        with pytest.raises(SystemExit, match="mask, such as 'city/6'"):
            call(
                image_folder, arguments[0], tmp_path / 'other',
                *arguments[2:], '--val-list', names,
            )  # fmt: skip

    def test_groups_are_kept_apart(self, tmp_path, call, capsys):
        arguments = self._source(tmp_path, 0, 0)
        for patient in range(4):
            for number in range(4):
                name = f'{patient}-{number}.png'
                image = photo(2, 4, 4 * patient + number)
                save(tmp_path / f'images/{name}', image)
                if number < 2:
                    save(tmp_path / f'masks/{name}', [[0, 0, 1, 1]] * 2)
        call(image_folder, *arguments, '--group', '^[0-9]+')
        val = self._list(tmp_path, 'val')
        (patient,) = {name[0] for name in val}
        assert val == [f'{patient}-0', f'{patient}-1']
        train = [
            name
            for split in ('labelled', 'unlabelled')
            for name in self._list(tmp_path, split)
        ]
        assert len(train) == 12 and {n[0] for n in train} == {*'0123'} - {
            patient
        }
        # Images that are left out are not written.
        images = [p.stem for p in (tmp_path / 'out/img_dir').rglob('*.png')]
        assert sorted(images) == sorted(train + val)
        text = capsys.readouterr().out
        assert '4 groups of 4 images: 0 (4), 1 (4)' in text
        assert f'for val: {patient}; 2 of their unlabelled images' in text

    def test_a_test_set_is_apart(self, tmp_path, call, capsys):
        arguments = self._source(tmp_path, labelled=10)
        names = tmp_path / 'test.txt'
        names.write_text('city/8\n\ncity/2\n')
        call(image_folder, *arguments, '--test-list', names)
        out = tmp_path / 'out'
        parts = {
            part: self._list(tmp_path, part)
            for part in ('labelled', 'unlabelled', 'val', 'test')
        }
        assert parts['test'] == ['city/2', 'city/8']
        assert [len(p) for p in parts.values()] == [6, 3, 2, 2]
        assert len(set().union(*parts.values())) == 13
        report = json.loads((out / 'statistics.json').read_text())
        assert report['test']['images'] == 2
        init_default_scope('mmseg')
        for name, kind in (('supervised', ''), ('rml', 'Learners')):
            cfg = Config.fromfile(str(out / f'{name}.py'))
            for split in ('val', 'test'):
                loader = cfg[f'{split}_dataloader']
                dataset = DATASETS.build(loader.dataset)
                found = [dataset.get_data_info(i) for i in range(2)]
                shown = {Path(i['img_path']).stem for i in found}
                assert shown == {n[5:] for n in parts[split]}
                assert all(Path(i['seg_map_path']).is_file() for i in found)
                assert len(dataset) == 2
                evaluator = cfg[f'{split}_evaluator']
                assert evaluator.type == f'{kind}IoUMetric'
                assert cfg[f'{split}_cfg'].type == f'{split.title()}Loop'

    def test_a_test_alone(self, tmp_path, call, capsys):
        call(
            image_folder, *self._source(tmp_path, labelled=8),
            '--test-fraction', 0.25, '--val-fraction', 0,
        )  # fmt: skip
        assert len(self._list(tmp_path, 'test')) == 2
        assert self._list(tmp_path, 'val') == []
        told = 'warning: there are no validation images: training gives no sc'
        assert told in capsys.readouterr().out
        cfg = Config.fromfile(str(tmp_path / 'out/rml.py'))
        assert cfg.test_cfg.type == 'TestLoop'
        assert cfg.test_evaluator.type == 'LearnersIoUMetric'
        assert cfg.get('val_cfg') is None and 'val_dataloader' not in cfg
        assert 'save_best' not in cfg.default_hooks.checkpoint

    @pytest.mark.parametrize(
        ('networks', 'iters', 'p0', 'alignment'),
        [
            ('small', 19_999, 'stage', 4.0),
            ('small', 20_000, None, None),
            ('tiny', 20, None, 2.0),
        ],
    )
    def test_labels_of_a_short_run_are_aligned_ones_of_the_stage(
        self, tmp_path, call, networks, iters, p0, alignment
    ):
        call(
            image_folder, *self._source(tmp_path, labelled=4),
            '--networks', networks, '--iters', iters,
        )  # fmt: skip
        model = Config.fromfile(str(tmp_path / 'out/rml.py')).model
        assert model.semi_train_cfg.get('p0') == p0
        assert model.semi_train_cfg.get('ensemble_p0') == (p0 and True)
        assert model.rectifier.get('alignment') == alignment
        assert model.rectifier.get('temperature', 1.0) == 1.0

    @pytest.mark.parametrize(
        ('iters', 'burn_in', 'teachers', 'prototypes', 'weight'),
        [
            (20, 10, dict(momentum=0.99), 0.95, 0.5),
            (90_000, 9_000, dict(momentum=0.999, warm_up=True), 0.9999, 1.0),
        ],
    )
    def test_a_long_run_has_the_settings_of_the_paper(
        self, tmp_path, call, iters, burn_in, teachers, prototypes, weight
    ):
        call(
            image_folder, *self._source(tmp_path, labelled=4),
            '--networks', 'small', '--iters', iters,
        )  # fmt: skip
        cfg = Config.fromfile(str(tmp_path / 'out/rml.py'))
        assert cfg.train_cfg.burn_in_iters == burn_in
        assert cfg.custom_hooks[0] == dict(type='MutualEMAHook', **teachers)
        assert cfg.model.rectifier.momentum == prototypes
        assert cfg.model.semi_train_cfg.unsup_weight == weight

    def test_a_test_leaves_the_draw_of_validation_alone(self, tmp_path, call):
        images, out, *masks = self._source(tmp_path, labelled=9)
        call(image_folder, images, out, *masks)
        before = self._list(tmp_path, 'val')
        rest = [f'city/{i}' for i in range(9) if f'city/{i}' not in before]
        names = tmp_path / 'val.txt'
        names.write_text('\n'.join(before))
        again = tmp_path / 'again'
        call(
            image_folder, images, again, *masks,
            '--val-list', names, '--test-fraction', 0.3,
        )  # fmt: skip
        assert (again / 'splits/val.txt').read_text().split() == before
        test = (again / 'splits/test.txt').read_text().split()
        assert len(test) == 2 and set(test) < set(rest)

    def test_lists_that_cannot_be(self, tmp_path, call):
        arguments = self._source(tmp_path)
        first, second = tmp_path / 'a.txt', tmp_path / 'b.txt'
        first.write_text('city/0\ncity/1\n')
        second.write_text('city/1\ncity/2\n')
        lists = ('--val-list', first, '--test-list', second)
        with pytest.raises(
            SystemExit, match="--test-list: 1 .* --val-list.*'city/1'"
        ):
            call(image_folder, *arguments, *lists)
        second.write_text('city/2\ncity/3\ncity/4\n')
        with pytest.raises(SystemExit, match='list: all 5 labelled images'):
            call(image_folder, *arguments, *lists)
        first.write_text('\n')
        with pytest.raises(SystemExit, match='--val-list holds no name'):
            call(image_folder, *arguments, *lists)
        with pytest.raises(SystemExit, match=r'--test-fraction must be in'):
            call(image_folder, *arguments, '--test-fraction', 1)

    def test_patients_of_a_test_are_nowhere_else(self, tmp_path, call):
        arguments = self._source(tmp_path, 0, 0)
        for index in range(24):
            name = f'{index // 3}-{index % 3}.png'
            save(tmp_path / f'images/{name}', photo(2, 4, index))
            if index % 3:
                save(tmp_path / f'masks/{name}', [[0, 0, 1, 1]] * 2)
        call(
            image_folder, *arguments, '--group', '^[0-9]+',
            '--test-fraction', 0.25,
        )  # fmt: skip
        patients = [
            {name[0] for name in self._list(tmp_path, part)}
            for part in ('labelled', 'val', 'test')
        ]
        assert set(self._list(tmp_path, 'unlabelled')) == {
            f'{patient}-0' for patient in patients[0]
        }
        assert [len(p) for p in patients] == [5, 1, 2]
        assert len(set().union(*patients)) == 8

    def test_dry_run_writes_nothing(self, tmp_path, call, capsys):
        call(image_folder, *self._source(tmp_path), '--dry-run')
        text = capsys.readouterr().out
        assert 'labelled: 4 images' in text and 'splits/val.txt' in text
        assert not (tmp_path / 'out').exists()

    def test_all_problems_are_listed(self, tmp_path, call, capsys):
        arguments = self._source(tmp_path, labelled=6)
        save(tmp_path / 'masks/city/0.png', [[0, 1]])
        save(tmp_path / 'masks/city/1.png', [[0, 7, 0, 0]] * 2)
        (tmp_path / 'images/city/2.png').write_bytes(b'')
        _, jpeg = cv2.imencode('.jpg', np.zeros((64, 64, 3), np.uint8))
        (tmp_path / 'images/city/7.png').unlink()
        cut = tmp_path / 'images/city/7.jpg'
        cut.write_bytes(jpeg[:-40].tobytes())
        save(tmp_path / 'masks/city/99.png', [[0]])
        arguments += ('--classes', 'a,b')
        with pytest.raises(SystemExit, match='nothing was written'):
            call(image_folder, *arguments)
        text = capsys.readouterr().out
        assert '4 images or masks are wrong' in text
        assert '0.png is 1 x 2 pixels, but its image 2 x 4' in text
        assert '1.png holds the ids [7], but 2 classes' in text
        assert "2.png' is empty" in text
        assert "7.jpg' is damaged: image file is truncated" in text
        assert '1 annotation is unusable' in text
        assert not (tmp_path / 'out').exists()

        call(image_folder, *arguments, '--skip-bad')
        names = self._list(tmp_path, 'labelled') + self._list(tmp_path, 'val')
        assert sorted(names) == ['city/3', 'city/4', 'city/5']

    def test_black_and_white_masks_ask_for_a_table(self, tmp_path, call):
        arguments = self._source(tmp_path)
        for path in (tmp_path / 'masks').rglob('*.png'):
            save(path, [[0, 255, 255, 0]] * 2)
        with pytest.raises(SystemExit, match='black-and-white.*object,255'):
            call(image_folder, *arguments)
        with pytest.raises(SystemExit, match='black-and-white.*object,255'):
            call(image_folder, *arguments, '--classes', 'ground,house')

    def test_what_lies_among_the_images_and_is_none(self, tmp_path, call):
        arguments = self._source(tmp_path)
        masks = tmp_path / 'images/masks'
        (tmp_path / 'masks').rename(masks)
        for place in ('.ipynb_checkpoints/x.png', 'city/._0.png'):
            save(tmp_path / 'images' / place, [[0]])
        call(image_folder, *arguments[:2], '--masks', masks)
        names = {
            name
            for part in ('labelled', 'unlabelled', 'val')
            for name in self._list(tmp_path, part)
        }
        assert all(name.startswith('city/') for name in names)
        assert 'city/._0' not in names

    def test_images_of_which_loading_leaves_nothing(
        self, tmp_path, call, capsys
    ):
        arguments = self._source(tmp_path)
        dark = np.arange(8, dtype=np.uint16).reshape(2, 4) * 500
        cv2.imwrite(str(tmp_path / 'images/city/0.png'), dark)
        with pytest.raises(SystemExit, match='nothing was written'):
            call(image_folder, *arguments)
        told = capsys.readouterr().out
        assert 'holds values from 0 to 3500 (uint16), 8 in all' in told
        call(
            image_folder, *arguments, '--range', 0, 3500, '--skip-bad',
            '--val-fraction', 0,
        )  # fmt: skip
        path = tmp_path / 'out/img_dir/train/city/0.png'
        made = cv2.imread(str(path))
        assert made[..., 0].tolist() == [
            [0, 36, 73, 109],
            [146, 182, 219, 255],
        ]

    def test_links_to_folders_are_followed(self, tmp_path, call):
        images, *others, masks = self._source(tmp_path)
        for folder in (images, masks):
            linked = tmp_path / f'linked/{folder.name}'
            linked.mkdir(parents=True)
            with pytest.raises(SystemExit, match=r'holds no image|no mask'):
                call(image_folder, linked, *others, masks)
            (linked / 'city').symlink_to(folder / 'city')
        call(
            image_folder, tmp_path / 'linked/images', *others,
            tmp_path / 'linked/masks',
        )  # fmt: skip
        assert len(self._list(tmp_path, 'labelled')) == 4
        assert len(self._list(tmp_path, 'unlabelled')) == 3

    def test_masks_linked_among_the_images(self, tmp_path, call):
        images, out, option, masks = self._source(tmp_path)
        link = images / 'masks'
        link.symlink_to(masks)
        call(image_folder, images, out, option, link)
        for part in ('labelled', 'unlabelled', 'val'):
            assert all(n[:5] == 'city/' for n in self._list(tmp_path, part))

    def test_flat_masks_of_images_in_sub_folders(self, tmp_path, call):
        images, out, option, masks = self._source(tmp_path)
        told = f'should be {masks / "city/city/0.png"}'
        with pytest.raises(SystemExit, match='same sub-folders') as no:
            call(image_folder, images, out, option, masks / 'city')
        assert told in str(no.value)

    def test_a_name_with_two_suffixes_is_refused(self, tmp_path, call):
        arguments = self._source(tmp_path)
        save(tmp_path / 'images/city/x.jpg.png', photo(2, 4))
        with pytest.raises(SystemExit, match='x.jpg.png has two suffixes'):
            call(image_folder, *arguments)

    def test_settings_that_cannot_work(self, tmp_path, call):
        arguments = self._source(tmp_path)
        for extra, message in (
            (('--val-fraction', 0.95), 'leaves none for training'),
            (('--val-fraction', 1.5), r'in \[0, 1\), but is 1.5'),
            (('--classes', 'a,a'), 'distinct names'),
        ):
            with pytest.raises(SystemExit, match=message):
                call(image_folder, *arguments, *extra)

    def test_a_seed_below_zero(self, tmp_path, call, capsys):
        with pytest.raises(SystemExit):
            call(image_folder, *self._source(tmp_path), '--seed', -1)
        assert '--seed must be 0 or more, got -1' in capsys.readouterr().err

    @pytest.mark.parametrize(
        ('option', 'told'),
        [
            ('--masks', 'is not a folder'),
            ('--labelme', 'is not a folder'),
            ('--coco', 'No such file'),
            ('--colour-table', 'No such file'),
            ('--val-list', 'No such file'),
            ('--test-list', 'No such file'),
            ('--classes', 'no such file'),
        ],
    )
    def test_a_missing_file_is_told_with_its_option(
        self, tmp_path, call, option, told
    ):
        if option == '--coco':
            pytest.importorskip('pycocotools')
        images, out, *masks = self._source(tmp_path)
        missing = tmp_path / 'missing.txt'
        kinds = ('--masks', '--labelme', '--coco')
        given = () if option in kinds else masks
        with pytest.raises(
            SystemExit, match=f'error: {option}: .*{told}'
        ) as no:
            call(image_folder, images, out, *given, option, missing)
        assert 'missing.txt' in str(no.value) and 'Errno' not in str(no.value)

    def test_positional_folders_are_told(self, tmp_path, call):
        images, out, *masks = self._source(tmp_path)
        with pytest.raises(SystemExit, match='error: images: .*not a folder'):
            call(image_folder, tmp_path / 'missing', out, *masks)
        out.write_text('')
        with pytest.raises(SystemExit, match='error: out: .*Not a directory'):
            call(image_folder, images, out, *masks)

    def test_folders_that_are_empty_or_are_not(self, tmp_path, call):
        arguments = self._source(tmp_path)
        (tmp_path / 'empty').mkdir()
        with pytest.raises(
            SystemExit, match='no image has a mask with its name'
        ):
            call(
                image_folder, *arguments[:2], '--masks', tmp_path / 'empty'
            )  # fmt: skip
        save(tmp_path / 'out/mine.png', [[0]])
        with pytest.raises(SystemExit, match='is not empty'):
            call(image_folder, *arguments)

    def test_same_name_in_two_formats_is_refused(self, tmp_path, call):
        arguments = self._source(tmp_path)
        save(tmp_path / 'images/city/0.bmp', photo(2, 4))
        with pytest.raises(SystemExit, match='differ only in their suffix'):
            call(image_folder, *arguments)
