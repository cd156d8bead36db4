package split

import "github.com/tandem-ws/tandem/wscore"

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

// pushPong queues the answer to a ping.
func (m *Mailbox) pushPong(payload []byte) (wake bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sealed && m.closing == nil {
		return false // our close frame is out: nothing may follow it
	}
	if len(m.pongs) == MaxPongs {
		copy(m.pongs, m.pongs[1:])
		m.pongs = m.pongs[:MaxPongs-1]
		m.config.Observer.FramesDropped(DropPong, 1)
	}
	if m.pongs == nil {
		m.pongs = borrowPongs()
	}
	m.pongs = append(m.pongs, newControlFrame(payload))
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
	m.ping = &frame
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
		m.sealed, m.closing = true, &closeFrame{code: code, reason: reason}
		m.turnAway()
		wake, queued = m.schedule(), true
	}
	m.mu.Unlock()
	dropped.tell()
	return wake, queued
}
