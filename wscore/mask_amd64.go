//go:build !purego

package wscore

import "golang.org/x/sys/cpu"

var haveAVX2 = cpu.X86.HasAVX2

// maskAVX2 masks the n bytes at p, 32 or more, 32 at a time.
//
//go:noescape
func maskAVX2(p *byte, n int, key uint32)
