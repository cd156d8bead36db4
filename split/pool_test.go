package split

import (
	"sync"
	"testing"
)

func TestPoolGivesTheSmallestClassThatFits(t *testing.T) {
	for _, c := range []struct{ size, class int }{
		{0, 256}, {1, 256}, {256, 256}, {257, 1 << 10}, {1 << 10, 1 << 10}, {1<<10 + 1, 4 << 10},
		{4 << 10, 4 << 10}, {4<<10 + 1, 16 << 10}, {16<<10 + 1, 64 << 10}, {64 << 10, 64 << 10},
		{64<<10 + 1, 256 << 10}, {256<<10 + 1, 1 << 20}, {1<<20 + 1, 4 << 20}, {4<<20 + 1, 16 << 20},
		{16 << 20, 16 << 20},
	} {
		p := NewPool(nil)
		b := p.Get(c.size)
		equal(t, "Cap", b.Cap(), Headroom+c.class)
		equal(t, "Len", b.Len(), 0)
		equal(t, "Opcode", b.Opcode(), 0)
		b.Release()
	}
}

func TestBufferAboveTheLargestClassIsMadeToMeasure(t *testing.T) {
	const size = 16<<20 + 1
	l := newLedger()
	p := NewPool(l)
	b := p.Get(size)
	equal(t, "Cap", b.Cap(), Headroom+size)
	_, ok := b.Resize(size)
	equal(t, "Resize to all of it", ok, true)
	equal(t, "InUse", p.InUse(), 1)
	b.Release()
	equal(t, "InUse", p.InUse(), 0)
	equal(t, "acquired in class 0", l.acquired[0], 1)
	equal(t, "released in class 0", l.released[0], 1)
}

func TestReleasedBufferIsUsedAgainEmpty(t *testing.T) {
	// Whether a pool keeps a buffer is its own business, so look at many.
	p := NewPool(nil)
	for range 100 {
		b := p.Text("left over")
		b.Prepare()
		b.Release()
		b = p.Get(10)
		if b.Len() != 0 || b.Opcode() != 0 || b.prepared || !b.sole() {
			t.Fatalf("not empty: %+v", b)
		}
		b.Release()
	}
}

func TestObserverHearsOfEachBufferByItsClass(t *testing.T) {
	l := newLedger()
	p := NewPool(l)
	sizes := []int{0, 100, 300, 5000, 70_000, 2 << 20, 16<<20 + 1}
	var out []*Buffer
	for _, size := range sizes {
		out = append(out, p.Get(size))
	}
	out = append(out, out[0].Retain()) // no new buffer
	for class, n := range map[int]int{256: 2, 1 << 10: 1, 16 << 10: 1, 256 << 10: 1, 4 << 20: 1, 0: 1} {
		equal(t, "acquired", l.acquired[class], n)
		equal(t, "released too early", l.released[class], 0)
	}
	equal(t, "InUse", p.InUse(), len(sizes))
	for _, b := range out {
		b.Release()
	}
	for class, n := range l.acquired {
		equal(t, "released", l.released[class], n)
	}
	equal(t, "classes released", len(l.released), len(l.acquired))
	equal(t, "InUse", p.InUse(), 0)
}

func TestInUseReturnsToZeroUnderConcurrentUse(t *testing.T) {
	l := newLedger()
	p := NewPool(l)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 200 {
				b := p.Binary(make([]byte, (i*j*37)%6000))
				second := b.Retain()
				all.Go(second.Release)
				b.Copy().Release()
				b.Release()
			}
		})
	}
	all.Wait()
	equal(t, "InUse", p.InUse(), 0)
	for class, n := range l.acquired {
		equal(t, "released", l.released[class], n)
	}
}

func TestScribbleShowsUseAfterRelease(t *testing.T) {
	p := NewPool(nil)
	p.Scribble()
	b := p.Text("secret")
	payload := b.Payload()
	second := b.Retain()
	b.Release()
	equal(t, "payload while one owner is left", string(payload), "secret")
	second.Release()
	equal(t, "payload after release", string(payload), "\xDB\xDB\xDB\xDB\xDB\xDB")
	for i, memory := range b.memory {
		if memory != 0xDB {
			t.Fatalf("byte %d of the memory is %#x", i, memory)
		}
	}
}

func TestScribbleIsOnByDefaultInRaceBuilds(t *testing.T) {
	p := NewPool(nil)
	equal(t, "scribble", p.scribble, scribbleByDefault)
	b := p.Text("x")
	payload := b.Payload()
	b.Release()
	equal(t, "overwritten", payload[0] == 0xDB, scribbleByDefault)
}
