package explore

// Values with the methods of those in package sync/atomic and of a sync.Mutex, each of which is a
// step of its own. Until Bind they are plain values.

// Bound is a value of this file.
type Bound interface {
	bind(threads *Threads, name string)
}

// Bind makes each operation on a value a step of that name.
func Bind(threads *Threads, name string, value Bound) { value.bind(threads, name) }

type cell[T comparable] struct {
	threads *Threads
	name    string
	value   T
}

func (c *cell[T]) bind(threads *Threads, name string) { c.threads, c.name = threads, name }

// pause comes before an operation.
func (c *cell[T]) pause(what string) {
	if c.threads != nil {
		c.threads.Pause(what + " " + c.name)
	}
}

func (c *cell[T]) saw(ok bool) bool {
	if c.threads != nil {
		n := uint64(1)
		if ok {
			n = 2
		}
		c.threads.Saw(n)
	}
	return ok
}

func (c *cell[T]) store(what string, value T) {
	c.pause(what)
	c.value = value
}

func (c *cell[T]) compareAndSwap(before, after T) bool {
	c.pause("compares and swaps")
	if c.value != before {
		return c.saw(false)
	}
	c.value = after
	return c.saw(true)
}

// Number is an atomic number.
type Number[T interface {
	~int64 | ~uint32 | ~uint64 | ~int32
}] struct{ cell[T] }

func (n *Number[T]) read(what string) T {
	n.pause(what)
	if n.threads != nil {
		n.threads.Saw(uint64(n.value))
	}
	return n.value
}

// Peek returns the value and is no step.
func (n *Number[T]) Peek() T { return n.value }

// Load returns the value.
func (n *Number[T]) Load() T { return n.read("loads") }

// Store sets the value.
func (n *Number[T]) Store(value T) { n.store("stores", value) }

// Add adds to the value and returns it.
func (n *Number[T]) Add(delta T) T {
	n.pause("adds")
	n.value += delta
	if n.threads != nil {
		n.threads.Saw(uint64(n.value))
	}
	return n.value
}

// CompareAndSwap replaces one value by another.
func (n *Number[T]) CompareAndSwap(before, after T) bool { return n.compareAndSwap(before, after) }

// Bool is an atomic truth value.
type Bool struct{ cell[bool] }

// Peek returns the value and is no step.
func (b *Bool) Peek() bool { return b.value }

// Load returns the value.
func (b *Bool) Load() bool {
	b.pause("loads")
	return b.saw(b.value)
}

// Store sets the value.
func (b *Bool) Store(value bool) { b.store("stores", value) }

// Swap sets the value and returns the one before.
func (b *Bool) Swap(value bool) bool {
	b.pause("swaps")
	before := b.value
	b.value = value
	return b.saw(before)
}

// CompareAndSwap replaces one value by another.
func (b *Bool) CompareAndSwap(before, after bool) bool { return b.compareAndSwap(before, after) }

// Pointer is an atomic pointer. Number tells the values apart.
type Pointer[T any] struct {
	cell[*T]
	Number func(*T) uint64
}

// Peek returns the value and is no step.
func (p *Pointer[T]) Peek() *T { return p.value }

// Load returns the value.
func (p *Pointer[T]) Load() *T {
	p.pause("loads")
	if p.threads != nil && p.value != nil {
		p.threads.Saw(p.Number(p.value))
	}
	return p.value
}

// Store sets the value.
func (p *Pointer[T]) Store(value *T) { p.store("stores", value) }

// Mutex is a lock whose taking is a step.
type Mutex struct {
	threads *Threads
	name    string
	held    bool
}

func (m *Mutex) bind(threads *Threads, name string) { m.threads, m.name = threads, name }

// Lock takes the lock once it is free.
func (m *Mutex) Lock() {
	if m.threads != nil {
		m.threads.Await("locks "+m.name, func() bool { return !m.held })
	}
	m.held = true
}

// Held reports whether the lock is taken, and is no step.
func (m *Mutex) Held() bool { return m.held }

// Unlock gives the lock back.
func (m *Mutex) Unlock() { m.held = false }
