"""Benchmarks: what a user waits for, beside other systems, each in fresh processes.

family      what a family of workloads is: a graph, and the arrays from which every system starts
families    networks and single operations
workloads   families in several sizes: the rows of the table
serve       a process that computes when told; run as a script, by any Python
peers       the same workloads in each system; loaded by those processes only
systems     the systems and their processes
results     what a run found, as plain data
runner      interleaved rounds, first calls, agreement of results
tables      what terminal and page show
page        the page of results; picture draws it
process     starting times of one workload, for a fresh interpreter
startup     many of them, and their table
"""
