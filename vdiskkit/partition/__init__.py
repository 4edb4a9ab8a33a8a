"""Partition tables: MBR with extended partitions, GPT with both copies checked, or none at all."""

from vdiskkit.partition.table import Partition, PartitionNotice, PartitionTable, read_partitions

__all__ = ["Partition", "PartitionNotice", "PartitionTable", "read_partitions"]
