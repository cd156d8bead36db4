package split

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/tandem-ws/tandem/internal/explore"
	"github.com/tandem-ws/tandem/wscore"
)

// modelWriter is a real Writer whose senders, closers and flushes are threads
// of an explorer, and whose transport, observer and contexts pause them where
// no lock is held. So every order of its critical sections is run.
type modelWriter struct {
	NopObserver
	scenario *modelScenario
	threads  explore.Threads
	config   Config
	writer   *Writer
	pool     *Pool

	messages []*modelMessage // in the order in which they arrived
	wire     []byte
	rights   int  // given by wake and not used yet
	flushing bool // somebody writes, or has begun to
	stopped  bool // a TryFlush could not go on
	writing  bool // in the transport
	batches  int  // writes of this TryFlush
	dead     bool // somebody was told that nothing will be written any more
	shut     bool
	lost     bool // the stream has failed, or the state said so
	faults   int  // how often the transport may still fail
	blocks   int  // how often it may still take less than everything
	closes   int  // close frames that were queued
	left     int  // how often a flush reported that the close frame has left
	discards int
	pongs    byte // the number of the newest pong
	pongDue  bool // it must leave
	frames   int  // the gauges that an observer sees
	bytes    int
	dropped  [DropReasons]int
	written  int // messages that were reported as written
	fault    error
}

// modelMessage is a message and what its sender knows of it.
type modelMessage struct {
	id       byte
	buffer   *Buffer
	sender   string
	key      string
	accepted bool
	refused  error
	notify   bool
	told     int
	told1    error // the first of what its sender was told
	waits    bool  // its sender does, for room
}

type modelScenario struct {
	name     string
	mailbox  MailboxConfig
	threads  []modelThread
	faults   int  // how often the transport may fail or panic
	blocks   int  // how often it may take less than it is given at once
	try      bool // flushes begin with TryFlush
	fine     bool // also pause between the steps of a flush that need no lock
	takeover bool // the writer has a dictionary to give back
	relief   bool // who finds the mailbox full writes first
}

type modelThread struct {
	name    string
	actions []modelAction
}

type modelAction struct {
	name string
	do   func(m *modelWriter)
}

// Sizes of payloads, and what buffers with them pin.
const (
	modelSmall    = 1
	modelLarge    = 4
	modelHuge     = maxBatchBytes // ends its batch
	modelSmallCap = Headroom + modelSmall
)

var modelSeed = maphash.MakeSeed()

func newModelWriter(s *modelScenario, pool *Pool) *modelWriter {
	m := &modelWriter{scenario: s, faults: s.faults, blocks: s.blocks, pool: pool}
	pool.observer = m
	m.config = Config{Pool: pool, Mailbox: s.mailbox, WriteTimeout: time.Minute, Observer: m}
	shared := &link{config: &m.config, role: wscore.Server}
	m.writer = &Writer{link: shared, encoder: wscore.NewEncoder(wscore.Server, &shared.lifecycle, nil), transport: modelTransport{model: m}}
	m.writer.mailbox.config = &m.config
	if s.takeover {
		m.config.Deflate = &wscore.DeflateConfig{Threshold: 1 << 20}
		m.writer.deflate = &writeDeflate{dictionary: m.newBuffer(modelSmall)}
	}
	if s.relief {
		m.writer.OnFull(m)
	}
	for _, thread := range s.threads {
		m.threads.Go(thread.name, thread.actions[0].name, func() {
			for i, action := range thread.actions {
				if i > 0 && !m.threads.Pause(action.name) {
					return
				}
				m.threads.Forget()
				m.threads.Saw(uint64(i))
				action.do(m)
			}
		})
	}
	m.threads.GoWhen("writer", "takes the right to write", m.due, m.work)
	return m
}

func (m *modelWriter) fail(format string, arguments ...any) {
	if m.fault == nil {
		m.fault = fmt.Errorf(format, arguments...)
	}
}

