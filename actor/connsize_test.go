package actor

import (
	"testing"
	"unsafe"
)

// A Conn of one byte more costs every connection 64: objects over 512 bytes
// carry a header, and the next size class is 576.
func TestConnFitsIntoItsSizeClass(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("the size is that of 64-bit systems")
	}
	if size := unsafe.Sizeof(Conn{}); size > 512 {
		t.Errorf("a Conn has %d bytes", size)
	}
}
