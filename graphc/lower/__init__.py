"""Lowering: nodes to loop nests, nests to kernels, kernels to a schedule with a memory plan."""