// newBuffer returns a buffer that will not be used again, so that a second
// release always shows.
func (m *modelWriter) newBuffer(size int) *Buffer {
	b := &Buffer{pool: m.pool, class: uint8(unpooled), memory: make([]byte, Headroom+size), end: Headroom + size, opcode: wscore.OpText}
	b.references.Store(1)
	m.pool.inUse[unpooled].Add(1)
	return b
}

// What threads do.

func (m *modelWriter) offer(size int) *modelMessage {
	message := &modelMessage{id: 'a' + byte(len(m.messages)), sender: m.threads.Running(), buffer: m.newBuffer(size)}
	for i := range message.buffer.Payload() {
		message.buffer.Payload()[i] = message.id
	}
	m.messages = append(m.messages, message)
	m.threads.Saw(uint64(message.id))
	return message
}

func (m *modelWriter) answered(message *modelMessage, wake bool, err error) {
	message.accepted, message.refused = err == nil, err
	if err != nil && wake {
		m.fail("%c was refused, with the right to write", message.id)
	}
	m.woken(wake)
}

// woken notes that somebody was given the right to write.
func (m *modelWriter) woken(wake bool) {
	if !wake {
		return
	}
	m.rights++
	if m.rights > 1 || m.flushing || m.dead {
		m.fail("%s was given the right to write while somebody has it", m.threads.Running())
	}
}

func modelSend(size int) modelAction {
	return modelAction{"sends " + strconv.Itoa(size), func(m *modelWriter) {
		message := m.offer(size)
		wake, err := m.writer.Send(message.buffer)
		m.answered(message, wake, err)
	}}
}

func modelTry() modelAction {
	return modelAction{"tries to send", func(m *modelWriter) {
		message := m.offer(modelSmall)
		wake, err := m.writer.TrySend(message.buffer)
		m.answered(message, wake, err)
	}}
}

func modelNotify() modelAction {
	return modelAction{"sends and wants to know", func(m *modelWriter) {
		message := m.offer(modelSmall)
		message.notify = true
		wake, err := m.writer.SendNotify(message.buffer, func(err error) {
			message.told++
			message.told1 = err
			m.threads.Pause("is told")
		})
		m.answered(message, wake, err)
	}}
}

func modelKeyed(key string, size int) modelAction {
	return modelAction{"sends " + key + " of " + strconv.Itoa(size), func(m *modelWriter) {
		message := m.offer(size)
		message.key = key
		wake, err := m.writer.SendKeyed(key, message.buffer)
		m.answered(message, wake, err)
	}}
}

// modelWait sends and waits for room; with patience it never gives up.
func modelWait(size int, patient bool) modelAction {
	name := "may wait to send "
	if patient {
		name = "waits to send "
	}
	return modelAction{name + strconv.Itoa(size), func(m *modelWriter) {
		message := m.offer(size)
		wake, err := m.writer.SendContext(&modelContext{m, message, patient}, message.buffer)
		message.waits = false
		m.answered(message, wake, err)
	}}
}

func modelPongs(count int) modelAction {
	return modelAction{strconv.Itoa(count) + " pongs", func(m *modelWriter) {
		box := &m.writer.mailbox
		for range count {
			closed := box.sealed && box.lane().closing == nil
			m.pongs++
			m.woken(m.writer.Pong([]byte{m.pongs}))
			pongs := box.lane().pongs
			last := len(pongs) - 1
			if m.pongDue = !closed; m.pongDue && (last < 0 || pongs[last].payload[0] != m.pongs) {
				m.fail("the control lane did not take pong %d", m.pongs)
			}
		}
	}}
}

var modelPing = modelAction{"pings", func(m *modelWriter) { m.woken(m.writer.Ping()) }}

func modelClose(discard bool) modelAction {
	name := "closes"
	if discard {
		name = "closes and discards"
	}
	return modelAction{name, func(m *modelWriter) {
		if discard {
			m.discards++
			m.pongDue = false
		}
		wake, queued := m.writer.Close(wscore.CloseNormal, "", discard)
		m.woken(wake)
		if queued {
			m.closes++
		}
		if box := &m.writer.mailbox; discard && box.count() > 0 || !box.sealed {
			m.fail("after the close %d messages wait, sealed is %v", box.count(), box.sealed)
		}
	}}
}

