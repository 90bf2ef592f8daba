"""python -m r3cnn"""

from .cli.main import main

if __name__ == "__main__":
    main(prog_name="python -m r3cnn")
