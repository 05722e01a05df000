from rml_mmseg.datasets.folder_files import folder_files


def test_links_are_followed_and_hidden_ones_left_out(tmp_path):
    folder, other = tmp_path / 'images', tmp_path / 'other'
    for path in (
        folder / 'a-b.png',
        folder / 'a/b.png',
        folder / '.cache/c.png',
        folder / 'a/._b.png',
        other / 'sub/d.png',
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (folder / 'link').symlink_to(other)
    (folder / 'e.png').symlink_to(other / 'sub/d.png')
    found = ['a/b.png', 'a-b.png', 'e.png', 'link/sub/d.png']
    assert folder_files(folder) == found
