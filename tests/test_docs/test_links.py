"""Whatever the Markdown files point to in the repository is there."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SKIPPED = ('data', 'work_dirs', 'build', 'dist')
FENCE = re.compile(r'^( *)(`{3,})[^\n]*\n.*?^\1\2`*$', re.M | re.S)
LINK = re.compile(r'\]\(([^()\s]+)(?: "[^"]*")?\)')
PLACEHOLDER = 'NAME'
# Paths in our own folders; those that go on with a placeholder do not count.
NAMED = re.compile(
    r'(?<![\w./{-])((?:configs|docs|rml_mmseg|tests|tools)/[\w./-]*[\w/])'
    r'(?![\w{<*$])'
)


def markdown_files():
    """All Markdown files that are part of the project, from its root."""
    try:
        listed = subprocess.run(
            ['git', 'ls-files', '-co', '--exclude-standard', '*.md'],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        paths = (path.relative_to(ROOT) for path in ROOT.rglob('*.md'))
        listed = [
            path.as_posix()
            for path in paths
            if path.parts[0] not in SKIPPED
            and not any(part.startswith('.') for part in path.parts)
        ]
    return sorted(name for name in listed if (ROOT / name).is_file())


def anchors(text):
    """Anchors of the headings, as GitHub and the pages give them."""
    found = set()
    for title in re.findall(r'^#+ +(.*?) *$', FENCE.sub('', text), re.M):
        title = LINK.sub(']', title).lower()
        slug = re.sub(r'[^\w\- ]', '', title).replace(' ', '-')
        number = 0
        while (name := f'{slug}-{number}' if number else slug) in found:
            number += 1
        found.add(name)
    return found


def broken(path, text):
    """Links and paths in a text whose target does not exist."""
    missing = []
    plain = FENCE.sub('', text)
    for link in LINK.findall(re.sub(r'`[^`\n]+`', '', plain)):
        if re.match(r'[a-z]+:', link):
            continue
        target, _, anchor = link.partition('#')
        file = (path.parent / target).resolve() if target else path
        if target and not file.exists():
            missing.append(link)
        elif anchor:
            own = text if file == path else file.read_text('utf-8')
            if anchor not in anchors(own):
                missing.append(link)
    for code in re.findall(r'`([^`\n]+)`', plain):
        missing += [
            name
            for name in NAMED.findall(code)
            if not (ROOT / name).exists() and Path(name).stem != PLACEHOLDER
        ]
    return missing


@pytest.mark.parametrize('name', markdown_files())
def test_no_link_is_dead(name):
    path = ROOT / name
    assert broken(path, path.read_text('utf-8')) == []


def test_all_documents_are_looked_at():
    names = markdown_files()
    for name in ('README.md', 'docs/paper.md', 'configs/rml/README.md'):
        assert name in names


@pytest.mark.parametrize(
    'text, found',
    [
        ('[a](nowhere.md)', ['nowhere.md']),
        ('[a](paper.md)', []),
        ('[a](paper.md#equations) [b](#here)\n# Here', []),
        ('[a](paper.md#no-such) [b](#there)', ['paper.md#no-such', '#there']),
        ('[a](https://example.org/nowhere)', []),
        ('see `tools/nowhere.py`', ['tools/nowhere.py']),
        ('see `tools/train.py` and `tools/{name}.py`', []),
        ('```bash\npython tools/nowhere.py\n```', []),
    ],
)
def test_what_counts_as_dead(text, found):
    assert broken(ROOT / 'docs' / 'example.md', text) == found