var modelShut = modelAction{"shuts", func(m *modelWriter) {
	m.shut, m.pongDue = true, false
	m.over(m.writer.Shut())
}}

var modelLost = modelAction{"loses the stream", func(m *modelWriter) {
	m.lost, m.pongDue = true, false
	_, _ = m.writer.Lifecycle().Apply(wscore.Lost)
}}

// over notes that somebody was told, with true, that nothing is written any
// more.
func (m *modelWriter) over(told bool) {
	if !told {
		return
	}
	if m.dead || m.flushing || m.rights > 0 {
		m.fail("the writer's end was told although it was told before (%v) or somebody writes (%v) or is due to (%d)", m.dead, m.flushing, m.rights)
	}
	m.dead = true
}

// work is whoever is told that a flush is due, and goes on where a TryFlush had
// to stop.
func (m *modelWriter) work() {
	for alive := true; alive; alive = m.threads.Await("takes the right to write", m.due) {
		m.threads.Forget()
		if m.stopped {
			m.stopped = false
			m.conclude(m.flush(false))
		} else {
			m.claim(m.scenario.try)
		}
	}
}

func (m *modelWriter) due() bool { return m.rights > 0 || m.stopped }

// Relieve is what a sender does that finds the mailbox full: it writes if the
// right to is due and nobody has claimed it.
func (m *modelWriter) Relieve() {
	if m.rights > 0 {
		m.claim(true)
	}
}

// claim uses the right to write.
func (m *modelWriter) claim(try bool) {
	m.rights--
	m.flushing = true
	m.conclude(m.flush(try))
}

// conclude draws the conclusions of a flush.
func (m *modelWriter) conclude(closeSent bool, err error, panicked bool) {
	if closeSent {
		m.left++
	}
	if err == ErrWouldBlock {
		m.stopped = true
		return
	}
	if panicked {
		m.threads.Pause("has panicked")
		if m.writer.Shut() {
			m.fail("the writer counts as idle after a panic")
		}
	}
	m.flushing = false
	m.over(panicked || err != nil)
}

func (m *modelWriter) flush(try bool) (closeSent bool, err error, panicked bool) {
	defer func() {
		if v := recover(); v == errModelPanic {
			panicked, m.writing = true, false
		} else if v != nil {
			panic(v)
		}
	}()
	if m.batches = 1; try {
		closeSent, err = m.writer.TryFlush()
	} else {
		closeSent, err = m.writer.Flush()
	}
	if err == ErrWouldBlock && !try {
		m.fail("a flush that may wait does not")
	}
	return closeSent, err, false
}

var (
	errModelPanic = errors.New("the transport panicked")
	errModelLost  = errors.New("the stream was lost")
)

// modelTransport does with each write all that a stream can do.
type modelTransport struct {
	Transport
	model *modelWriter
}

func (t modelTransport) Write(buffers *net.Buffers, _ time.Duration) (int64, error) {
	return t.model.transport(buffers, false)
}

func (t modelTransport) TryWrite(buffers *net.Buffers) (int64, error) {
	return t.model.transport(buffers, true)
}

