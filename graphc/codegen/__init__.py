"""Code generation: kernels as readable Python text in the language of the runtime."""
