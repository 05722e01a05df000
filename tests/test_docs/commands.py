"""Running the commands that a page of the documentation gives."""

import re
import runpy
import shlex
import sys

# Tools that need a process of their own: a second Runner in a process would
# write to the first one's logs.
APART = ('tools/train.py', 'tools/benchmarks/suite.py')


def bash_blocks(document, smaller):
    """Text of every block that is marked as bash.

    Args:
        document (Path): Page.
        smaller (Sequence[tuple[str, str]]): Texts that make commands take
            long, each with its replacement.
    """
    blocks = re.findall(r'```bash\n(.*?)```', document.read_text(), re.S)
    for found, replaced in smaller:
        assert any(found in block for block in blocks), found
        blocks = [block.replace(found, replaced) for block in blocks]
    return blocks


def run_block(block, monkeypatch, run_command):
    """Run the commands of a block, a training in its own process."""
    command, _, text = block.partition("<<'END'\n")
    for line in command.replace('\\\n', ' ').strip().split('\n'):
        python, script, *arguments = shlex.split(line)
        assert python == 'python'
        if script == '-':
            code = text.removesuffix('END\n')
            exec(compile(code, 'the page', 'exec'), {})
        elif script in APART:
            run_command(sys.executable, script, *arguments)
        else:
            monkeypatch.setattr(sys, 'argv', [script, *arguments])
            try:
                runpy.run_path(script, run_name='__main__')
            except SystemExit as end:
                assert not end.code
