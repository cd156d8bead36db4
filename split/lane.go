package split

import (
	"sync"

	"github.com/tandem-ws/tandem/wscore"
)

// The control lane: pongs, one ping and one close frame, which a full queue
// and those who wait for room in it never hold up.

type controlFrame struct {
	length  uint8
	payload [wscore.MaxControlPayload]byte
}

func newControlFrame(payload []byte) controlFrame {
	var f controlFrame
	f.length = uint8(copy(f.payload[:], payload))
	return f
}

func (f *controlFrame) bytes() []byte { return f.payload[:f.length] }

type closeFrame struct {
	code   wscore.CloseCode
	reason string
}

// control is what waits in the lane. A mailbox borrows one while there is any.
type control struct {
	pongs   []controlFrame
	ping    *controlFrame // nil for none
	closing *closeFrame   // nil for none
}

var controls = sync.Pool{New: func() any { return &control{pongs: make([]controlFrame, 0, lentPongs)} }}

// lentPongs is how many pongs are lent room with a control.
const lentPongs = 4

func (c *control) empty() bool { return len(c.pongs) == 0 && c.ping == nil && c.closing == nil }

// take moves all but the close frame into the batch.
func (c *control) take(b *batch) {
	b.pongs = append(b.pongs[:0], c.pongs...)
	b.ping, c.ping, c.pongs = c.ping, nil, c.pongs[:0]
}

func (c *control) giveBack() {
	c.closing = nil
	if cap(c.pongs) == lentPongs {
		controls.Put(c)
	}
}

// lane returns what waits in the lane, for those who only look.
func (m *Mailbox) lane() *control {
	if m.control == nil {
		return &control{}
	}
	return m.control
}

// borrowed returns what waits in the lane, for those who add to it.
func (m *Mailbox) borrowed() *control {
	if m.control == nil {
		m.control = controls.Get().(*control)
	}
	return m.control
}

// pushPong queues the answer to a ping.
func (m *Mailbox) pushPong(payload []byte) (wake bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sealed && m.lane().closing == nil {
		return false // our close frame is out: nothing may follow it
	}
	c := m.borrowed()
	if len(c.pongs) == MaxPongs {
		copy(c.pongs, c.pongs[1:])
		c.pongs = c.pongs[:MaxPongs-1]
		m.config.Observer.FramesDropped(DropPong, 1)
	}
	c.pongs = append(c.pongs, newControlFrame(payload))
	return m.schedule()
}

// pushPing queues a ping in place of one that has not left yet.
func (m *Mailbox) pushPing(payload []byte) (wake bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sealed {
		return false
	}
	frame := newControlFrame(payload)
	m.borrowed().ping = &frame
	return m.schedule()
}

// pushClose queues the connection's one close frame behind the waiting
// messages, or in their place when discard is set; queued is false if there
// was one before. Who waits for room is turned away.
func (m *Mailbox) pushClose(code wscore.CloseCode, reason string, discard bool) (wake, queued bool) {
	var dropped notices
	m.mu.Lock()
	if discard {
		dropped = m.discard()
	}
	if !m.sealed {
		m.sealed, m.borrowed().closing = true, &closeFrame{code: code, reason: reason}
		m.turnAway()
		wake, queued = m.schedule(), true
	}
	m.mu.Unlock()
	dropped.tell()
	return wake, queued
}
