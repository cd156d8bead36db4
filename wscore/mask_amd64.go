//go:build !purego

package wscore

import "golang.org/x/sys/cpu"

// maskLong masks more than 32 bytes.
func maskLong(p []byte, key uint32) {
	if cpu.X86.HasAVX2 {
		maskAVX2(&p[0], len(p), key)
		return
	}
	maskWords(p, key)
}

// maskAVX2 masks the n bytes at p, 32 or more, 32 at a time.
//
//go:noescape
func maskAVX2(p *byte, n int, key uint32)
