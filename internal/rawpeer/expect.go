package rawpeer

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
)

// ExpectMessage waits for a message of exactly this kind and content.
func (p *Peer) ExpectMessage(opcode byte, payload []byte) error {
	e, err := p.ReadMessage()
	if err != nil {
		return err
	}
	if e.Opcode != opcode || string(e.Payload) != string(payload) {
		return &UnexpectedError{Want: Event{Opcode: opcode, Payload: payload}.String(), Got: e}
	}
	return nil
}

// ExpectText waits for exactly this text message.
func (p *Peer) ExpectText(s string) error { return p.ExpectMessage(OpText, []byte(s)) }

// ExpectBinary waits for exactly this binary message.
func (p *Peer) ExpectBinary(b []byte) error { return p.ExpectMessage(OpBinary, b) }

// ExpectPong waits for a pong with exactly this payload; anything but a ping
// before it is an error.
func (p *Peer) ExpectPong(payload []byte) error {
	e, err := p.next()
	if err != nil {
		return err
	}
	if e.Opcode != OpPong || string(e.Payload) != string(payload) {
		return &UnexpectedError{Want: fmt.Sprintf("pong %q", payload), Got: e}
	}
	return nil
}

// ReadClose waits for a close frame; anything but a ping or pong before it is
// an error.
func (p *Peer) ReadClose() (Event, error) {
	for {
		e, err := p.next()
		if err != nil {
			return e, err
		}
		switch e.Opcode {
		case OpClose:
			return e, nil
		case OpPong:
		default:
			return e, &UnexpectedError{Want: "close", Got: e}
		}
	}
}

// ExpectClose waits for a close frame with this code. NoStatus asks for an
// empty one, 0 takes any.
func (p *Peer) ExpectClose(code uint16) error {
	e, err := p.ReadClose()
	if err != nil {
		return err
	}
	if code != 0 && e.Code != code {
		return &UnexpectedError{Want: "close " + strconv.Itoa(int(code)), Got: e}
	}
	return nil
}

// ExpectEOF waits for the end of the connection; anything said before it is
// an error. A reset is an end too: a side that closes with unread input
// resets.
func (p *Peer) ExpectEOF() error {
	f, err := p.ReadFrame()
	switch {
	case err == nil:
		return &UnexpectedError{Want: "the end of the connection", Got: Event{Opcode: f.Opcode, Payload: f.Payload}}
	case Ended(err):
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ErrNotEnded
	}
	return err
}

// ExpectNothing proves that the remote peer has nothing to say: it sends a
// ping and demands that its pong is the next event.
func (p *Peer) ExpectNothing() error {
	p.fences++
	payload := []byte("fence-" + strconv.FormatUint(p.fences, 10))
	if err := p.Ping(payload); err != nil {
		return err
	}
	return p.ExpectPong(payload)
}

// Ended reports whether a read error means that the connection is over, as
// opposed to a frame cut short, a violation or a timeout.
func Ended(err error) bool {
	for _, end := range []error{io.EOF, io.ErrClosedPipe, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}
