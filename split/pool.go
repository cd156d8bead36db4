package split

import (
	"sync"
	"sync/atomic"
)

// classSizes are the payload capacities of pooled buffers in bytes. A larger
// buffer is made to measure and left to the garbage collector.
var classSizes = [...]int{256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20}

const unpooled = len(classSizes)

// Pool hands out buffers in fixed size classes and counts those in use. All
// methods may be called from any goroutine.
type Pool struct {
	classes  [unpooled]sync.Pool
	inUse    [unpooled + 1]atomic.Int64
	observer Observer
	scribble bool
	batches  sync.Pool

	inflaters sync.Pool
	deflaters [10][16]sync.Pool // by level and window bits
}

// NewPool returns an empty pool. The observer may be nil.
func NewPool(observer Observer) *Pool {
	if observer == nil {
		observer = NopObserver{}
	}
	return &Pool{observer: observer, scribble: scribbleByDefault}
}

// Scribble makes the pool overwrite each buffer as it is released, so that a
// use after release shows in tests. It is on in builds with the race detector.
// Call it before the first Get.
func (p *Pool) Scribble() { p.scribble = true }

// Get returns an empty buffer with room for at least size bytes of payload and
// one reference, which the caller owns.
func (p *Pool) Get(size int) *Buffer {
	class := classFor(size)
	var b *Buffer
	if class == unpooled {
		b = &Buffer{memory: make([]byte, Headroom+size)}
	} else if pooled, ok := p.classes[class].Get().(*Buffer); ok {
		b = pooled
	} else {
		b = &Buffer{memory: make([]byte, Headroom+classSizes[class])}
	}
	b.pool, b.class, b.stamp = p, uint8(class), 0
	b.end, b.prepared, b.compressed, b.opcode = Headroom, false, false, 0
	b.references.Store(1)
	p.inUse[class].Add(1)
	p.observer.BufferAcquired(classSize(class))
	return b
}

// put takes back a buffer whose last reference is gone.
func (p *Pool) put(b *Buffer) {
	if p.scribble {
		b.memory[0] = 0xDB
		for done := 1; done < len(b.memory); done *= 2 {
			copy(b.memory[done:], b.memory[:done]) // byte by byte is slow under the race detector
		}
	}
	p.inUse[b.class].Add(-1)
	p.observer.BufferReleased(classSize(int(b.class)))
	if int(b.class) != unpooled {
		p.classes[b.class].Put(b)
	}
}

// InUse returns how many buffers are out.
func (p *Pool) InUse() int {
	total := int64(0)
	for i := range p.inUse {
		total += p.inUse[i].Load()
	}
	return int(total)
}

func classFor(size int) int {
	for class, capacity := range classSizes {
		if size <= capacity {
			return class
		}
	}
	return unpooled
}

func classSize(class int) int {
	if class == unpooled {
		return 0
	}
	return classSizes[class]
}

func (p *Pool) batch() *batch {
	if b, ok := p.batches.Get().(*batch); ok {
		return b
	}
	return &batch{}
}
