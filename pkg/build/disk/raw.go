package disk

import (
	"context"
	"fmt"

	"github.com/diskfs/go-diskfs/partition/gpt"
	"github.com/google/uuid"
)

// makeRaw makes a disk with a GUID partition table and one partition.
func makeRaw(ctx context.Context, out string, b Boot) error {
	u, err := planUKI(b)
	if err != nil {
		return err
	}
	return create(ctx, out, func(m *medium) error {
		// One MiB before the partition, as every partitioner leaves, and one
		// behind it for the second copy of the table.
		esp := espSize(u.size)
		size := mib + esp + mib
		if err := m.Truncate(size); err != nil {
			return err
		}
		sum, err := writeESP(m, mib, esp, u, arches[b.Arch].file)
		if err != nil {
			return fmt.Errorf("write EFI system partition: %w", err)
		}
		table := gpt.Table{
			ProtectiveMBR: true,
			GUID:          guid(sum, "disk"),
			Partitions: []*gpt.Partition{{
				Index: 1, Start: mib / sector, Size: uint64(esp),
				Type: gpt.EFISystemPartition, Name: "EFI System", GUID: guid(sum, "esp"),
			}},
		}
		if err := table.Write(m, size); err != nil {
			return fmt.Errorf("write partition table: %w", err)
		}
		return nil
	})
}

// guid makes an identifier (RFC 9562, version 5) of a hash of the content and
// what is identified.
func guid(sum []byte, what string) string {
	return uuid.NewSHA1(uuid.Nil, append(sum[:len(sum):len(sum)], what...)).String()
}
