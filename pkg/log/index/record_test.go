package index

import (
	"bytes"
	"testing"
	"time"

	"slipway/pkg/log/layout"
)

func FuzzRecord(f *testing.F) {
	f.Add(Record{Kind: KindData, Stream: layout.Stdout, Length: 5, Offset: 7, Time: time.Unix(1, 2)}.append(nil))
	f.Add(make([]byte, recordSize))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, ok := parseRecord(data)
		if ok && !bytes.Equal(r.append(nil), data[:recordSize]) {
			t.Errorf("%x is read as %+v", data, r)
		}
	})
}
