"""Benchmarks: what a user waits for, measured as whole fresh processes.

workloads   the programs that are measured
process     one measurement, for a fresh interpreter
startup     many of them, and the table
"""
