"""Processes that start in milliseconds: each is a fork of one that has imported the ML libraries.

Importing torch, transformers and TRL takes seconds, and tests start processes a hundred times. A test that
asks for the fixture ``warm`` finds a script in the place of ``sys.executable``. The script (``client.py``)
hands its arguments, environment, folder and open files to a server (``server.py``), and ends as the fork
ends: with its exit code or its signal. Signals go on to the fork, and a script that is killed takes its fork
with it. So all that the tests say of processes holds. That ptx needs none of this is shown by the tests that
do not ask for it, and by ``PTX_COLD=1 make test``. Linux only: elsewhere ``sys.executable`` is what it was.
"""
