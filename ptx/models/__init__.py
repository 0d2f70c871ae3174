"""What a model folder holds, and the package that a runtime serves; told from small files, without an ML
library.
"""
