//go:build !amd64 || purego

package wscore

const haveAVX2 = false

func maskAVX2(*byte, int, uint32) {}
