"""Helpers of the campaigns: quick runners, and processes without start-up."""

import os
import sys
import traceback

import mmengine.runner.runner
import torch
from quick import skip_formatting


def quicken():
    """Turn off a Runner's reports of its environment; use one thread."""
    torch.set_num_threads(1)
    skip_formatting().start()
    mmengine.runner.runner.collect_env = dict


def fork(work, log):
    """Run a function in a process of its own, its output going to a file.

    Returns the process's id. The exit code is 0, that of a SystemExit, or 1
    for another exception, whose traceback ends the file.
    """
    sys.stdout.flush()
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        # Progress bars keep the output that existed when they were made, so
        # redirect the descriptors instead of replacing sys.stdout.
        file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.dup2(file, 1)
        os.dup2(file, 2)
        work()
        code = 0
    except SystemExit as error:
        code = error.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def join(process):
    """Exit code of a process, negative for the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