func (m *modelWriter) transport(buffers *net.Buffers, try bool) (int64, error) {
	if m.writing {
		m.fail("two write at once")
	}
	if !m.flushing {
		m.fail("somebody writes who may not")
	}
	m.writing = true
	all := bytes.Join(*buffers, nil)
	options := make([]string, 1, 6)
	options[0] = "all of it leaves"
	if m.faults > 0 {
		options = append(options, "it fails half-way", "it panics")
		if m.scenario.fine {
			options = append(options, "it fails at the end")
		}
	}
	if try && m.blocks > 0 {
		options = append(options, "nothing leaves yet", "half of it leaves")
	}
	if m.threads.Running() == "writer" {
		m.threads.Forget()
	}
	m.threads.Saw(maphash.Bytes(modelSeed, all))
	if try {
		m.threads.Saw(uint64(m.batches)) // a TryFlush counts them
		m.batches++
	}
	choice := max(m.threads.Choose("writes", options...), 0)
	m.writing = false
	n, err := len(all), error(nil)
	switch options[choice] {
	case "it fails half-way":
		n, err = n/2, errModelLost
	case "it fails at the end":
		err = errModelLost
	case "it panics":
		m.faults, m.lost, m.pongDue = m.faults-1, true, false
		panic(errModelPanic)
	case "nothing leaves yet":
		n, err = 0, ErrWouldBlock
	case "half of it leaves":
		n, err = n/2, ErrWouldBlock
	}
	switch err {
	case errModelLost:
		m.faults, m.lost, m.pongDue = m.faults-1, true, false
	case ErrWouldBlock:
		m.blocks--
	}
	m.wire = append(m.wire, all[:n]...)
	consume(buffers, n)
	return int64(n), err
}

// modelContext is a context whose wait for room ends when the explorer says so.
type modelContext struct {
	model   *modelWriter
	message *modelMessage
	patient bool
}

func (c *modelContext) decided() bool { return !slices.Contains(c.model.line(), c.message) }

// Done is asked for once the message is in the line and the lock is free.
func (c *modelContext) Done() <-chan struct{} {
	c.message.waits = true
	var ready func() bool
	if c.patient {
		ready = c.decided
	}
	alive := c.model.threads.ChooseWhen(ready, "waits for room") >= 0
	if alive && c.decided() {
		return nil
	}
	ended := make(chan struct{})
	close(ended)
	return ended
}

// Err is asked for between the end of the wait and the leaving of the line.
func (c *modelContext) Err() error {
	c.model.threads.Pause("gives up")
	return context.Canceled
}

