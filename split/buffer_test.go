package split

import (
	"strings"
	"testing"
	"unsafe"

	"github.com/tandem-ws/tandem/wscore"
)

func TestPayloadStandsBehindItsHeadroom(t *testing.T) {
	p := NewPool(nil)
	for _, b := range []*Buffer{p.Text("hello"), p.Binary([]byte("hello"))} {
		equal(t, "payload", string(b.Payload()), "hello")
		equal(t, "Len", b.Len(), 5)
		equal(t, "headroom", uintptr(unsafe.Pointer(&b.Payload()[0]))-uintptr(unsafe.Pointer(&b.memory[0])), wscore.MaxHeaderSize)
		// An append to the payload must not run into the buffer's memory.
		equal(t, "capacity of the slice", cap(b.Payload()), 5)
		b.Release()
	}
}

func TestTextAndBinarySetTheOpcode(t *testing.T) {
	p := NewPool(nil)
	text, binary := p.Text("a"), p.Binary([]byte("b"))
	equal(t, "opcode of Text", text.Opcode(), wscore.OpText)
	equal(t, "opcode of Binary", binary.Opcode(), wscore.OpBinary)
	text.SetOpcode(wscore.OpBinary)
	equal(t, "opcode after SetOpcode", text.Opcode(), wscore.OpBinary)
	text.Release()
	binary.Release()
}

func TestBinaryCopiesItsArgument(t *testing.T) {
	p := NewPool(nil)
	source := []byte("before")
	b := p.Binary(source)
	copy(source, "after!")
	equal(t, "payload", string(b.Payload()), "before")
	b.Release()
}

func TestResizeStaysInsideTheRoom(t *testing.T) {
	p := NewPool(nil)
	for _, c := range []struct {
		length int
		ok     bool
	}{{-1, false}, {0, true}, {1, true}, {255, true}, {256, true}, {257, false}, {1 << 30, false}} {
		b := p.Text("four")
		payload, ok := b.Resize(c.length)
		equal(t, "ok", ok, c.ok)
		if ok {
			equal(t, "length of the payload", len(payload), c.length)
			equal(t, "Len", b.Len(), c.length)
		} else {
			equal(t, "payload after a refusal is nil", payload == nil, true)
			equal(t, "payload after a refusal", string(b.Payload()), "four")
		}
		b.Release()
	}
}

func TestResizedBufferKeepsItsBytes(t *testing.T) {
	b := NewPool(nil).Text("one two")
	b.Resize(3)
	equal(t, "payload", string(b.Payload()), "one")
	b.Release()
}

func TestCopyIsIndependent(t *testing.T) {
	p := NewPool(nil)
	original := p.Text("same")
	other := original.Copy()
	equal(t, "InUse", p.InUse(), 2)
	copy(original.Payload(), "CHANGE")
	equal(t, "payload of the copy", string(other.Payload()), "same")
	equal(t, "opcode of the copy", other.Opcode(), wscore.OpText)
	original.Release()
	equal(t, "payload after the original's release", string(other.Payload()), "same")
	equal(t, "InUse", p.InUse(), 1)
	other.Release()
}

func TestBufferIsBackWithItsLastReference(t *testing.T) {
	p := NewPool(nil)
	b := p.Text("x")
	for range 3 {
		equal(t, "Retain returns the buffer", b.Retain(), b)
	}
	for range 3 {
		b.Release()
		equal(t, "InUse", p.InUse(), 1)
	}
	b.Release()
	equal(t, "InUse", p.InUse(), 0)
}

func TestReleaseOfAReleasedBufferPanics(t *testing.T) {
	p := NewPool(nil)
	b := p.Text("x")
	b.Release()
	equal(t, "second Release panics", panics(b.Release), true)
	equal(t, "InUse", p.InUse(), 0)
}

func TestRetainOfAReleasedBufferPanics(t *testing.T) {
	b := NewPool(nil).Text("x")
	b.Release()
	equal(t, "Retain panics", panics(func() { b.Retain() }), true)
}

func TestGrownKeepsContentAndReleasesTheOld(t *testing.T) {
	p := NewPool(nil)
	b := p.Text("content")
	larger := b.grown(5000)
	equal(t, "payload", string(larger.Payload()), "content")
	equal(t, "opcode", larger.Opcode(), wscore.OpText)
	equal(t, "Cap", larger.Cap(), Headroom+16<<10)
	equal(t, "InUse", p.InUse(), 1)
	larger.Release()
}

func TestPrepareWritesWhatAServersEncoderWould(t *testing.T) {
	p := NewPool(nil)
	for _, opcode := range []wscore.Opcode{wscore.OpText, wscore.OpBinary} {
		for _, size := range []int{0, 1, 125, 126, 127, 65535, 65536, 1 << 20} {
			b := p.Text(strings.Repeat("x", size))
			b.SetOpcode(opcode)
			b.Prepare()
			var lifecycle wscore.Lifecycle
			encoder := wscore.NewEncoder(wscore.Server, &lifecycle, nil)
			want, err := encoder.AppendMessage(nil, opcode, b.Payload())
			must(t, err)
			if string(b.frame()) != string(want) {
				t.Errorf("%v of %d bytes: header is % x, want % x", opcode, size, b.frame()[:len(want)-size], want[:len(want)-size])
			}
			b.Release()
		}
	}
}

func TestChangedBufferIsPreparedAnew(t *testing.T) {
	p := NewPool(nil)
	for name, change := range map[string]func(*Buffer){
		"Resize":    func(b *Buffer) { b.Resize(2) },
		"SetOpcode": func(b *Buffer) { b.SetOpcode(wscore.OpBinary) },
	} {
		b := p.Text("abc")
		b.Prepare()
		change(b)
		equal(t, "prepared after "+name, b.prepared, false)
		b.Release()
	}
}
