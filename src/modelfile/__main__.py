"""`python -m modelfile`."""

from modelfile.cli.app import main

if __name__ == "__main__":
    main()
