"""What a model folder or a runtime package holds, read from its small files without an ML library."""
