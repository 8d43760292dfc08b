"""Code generation: kernels as readable Python text in the language of the runtime.

In the order of flow: ``scalar`` (expressions), ``frame`` (lines, locals, arguments), ``collapse`` (which loops are
one), ``access`` (reads and writes), ``statements``, ``products``, ``kernel`` (one kernel), ``module`` (one file a
program), ``binding`` (a module's tables for concrete sizes).
"""