func (c *modelContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (c *modelContext) Value(any) any               { return nil }

// What an observer is told.

func (m *modelWriter) BufferAcquired(int) { m.pauseUnlocked("encodes") }

func (m *modelWriter) FrameWritten(opcode wscore.Opcode, _ int) {
	m.pauseUnlocked("reports")
	if opcode == wscore.OpText {
		m.written++
	}
}

func (m *modelWriter) MailboxChanged(frames, bytes int) {
	m.frames += frames
	m.bytes += bytes
}

func (m *modelWriter) FramesDropped(reason DropReason, frames int) {
	m.dropped[reason] += frames
	if m.flushing {
		m.pauseUnlocked("reports")
	}
}

func (m *modelWriter) pauseUnlocked(at string) {
	if m.scenario.fine && m.writer != nil && m.writer.mailbox.mu.TryLock() {
		m.writer.mailbox.mu.Unlock()
		m.threads.Pause(at)
	}
}

// queued and line return the messages that are in the queue and before it.
func (m *modelWriter) queued() (messages []*modelMessage) {
	for i := range m.writer.mailbox.count() {
		messages = append(messages, m.find(m.writer.mailbox.queue.at(i).message))
	}
	return messages
}

func (m *modelWriter) line() (messages []*modelMessage) {
	first := m.writer.mailbox.line
	for w := first; w != nil; {
		messages = append(messages, m.find(w.entry.message))
		if w = w.next; w == first {
			break
		}
	}
	return messages
}

func (m *modelWriter) find(b *Buffer) *modelMessage {
	for _, message := range m.messages {
		if message.buffer == b {
			return message
		}
	}
	m.fail("a message nobody has sent")
	return &modelMessage{id: '?', buffer: b}
}

// inHand are the accepted messages that are neither queued nor done with.
func (m *modelWriter) inHand(queued []*modelMessage) (messages []*modelMessage) {
	line := m.line()
	for _, message := range m.messages {
		if message.buffer.references.Load() > 0 && !slices.Contains(queued, message) && !slices.Contains(line, message) {
			messages = append(messages, message)
		}
	}
	return messages
}

func modelIDs(messages []*modelMessage) string {
	var b []byte
	for _, message := range messages {
		b = append(b, message.id)
	}
	return string(b)
}

// onWire returns the ids of the messages that left whole, and how many close
// frames; the rest of the wire may be the beginning of a frame.
func (m *modelWriter) onWire() (ids []byte, closes int, lastPong byte, err error) {
	rest := m.wire
	for len(rest) >= 2 {
		header, length := 2, int(rest[1])
		if length == 127 {
			if len(rest) < 10 {
				break
			}
			header, length = 10, int(binary.BigEndian.Uint64(rest[2:]))
		}
		if len(rest) < header+length {
			break
		}
		payload := rest[header : header+length]
		if closes > 0 {
			return nil, 0, 0, fmt.Errorf("frame %x follows the close frame", rest[0])
		}
		switch rest[0] {
		case 0x81:
			if bytes.Count(payload, payload[:1]) != len(payload) {
				return nil, 0, 0, fmt.Errorf("a message has become %q", payload)
			}
			ids = append(ids, payload[0])
		case 0x88:
			closes++
		case 0x8A:
			if payload[0] <= lastPong {
				return nil, 0, 0, fmt.Errorf("pong %d follows pong %d", payload[0], lastPong)
			}
			lastPong = payload[0]
		case 0x89:
		default:
			return nil, 0, 0, fmt.Errorf("a frame begins with %x", rest[0])
		}
		rest = rest[header+length:]
	}
	if closes > 0 && len(rest) > 0 {
		return nil, 0, 0, fmt.Errorf("%x follows the close frame", rest)
	}
	return ids, closes, lastPong, nil
}

func (m *modelWriter) Steps() int           { return m.threads.Steps() }
func (m *modelWriter) Name(step int) string { return m.threads.Name(step) }
func (m *modelWriter) Do(step int)          { m.threads.Do(step) }

// Check is what holds always.
func (m *modelWriter) Check() error {
	if m.fault != nil {
		return m.fault
	}
	box, limit := &m.writer.mailbox, &m.scenario.mailbox
	ids, closes, _, err := m.onWire()
	if err != nil {
		return err
	}
	queued, line := m.queued(), m.line()
	inHand := m.inHand(queued)
	waiting := box.count() > 0 || !box.lane().empty()
	pinned := 0
	for _, message := range queued {
		pinned += message.buffer.Cap()
	}
	switch {
	case m.fault != nil:
		return m.fault
	case m.rights > 1 || m.rights > 0 && (m.flushing || m.dead):
		return fmt.Errorf("%d have the right to write, somebody writes: %v, the end was told: %v", m.rights, m.flushing, m.dead)
	case waiting && !box.scheduled:
		return fmt.Errorf("something waits and nobody is on the way")
	case (m.rights > 0 || m.flushing) && !box.scheduled:
		return fmt.Errorf("somebody has the right to write and the mailbox gives it to the next")
	case box.count() >= 2 && (box.count()+int(box.writing) > limit.MaxFrames || box.bytes > limit.MaxBytes):
		return fmt.Errorf("%d messages wait and %d are written, which pin %d bytes", box.count(), box.writing, box.bytes)
	case box.count()+int(box.writing) > limit.MaxFrames+1 || box.queue.size() > max(4, limit.MaxFrames):
		return fmt.Errorf("%d messages wait and %d are written in a ring of %d", box.count(), box.writing, box.queue.size())
	case box.bytes < pinned || int(box.writing) > maxBatchFrames || !m.flushing && (box.writing > 0 || box.bytes != pinned):
		return fmt.Errorf("%d messages are written and %d bytes pinned, %d by what waits", box.writing, box.bytes, pinned)
	case len(box.lane().pongs) > MaxPongs:
		return fmt.Errorf("%d pongs wait", len(box.lane().pongs))
	case m.frames < box.count()+int(box.writing) || m.bytes < 0:
		return fmt.Errorf("the gauges are %d messages and %d bytes, and %d wait", m.frames, m.bytes, box.count()+int(box.writing))
	case len(line) > 0 && (box.sealed || box.fits(0, 0, line[0].buffer.Cap())):
		return fmt.Errorf("%q wait for room, and there is some, or they wait in vain", modelIDs(line))
	case m.closes > 1 || m.left > closes:
		return fmt.Errorf("%d close frames were queued, %d left, %d were reported", m.closes, closes, m.left)
	case !m.flushing && len(inHand) > 0 && !m.sending():
		return fmt.Errorf("nobody writes, and %q are neither queued nor done with", modelIDs(inHand))
	}
	for _, message := range m.messages {
		if err := message.check(); err != nil {
			return err
		}
	}
	return m.checkOrder(string(ids) + modelIDs(queued) + modelIDs(line))
}

// sending reports whether a thread is on its way into the mailbox or out of it.
func (m *modelWriter) sending() bool {
	return slices.ContainsFunc(m.messages, func(message *modelMessage) bool { return !message.accepted && message.refused == nil })
}

func (message *modelMessage) check() error {
	left := message.buffer.references.Load()
	switch {
	case message.told > 1 || message.told > 0 && message.refused != nil:
		return fmt.Errorf("the sender of %c was told its end %d times, refused: %v", message.id, message.told, message.refused)
	case message.told > 0 && left != 0:
		return fmt.Errorf("the sender of %c was told its end before it", message.id)
	case message.refused != nil && left != 0:
		return fmt.Errorf("%c was refused and not released", message.id)
	}
	return nil
}

// checkOrder demands that messages leave and wait in the order of their
// arrival, but for those that took another's place.
func (m *modelWriter) checkOrder(ids string) error {
	last := map[string]byte{}
	for _, id := range []byte(ids) {
		message := m.messages[id-'a']
		if message.key != "" {
			continue
		}
		// Who writes first arrives afterwards.
		sender := ""
		if m.scenario.relief {
			sender = message.sender
		}
		if id <= last[sender] {
			return fmt.Errorf("%c comes behind %c in %q", id, last[sender], ids)
		}
		last[sender] = id
	}
	return nil
}

// End is what holds once nothing more can happen.
func (m *modelWriter) End() error {
	box := &m.writer.mailbox
	for _, thread := range m.threads.Unfinished() {
		if thread != "writer at takes the right to write" {
			return fmt.Errorf("deadlock: %s", thread)
		}
	}
	ids, closes, lastPong, err := m.onWire()
	if err != nil {
		return err
	}
	accepted, refused := 0, 0
	for _, message := range m.messages {
		switch {
		case !message.accepted && message.refused == nil:
			return fmt.Errorf("nobody knows what became of %c", message.id)
		case message.accepted:
			accepted++
		default:
			refused++
		}
		whole := bytes.IndexByte(ids, message.id) >= 0
		switch {
		case message.refused != nil && whole:
			return fmt.Errorf("%c was refused and has left", message.id)
		case message.buffer.references.Load() != 0:
			return fmt.Errorf("%c is not released", message.id)
		case message.accepted && message.notify && message.told != 1:
			return fmt.Errorf("the sender of %c was told its end %d times", message.id, message.told)
		case message.notify && message.told == 1 && message.told1 == nil && !whole:
			return fmt.Errorf("the sender of %c was told that it has left", message.id)
		case message.notify && message.told == 1 && message.told1 != nil && whole && !m.lost && !m.shut:
			return fmt.Errorf("the sender of %c was told %v though it has left", message.id, message.told1)
		}
	}
	lost := m.dropped[DropFull] + m.dropped[DropClosed] + m.dropped[DropConflated] + m.dropped[DropLost]
	ended := m.shut || m.lost && (m.dead || box.ended)
	used := 0
	if m.scenario.takeover && !m.dead {
		used = 1 // the dictionary
	}
	switch {
	case accepted+refused != m.written+lost:
		return fmt.Errorf("of %d messages %d were reported as written and %v as dropped", accepted+refused, m.written, m.dropped)
	case m.written > len(ids) || !m.lost && !m.shut && m.written != len(ids):
		return fmt.Errorf("%d messages were reported as written, on the wire are %q", m.written, ids)
	case !m.lost && !m.shut && m.discards == 0 && m.scenario.mailbox.Policy != DropOldest && m.dropped[DropConflated] == 0 && m.written != accepted:
		return fmt.Errorf("%d messages were accepted and %d written", accepted, m.written)
	case box.count() != 0 || !box.lane().empty() || box.line != nil || box.writing != 0 || box.bytes != 0:
		return fmt.Errorf("%d messages and %+v still wait, %d bytes are pinned", box.count(), *box.lane(), box.bytes)
	case m.writer.unfinished != nil:
		return fmt.Errorf("a batch was left unfinished")
	case box.scheduled != box.ended || m.dead != box.ended || box.ended != (m.shut || m.dead):
		return fmt.Errorf("the right to write is taken: %v, the mailbox shut: %v, the end told: %v", box.scheduled, box.ended, m.dead)
	case m.shut && !m.dead:
		return fmt.Errorf("the mailbox was shut and nobody was told the end")
	case m.frames != 0 || m.bytes != 0:
		return fmt.Errorf("the gauges are %d messages and %d bytes", m.frames, m.bytes)
	case m.pool.InUse() != used:
		return fmt.Errorf("%d buffers are in use", m.pool.InUse())
	case m.closes > 0 && !m.lost && !ended && (closes != 1 || m.left != 1):
		return fmt.Errorf("%d close frames have left and %d were reported", closes, m.left)
	case !m.lost && m.left != closes:
		return fmt.Errorf("%d close frames have left and %d were reported", closes, m.left)
	case m.pongDue && !m.lost && !ended && lastPong != m.pongs:
		return fmt.Errorf("pong %d was due and %d was the last", m.pongs, lastPong)
	}
	return nil
}

// State is all that the future depends on.
func (m *modelWriter) State(to []byte) []byte {
	box := &m.writer.mailbox
	to = m.threads.State(to)
	to = append(append(to, '|'), m.wire...)
	queued := m.queued()
	hand := m.inHand(queued)
	to = append(append(append(to, '|'), modelIDs(queued)...), '|')
	to = append(append(append(to, modelIDs(hand)...), '|'), modelIDs(m.line())...)
	for _, message := range m.messages {
		flags := byte(0)
		for i, flag := range []bool{message.accepted, message.notify, message.told > 0, message.told1 == nil, message.waits, message.refused != nil} {
			if flag {
				flags |= 1 << i
			}
		}
		to = append(to, flags, byte(message.buffer.references.Load()), byte(message.buffer.Len()))
		to = append(to, message.key...)
	}
	to = append(to, '|')
	lane := box.lane()
	for i := range lane.pongs {
		to = append(to, lane.pongs[i].payload[0])
	}
	for _, flag := range []bool{
		lane.ping != nil, lane.closing != nil, box.sealed, box.ended, box.scheduled, m.flushing, m.stopped, m.writing, m.dead, m.shut, m.lost,
		m.pongDue, m.writer.unfinished != nil, m.writer.deflate != nil && m.writer.deflate.dictionary != nil,
	} {
		to = strconv.AppendBool(to, flag)
	}
	head := 0
	if box.queue != nil {
		head = int(box.queue.head)
	}
	for _, number := range []int{
		box.bytes, int(box.writing), head, box.queue.size(), m.rights, m.faults, m.blocks, m.closes, m.left, m.discards, int(m.pongs), m.frames, m.bytes,
		m.written, m.pool.InUse(), int(m.writer.Lifecycle().State()),
	} {
		to = strconv.AppendInt(append(to, ','), int64(number), 10)
	}
	for _, n := range m.dropped {
		to = strconv.AppendInt(append(to, ','), int64(n), 10)
	}
	return to
}

// Close ends the system wherever it is. Then every buffer must be back too.
func (m *modelWriter) Close() error {
	m.faults, m.blocks = 0, 0
	m.threads.Stop()
	_ = m.writer.Shut()
	_, _ = m.writer.Flush() // for what a TryFlush has in hand
	m.writer.deflate.discard()
	if used := m.pool.InUse(); used != 0 && m.fault == nil {
		return fmt.Errorf("%d buffers are in use after the end", used)
	}
	return nil
}
