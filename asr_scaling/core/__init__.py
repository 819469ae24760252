"""The vocabulary: ports (every seam), workload, record, typed JSON, metrics, cautions, statistics.

May import util, errors.
"""
