"""`python -m deploy.cli`: the same as `convoca`, where that is not on the path."""

from deploy.cli import main

if __name__ == "__main__":
    main()
