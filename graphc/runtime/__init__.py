"""The runtime: from emitted text to threads that run it. Numba and llvmlite are met only here.

The modules in the order in which data flow through them; each imports only from those above it. A process
that finds everything in the cache goes from the first group to `jit` and never imports Numba.

    launch                      layout of the tables of steps, text of the entry
    threads                     how many threads, and the workers' lives
    turns                       1 / pi to as many digits as the largest angles need
    loader                      object code to addresses (llvmlite)
    cache                       object code on disk
    units                       emitted modules cut into functions, and their keys
    externals                   C functions that kernels call by symbol

    outline                     the entry's prange loop as a function
    intrinsics                  how words of the kernel language are declared
    pointers scalars            buffers; scalar words
    vecmath                     exp, tanh, ... (vecmath_tables, vecmath_ir, vecmath_bodies, vecmath_hyperbolic,
                                vecmath_inverse), and those that branch (vecmath_circular, vecmath_power, vecmath_calls)
    gemm                        matrix products (gemm_vectors, gemm_tiles, gemm_pairs, gemm_dots, gemm_packs)
    random_bits                 the words of random draws
    steps team                  words of the entry; the threads at work
    language                    the words that emitted text imports: the contract with the code generator
    sorting                     the order of a row
    guards                      what a call does before its first step
    compiler                    one function to object code
    build                       what is missing in a module, compiled

    jit                         load(): the way in
"""
