"""Code on the torch side that plugins share.

``load`` reads and writes models and tokenizers, ``tokens`` and ``template`` handle text, ``progress`` shows
the bars of libraries. The packages ``training`` (TRL), ``compression`` (llm-compressor), ``serving`` and
``evaluation`` hold the rest. The core never imports this package; plugins import it inside the functions that
need it. Importing ``ptx.lm`` itself loads no ML library.
"""
