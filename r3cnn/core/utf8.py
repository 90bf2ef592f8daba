"""Text is UTF-8 under every locale."""

import locale
import os
import sys


def run_in_utf8() -> None:
    """Start this command again in Python's UTF-8 mode where the locale has another encoding; for commands only.

    So names of files and what libraries open are read as on every other machine, in child processes too.
    """
    encoding = locale.getpreferredencoding(do_setlocale=False)
    if sys.flags.utf8_mode or encoding.lower().replace("-", "") == "utf8" or not sys.executable:
        return
    os.environ["PYTHONUTF8"] = "1"
    os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])
