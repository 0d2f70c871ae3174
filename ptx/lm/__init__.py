"""What plugins share on the torch side: loading, chat templates, saving, and the loop around a TRL trainer.

The core never imports this package; plugins do, inside the functions that need it. Modules: ``load`` (models
and tokenizers in and out), ``trl_args`` (``method.args`` checked against TRL), ``rows`` (ptx's rows as TRL's
columns), ``training`` (one trainer run: progress, checkpoints, resume, stops, result). Importing ``ptx.lm``
itself loads no ML library.
"""
