"""Benchmarks: what a user waits for, beside other systems, each in fresh processes.

families    what is measured: graphs, and the arrays from which every system starts
workloads   families in several sizes: the rows of the table
serve       a process that computes when told; run as a script, by any Python
peers       the same workloads in each system; loaded by those processes only
systems     the systems and their processes
runner      interleaved rounds, first calls, agreement of results
process     starting times of one workload, for a fresh interpreter
startup     many of them, and their table
"""
